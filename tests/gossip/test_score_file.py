"""Scores over a restart, and the rules of the score line by line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.gossip import GossipParameters, dump_scores, load_scores
from p2pcommerce.gossip.score import Score, Scores
from p2pcommerce.primitives.errors import CodecError, Verdict

from .rig import SECOND, Rig, misbehaving, peer_of, raw_of

HOUR = 3_600 * SECOND
NUMBERS = GossipParameters()


def reject(rig, number, count):
    effects = []
    for place in range(count):
        raw = raw_of(rig.now + place)
        rig.show(number, raw)
        effects += rig.judge(raw, origin=number, verdict=Verdict.REJECT)
    return effects


def restarted(rig):
    """Another life of the same node: it knows what it saved."""
    fresh = Rig()
    fresh.now = rig.now
    saved = dump_scores(rig.router.scores.items(), rig.now)
    fresh.router.scores.restore(load_scores(saved, NUMBERS, fresh.now), fresh.now)
    return fresh


def test_a_ban_stands_over_a_restart():
    rig = Rig(peers=2)
    assert misbehaving(reject(rig, 1, 3)) == [1]
    fresh = restarted(rig)
    assert fresh.router.is_banned(peer_of(1), fresh.now + 599 * SECOND)
    assert not fresh.router.is_banned(peer_of(1), fresh.now + 600 * SECOND)
    assert not fresh.router.is_banned(peer_of(2), fresh.now)


def test_the_next_ban_is_twice_as_long_over_a_restart_too():
    rig = Rig(peers=1)
    reject(rig, 1, 3)
    rig.now += 600 * SECOND
    fresh = restarted(rig)
    fresh.connect(1)
    assert misbehaving(reject(fresh, 1, 3)) == [1]
    assert fresh.router.is_banned(peer_of(1), fresh.now + 1_199 * SECOND)
    assert not fresh.router.is_banned(peer_of(1), fresh.now + 1_200 * SECOND)


def test_bans_double_up_to_24_hours():
    scores, score, now = Scores(NUMBERS), Score(0), 0
    for hours_6 in (1, 2, 4, 8, 16, 32, 64, 128, 144, 144):
        scores.ban(score, now)
        assert score.banned_until_us - now == hours_6 * 600 * SECOND


def test_what_was_invalid_before_a_restart_still_counts_and_fades_after_an_hour():
    rig = Rig(peers=1)
    assert misbehaving(reject(rig, 1, 2)) == []
    fresh = restarted(rig)
    fresh.connect(1)
    assert misbehaving(reject(fresh, 1, 1)) == [1]
    rig.now += HOUR
    rig.router.on_disconnected(peer_of(1), rig.now)
    rig.now += HOUR
    assert restarted(rig).count("scores") == 0


def test_broken_promises_and_stalls_alone_never_ban():
    scores, score = Scores(NUMBERS), Score(0)
    score.broken = score.stalls = 10**6
    assert NUMBERS.ban_points < scores.points(score, 0) <= NUMBERS.graylist_points


def test_useful_deliveries_make_up_for_a_bounded_part():
    scores, score = Scores(NUMBERS), Score(0)
    score.useful, score.invalid = 10**6, 3
    assert scores.points(score, 0) <= NUMBERS.ban_points


def test_a_neutral_peer_is_not_saved():
    assert load_scores(dump_scores(Rig(peers=3).router.scores.items(), 1), NUMBERS, 1) == []


def test_what_is_loaded_is_clamped_to_the_present():
    score = Score(10**15)
    score.ban_us, score.banned_until_us, score.invalid = 10**17, 10**17, 1
    ((_, loaded),) = load_scores(dump_scores([(peer_of(1), score)], 10**16), NUMBERS, 5)
    assert loaded.ban_us == NUMBERS.ban_us_max
    assert loaded.banned_until_us == 5 + NUMBERS.ban_us_max
    assert loaded.faded_us == loaded.gone_us == 5


def test_restored_scores_are_bounded():
    score = Score(0)
    score.invalid, score.gone_us = 1, 0
    scores = Scores(GossipParameters(scores_max=5))
    scores.restore([(peer_of(number), score) for number in range(20)], 1)
    assert len(scores) == 5


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_damaged_scores_are_refused(data):
    if data != b"\x90":
        with pytest.raises(CodecError):
            load_scores(data, NUMBERS, 1)
