"""E6: what is wrong with a justify is shown by a part of it, which fits a transaction; a good one convicts nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce.evidence import EVIDENCE_BYTES_MAX
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.simplex.justify import CertificateHead, JustifyHeads, Opening, open_signature
from p2pcommerce.finality.simplex.messages import Justify, Proposal, decode_seal, encode_seal
from p2pcommerce.finality.simplex.misjustified import (
    MISJUSTIFIED_BYTES_MAX,
    Fault,
    Misjustified,
    encode_misjustified,
    fault_of,
)
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.block import HEADER_BYTES_MAX
from p2pcommerce.ledger.validators import VALIDATORS_MAX
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.wire import messages as wire
from tests.finality.bench import Bench

N, Z, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
VIEW, PARENT_VIEW = 7, 3
JUNK = tuple(blake2b_256(b"%d" % number) * 2 for number in range(VALIDATORS_MAX))


@cache
def bench_of(count: int) -> Bench:
    return Bench(stakes=(1,) * count, recovered=False)


def good_justify(bench: Bench, voters: Sequence[int] = ()) -> Justify:
    """A justify with two certificates, of all validators unless some are given; anchors differ."""
    voters = voters or range(len(bench.validators))
    votes = [bench.vote(Z, VIEW - 1, PARENT_VIEW - voter % 3, voter) for voter in voters]
    anchors = tuple(vote.ballot.anchor for vote in votes)
    parent = bench.certificate(N, PARENT_VIEW, bench.genesis.hash, voters)
    signatures = tuple(vote.signature for vote in votes)
    return Justify(parent, Certificate(Z, 0, VIEW - 1, anchor_hash(max(anchors)), anchors, parent.bitmap, signatures))


def proposal_of(bench: Bench, justify: Justify, **changes: object) -> Proposal:
    return bench.proposal(VIEW, bench.genesis, justify, PARENT_VIEW, **changes)  # type: ignore[arg-type] # fields of a header


def with_signature(certificate: Certificate | None, position: int, signature: bytes) -> Certificate:
    assert certificate is not None
    signatures = list(certificate.signatures)
    signatures[position] = signature
    return replace(certificate, signatures=tuple(signatures))


def claim_of(proposal: Proposal, fault: Fault) -> bytes:
    ballot = Ballot(0, VIEW, VoteKind.PROPOSE, proposal.header.hash)
    return encode_misjustified(Misjustified(proposal.header.proposer, ballot.data, proposal.signature, fault))


def rule_of(bench: Bench, evidence: bytes) -> str | None:
    offence = bench.engine.convict(evidence, lambda _epoch: bench.validators)
    return None if offence is None else offence.kind


def found(bench: Bench, proposal: Proposal) -> bytes:
    """Give a fresh engine of the same network a proposal; return what it accuses the leader by."""
    fresh = Bench(stakes=(1,) * len(bench.validators), recovered=False)
    fresh.receive(bench.index_of(proposal.header.proposer), proposal)
    evidence = fresh.of(seam.Evidence)
    assert len(evidence) == 1
    return evidence[0].data


@pytest.mark.parametrize("kind", ["parent", "nullification"])
def test_a_certificate_of_256_junk_signatures_in_a_set_of_4_convicts_by_its_head(kind: str) -> None:
    bench = bench_of(4)
    good = good_justify(bench)
    spoilt = getattr(good, kind)
    junk = replace(spoilt, bitmap=b"\xff" * 32, signatures=JUNK, anchors=(PARENT_VIEW,) * 256 if spoilt.anchors else ())
    proposal = proposal_of(bench, replace(good, **{kind: junk}))
    evidence = found(bench, proposal)
    assert len(evidence) < MISJUSTIFIED_BYTES_MAX < EVIDENCE_BYTES_MAX
    assert rule_of(bench, evidence) == "E6"


@pytest.mark.parametrize("count", [4, 100, 165, 256])
@pytest.mark.parametrize("kind", ["parent", "nullification"])
def test_one_bad_signature_of_however_many_convicts_by_itself(count: int, kind: str) -> None:
    bench = bench_of(count)
    good = good_justify(bench)
    spoilt = with_signature(getattr(good, kind), count - 1, bytes(64))
    proposal = proposal_of(bench, replace(good, **{kind: spoilt}))
    evidence = found(bench, proposal)
    assert len(evidence) < MISJUSTIFIED_BYTES_MAX
    assert rule_of(bench, evidence) == "E6"
    fault = fault_of(proposal.header, proposal.justify, bench.engine._running.state.verifier)
    assert fault is not None
    assert fault.opening is not None
    assert (fault.opening.proof.index, fault.opening.of_parent) == (count - 1, kind == "parent")
    assert evidence == claim_of(proposal, fault), "what is found is what is wrong"
    assert rule_of(bench, claim_of(proposal, replace(fault, opening=None))) is None, "the heads alone are good"


@pytest.mark.parametrize("count", [4, 100, 165, 256])
def test_a_weight_below_the_quorum_convicts_by_the_head(count: int) -> None:
    bench = bench_of(count)
    proposal = proposal_of(bench, good_justify(bench, range(bench.validators.quorum - 1)))
    evidence = found(bench, proposal)
    fault = fault_of(proposal.header, proposal.justify, bench.engine._running.state.verifier)
    assert fault == Fault(proposal.header, proposal.justify.heads, None)
    assert rule_of(bench, evidence) == "E6"
    least = proposal_of(bench, good_justify(bench, range(bench.validators.quorum)))
    assert fault_of(least.header, least.justify, bench.engine._running.state.verifier) is None
    assert rule_of(bench, claim_of(least, Fault(least.header, least.justify.heads, None))) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"parent": None},
        {"nullification": None},
        {"parent": "nullification"},
        {"nullification": "parent"},
    ],
)
def test_a_wrong_form_convicts_by_the_heads(changes: dict[str, str | None]) -> None:
    bench = bench_of(100)
    good = good_justify(bench)
    wrong = replace(good, **{name: source and getattr(good, source) for name, source in changes.items()})
    proposal = proposal_of(bench, wrong)
    evidence = found(bench, proposal)
    assert len(evidence) < MISJUSTIFIED_BYTES_MAX
    assert rule_of(bench, evidence) == "E6"


def test_an_anchor_above_the_parent_convicts_by_the_head() -> None:
    bench = bench_of(4)
    good = good_justify(bench)
    assert good.nullification is not None
    votes = [bench.vote(Z, VIEW - 1, PARENT_VIEW + voter % 2, voter) for voter in range(4)]
    high = replace(
        good.nullification,
        hash=anchor_hash(PARENT_VIEW + 1),
        anchors=tuple(vote.ballot.anchor for vote in votes),
        signatures=tuple(vote.signature for vote in votes),
    )
    assert rule_of(bench, found(bench, proposal_of(bench, replace(good, nullification=high)))) == "E6"


def test_the_largest_evidence_is_below_its_cap_and_fits_transaction_and_message() -> None:
    bench = bench_of(256)
    good = good_justify(bench)
    assert good.nullification is not None
    opening = open_signature(good.nullification, 0, of_parent=False)
    assert len(opening.proof.siblings) == 8
    proposal = proposal_of(bench, good)
    far = 2**64 - 2
    heads = JustifyHeads(
        *(
            None if head is None else replace(head, epoch=2**32 - 1, view=far, bitmap=b"\xff" * 32)
            for head in both(good)
        )
    )
    header = replace(proposal.header, engine_data=b"")
    header = replace(header, engine_data=bytes(HEADER_BYTES_MAX - len(header.raw) - 1))
    assert len(header.raw) == HEADER_BYTES_MAX
    largest = Fault(header, heads, replace(opening, anchor=far))
    claim = Misjustified(header.proposer, Ballot(0, far, N, bytes(32)).data, bytes(64), largest)
    assert len(encode_misjustified(claim)) <= MISJUSTIFIED_BYTES_MAX
    assert MISJUSTIFIED_BYTES_MAX <= EVIDENCE_BYTES_MAX == wire.EVIDENCE_BYTES_MAX


def both(justify: Justify) -> tuple[CertificateHead | None, CertificateHead | None]:
    return justify.heads.parent, justify.heads.nullification


def test_every_part_of_a_justify_is_committed() -> None:
    bench = bench_of(4)
    good = good_justify(bench)
    parent, skip = good.parent, good.nullification
    assert parent is not None
    assert skip is not None
    others = [
        Justify(None, skip),
        Justify(parent, None),
        Justify(None, None),
        Justify(skip, parent),
        replace(good, parent=replace(parent, kind=F)),
        replace(good, parent=replace(parent, epoch=1)),
        replace(good, parent=replace(parent, view=PARENT_VIEW + 1)),
        replace(good, parent=replace(parent, hash=bytes(32))),
        replace(good, parent=replace(parent, bitmap=b"\x07")),
        replace(good, nullification=replace(skip, anchors=(*skip.anchors[:-1], 0))),
        *(replace(good, parent=with_signature(parent, position, bytes(64))) for position in range(4)),
        *(replace(good, nullification=with_signature(skip, position, bytes(64))) for position in range(4)),
        replace(good, parent=replace(parent, signatures=parent.signatures[::-1])),
        replace(good, parent=replace(parent, signatures=parent.signatures[:-1])),
    ]
    assert len({good.hash, *(each.hash for each in others)}) == 1 + len(others)


COUNTS = st.sampled_from([4, 5, 7, 100])
NOISE = st.one_of(st.none(), st.binary(min_size=64, max_size=64))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_opening_of_an_honest_justify_convicts(data: st.DataObject) -> None:
    bench = bench_of(data.draw(COUNTS))
    quorum = bench.validators.quorum
    voters = sorted(
        data.draw(st.permutations(range(len(bench.validators))))[: data.draw(st.integers(quorum, quorum + 1))]
    )
    good = good_justify(bench, voters)
    proposal = proposal_of(bench, good)
    assert fault_of(proposal.header, good, bench.engine._running.state.verifier) is None
    source = data.draw(st.sampled_from([good.parent, good.nullification]))
    assert source is not None
    opening = open_signature(source, data.draw(st.integers(0, len(voters) - 1)), of_parent=data.draw(st.booleans()))
    proof = opening.proof
    siblings = list(proof.siblings)
    if data.draw(st.booleans()):
        siblings = data.draw(st.lists(st.sampled_from([*siblings, bytes(32)]), max_size=9))
    index, number = data.draw(st.integers(0, len(voters) + 1)), data.draw(st.integers(0, len(voters) + 1))
    lied: Opening = replace(
        opening,
        anchor=data.draw(st.sampled_from([opening.anchor, 0, PARENT_VIEW, 2**64 - 1])),
        signature=data.draw(NOISE) or opening.signature,
        proof=replace(
            proof,
            index=data.draw(st.sampled_from([proof.index, index])),
            count=data.draw(st.sampled_from([proof.count, number])),
            siblings=tuple(siblings),
        ),
    )
    assert rule_of(bench, claim_of(proposal, Fault(proposal.header, good.heads, lied))) is None


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_other_heads_than_those_that_were_signed_convict_nobody(data: st.DataObject) -> None:
    bench = bench_of(4)
    good = good_justify(bench)
    proposal = proposal_of(bench, good)
    heads = list(both(good))
    place = data.draw(st.integers(0, 1))
    head = heads[place]
    assert head is not None
    changes: list[CertificateHead | None] = [
        None,
        heads[1 - place],
        *(replace(head, bitmap=bitmap) for bitmap in (b"\x01", b"\xff" * 32)),
        *(replace(head, root=root) for root in (bytes(32), blake2b_256(b"root"))),
        replace(head, hash=anchor_hash(PARENT_VIEW + 1)),
        replace(head, view=1),
        replace(head, epoch=1),
    ]
    heads[place] = data.draw(st.sampled_from(changes))
    fault = Fault(proposal.header, JustifyHeads(*heads), None)
    assert rule_of(bench, claim_of(proposal, fault)) is None
    assert fault.heads.hash != decode_seal(proposal.header).justify_hash


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_cut_and_changed_evidence_raises_nothing_and_accuses_nobody_else(data: st.DataObject) -> None:
    bench = bench_of(4)
    good = good_justify(bench)
    proposal = proposal_of(bench, replace(good, parent=with_signature(good.parent, 2, bytes(64))))
    fault = fault_of(proposal.header, proposal.justify, bench.engine._running.state.verifier)
    assert fault is not None
    evidence = bytearray(claim_of(proposal, fault))
    place = data.draw(st.integers(0, len(evidence) - 1))
    evidence[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.sampled_from([len(evidence), place]))
    offence = bench.engine.convict(bytes(evidence[:cut]), lambda _epoch: bench.validators)
    assert offence is None or offence.offender == proposal.header.proposer


def test_a_head_that_names_nobody_is_refused() -> None:
    bench = bench_of(4)
    good = good_justify(bench)
    assert good.parent is not None
    nobody = JustifyHeads(replace(good.heads.parent, bitmap=b"\x00"), None)  # type: ignore[type-var] # it is there
    proposal = proposal_of(bench, good)
    seal = replace(decode_seal(proposal.header), justify_hash=nobody.hash)
    signed = proposal_of(bench, good, engine_data=encode_seal(seal))
    assert rule_of(bench, claim_of(signed, Fault(signed.header, nobody, None))) is None
