"""Offences: judged once, kept over restarts, told to peers, reported a little later, forgotten when punished."""

import random
from itertools import pairwise

import pytest

from p2pcommerce.commerce import SubmitEvidence, build_transaction
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.node import effects as out
from p2pcommerce.node import offences as room
from p2pcommerce.node.log_records import EVIDENCE_RECORD
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.wire import messages as wire

from .cluster import KEYED, Cluster, make_genesis, seed_of

GENESIS = make_genesis()
OFFENDER = KEYED.public_key(seed_of("validator 3"))


def evidence(*, view=10**6, epoch=0, name="validator 3", salt=1):
    """Two notarizations of one view."""
    seed = seed_of(name)
    ballots = [Ballot(epoch, view, VoteKind.NOTARIZE, bytes([number + salt]) * 32) for number in (0, 1)]
    signed = [KEYED.sign(seed, signed_bytes(ballot.domain, GENESIS.hash, ballot.data)) for ballot in ballots]
    return encode_evidence(
        DoubleSignature(KEYED.public_key(seed), ballots[0].data, signed[0], ballots[1].data, signed[1])
    )


@pytest.fixture
def cluster():
    cluster = Cluster(genesis=GENESIS, followers=1).start()
    cluster.run(1)
    return cluster


def offences(host):
    return host.node._board.offences


def hear(host, data, *, of=None):
    """Let a host hear evidence of a peer; return what it wants done."""
    peer = of or next(iter(host.node._board.links))
    heard = []

    def take(now):
        effects = host.node.on_message(peer, wire.Evidence(data), now)
        heard.extend(effects)
        return effects

    host.give(take)
    return heard


def told(effects):
    return [effect.peer for effect in effects if isinstance(effect, out.Transmit)]


def test_what_is_heard_is_judged_logged_said_and_passed_on_but_not_back(cluster):
    host = cluster.hosts[0]
    peers = list(host.node._board.links)
    data = evidence()
    effects = hear(host, data, of=peers[0])
    assert effects[0] == out.Append(EVIDENCE_RECORD + data)
    (found,) = [effect for effect in effects if isinstance(effect, out.OffenceFound)]
    assert (found.offence.offender, found.offence.kind, found.peer) == (OFFENDER, "E1", peers[0])
    (line,) = [effect.message for effect in effects if isinstance(effect, out.Log)]
    assert "voted for two blocks in one view, in epoch 0 (E1)" in line
    assert sorted(told(effects)) == sorted(peers[1:])
    assert host.node.offences() == (found,)


def test_everybody_hears_of_it_followers_too(cluster):
    hear(cluster.hosts[0], evidence())
    cluster.run(0.5)
    assert [len(offences(host)) for host in cluster.hosts] == [1] * 5


def test_one_piece_of_evidence_is_kept_for_each_offender_and_epoch(cluster):
    host = cluster.hosts[0]
    hear(host, evidence())
    assert hear(host, evidence()) == []
    assert hear(host, evidence(salt=7)) == []
    assert len(offences(host)) == 1
    assert offences(host).counters["known"] == 2


def test_who_sends_what_proves_nothing_is_closed(cluster):
    host = cluster.hosts[0]
    peer = next(iter(host.node._board.links))
    hear(host, evidence()[:-1] + b"\x00", of=peer)
    assert ("EVIDENCE", "it sent evidence that convicts nobody") in host.closed
    assert peer not in host.node._board.links


def test_evidence_against_a_stranger_proves_nothing(cluster):
    host = cluster.hosts[0]
    hear(host, evidence(name="ann"))
    assert "EVIDENCE" in [code for code, _ in host.closed]
    assert not len(offences(host))


def test_evidence_of_an_epoch_that_is_not_known_here_blames_nobody(cluster):
    host = cluster.hosts[0]
    assert hear(host, evidence(epoch=9)) == []
    assert offences(host).counters["unjudged"] == 1
    assert "EVIDENCE" not in [code for code, _ in host.closed]


def test_a_peer_has_so_much_judged_and_no_more_until_time_passes(cluster):
    host, now = cluster.hosts[0], cluster.now
    peer = next(iter(host.node._board.links))
    for number in range(room.JUDGED_BURST):
        offences(host).on_message(peer, evidence(epoch=10 + number), now)
    assert offences(host).on_message(peer, evidence(), now) == []
    assert offences(host).counters["dropped"] == 1
    assert offences(host).on_message(peer, evidence(), now + room.JUDGED_REFILL_US)
    assert len(offences(host)) == 1


def test_offences_and_seen_evidence_are_bounded(cluster, monkeypatch):
    monkeypatch.setattr(room, "HELD_MAX", 2)
    monkeypatch.setattr(room, "SEEN_MAX", 3)
    host = cluster.hosts[0]
    for number in range(3):
        offences(host).on_found(evidence(name=f"validator {number}"), cluster.now)
        offences(host)._remember(bytes([number]) * 32)
    assert len(offences(host)) == 2
    assert len(offences(host)._seen) == 3
    assert offences(host).counters["crowded_out"] == 1


