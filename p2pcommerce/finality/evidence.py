"""Evidence: two signatures of one validator that no honest one gives together.

E1 two notarizations of one view; E2 two finalizations of one view; E3 a finalization of u and a nullification (v, p)
with p < u <= v; E4 a finalization and a notarization of one view with different hashes; E5 two proposals of one view. A
notarization and a nullification of one view are legal.

Evidence is self-contained: the offender's key and the two signed ballots. Not here: E6 (a signature on a header whose
committed justify is invalid), which needs the header and the justify as well: `simplex.misjustified`.

Source: the evidence of the finality specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.voting import BALLOT_BYTES, Ballot, VoteKind, read_ballot
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.codec import KEY, SIGNATURE, Shape, decode, encode, raw, record_of
from p2pcommerce.primitives.crypto import SignatureScheme, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import GenesisHash, PublicKey

__all__ = ["EVIDENCE_BYTES_MAX", "DoubleSignature", "contradiction", "convict", "encode_evidence"]

EVIDENCE_BYTES_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class DoubleSignature:
    """Two signed ballots of one validator.

    Attributes:
        offender: public key, 32 bytes.
        first: 49 bytes.
        first_signature: 64 bytes.
        second: 49 bytes.
        second_signature: 64 bytes.
    """

    offender: PublicKey
    first: bytes
    first_signature: bytes
    second: bytes
    second_signature: bytes


_EVIDENCE: Final[Shape[DoubleSignature]] = record_of(
    DoubleSignature,
    offender=KEY,
    first=raw(BALLOT_BYTES),
    first_signature=SIGNATURE,
    second=raw(BALLOT_BYTES),
    second_signature=SIGNATURE,
)
_SAME_VIEW: Final = {
    (VoteKind.NOTARIZE, VoteKind.NOTARIZE): "E1",
    (VoteKind.FINALIZE, VoteKind.FINALIZE): "E2",
    (VoteKind.NOTARIZE, VoteKind.FINALIZE): "E4",
    (VoteKind.PROPOSE, VoteKind.PROPOSE): "E5",
}


def contradiction(one: Ballot, other: Ballot) -> str | None:
    """Return the rule ("E1" to "E5") that two ballots of one signer break together, None if they agree."""
    if one.epoch != other.epoch:
        return None
    first, second = sorted((one, other), key=lambda ballot: (ballot.kind, ballot.view))
    if (first.kind, second.kind) == (VoteKind.NULLIFY, VoteKind.FINALIZE):
        return "E3" if first.anchor < second.view <= first.view else None
    if first.view != second.view or first.hash == second.hash:
        return None
    return _SAME_VIEW.get((first.kind, second.kind))


def encode_evidence(evidence: DoubleSignature) -> bytes:
    """Return the bytes that `convict` reads."""
    return encode(_EVIDENCE, evidence)


def convict(evidence: bytes, sets: Sets, genesis_hash: GenesisHash, scheme: SignatureScheme) -> Offence | None:
    """Return the offence that evidence proves, None if it proves nothing.

    Args:
        evidence: untrusted bytes.
        sets: epoch -> validator set.
        genesis_hash: of this network, 32 bytes.
        scheme: the network's signature scheme.
    """
    try:
        claim = decode(_EVIDENCE, evidence, EVIDENCE_BYTES_MAX)
        ballots = read_ballot(claim.first), read_ballot(claim.second)
        kind = contradiction(*ballots)
        if kind is None or claim.offender not in sets(ballots[0].epoch):
            return None
    except (CodecError, KeyError):
        return None
    for ballot, signature in zip(ballots, (claim.first_signature, claim.second_signature), strict=True):
        if not scheme.verify(claim.offender, signed_bytes(ballot.domain, genesis_hash, ballot.data), signature):
            return None
    return Offence(claim.offender, ballots[0].epoch, kind)
