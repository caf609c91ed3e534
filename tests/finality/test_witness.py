"""Offences that no single node hears of: certificates and confrontations bring the halves together."""

from __future__ import annotations

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.simplex.messages import Proposal, Shown
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, VoteKind
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from tests.finality.bench import Bench
from tests.finality.network import GENESIS_HASH, KEYED

N, Z, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
ONE, OTHER = blake2b_256(b"one"), blake2b_256(b"other")


def offences(bench: Bench) -> list[tuple[bytes, str]]:
    found = [bench.engine.convict(each.data, lambda _epoch: bench.validators) for each in bench.of(seam.Evidence)]
    assert None not in found
    return [(each.offender, each.kind) for each in found if each is not None]


def shown(bench: Bench, view: int, block_hash: bytes) -> Shown:
    leader = bench.leader(view)
    ballot = Ballot(0, view, VoteKind.PROPOSE, block_hash)
    signed = signed_bytes(PROPOSAL_DOMAIN, GENESIS_HASH, ballot.data)
    return Shown(0, view, block_hash, KEYED.sign(bench.seeds[leader], signed))


def test_a_certificate_convicts_a_signer_who_told_this_node_something_else() -> None:
    bench = Bench()
    liar = bench.others[0]
    bench.cast(N, 1, OTHER, liar)
    assert not bench.of(seam.Evidence)
    bench.certify(bench.certificate(N, 1, ONE))
    assert offences(bench) == [(bench.validators.keys[liar], "E1")]


def test_a_certificate_that_changes_nothing_convicts_all_the_same() -> None:
    bench = Bench()
    liar = bench.others[0]
    bench.certify(bench.certificate(N, 1, ONE))
    bench.cast(F, 1, OTHER, liar)
    bench.certify(bench.certificate(N, 1, ONE))
    assert offences(bench) == [(bench.validators.keys[liar], "E4")]


def test_a_signature_in_a_certificate_is_checked_before_it_accuses() -> None:
    bench = Bench()
    bench.cast(N, 1, OTHER, bench.others[0])
    certificate = bench.certificate(N, 1, ONE)
    forged = type(certificate)(
        certificate.kind,
        certificate.epoch,
        certificate.view,
        certificate.hash,
        (),
        certificate.bitmap,
        tuple(bytes(64) for _ in certificate.signatures),
    )
    bench.certify(forged)
    assert not bench.of(seam.Evidence)


def test_who_votes_for_another_block_is_shown_what_the_leader_signed_once() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], proposal)
    for voter in bench.others[1:]:
        bench.cast(N, 1, OTHER, voter)
        bench.cast(F, 1, OTHER, voter)
    assert bench.sent(Shown) == [Shown(0, 1, proposal.header.hash, proposal.signature)] * (len(bench.others) - 1)


def test_votes_that_came_before_the_proposal_are_confronted_when_it_comes() -> None:
    bench = Bench()
    bench.cast(N, 1, OTHER, bench.others[1])
    assert not bench.sent(Shown)
    bench.receive(bench.others[0], bench.proposal(1))
    assert len(bench.sent(Shown)) == 1


def test_who_votes_for_the_same_block_or_for_none_is_shown_nothing() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], proposal)
    bench.cast(N, 1, proposal.header.hash, bench.others[1])
    bench.cast(Z, 1, 0, bench.others[0])
    assert not bench.sent(Shown)


def test_e5_a_leader_who_is_shown_to_have_signed_another_block_is_convicted() -> None:
    bench = Bench()
    bench.receive(bench.others[0], bench.proposal(1))
    bench.receive(bench.others[1], shown(bench, 1, OTHER))
    assert offences(bench) == [(bench.leader(1), "E5")]


def test_what_is_shown_of_the_same_block_or_without_a_proposal_says_nothing() -> None:
    bench = Bench()
    bench.receive(bench.others[1], shown(bench, 1, OTHER))
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], proposal)
    bench.receive(bench.others[1], Shown(0, 1, proposal.header.hash, bytes(64)))
    assert not bench.of(seam.Evidence)
    assert not bench.of(seam.Blame)


def test_who_shows_a_signature_that_is_none_is_blamed() -> None:
    bench = Bench()
    bench.receive(bench.others[0], bench.proposal(1))
    bench.receive(bench.others[1], Shown(0, 1, OTHER, bytes(64)))
    assert not bench.of(seam.Evidence)
    assert [each.peer for each in bench.of(seam.Blame)] == [bench.validators.keys[bench.others[1]]]


def test_an_offender_is_accused_once_in_an_epoch() -> None:
    bench = Bench()
    liar = bench.others[0]
    for view in (1, 2):
        bench.cast(N, view, OTHER, liar)
        bench.certify(bench.certificate(N, view, ONE))
    assert len(offences(bench)) == 1


def test_nobody_accuses_itself() -> None:
    bench = Bench(leads=True)
    assert bench.leader(1) == bench.key
    assert bench.sent(Proposal)
    bench.receive(bench.others[0], shown(bench, 1, OTHER))
    assert not bench.of(seam.Evidence)