def test_many_offences_of_one_validator_crowd_out_its_own_and_nobody_elses(cluster, monkeypatch):
    monkeypatch.setattr(room, "HELD_MAX", 4)
    held = offences(cluster.hosts[0])
    first = Offence(KEYED.public_key(seed_of("validator 1")), 0, "E1")
    held._hold(first, b"first", None, cluster.now)
    for epoch in range(20):
        held._hold(Offence(OFFENDER, epoch, "E1"), b"%d" % epoch, None, cluster.now)
    assert list(held._held) == [(first.offender, 0), (OFFENDER, 17), (OFFENDER, 18), (OFFENDER, 19)]
    assert held.counters["crowded_out"] == 17


def test_it_is_not_lost_in_a_restart_and_a_rewritten_log_keeps_it(cluster):
    host = cluster.hosts[0]
    data = evidence()
    hear(host, data)
    host.crash()
    host.start()
    assert [held.evidence for held in offences(host)._held.values()] == [data]
    (rewrite,) = host.node._board.agreement._work([seam.Rewrite((b"x",), ())], 0)
    assert rewrite.records == (b"\x00x", EVIDENCE_RECORD + data)


def test_a_new_peer_is_told_of_what_is_held(cluster):
    host = cluster.hosts[0]
    cluster.hosts[4].crash()
    hear(host, evidence())
    cluster.run(0.2)
    for other in cluster.hosts[1:4]:
        other.crash()
    cluster.hosts[4].start()
    cluster.run(2)
    assert len(offences(cluster.hosts[4])) == 1


def test_it_is_reported_later_by_who_heard_than_by_who_found_and_again_with_longer_waits(cluster):
    host = cluster.hosts[0]
    spread_us = room._SPREAD_DELAYS * GENESIS.parameters.base_delay_ms * 1_000
    hear(host, evidence())
    (heard,) = offences(host)._held.values()
    assert spread_us <= heard.report_at - cluster.now < 2 * spread_us
    own = offences(cluster.hosts[1])
    own.on_found(evidence(), cluster.now)
    (found,) = own._held.values()
    assert 0 <= found.report_at - cluster.now < spread_us
    waits_us = [report(own, found) for _ in range(12)]
    assert all(later > earlier for earlier, later in pairwise(waits_us))


def report(own, held):
    """Let a report become due; return how long it is until the next one."""
    at = held.report_at
    reports = [effect for effect in own.on_deadline(at) if isinstance(effect, out.Report)]
    assert [effect.evidence for effect in reports] == [evidence()]
    return held.report_at - at


def test_reports_go_on_through_a_halt_of_weeks_and_are_few(cluster):
    own, begun = offences(cluster.hosts[1]), cluster.now
    own.on_found(evidence(), begun)
    (held,) = own._held.values()
    count = 0
    while held.report_at < begun + 30 * room.REPORT_WAIT_US_MAX:
        assert report(own, held) <= room.REPORT_WAIT_US_MAX + room._REPORT_AGAIN_US
        count += 1
    assert count < 50, "each costs a fee, once the chain goes on"


def test_a_node_does_not_report_its_own_key(cluster):
    own = offences(cluster.hosts[3])
    own.on_found(evidence(), cluster.now)
    (held,) = own._held.values()
    assert held.report_at is None


def test_peers_are_told_again_of_what_no_final_block_holds(cluster):
    host = cluster.hosts[0]
    hear(host, evidence())
    peers = list(host.node._board.links)
    assert told(offences(host).on_deadline(cluster.now + room.RESEND_US - 1)) == []
    assert sorted(told(offences(host).on_deadline(cluster.now + room.RESEND_US))) == sorted(peers)


def test_it_is_forgotten_when_a_final_block_punishes_it_and_not_taken_again(cluster):
    data = evidence()
    hear(cluster.hosts[0], data)
    cluster.hosts[1].submit(build_transaction(SubmitEvidence(data), GENESIS, seed_of("ann"), 0, 10**6, scheme=KEYED))
    assert cluster.run_until(lambda: all(not len(offences(host)) for host in cluster.hosts), 10)
    assert offences(cluster.hosts[0]).counters["punished"] == 1
    host = cluster.hosts[0]
    assert hear(host, evidence(salt=9)) == []
    assert not len(offences(host))
    host.crash()
    host.start()
    assert not len(offences(host)), "the log still has it; the chain has punished it"


def test_mutated_evidence_raises_nothing_and_convicts_nobody(cluster):
    rng, good, own = random.Random(5), evidence(), offences(cluster.hosts[0])
    for _ in range(300):
        place = rng.randrange(len(good))
        data = good[:place] + bytes([good[place] ^ 1 << rng.randrange(8)]) + good[place + 1 :]
        assert own.on_found(data, cluster.now) == []
    assert not len(own)


@pytest.mark.parametrize("kind", ["E1", "E2", "E3", "E4", "E5", "E6", "F1", "F2"])
def test_every_rule_of_every_engine_has_its_words(kind):
    told = room.words(Offence(OFFENDER, 3, kind))
    assert told.endswith(f", in epoch 3 ({kind})")
    assert "broke a rule" not in told
