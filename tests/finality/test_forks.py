"""What comes late is compared before it is dropped; a quorum against what is final here stops the node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.finality import Solo
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.proof import encode_proof
from p2pcommerce.finality.signer import FORKED
from p2pcommerce.finality.simplex.docket import CERTIFICATE_VIEWS, Docket
from p2pcommerce.finality.simplex.messages import Boundary, Cast, Certificates, Justify, Proposal, encode_message
from p2pcommerce.finality.simplex.misjustified import FAULT, MISJUSTIFIED_BYTES_MAX
from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.finality.simplex.tree import FINAL_VIEWS_MAX, ViewTree
from p2pcommerce.finality.voting import VoteKind, anchor_hash
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.primitives.codec import encode
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import Height
from tests.finality.bench import D0_US, Bench, notarized
from tests.finality.test_witness import offences

N, Z, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
OTHER = blake2b_256(b"other")
SEVEN = (1,) * 7


def next_block(bench: Bench, view: int, parent: Header) -> Header:
    """Bring the bench through a proposal and a quorum of N and F on a parent of the view before."""
    justify = Justify(bench.certificate(N, view - 1, parent.hash), None)
    if bench.leader(view) == bench.key:
        header = bench.sent(Proposal)[-1].header
    else:
        proposal = bench.proposal(view, parent, justify, view - 1)
        bench.receive(bench.index_of(bench.leader(view)), proposal)
        header = proposal.header
    bench.cast(N, view, header.hash, *bench.others)
    bench.cast(F, view, header.hash, *bench.others)
    return header


def grown(views: int = 2, stakes: tuple[int, ...] = SEVEN) -> tuple[Bench, list[Header]]:
    """A bench whose chain has a final block in each view, and those headers."""
    bench = Bench(stakes=stakes)
    chain = [notarized(bench).header]
    bench.cast(F, 1, chain[0].hash, *bench.others)
    for view in range(2, views + 1):
        chain.append(next_block(bench, view, chain[-1]))
    bench.forget_effects()
    assert bench.engine._running.state.tree.delivered == chain[-1]
    return bench, chain


def is_stopped(bench: Bench) -> bool:
    return bench.counter("halted") == 1


def forged(certificate: Certificate) -> Certificate:
    """The same with signatures that are none."""
    return replace(certificate, signatures=tuple(bytes(64) for _ in certificate.signatures))


# --- a store in conflict with a certificate ---


@pytest.mark.parametrize("view", [1, 2])
def test_a_quorum_for_another_block_of_a_final_view_stops_the_node_with_one_sentence(view: int) -> None:
    bench, _ = grown()
    bench.certify(bench.certificate(F, view, OTHER))
    assert is_stopped(bench)
    bench.wait(2 * D0_US)
    (halt,) = bench.of(seam.Halt)
    name = f"block {OTHER[:4].hex()} of view {view}"
    assert halt.reason == f"{name} is final beside the chain that is final here; {FORKED}"


def test_a_quorum_for_a_view_that_the_final_chain_passed_without_a_block_stops_the_node() -> None:
    bench = Bench(stakes=SEVEN)
    skip = bench.certificate(Z, 1, 0)
    bench.certify(skip)
    proposal = bench.proposal(2, None, Justify(None, skip))
    bench.receive(bench.index_of(bench.leader(2)), proposal)
    bench.cast(N, 2, proposal.header.hash, *bench.others)
    bench.cast(F, 2, proposal.header.hash, *bench.others)
    bench.forget_effects()
    bench.certify(bench.certificate(F, 1, OTHER))
    assert is_stopped(bench)
    assert {kind for _, kind in offences(bench)} == {"E3"}
    assert len(offences(bench)) == len(bench.others)


def test_who_stops_over_a_fork_sends_both_certificates_first_and_signs_nothing_more() -> None:
    bench, chain = grown()
    rival = bench.certificate(F, 2, OTHER)
    bench.certify(rival)
    told = [item for message in bench.sent(Certificates) for item in message.items]
    assert [(each.view, each.hash) for each in told] == [(2, chain[1].hash), (2, OTHER)]
    assert not bench.of(seam.Halt), "it hears others first"
    bench.forget_effects()
    bench.wait(2 * D0_US)
    assert not bench.of(seam.Sign)
    assert len(bench.of(seam.Halt)) == 1
    assert bench.engine.deadline is None or bench.engine.deadline > bench.now


def test_the_same_block_stops_nobody_whenever_its_certificate_comes() -> None:
    bench, chain = grown(3)
    for view, header in enumerate(chain, 1):
        bench.certify(bench.certificate(F, view, header.hash, bench.others[:5]))
        bench.certify(bench.certificate(N, view, header.hash, bench.others[1:]))
    assert not is_stopped(bench)
    assert not bench.of(seam.Blame)
    assert not bench.of(seam.Evidence)


def test_a_certificate_that_does_not_hold_stops_nobody_and_is_blamed() -> None:
    bench, _ = grown()
    below = bench.certificate(F, 1, OTHER, bench.others[:4])
    for bad in (forged(bench.certificate(F, 1, OTHER)), below):
        bench.forget_effects()
        bench.certify(bad)
        assert not is_stopped(bench)
        assert not bench.of(seam.Evidence)
        assert len(bench.of(seam.Blame)) == 1


def test_a_final_block_below_the_head_on_another_branch_stops_the_node() -> None:
    bench, chain = grown(3)
    rival = bench.proposal(5, bench.genesis, Justify(None, None), salt=3)
    bench.certify(bench.certificate(F, 5, rival.header.hash))
    assert rival.header.height < chain[-1].height
    assert is_stopped(bench)


def test_a_rival_that_came_before_the_own_bodies_is_found_when_they_come() -> None:
    bench = Bench(stakes=SEVEN)
    bench.bodies_come = False
    proposal = bench.proposal(1)
    bench.receive(bench.index_of(bench.leader(1)), proposal)
    bench.certify(bench.certificate(F, 1, proposal.header.hash))
    bench.certify(bench.certificate(F, 1, OTHER))
    assert not is_stopped(bench), "nothing is final here yet"
    bench.do(bench.engine.on_block(proposal.header, bench.now))
    assert is_stopped(bench)


def test_a_certificate_of_a_carrier_stops_nobody() -> None:
    bench = Bench(epoch_blocks=1)
    boundary = notarized(bench)
    bench.certify(bench.certificate(N, 1, boundary.header.hash))
    carrier = bench.carrier(2, boundary.header, Justify(bench.certificate(N, 1, boundary.header.hash), None), 1)
    bench.receive(bench.index_of(bench.leader(2)), carrier)
    bench.certify(bench.certificate(F, 2, carrier.header.hash))
    assert [each.block_hash for each in bench.of(seam.Finalized)] == [boundary.header.hash]
    bench.certify(bench.certificate(F, 1, boundary.header.hash))
    bench.certify(bench.certificate(F, 3, OTHER))
    assert not is_stopped(bench)
    assert not bench.of(seam.Blame)


def test_another_last_block_of_the_epoch_before_stops_the_node() -> None:
    bench = Bench(epoch_blocks=1)
    boundary = notarized(bench)
    bench.cast(F, 1, boundary.header.hash, *bench.others)
    rival = bench.proposal(1, salt=9).header
    proof = encode_proof(bench.certificate(F, 1, rival.hash), ())
    own = Boundary(boundary.header, encode_proof(bench.certificate(F, 1, boundary.header.hash), ()))
    bench.begin_epoch()
    bench.receive(bench.others[0], own)
    assert not is_stopped(bench)
    bad = encode_proof(forged(bench_certificate_of_epoch_0(bench, rival)), ())
    bench.receive(bench.others[0], Boundary(rival, bad))
    assert not is_stopped(bench)
    assert len(bench.of(seam.Blame)) == 1
    bench.forget_effects()
    bench.receive(bench.others[0], Boundary(rival, proof))
    assert is_stopped(bench)
    bench.wait(2 * D0_US)
    assert len(bench.of(seam.Halt)) == 1


def bench_certificate_of_epoch_0(bench: Bench, header: Header) -> Certificate:
    return replace(bench.certificate(F, 1, header.hash), epoch=0)


def test_a_rival_proof_from_catching_up_is_compared_and_stops_the_node() -> None:
    bench, chain = grown()
    proof = encode_proof(bench.certificate(F, 2, OTHER), ())
    bench.do(bench.engine.on_rival(proof, "another chain is final", bench.now))
    assert len(offences(bench)) == len(bench.others)
    bench.wait(2 * D0_US)
    assert [halt.reason for halt in bench.of(seam.Halt)] == [f"another chain is final; {FORKED}"]
    assert chain


def test_an_engine_that_compares_nothing_stops_at_once_over_a_rival_proof() -> None:
    assert Solo().on_rival(b"", "another chain is final", 0) == [seam.Halt(f"another chain is final; {FORKED}")]


# --- what comes late is compared ---


@pytest.mark.parametrize(("kind", "rule"), [(N, "E1"), (F, "E2")])
def test_the_second_half_of_a_double_vote_counts_when_its_view_is_final(kind: VoteKind, rule: str) -> None:
    bench, _ = grown()
    liar = bench.others[0]
    bench.cast(kind, 1, OTHER, liar)
    assert [each for each, _ in offences(bench)] == [bench.validators.keys[liar]]
    assert offences(bench)[0][1] in {rule, "E4"}


def test_e3_a_nullification_over_a_finalization_counts_when_the_view_is_final() -> None:
    bench, _ = grown()
    liar = bench.others[0]
    bench.cast(Z, 3, 0, liar)
    assert offences(bench) == [(bench.validators.keys[liar], "E3")]


def test_two_late_votes_of_which_neither_counted_are_compared() -> None:
    bench, _ = grown(3)
    liar = bench.others[0]
    docket = bench.engine._running.state.docket
    docket._votes[N].clear()
    docket._votes[F].clear()
    docket._certificates[N].clear()
    docket._certificates[F].clear()
    bench.cast(N, 1, OTHER, liar)
    assert not bench.of(seam.Evidence)
    bench.cast(N, 1, blake2b_256(b"a third"), liar)
    assert offences(bench) == [(bench.validators.keys[liar], "E1")]


def test_a_late_vote_whose_signature_is_not_good_accuses_nobody_and_is_blamed() -> None:
    bench, _ = grown()
    liar = bench.others[0]
    vote = replace(bench.vote(N, 1, OTHER, liar), signature=bytes(64))
    bench.receive(liar, Cast(vote, None))
    assert not bench.of(seam.Evidence)
    assert [each.peer for each in bench.of(seam.Blame)] == [bench.validators.keys[liar]]


def test_what_was_kept_unverified_is_verified_before_it_accuses() -> None:
    bench, _ = grown()
    liar = bench.others[0]
    docket = bench.engine._running.state.docket
    for kind in (N, F):
        docket._votes[kind].clear()
        docket._certificates[kind].clear()
    bench.receive(liar, Cast(replace(bench.vote(N, 1, OTHER, liar), signature=bytes(64)), None))
    assert docket.votes == 1
    bench.forget_effects()
    bench.cast(N, 1, blake2b_256(b"a third"), liar)
    assert not bench.of(seam.Evidence)
    assert [each.peer for each in bench.of(seam.Blame)] == [bench.validators.keys[liar]]
    assert docket.votes == 1, "what is not good is dropped"


def test_two_certificates_convict_who_signed_both_though_no_vote_was_heard() -> None:
    bench = Bench(stakes=SEVEN)
    bench.certify(bench.certificate(N, 1, OTHER, bench.others[:5]))
    bench.certify(bench.certificate(F, 1, blake2b_256(b"a third"), bench.others[1:]))
    assert offences(bench) == [(bench.validators.keys[index], "E4") for index in bench.others[1:5]]


def test_an_accused_validator_costs_no_further_verification() -> None:
    bench, _ = grown()
    liar = bench.others[0]
    bench.cast(N, 1, OTHER, liar)
    checked = bench.engine._running.state.verifier.checked
    for number in range(50):
        bench.receive(
            liar, Cast(replace(bench.vote(N, 1, blake2b_256(b"%d" % number), liar), signature=bytes(64)), None)
        )
    assert bench.engine._running.state.verifier.checked == checked


# --- bounds ---


def test_certificates_that_change_nothing_cost_a_stranger_blame_and_this_node_one_verification_each() -> None:
    bench, _ = grown()
    verifier = bench.engine._running.state.verifier
    stranger = blake2b_256(b"no validator")
    for number in range(20):
        checked = verifier.checked
        message = Certificates((forged(bench.certificate(N, 1, blake2b_256(b"%d" % number))),) * 4)
        bench.do(bench.engine.on_message(stranger, encode_message(message), bench.now))
        assert verifier.checked <= checked + 1
        assert [each.peer for each in bench.of(seam.Blame)] == [stranger] * (number + 1)


def test_an_unanchored_nullification_is_refused_before_any_signature_is_verified() -> None:
    bench, _ = grown()
    verifier = bench.engine._running.state.verifier
    checked = verifier.checked
    bench.certify(forged(bench.certificate(Z, 10**6 + 1, 10**6)))
    assert verifier.checked == checked
    assert bench.counter("refused_unanchored") == 1


def test_the_docket_keeps_no_more_than_its_bounds() -> None:
    bench = Bench()
    docket = Docket(window_views=64, hashes_max=2)
    voter = bench.others[0]
    for number in range(5):
        docket.keep(bench.vote(N, 7, blake2b_256(b"%d" % number), voter))
    assert docket.votes == 2
    for view in range(1, CERTIFICATE_VIEWS + 100):
        docket.keep(bench.vote(F, view, OTHER, voter))
        for salt in (b"a", b"b", b"c"):
            docket.keep_certificate(bench.certificate(F, view, blake2b_256(salt)))
        docket.prune(view)
        assert docket.votes <= 2 + 65
        assert sum(map(len, docket._certificates[F].values())) <= 2 * (CERTIFICATE_VIEWS + 1)
    late = bench.vote(Z, CERTIFICATE_VIEWS + 200, CERTIFICATE_VIEWS + 90, voter)
    (found, *_) = docket.against(late)
    assert found.ballot.kind is F


def test_a_voters_newest_finalization_is_kept_beyond_the_window() -> None:
    bench = Bench()
    docket = Docket(window_views=64, hashes_max=2)
    voter = bench.others[0]
    finalization = bench.vote(F, 5, OTHER, voter)
    docket.keep(finalization)
    docket.prune(500)
    assert docket.votes == 0
    assert list(docket.against(bench.vote(Z, 500, 4, voter))) == [finalization]
    assert list(docket.against(bench.vote(Z, 500, 5, voter))) == []
    position, vote = next(docket.opposed(bench.certificate(Z, 500, 4, [voter, *bench.others[1:]])))
    assert (position, vote) == (0, finalization)


def test_of_the_final_chain_the_newest_views_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FINAL_VIEWS_MAX == 4_096
    monkeypatch.setattr("p2pcommerce.finality.simplex.tree.FINAL_VIEWS_MAX", 3)
    bench = Bench()
    tree = ViewTree(bench.genesis, SimplexParameters.of(ChainParameters.local()), [])
    parent = bench.genesis
    chain = []
    for view in range(1, 7):
        parent = bench.header(parent, view, view - 1, Justify(None, None))
        tree.deliver(parent)
        chain.append(parent)
    assert [tree.is_beside(view, OTHER) for view in range(1, 8)] == [False, False, False, True, True, True, False]
    assert not any(tree.is_beside(view, chain[view - 1].hash) for view in range(1, 7))
    far = replace(bench.header(parent, 20, 19, Justify(None, None)), height=Height(40), parent_hash=chain[0].hash)
    tree.deliver(far)
    assert [tree.is_beside(view, OTHER) for view in (6, 19, 20, 21)] == [False, False, True, False]


# --- views that are given up, and wrong justifies ---


def bad_proposal(bench: Bench, view: int, salt: int = 0) -> Proposal:
    """A proposal whose justify lacks the parent's certificate."""
    return bench.proposal(view, None, Justify(None, None), view - 1, salt=salt)


