"""Rules 7 to 11 of the finality specification, each shown on one engine."""

from __future__ import annotations

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.signer import FORKED
from p2pcommerce.finality.simplex.messages import (
    Cast,
    Certificates,
    Justify,
    Proposal,
    Status,
)
from p2pcommerce.primitives.crypto import blake2b_256
from tests.finality.bench import D0_US, INTERVAL_MS, Bench, F, N, Z, notarized

# --- rule 7 ---


def test_rule_7_ancestors_are_delivered_oldest_first_exactly_once() -> None:
    bench = Bench()
    one = notarized(bench)
    justify = Justify(bench.certificate(N, 1, one.header.hash), None)
    two = bench.proposal(2, one.header, justify, 1)
    bench.receive(bench.index_of(bench.leader(2)), two)
    bench.cast(N, 2, two.header.hash, *bench.others)
    assert not bench.of(seam.Finalized)
    final = bench.certificate(F, 2, two.header.hash)
    bench.certify(final)
    bench.certify(final)
    bench.certify(bench.certificate(F, 1, one.header.hash))
    delivered = [effect.block_hash for effect in bench.of(seam.Finalized)]
    assert delivered == [one.header.hash, two.header.hash]
    for effect, header in zip(bench.of(seam.Finalized), (one.header, two.header), strict=True):
        assert bench.engine.verify(header, effect.proof, lambda _epoch: bench.validators)


def test_rule_7_delivery_waits_for_the_body_and_keeps_asking_for_it() -> None:
    bench = Bench(pending=False)
    bench.bodies_come = False
    proposal = bench.proposal(1)
    bench.certify(bench.certificate(F, 1, proposal.header.hash))
    assert not bench.of(seam.Finalized)
    asked = len(bench.of(seam.Fetch))
    bench.wait(4 * D0_US)
    assert len(bench.of(seam.Fetch)) > asked
    bench.do(bench.engine.on_block(proposal.header, bench.now))
    assert [effect.block_hash for effect in bench.of(seam.Finalized)] == [proposal.header.hash]


def test_rule_7_a_second_final_block_of_a_height_stops_the_node() -> None:
    bench = Bench()
    one = notarized(bench)
    bench.cast(F, 1, one.header.hash, *bench.others)
    rival = bench.proposal(2, bench.genesis, Justify(None, None), 0, salt=5)
    bench.certify(bench.certificate(F, 5, rival.header.hash))
    assert bench.counter("halted") == 1, "it signs nothing more"
    bench.wait(2 * D0_US)
    (halt,) = bench.of(seam.Halt)
    assert halt.reason.endswith(f"of height 1 is final beside the head; {FORKED}")
    assert len(bench.of(seam.Finalized)) == 1
    assert bench.counter("halted") == 1


# --- rule 8 ---


