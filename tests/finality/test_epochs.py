"""The rules of epochs, each by what one engine does: carriers, crossings, joiners and leavers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality import pick_leader
from p2pcommerce.finality.simplex.crossing import EARLY_MAX
from p2pcommerce.finality.simplex.messages import Boundary, Cast, Justify, Proposal, Seal, Status, encode_seal
from p2pcommerce.finality.simplex.misjustified import Fault, Misjustified, encode_misjustified, fault_of
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.primitives.errors import LocalProtocolError
from tests.finality.bench import D0_US, INTERVAL_MS, Bench, notarized
from tests.finality.network import GENESIS_HASH

N, Z, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


def at_boundary(**options: object) -> tuple[Bench, Proposal]:
    """Bring an engine to a notarized boundary block: with one block in an epoch, height 1."""
    bench = Bench(epoch_blocks=1, **options)  # type: ignore[arg-type] # options of the bench
    return bench, notarized(bench)


def crossed(**options: object) -> tuple[Bench, Proposal]:
    """Bring an engine into epoch 1."""
    bench, last = at_boundary(**options)
    bench.cast(F, 1, last.header.hash, *bench.others)
    assert [effect.block_hash for effect in bench.of(seam.Finalized)] == [last.header.hash]
    bench.begin_epoch()
    return bench, last


def on_first(bench: Bench, last: Proposal) -> Justify:
    return Justify(bench.certificate(N, 1, last.header.hash), None)


# --- carriers ---


def test_on_the_last_block_of_an_epoch_a_carrier_is_notarized() -> None:
    bench, last = at_boundary()
    carrier = bench.carrier(2, last.header, on_first(bench, last), 1)
    bench.receive(bench.others[0], carrier)
    assert (2, carrier.header.hash) in bench.voted(N)


def test_on_the_last_block_of_an_epoch_anything_but_a_carrier_is_nullified_at_once() -> None:
    bench, last = at_boundary()
    child = bench.proposal(2, last.header, on_first(bench, last), 1)
    bench.receive(bench.others[0], child)
    assert bench.voted(N) == [(1, last.header.hash)]
    assert [view for view, _ in bench.voted(Z)] == [2]


def test_a_block_that_says_carrier_and_is_higher_is_nullified_at_once() -> None:
    bench, last = at_boundary()
    false = bench.carrier(2, last.header, on_first(bench, last), 1, height=2)
    bench.receive(bench.others[0], false)
    assert [view for view, _ in bench.voted(Z)] == [2]


def test_a_carrier_elsewhere_is_nullified_at_once() -> None:
    bench = Bench(epoch_blocks=3)
    one = notarized(bench)
    bench.receive(bench.others[0], bench.carrier(2, one.header, on_first(bench, one), 1))
    assert [view for view, _ in bench.voted(Z)] == [2]


def test_a_carrier_is_built_only_when_the_end_is_long_in_being_decided() -> None:
    bench, _ = at_boundary()
    while bench.leader(bench.view) != bench.key:
        bench.cast(Z, bench.view, 1, *bench.others)
    bench.forget_effects()
    bench.do(bench.engine.on_pending(bench.now))
    assert not bench.of(seam.Build), "a carrier takes no transactions: none asks for it"
    bench.wait(D0_US + INTERVAL_MS * 1_000)
    (build,) = bench.of(seam.Build)
    assert build.empty


def test_the_votes_for_a_carrier_make_the_last_block_final_and_deliver_nothing_else() -> None:
    bench, last = at_boundary()
    carrier = bench.carrier(2, last.header, on_first(bench, last), 1)
    bench.receive(bench.others[0], carrier)
    bench.cast(N, 2, carrier.header.hash, *bench.others)
    bench.cast(F, 2, carrier.header.hash, *bench.others)
    (final,) = bench.of(seam.Finalized)
    assert final.block_hash == last.header.hash

    def sets(_epoch: int) -> ValidatorSet:
        return bench.validators

    assert bench.engine.verify(last.header, final.proof, sets), "a proof may pass through carriers"
    assert not bench.engine.verify(carrier.header, final.proof, sets), "a carrier is no block of the chain"
    assert bench.engine.status().delivered == 1


def test_a_whole_row_of_carriers_carries_the_decision() -> None:
    bench, last = at_boundary()
    parent, view = last.header, 1
    for view in (2, 3, 4):
        carrier = bench.carrier(view, parent, Justify(bench.certificate(N, view - 1, parent.hash), None), view - 1)
        bench.receive(bench.others[0], carrier)
        bench.cast(N, view, carrier.header.hash, *bench.others)
        parent = carrier.header
    bench.cast(F, view, parent.hash, *bench.others)
    (final,) = bench.of(seam.Finalized)
    assert bench.engine.verify(last.header, final.proof, lambda _epoch: bench.validators)


def test_a_missing_carrier_is_fetched_with_its_parents() -> None:
    bench, last = at_boundary()
    one = bench.carrier(2, last.header, on_first(bench, last), 1)
    two = bench.carrier(3, one.header, Justify(bench.certificate(N, 2, one.header.hash), None), 2)
    bench.certify(bench.certificate(F, 3, two.header.hash))
    assert [effect.block_hash for effect in bench.of(seam.Finalized)] == [last.header.hash]


# --- crossing ---


def test_once_the_last_block_is_final_nothing_of_its_epoch_is_signed() -> None:
    bench, last = at_boundary()
    bench.cast(F, 1, last.header.hash, *bench.others)
    bench.forget_effects()
    bench.receive(bench.others[0], bench.carrier(2, last.header, on_first(bench, last), 1))
    bench.wait(20 * D0_US)
    assert not bench.of(seam.Sign)
    assert not bench.of(seam.Send)


def test_the_next_epoch_begins_at_view_1_on_the_last_block() -> None:
    bench, last = crossed()
    bench.recover()
    assert bench.engine.status().epoch == 1
    assert bench.view == 1
    first = bench.proposal(1, last.header)
    bench.receive(bench.others[0], first)
    assert bench.voted(N)[-1] == (1, first.header.hash)


def test_the_next_epoch_never_begins_on_a_notarization() -> None:
    bench, last = at_boundary()
    old = bench.certificate(N, 1, last.header.hash)
    bench.cast(F, 1, last.header.hash, *bench.others)
    bench.begin_epoch()
    bench.recover()
    bench.receive(bench.others[0], bench.proposal(2, last.header, Justify(old, None), 1))
    assert bench.counter("refused_justify") == 1


def test_the_next_epoch_begins_nowhere_else() -> None:
    bench, last = crossed()
    bench.recover()
    other = replace(last.header, time_ms=last.header.time_ms + 1)
    bench.receive(bench.others[0], bench.proposal(1, other))
    assert bench.counter("refused_justify") == 1


def test_an_epoch_begins_on_its_boundary_block_only() -> None:
    bench, _ = at_boundary()
    with pytest.raises(LocalProtocolError, match="boundary"):
        bench.begin_epoch()


def test_leaders_are_drawn_by_the_seed_of_the_epoch() -> None:
    bench, _ = crossed()
    assert bench.engine.status().leader == pick_leader(bench.validators, bench.seed, 1)
    leaders = [pick_leader(bench.validators, seed, view) for seed in (bench.seed, GENESIS_HASH) for view in range(20)]
    assert leaders[:20] != leaders[20:]


def test_a_proposal_without_its_leaders_random_output_loses_the_view() -> None:
    bench = Bench()
    seal = Seal(1, 0, Justify(None, None).hash, bytes(80), carrier=False)
    bench.receive(bench.others[0], bench.proposal(1, engine_data=encode_seal(seal)))
    assert bench.counter("refused_output") == 1
    assert [view for view, _ in bench.voted(Z)] == [1]


def test_what_comes_early_is_kept_until_its_epoch_begins() -> None:
    bench, last = at_boundary()
    ahead = Bench(epoch_blocks=1)
    ahead.seed, ahead.epoch = bench.next_seed(), 1
    first = ahead.proposal(1, last.header)
    bench.blocks[first.header.hash] = ahead.blocks[first.header.hash]
    sender = bench.others[0]
    bench.receive(sender, first)
    bench.cast(F, 1, last.header.hash, *bench.others)
    bench.begin_epoch()
    bench.recover()
    assert (1, first.header.hash) in bench.voted(N)


def test_at_most_200_early_messages_are_kept_and_of_one_peer_its_share() -> None:
    bench = Bench()
    for number in range(EARLY_MAX):
        bench.receive(bench.others[0], Status(1, number, 0, 0, 0))
    assert bench.counter("early_kept") == EARLY_MAX // 4
    for index in bench.others[1:]:
        for number in range(EARLY_MAX):
            bench.receive(index, Status(1, number, 0, 0, 0))
    assert bench.counter("early_kept") == 3 * EARLY_MAX // 4
    assert bench.counter("early_kept") + bench.counter("early_dropped") == 3 * EARLY_MAX


def test_what_is_two_epochs_away_is_refused() -> None:
    bench = Bench()
    bench.receive(bench.others[0], Status(2, 1, 0, 0, 0))
    assert bench.counter("refused_epoch") == 1


def test_a_late_message_is_answered_with_the_end_of_its_epoch_once_per_half_d0() -> None:
    bench, last = crossed()
    bench.wait(D0_US)
    bench.forget_effects()
    for _ in range(3):
        bench.receive(bench.others[0], Status(0, 2, 0, 1, 0))
    (boundary,) = bench.sent(Boundary)
    assert boundary.header == last.header
    bench.wait(D0_US // 2)
    bench.receive(bench.others[0], Status(0, 2, 0, 1, 0))
    assert len(bench.sent(Boundary)) == 2


def test_a_late_vote_for_the_end_is_not_answered() -> None:
    bench, last = at_boundary()
    *quorum, late = bench.others
    bench.cast(F, 1, last.header.hash, *quorum)
    assert bench.of(seam.Finalized), "the own vote counts"
    vote = bench.vote(F, 1, last.header.hash, late)
    bench.begin_epoch()
    bench.forget_effects()
    bench.receive(late, Cast(vote, None))
    bench.wait(D0_US)
    receivers = [effect.to for effect in bench.of(seam.Send) if effect.data[0] == 6]
    assert bench.validators.keys[late] not in receivers


def test_the_end_of_an_epoch_is_sent_unasked_to_who_showed_nothing() -> None:
    bench, last = at_boundary()
    *quorum, silent = bench.others
    bench.cast(F, 1, last.header.hash, *quorum)
    bench.begin_epoch()
    bench.wait(D0_US)
    assert [effect.to for effect in bench.of(seam.Send) if effect.data[0] == 6] == [bench.validators.keys[silent]]


def test_the_end_of_an_epoch_can_be_learned_from_one_message() -> None:
    ahead, last = at_boundary()
    ahead.cast(F, 1, last.header.hash, *ahead.others)
    (final,) = ahead.of(seam.Finalized)
    bench = Bench(epoch_blocks=1)
    bench.blocks |= ahead.blocks
    bench.receive(bench.others[0], Boundary(last.header, final.proof))
    assert [(effect.block_hash, effect.proof) for effect in bench.of(seam.Finalized)] == [
        (last.header.hash, final.proof)
    ]


def test_a_false_end_of_an_epoch_is_blamed() -> None:
    ahead, last = at_boundary()
    carrier = ahead.carrier(2, last.header, on_first(ahead, last), 1)
    ahead.receive(ahead.others[0], carrier)
    ahead.cast(N, 2, carrier.header.hash, *ahead.others)
    ahead.cast(F, 2, carrier.header.hash, *ahead.others)
    (final,) = ahead.of(seam.Finalized)
    bench = Bench(epoch_blocks=1)
    for false in (
        Boundary(last.header, b""),
        Boundary(carrier.header, final.proof),
        Boundary(replace(last.header, time_ms=1), final.proof),
        Boundary(bench.genesis, final.proof),
    ):
        bench.receive(bench.others[0], false)
    assert len(bench.of(seam.Blame)) == 4
    assert not bench.of(seam.Fetch)


# --- who votes ---


def test_a_member_of_the_next_set_follows_and_votes_once_its_epoch_has_begun_and_a_quorum_answered() -> None:
    bench = Bench(epoch_blocks=1, joins=True)
    last = notarized(bench)
    bench.cast(F, 1, last.header.hash, *bench.others)
    assert [effect.block_hash for effect in bench.of(seam.Finalized)] == [last.header.hash]
    assert not bench.of(seam.Sign)
    bench.begin_epoch()
    first = bench.proposal(1, last.header)
    bench.receive(bench.others[0], first)
    assert not bench.voted(N), "nobody has said yet what it signed before"
    bench.recover()
    assert bench.voted(N) == [(1, first.header.hash)]


def test_one_who_left_signs_nothing_and_still_answers() -> None:
    bench, last = at_boundary()
    bench.cast(F, 1, last.header.hash, *bench.others)
    rest = ValidatorSet.of(each for each in bench.everybody if each.public_key != bench.key)
    bench.begin_epoch(rest)
    bench.forget_effects()
    bench.receive(0, bench.proposal(1, last.header))
    bench.wait(10 * D0_US)
    assert not bench.of(seam.Sign)
    bench.receive(0, Status(0, 2, 0, 1, 0))
    assert bench.sent(Boundary)


def test_a_validator_asks_in_the_first_two_epochs_of_its_life_and_then_votes_on() -> None:
    bench, last = crossed()
    assert bench.sent(Status)[-1].question
    bench.recover()
    child = bench.proposal(1, last.header)
    bench.receive(bench.others[0], child)
    bench.cast(N, 1, child.header.hash, *bench.others)
    bench.cast(F, 1, child.header.hash, *bench.others)
    assert len(bench.of(seam.Finalized)) == 2
    bench.forget_effects()
    bench.begin_epoch()
    assert not bench.sent(Status), "it has forgotten nothing"
    child = bench.proposal(1, child.header)
    bench.receive(bench.others[0], child)
    assert bench.voted(N) == [(1, child.header.hash)]


# --- E6 ---


def misjustified(bench: Bench) -> Proposal:
    """Make a proposal of view 3 that says it is on the first block, and has nothing that lets it skip view 2."""
    return bench.proposal(3, bench.genesis, Justify(None, None), 0)


def test_e6_a_leader_whose_justify_is_wrong_is_convicted() -> None:
    bench = Bench()
    proposal = misjustified(bench)
    bench.receive(bench.others[0], proposal)
    (evidence,) = bench.of(seam.Evidence)
    offence = bench.engine.convict(evidence.data, lambda _epoch: bench.validators)
    assert offence is not None
    assert (offence.offender, offence.kind, offence.epoch) == (proposal.header.proposer, "E6", 0)


def test_e6_who_notarizes_it_is_convicted_too() -> None:
    bench = Bench()
    proposal = misjustified(bench)
    bench.receive(bench.others[0], proposal)
    bench.cast(Z, 1, 0, *bench.others)
    bench.cast(N, 3, proposal.header.hash, bench.others[1])
    offences = [bench.engine.convict(each.data, lambda _epoch: bench.validators) for each in bench.of(seam.Evidence)]
    assert [each.offender for each in offences if each] == [
        proposal.header.proposer,
        bench.validators.keys[bench.others[1]],
    ]


def test_e6_a_good_justify_convicts_nobody() -> None:
    bench = Bench()
    one = notarized(bench)
    good = bench.proposal(2, one.header, on_first(bench, one), 1)
    ballot = Ballot(0, 2, VoteKind.PROPOSE, good.header.hash)
    claim = Misjustified(
        good.header.proposer, ballot.data, good.signature, Fault(good.header, good.justify.heads, None)
    )

    def kind_of(each: Misjustified) -> str | None:
        offence = bench.engine.convict(encode_misjustified(each), lambda _epoch: bench.validators)
        return None if offence is None else offence.kind

    assert kind_of(claim) is None
    other_heads = replace(claim.fault, heads=Justify(None, None).heads)
    assert kind_of(replace(claim, fault=other_heads)) is None, "not those that were committed"
    certificate = good.justify.parent
    assert certificate is not None
    forged = Justify(replace(certificate, signatures=(bytes(64),) * 3), None)
    bad = bench.proposal(2, one.header, forged, 1)
    other = Ballot(0, 2, VoteKind.PROPOSE, bad.header.hash)
    fault = fault_of(bad.header, forged, bench.engine._running.state.verifier)
    assert fault is not None
    accused = Misjustified(bad.header.proposer, other.data, bad.signature, fault)
    assert kind_of(accused) == "E6"
    assert kind_of(replace(accused, signature=bytes(64))) is None
    assert kind_of(replace(accused, offender=bench.key)) is None