def test_far_views_of_one_leader_displace_no_other_evidence() -> None:
    bench = Bench()
    state = bench.engine._running.state
    sacrificed = next(key for key in bench.validators.keys if key not in (bench.key, bench.leader(2)))
    views = [view for view in range(3, 700) if bench.leader(view) == sacrificed]
    for view in views:
        for salt in (1, 2, 3):
            bench.receive(bench.index_of(sacrificed), bad_proposal(bench, view, salt))
    near = state.parameters.window_views + 1
    assert len(state.misjustified) <= near
    assert all(len(kept) <= state.parameters.hashes_max for kept in state.misjustified.values())
    sizes = [len(encode(FAULT, fault)) for kept in state.misjustified.values() for fault in kept]
    assert max(sizes) < MISJUSTIFIED_BYTES_MAX, "of a proposal nothing is kept but its header and what is wrong"
    bench.forget_effects()
    bad = bad_proposal(bench, 2)
    leader = bench.index_of(bench.leader(2))
    bench.receive(leader, bad)
    helper = next(i for i in bench.others if i != leader and bench.validators.keys[i] != sacrificed)
    bench.cast(N, 2, bad.header.hash, helper)
    assert offences(bench) == [(bench.leader(2), "E6"), (bench.validators.keys[helper], "E6")]


def test_a_bad_proposal_of_a_far_view_does_not_keep_the_present_one_from_being_given_up_at_once() -> None:
    bench = Bench()
    sacrificed = next(key for key in bench.validators.keys if key not in (bench.key, bench.leader(1)))
    far = next(view for view in range(10**6, 10**6 + 100) if bench.leader(view) == sacrificed)
    bench.receive(bench.index_of(sacrificed), bad_proposal(bench, far))
    assert far not in bench.engine._running.state.spoiled
    bench.receive(bench.index_of(bench.leader(1)), bench.proposal(1, None, Justify(None, bench.certificate(Z, 1, 0))))
    assert bench.voted(Z) == [(1, anchor_hash(0))]


def test_views_that_were_given_up_are_forgotten_once_they_are_passed() -> None:
    bench = Bench()
    state = bench.engine._running.state
    bench.receive(bench.index_of(bench.leader(2)), bad_proposal(bench, 2))
    assert list(state.spoiled) == list(state.misjustified) == [2]
    bench.certify(bench.certificate(N, 100, OTHER))
    assert not state.spoiled
    assert not state.misjustified