def test_rule_8_a_certificate_is_relayed_after_jitter_only_to_those_who_lack_it() -> None:
    bench = Bench(pending=False)
    proposal = notarized(bench)
    ahead, finalized, behind = bench.others
    bench.cast(F, 1, proposal.header.hash, finalized)
    bench.cast(Z, 2, 0, ahead)
    bench.forget_effects()
    bench.wait(D0_US // 4 - 1)
    assert not bench.sent(Certificates)
    bench.wait(D0_US // 4 + 1)
    receivers = [effect.to for effect in bench.of(seam.Send)]
    assert receivers == [bench.validators.keys[behind]]
    assert bench.counter("relays") == 1


# --- rule 9 ---


def test_rule_9_a_standing_view_repeats_status_certificates_votes_and_proposal() -> None:
    bench = Bench()
    one = notarized(bench)
    bench.wait(INTERVAL_MS * 1_000)
    two = bench.proposal(2, one.header, Justify(bench.certificate(N, 1, one.header.hash), None), 1)
    bench.receive(bench.index_of(bench.leader(2)), two)
    bench.forget_effects()
    bench.wait(2 * D0_US + D0_US // 2)
    validators = [effect for effect in bench.of(seam.Send) if effect.to is seam.Target.VALIDATORS]
    assert validators
    assert bench.sent(Status)[0].view == 2
    assert bench.sent(Proposal)[0].header == two.header
    assert [item.kind for item in bench.sent(Certificates)[-1].items] == [N]
    kinds = {message.vote.ballot.kind for message in bench.sent(Cast)}
    assert {N, F} <= kinds


def test_rule_9_a_peer_that_is_behind_is_answered_once_per_half_d0() -> None:
    bench = Bench(pending=False)
    notarized(bench)
    bench.forget_effects()
    for _ in range(5):
        bench.receive(bench.others[0], Status(0, 1, 0, 0, 0))
    assert bench.counter("helped") == 1
    assert {effect.to for effect in bench.of(seam.Send)} == {bench.validators.keys[bench.others[0]]}
    bench.now += D0_US // 2
    bench.receive(bench.others[0], Status(0, 1, 0, 0, 0))
    assert bench.counter("helped") == 2


def test_rule_9_a_peer_that_is_ahead_is_told_so_that_it_answers() -> None:
    bench = Bench(pending=False)
    bench.forget_effects()
    bench.receive(bench.others[0], Status(0, 9, 8, 8, 0))
    assert [status.view for status in bench.sent(Status)] == [1]


# --- rule 10 ---


def test_rule_10_d_grows_when_the_advance_timer_fired_with_the_proposal_held() -> None:
    bench = Bench()
    bench.receive(bench.others[0], bench.proposal(1))
    bench.wait(3 * D0_US)
    bench.cast(Z, 1, 0, *bench.others)
    assert bench.counter("delay_us") == 3 * D0_US // 2


def test_rule_10_d_grows_when_a_proposal_came_after_the_own_z() -> None:
    bench = Bench()
    bench.wait(2 * D0_US)
    bench.receive(bench.others[0], bench.proposal(1))
    bench.cast(Z, 1, 0, *bench.others)
    assert bench.counter("delay_us") == 3 * D0_US // 2


def grown(views: int = 1) -> Bench:
    """An engine whose D has grown, in a view that another leads."""
    bench = Bench()
    for _ in range(views):
        lead_by_another(bench)
        bench.wait(20 * D0_US)
        bench.cast(Z, bench.view, 0, *bench.others)
    lead_by_another(bench)
    return bench


def lead_by_another(bench: Bench) -> None:
    while bench.leader(bench.view) == bench.key:
        bench.certify(bench.certificate(Z, bench.view, 0))


def test_rule_10_d_grows_when_the_quorum_of_z_took_longer_than_d_up_to_six_d0() -> None:
    assert grown().counter("delay_us") == 3 * D0_US // 2
    assert grown(9).counter("delay_us") == 6 * D0_US


def test_rule_10_d_shrinks_on_success_but_not_below_what_the_last_view_needed() -> None:
    bench = grown(9)
    bench.wait(12 * D0_US)
    bench.certify(bench.certificate(N, bench.view, blake2b_256(b"swift")))
    swift = bench.counter("delay_us")
    assert swift == 6 * D0_US - 6 * D0_US // 20
    bench.wait(D0_US + 2 * swift + 1)  # it starts D0 after it was entered
    bench.certify(bench.certificate(N, bench.view, blake2b_256(b"slow")))
    assert bench.counter("delay_us") == swift


def test_rule_10_d_falls_by_half_when_the_leader_was_waited_for_in_vain_and_never_below_d0() -> None:
    bench = grown(9)
    for expected in (3 * D0_US, 3 * D0_US // 2, D0_US, D0_US):
        lead_by_another(bench)
        bench.wait(2 * bench.counter("delay_us"))
        bench.cast(Z, bench.view, 0, *bench.others)
        assert bench.counter("delay_us") == expected


def test_rule_10_d_stays_when_others_gave_the_view_up() -> None:
    bench = grown(9)
    bench.cast(Z, bench.view, 0, *bench.others)
    assert bench.counter("delay_us") == 6 * D0_US


# --- rule 11 ---


def test_rule_11_votes_outside_the_window_are_refused() -> None:
    bench = Bench(pending=False)
    bench.cast(N, 3, blake2b_256(b"h"), bench.others[0])
    bench.certify(bench.certificate(Z, 99, 0))
    bench.cast(N, 100 - 65, blake2b_256(b"h"), bench.others[0])
    assert bench.counter("refused_stale") == 2
    bench.cast(N, 100 - 64, blake2b_256(b"h"), bench.others[0])
    bench.cast(N, 101, blake2b_256(b"h"), bench.others[0])
    assert bench.counter("refused_stale") == 2
    assert bench.counter("votes_held") == 2


def test_rule_11_at_most_two_hashes_per_voter_kind_and_view() -> None:
    bench = Bench()
    for number in range(4):
        bench.cast(N, 1, blake2b_256(b"%d" % number), bench.others[0])
    assert bench.counter("votes_held") == 2
    assert bench.counter("refused_crowded") == 2
    assert bench.counter("evidence") == 1


def test_rule_11_at_most_two_proposals_per_view() -> None:
    bench = Bench()
    for salt in range(4):
        bench.receive(bench.others[0], bench.proposal(1, salt=salt))
    assert bench.counter("refused_crowded") == 2
    assert len(bench.voted(N)) == 1
    assert bench.counter("evidence") == 1


def test_rule_11_memory_stays_bounded_over_many_views_without_finality() -> None:
    bench = Bench()
    for view in range(1, 400):
        bench.cast(N, view, blake2b_256(b"%d" % view), *bench.others[:2])
        bench.certify(bench.certificate(Z, view, 0))
    assert bench.view == 400
    assert bench.counter("votes_held") <= 65 * 3 * 4
    assert bench.counter("blocks_tracked") <= 65
