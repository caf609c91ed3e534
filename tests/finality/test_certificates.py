"""Certificates, leaders, evidence, messages: what others may send."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.finality.certificates import (
    CERTIFICATE,
    CERTIFICATE_BYTES_MAX,
    VERIFIED_MAX,
    Certificate,
    CertificateError,
    Vote,
    VoteVerifier,
    make_certificate,
)
from p2pcommerce.finality.evidence import DoubleSignature, contradiction, convict, encode_evidence
from p2pcommerce.finality.leader import pick_leader
from p2pcommerce.finality.proof import PROOF_BYTES_MAX, PROOF_HEADERS_MAX, encode_proof
from p2pcommerce.finality.simplex.messages import (
    ENGINE_MESSAGE_BYTES_MAX,
    Answer,
    Cast,
    Certificates,
    Justify,
    Message,
    Proposal,
    Seal,
    Status,
    decode_message,
    decode_seal,
    encode_message,
    encode_seal,
)
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.block import BLOCK_TRANSACTIONS_MAX, ENGINE_DATA_BYTES_MAX, HEADER_BYTES_MAX
from p2pcommerce.ledger.validators import VALIDATORS_MAX, Validator, ValidatorSet
from p2pcommerce.primitives.codec import decode, encode
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import PublicKey, Stake, TransactionId
from tests.finality.bench import Bench
from tests.finality.network import GENESIS_HASH, KEYED

N, Z, F, P = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE, VoteKind.PROPOSE
H = blake2b_256(b"block")


def set_of(count: int, stake: int = 1) -> tuple[ValidatorSet, dict[PublicKey, bytes]]:
    seeds = [blake2b_256(b"%d" % number) for number in range(count)]
    by_key = {KEYED.public_key(seed): seed for seed in seeds}
    return ValidatorSet.of(Validator(key, Stake(stake)) for key in by_key), by_key


def vote_of(validators: ValidatorSet, seeds: dict[PublicKey, bytes], voter: int, ballot: Ballot) -> Vote:
    seed = seeds[validators.keys[voter]]
    return Vote(ballot, voter, KEYED.sign(seed, signed_bytes("vote", GENESIS_HASH, ballot.data)))


def certificate_of(count: int, voters: list[int], kind: VoteKind = F) -> tuple[Certificate, ValidatorSet]:
    validators, seeds = set_of(count)
    ballots = [Ballot(0, 9, kind, anchor_hash(voter % 5) if kind is Z else H) for voter in voters]
    votes = [vote_of(validators, seeds, voter, ballot) for voter, ballot in zip(voters, ballots, strict=True)]
    return make_certificate(votes, validators), validators


@pytest.mark.parametrize("kind", [N, Z, F])
@pytest.mark.parametrize("count", [1, 4, 7, 9, 100])
def test_a_quorum_of_good_signatures_is_a_certificate(count: int, kind: VoteKind) -> None:
    voters = list(range(2 * count // 3 + 1))[::-1]
    certificate, validators = certificate_of(count, voters, kind)
    assert certificate.signers == tuple(sorted(voters))
    raw = encode(CERTIFICATE, certificate)
    again = decode(CERTIFICATE, raw, CERTIFICATE_BYTES_MAX)
    assert again == certificate
    VoteVerifier(validators, GENESIS_HASH, KEYED).check(again)


def test_the_size_of_a_certificate() -> None:
    hundred, _ = certificate_of(100, list(range(67)))
    assert len(encode(CERTIFICATE, hundred)) < 4_600, "about 4.4 KB of Ed25519"
    largest, _ = certificate_of(VALIDATORS_MAX, list(range(VALIDATORS_MAX)), Z)
    assert len(encode(CERTIFICATE, replace(largest, view=2**63))) <= CERTIFICATE_BYTES_MAX


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bitmap": b"\x03", "signatures": (bytes(64),) * 2}, "CERTIFICATE_WEIGHT"),
        ({"bitmap": b"\x17", "signatures": (bytes(64),) * 4}, "CERTIFICATE_SIGNERS"),
        ({"bitmap": b"\x07\x00"}, "CERTIFICATE_SIGNERS"),
        ({"view": 10}, "CERTIFICATE_SIGNATURE"),
        ({"hash": bytes(32)}, "CERTIFICATE_SIGNATURE"),
        ({"kind": N}, "CERTIFICATE_SIGNATURE"),
        ({"epoch": 1}, "CERTIFICATE_SIGNATURE"),
        ({"bitmap": b"\x0b"}, "CERTIFICATE_SIGNATURE"),
    ],
)
def test_a_certificate_that_does_not_hold_is_refused_by_name(changes: dict[str, object], code: str) -> None:
    certificate, validators = certificate_of(4, [0, 1, 2])
    with pytest.raises(CertificateError) as caught:
        VoteVerifier(validators, GENESIS_HASH, KEYED).check(replace(certificate, **changes))  # type: ignore[arg-type] # by name
    assert caught.value.code == code


def test_every_signature_of_a_certificate_is_verified_and_each_once() -> None:
    certificate, validators = certificate_of(7, list(range(7)))
    verifier = VoteVerifier(validators, GENESIS_HASH, KEYED)
    for position in range(7):
        bad = list(certificate.signatures)
        bad[position] = bytes(64)
        with pytest.raises(CertificateError, match=f"signature {position}"):
            verifier.check(replace(certificate, signatures=tuple(bad)))
    verifier.check(certificate)
    checked = verifier.checked
    verifier.check(certificate)
    assert verifier.checked == checked


def test_remembered_signatures_are_bounded() -> None:
    verifier = VoteVerifier(set_of(1)[0], GENESIS_HASH, KEYED)
    for number in range(VERIFIED_MAX + 10):
        verifier.remember(0, number.to_bytes(49, "big"), b"")
    assert len(verifier._good) == VERIFIED_MAX


def test_malformed_certificates_are_refused_before_they_are_verified() -> None:
    certificate, _ = certificate_of(4, [0, 1, 2])
    nullification, _ = certificate_of(4, [0, 1, 2], Z)
    for bad in (
        replace(certificate, signatures=certificate.signatures[:2]),
        replace(certificate, anchors=(1, 1, 1)),
        replace(nullification, anchors=(0, 1)),
        replace(nullification, hash=anchor_hash(3)),
        replace(nullification, view=2),
    ):
        with pytest.raises(CodecError):
            decode(CERTIFICATE, encode(CERTIFICATE, bad), CERTIFICATE_BYTES_MAX)


def test_leaders_are_drawn_by_stake() -> None:
    stakes = [Stake(stake) for stake in (10, 30, 60)]
    validators = ValidatorSet.of(Validator(key, stake) for key, stake in zip(set_of(3)[0].keys, stakes, strict=True))
    drawn = Counter(pick_leader(validators, GENESIS_HASH, view) for view in range(1, 10_001))
    for validator in validators:
        assert abs(drawn[validator.public_key] - 100 * validator.stake) < 200
    assert pick_leader(validators, b"another seed", 1) in validators


def test_the_leader_of_a_view_is_pinned() -> None:
    validators = ValidatorSet.of(Validator(PublicKey(bytes([number]) * 32), Stake(number)) for number in range(1, 6))
    drawn = [pick_leader(validators, bytes(32), view)[0] for view in range(1, 11)]
    assert drawn == PINNED_LEADERS


PINNED_LEADERS = [3, 3, 2, 3, 3, 5, 3, 4, 4, 5]


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        (Ballot(0, 5, N, H), Ballot(0, 5, N, bytes(32)), "E1"),
        (Ballot(0, 5, F, H), Ballot(0, 5, F, bytes(32)), "E2"),
        (Ballot(0, 5, F, H), Ballot(0, 7, Z, anchor_hash(4)), "E3"),
        (Ballot(0, 5, F, H), Ballot(0, 5, Z, anchor_hash(0)), "E3"),
        (Ballot(0, 5, F, H), Ballot(0, 5, N, bytes(32)), "E4"),
        (Ballot(0, 5, P, H), Ballot(0, 5, P, bytes(32)), "E5"),
        (Ballot(0, 5, N, H), Ballot(0, 5, Z, anchor_hash(0)), None),
        (Ballot(0, 5, F, H), Ballot(0, 7, Z, anchor_hash(5)), None),
        (Ballot(0, 5, F, H), Ballot(0, 4, Z, anchor_hash(0)), None),
        (Ballot(0, 5, N, H), Ballot(0, 6, N, bytes(32)), None),
        (Ballot(0, 5, N, H), Ballot(1, 5, N, bytes(32)), None),
        (Ballot(0, 5, P, H), Ballot(0, 5, N, bytes(32)), None),
    ],
)
def test_evidence_convicts_by_rule(one: Ballot, other: Ballot, rule: str | None) -> None:
    validators, seeds = set_of(4)
    offender = validators.keys[2]

    def sign(ballot: Ballot) -> bytes:
        return KEYED.sign(seeds[offender], signed_bytes(ballot.domain, GENESIS_HASH, ballot.data))

    for first, second in ((one, other), (other, one)):
        assert contradiction(first, second) == rule
        claim = DoubleSignature(offender, first.data, sign(first), second.data, sign(second))
        offence = convict(encode_evidence(claim), lambda _epoch: validators, GENESIS_HASH, KEYED)
        assert (offence.kind if offence else None) == rule
        forged = encode_evidence(replace(claim, second_signature=bytes(64)))
        assert convict(forged, lambda _epoch: validators, GENESIS_HASH, KEYED) is None
        stranger = encode_evidence(replace(claim, offender=PublicKey(bytes(32))))
        assert convict(stranger, lambda _epoch: validators, GENESIS_HASH, KEYED) is None


def messages() -> list[Message]:
    bench = Bench()
    proposal = bench.proposal(1, salt=3)
    certificate = bench.certificate(N, 1, H)
    return [
        Cast(bench.vote(N, 1, H, 2), None),
        Cast(bench.vote(Z, 3, 1, 2), certificate),
        Certificates((certificate, bench.certificate(Z, 3, 1))),
        proposal,
        Status(0, 5, 4, 4, 2**64 - 1),
        Answer(0, 7, (bench.vote(N, 1, H, 2), bench.vote(F, 1, H, 2))),
    ]


@pytest.mark.parametrize("message", messages(), ids=lambda message: type(message).__name__)
def test_messages_survive_the_wire_in_one_form(message: Message) -> None:
    data = encode_message(message)
    assert decode_message(data) == message
    for broken in (data[:-1], data + b"\x00", bytes([data[0] + 1]) + data[1:]):
        with pytest.raises(CodecError):
            decode_message(broken)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 5), st.data())
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes, which: int, draw: st.DataObject) -> None:
    good = bytearray(encode_message(messages()[which]))
    position = draw.draw(st.integers(0, len(good) - 1))
    good[position] ^= draw.draw(st.integers(1, 255))
    for raw in (data, bytes(good)):
        try:
            message = decode_message(raw)
        except CodecError:
            continue
        assert encode_message(message) == raw


def test_the_largest_messages_fit() -> None:
    bench = Bench()
    largest, _ = certificate_of(VALIDATORS_MAX, list(range(VALIDATORS_MAX)), Z)
    ids = tuple(TransactionId(blake2b_256(b"%d" % number)) for number in range(BLOCK_TRANSACTIONS_MAX))
    header = bench.proposal(1, engine_data=bytes(ENGINE_DATA_BYTES_MAX)).header
    assert len(header.raw) <= HEADER_BYTES_MAX
    proposal = Proposal(header, Justify(largest, largest), ids, bytes(64))
    assert len(encode_message(proposal)) <= ENGINE_MESSAGE_BYTES_MAX
    assert decode_message(encode_message(proposal)) == proposal
    final, _ = certificate_of(VALIDATORS_MAX, list(range(VALIDATORS_MAX)))
    assert len(encode_proof(final, [header] * PROOF_HEADERS_MAX)) <= PROOF_BYTES_MAX


def test_a_seal_is_read_strictly() -> None:
    bench = Bench()
    header = bench.proposal(1).header
    good = Seal(9, 4, H, bytes(80), carrier=True)
    assert decode_seal(replace(header, engine_data=encode_seal(good))) == good
    for seal in (replace(good, view=4), replace(good, view=3), replace(good, vrf=bytes(79))):
        with pytest.raises(CodecError):
            decode_seal(replace(header, engine_data=encode_seal(seal)))
    with pytest.raises(CodecError):
        decode_seal(replace(header, engine_data=b""))
