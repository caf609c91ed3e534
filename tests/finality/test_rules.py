"""Rules 1 to 6 of the finality specification, each shown on one engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.simplex.messages import (
    Cast,
    Justify,
    Proposal,
    decode_seal,
)
from p2pcommerce.finality.voting import VoteKind, anchor_hash
from p2pcommerce.primitives.crypto import blake2b_256
from tests.finality.bench import D0_US, INTERVAL_MS, Bench, F, N, Z, notarized

HEARTBEAT_US = 5_000_000


# --- rule 1 ---


@pytest.mark.parametrize(("kind", "target"), [(N, blake2b_256(b"h")), (Z, 0), (F, blake2b_256(b"h"))])
def test_rule_1_any_certificate_of_a_view_enters_the_next(kind: VoteKind, target: bytes | int) -> None:
    bench = Bench()
    assert bench.view == 1
    bench.certify(bench.certificate(kind, 7, target))
    assert bench.view == 8


def test_rule_1_a_leader_builds_once_a_transaction_waits() -> None:
    bench = Bench(leads=True, pending=False)
    bench.wait(HEARTBEAT_US // 2)
    assert not bench.of(seam.Build)
    bench.pending = True
    bench.do(bench.engine.on_pending(bench.now))
    assert len(bench.of(seam.Build)) == 1


def test_rule_1_a_view_starts_after_d0_if_the_branch_is_not_final() -> None:
    bench = Bench(pending=False)
    notarized(bench)
    bench.wait(D0_US + 2 * D0_US - 1)
    assert not bench.voted(Z)
    bench.wait(1)
    assert bench.voted(Z) == [(2, anchor_hash(1))]


def test_rule_1_an_idle_network_whose_head_is_final_sends_nothing_until_the_heartbeat() -> None:
    bench = Bench(pending=False)
    proposal = notarized(bench)
    bench.cast(F, 1, proposal.header.hash, *bench.others)
    bench.wait(D0_US)  # the relay of the last certificate
    bench.forget_effects()
    bench.wait(HEARTBEAT_US - 2 * D0_US)
    assert not bench.of(seam.Send)
    bench.wait(4 * D0_US)
    assert bench.voted(Z) == [(2, anchor_hash(1))] or bench.of(seam.Build)


def test_rule_1_the_block_interval_is_waited_for_without_nullifying() -> None:
    bench = Bench()
    ahead = bench.proposal(1, time_ms=bench.now // 1_000 + 5_000)
    bench.receive(bench.index_of(bench.leader(1)), ahead)
    bench.cast(N, 1, ahead.header.hash, *bench.others)
    # A parent dated ahead delays the start by one interval at most, never by what it claims.
    bench.wait(INTERVAL_MS * 1_000 + 2 * D0_US - 1)
    assert not bench.voted(Z)
    bench.wait(1)
    assert bench.voted(Z)


# --- rule 2 ---


def test_rule_2_the_leader_logs_before_it_signs_and_sends_proposal_and_vote() -> None:
    bench = Bench(leads=True)
    names = [type(effect).__name__ for effect in bench.effects]
    build, block = names.index("Build"), names.index("PersistBlock")
    asked = [(position, effect.kind) for position, effect in enumerate(bench.effects) if isinstance(effect, seam.Sign)]
    signs = [position for position, kind in asked if kind != "vrf"]
    assert asked[0][1] == "vrf", "the seal needs the random output"
    assert asked[0][0] < build < block < signs[0]
    assert all(isinstance(bench.effects[position - 1], seam.Persist) for position in signs)
    (proposal,) = bench.sent(Proposal)
    assert bench.voted(N) == [(1, proposal.header.hash)]


def test_rule_2_the_parent_is_the_highest_executed_block_that_a_justify_covers() -> None:
    bench = Bench()
    one = notarized(bench)
    hidden = bench.proposal(2, one.header, Justify(bench.certificate(N, 1, one.header.hash), None), 1, salt=2)
    bench.verdicts[hidden.header.hash] = True
    del bench.blocks[hidden.header.hash]  # its body does not come
    bench.certify(bench.certificate(N, 2, hidden.header.hash))
    view = 3
    while bench.leader(view) != bench.key:
        view += 1
    # Z from view 1 on: N(2) is notarized but not here, N(1) is executed and covered.
    bench.forget_effects()
    bench.certify(bench.certificate(Z, view - 1, 1))
    bench.wait(INTERVAL_MS * 1_000)
    (build,) = bench.of(seam.Build)
    assert build.parent == one.header.hash
    proposal = bench.sent(Proposal)[0]
    assert decode_seal(proposal.header).parent_view == 1
    assert proposal.justify.nullification is not None


def test_rule_2_a_leader_that_cannot_build_gives_the_view_up() -> None:
    bench = Bench(leads=True, pending=False)
    bench.blocks_build = False
    bench.pending = True
    bench.do(bench.engine.on_pending(bench.now))
    bench.do(bench.engine.on_built(bench.of(seam.Build)[0].request, None, bench.now))
    assert bench.voted(Z) == [(1, anchor_hash(0))]
    assert bench.counter("builds_failed") == 1


def test_rule_2_a_leader_without_the_parents_body_builds_on_no_other_that_is_not_covered() -> None:
    bench = Bench()
    one = notarized(bench)
    view = next(view for view in range(3, 50) if bench.leader(view) == bench.key)
    bench.forget_effects()
    bench.certify(bench.certificate(N, view - 1, blake2b_256(b"not here")))
    bench.wait(INTERVAL_MS * 1_000 + D0_US)
    assert not bench.of(seam.Build)
    bench.certify(bench.certificate(Z, view - 1, 1))
    assert [build.parent for build in bench.of(seam.Build)] == [one.header.hash]


# --- rule 3 ---


def test_rule_3_a_valid_proposal_of_the_right_leader_gets_a_vote_after_its_body_is_logged() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], proposal)
    assert bench.voted(N) == [(1, proposal.header.hash)]
    logged = bench.effects.index(seam.PersistBlock(proposal.header.hash))
    assert logged < next(i for i, effect in enumerate(bench.effects) if isinstance(effect, seam.Sign))


def test_rule_3_a_proposal_of_another_than_the_leader_is_refused() -> None:
    bench = Bench()
    wrong = next(key for key in bench.validators.keys if key not in {bench.leader(1), bench.key})
    bench.receive(bench.others[0], bench.proposal(1, proposer=wrong))
    assert not bench.voted(N)
    assert bench.counter("refused_not_leader") == 1
    assert bench.of(seam.Blame)


def test_rule_3_a_proposal_signed_by_another_is_refused() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], replace(proposal, signature=bytes(64)))
    assert bench.counter("refused_proposal_signature") == 1
    assert not bench.voted(N)


def test_rule_3_a_block_in_the_far_future_waits_and_is_not_nullified_for_it() -> None:
    bench = Bench()
    proposal = bench.proposal(1, time_ms=bench.now // 1_000 + 10_100)
    bench.receive(bench.others[0], proposal)
    bench.wait(99_000)
    assert not bench.voted(N)
    assert not bench.voted(Z)
    bench.wait(1_000)
    assert bench.voted(N)


@pytest.mark.parametrize("early_ms", [1, INTERVAL_MS + 5])
def test_rule_3_a_block_before_its_interval_is_invalid(early_ms: int) -> None:
    bench = Bench()
    proposal = bench.proposal(1, time_ms=bench.genesis.time_ms + INTERVAL_MS - early_ms)
    bench.receive(bench.others[0], proposal)
    assert not bench.voted(N)
    assert bench.voted(Z) == [(1, anchor_hash(0))]


def test_rule_3_a_block_that_the_application_refuses_is_nullified_at_once() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.verdicts[proposal.header.hash] = False
    bench.receive(bench.others[0], proposal)
    assert not bench.voted(N)
    assert bench.voted(Z) == [(1, anchor_hash(0))]


def test_rule_3_missing_data_waits() -> None:
    bench = Bench()
    bench.bodies_come = False
    bench.receive(bench.others[0], bench.proposal(1))
    bench.wait(3 * D0_US - 1)
    assert not bench.voted(N)
    assert not bench.voted(Z)


def test_rule_3_no_vote_after_an_own_nullification() -> None:
    bench = Bench()
    bench.wait(2 * D0_US)
    assert bench.voted(Z) == [(1, anchor_hash(0))]
    bench.receive(bench.others[0], bench.proposal(1))
    assert not bench.voted(N)


@pytest.mark.parametrize("case", ["gap", "needless", "anchor", "parent", "kind"])
def test_rule_3_a_justify_that_does_not_allow_the_parent_loses_the_view(case: str) -> None:
    bench = Bench()
    one = notarized(bench)
    parent, skip = bench.certificate(N, 1, one.header.hash), None
    view, parent_view = 3, 1
    match case:
        case "needless":
            view, skip = 2, bench.certificate(Z, 1, 0)
        case "anchor":
            bench.certify(bench.certificate(N, 2, blake2b_256(b"two")))
            view = next(view for view in range(4, 50) if bench.leader(view) != bench.key)
            skip = bench.certificate(Z, view - 1, 2)
            bench.certify(skip)
        case "parent":
            view, parent = 2, bench.certificate(N, 1, blake2b_256(b"other"))
        case "kind":
            view, parent = 2, bench.certificate(Z, 1, 0)
        case _:
            pass
    if bench.view < view:
        bench.certify(bench.certificate(Z, view - 1, 1))
    proposal = bench.proposal(view, one.header, Justify(parent, skip), parent_view, salt=3)
    bench.receive(bench.others[0], proposal)
    assert bench.counter("refused_justify") == 1
    assert (view, proposal.header.hash) not in bench.voted(N)
    assert view in [nullified for nullified, _ in bench.voted(Z)]


def test_rule_3_a_justify_or_ids_that_the_header_does_not_commit_to_are_the_relayers_fault() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], replace(proposal, transaction_ids=(blake2b_256(b"x"),)))
    bench.receive(bench.others[0], replace(proposal, justify=Justify(bench.certificate(N, 1, bytes(32)), None)))
    assert bench.counter("refused_uncommitted") == 2
    bench.receive(bench.others[0], proposal)
    assert bench.voted(N) == [(1, proposal.header.hash)]


# --- rule 4 ---


def test_rule_4_a_quorum_of_n_enters_the_next_view_and_gets_f() -> None:
    bench = Bench()
    proposal = notarized(bench)
    assert bench.view == 2
    assert bench.voted(F) == [(1, proposal.header.hash)]


def test_rule_4_f_comes_late_when_the_body_comes_late() -> None:
    bench = Bench()
    bench.bodies_come = False
    proposal = notarized(bench)
    assert bench.view == 2
    assert not bench.voted(F)
    bench.do(bench.engine.on_block(proposal.header, bench.now))
    assert bench.voted(F) == [(1, proposal.header.hash)]


def test_rule_4_no_f_after_an_own_z() -> None:
    bench = Bench()
    bench.wait(2 * D0_US)
    assert bench.voted(Z)
    notarized(bench)
    assert bench.view == 2
    assert not bench.voted(F)


def test_rule_4_no_f_against_an_own_n() -> None:
    bench = Bench()
    bench.receive(bench.others[0], bench.proposal(1))
    other = bench.proposal(1, salt=9)
    bench.cast(N, 1, other.header.hash, *bench.others)
    assert bench.view == 2
    assert not bench.voted(F)


# --- rule 5 ---


def test_rule_5_the_leader_timer_nullifies_a_view_without_a_proposal() -> None:
    bench = Bench()
    bench.wait(2 * D0_US - 1)
    assert not bench.voted(Z)
    bench.wait(1)
    assert bench.voted(Z) == [(1, anchor_hash(0))]


def test_rule_5_the_advance_timer_nullifies_a_view_with_a_proposal() -> None:
    bench = Bench()
    bench.receive(bench.others[0], bench.proposal(1))
    bench.wait(3 * D0_US - 1)
    assert not bench.voted(Z)
    bench.wait(1)
    assert bench.voted(Z) == [(1, anchor_hash(0))]


def test_rule_5_the_leaders_own_nullification_is_followed() -> None:
    bench = Bench()
    bench.cast(Z, 1, 0, bench.index_of(bench.leader(1)))
    assert bench.voted(Z) == [(1, anchor_hash(0))]


def test_rule_5_more_than_a_third_of_the_stake_is_followed() -> None:
    bench = Bench(stakes=(1, 1, 1, 1, 1, 1))
    followers = [index for index in bench.others if index != bench.index_of(bench.leader(1))]
    bench.cast(Z, 1, 0, *followers[:2])
    assert not bench.voted(Z), "two of six are a third, not more"
    bench.cast(Z, 1, 0, followers[2])
    assert bench.voted(Z) == [(1, anchor_hash(0))]


def test_rule_5_a_nullification_counts_only_with_its_anchor() -> None:
    bench = Bench()
    bench.certify(bench.certificate(Z, 4, 0))
    leader = bench.index_of(bench.leader(5))
    voter = leader if leader != bench.index else bench.others[0]
    bench.cast(Z, 5, 3, voter)
    assert bench.counter("refused_unanchored") == 1
    anchor = bench.certificate(N, 3, blake2b_256(b"three"))
    bench.cast(Z, 5, 3, voter, anchor=anchor)
    assert bench.counter("refused_unanchored") == 1
    assert bench.counter("certificates_notarize") == 1


def test_rule_5_an_own_nullification_travels_with_its_anchor() -> None:
    bench = Bench()
    notarized(bench)
    bench.wait(4 * D0_US)
    cast = next(message for message in bench.sent(Cast) if message.vote.ballot.kind is Z)
    assert cast.vote.ballot.anchor == 1
    assert cast.anchor is not None
    assert (cast.anchor.kind, cast.anchor.view) == (N, 1)


# --- rule 6 ---


def test_rule_6_a_quorum_of_z_enters_the_next_view() -> None:
    bench = Bench()
    bench.cast(Z, 1, 0, *bench.others[:2])
    assert bench.view == 2, "the own Z follows and completes the quorum"
    assert bench.counter("views_nullified") == 1
