"""Evidence: two signatures of one validator that no honest one gives together.

E1 two notarizations of one view; E2 two finalizations of one view; E3 a finalization of u and a nullification (v, p)
with p < u <= v; E4 a finalization and a notarization of one view with different hashes; E5 two proposals of one view. A
notarization and a nullification of one view are legal.

Evidence is self-contained: the offender's key and the two signed messages. `DoubleSignatures` is that for messages of
any engine, given how they are read and what they must not say together; `BALLOT_EVIDENCE` is that for those of
`finality.voting`. Not here: E6 (a signature on a header whose committed justify is invalid), which needs the header and
the justify as well: `simplex.misjustified`.

Source: the evidence of the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from p2pcommerce.finality.engine import Sets
from p2pcommerce.finality.voting import BALLOT_BYTES, Ballot, VoteKind, read_ballot
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.codec import KEY, SIGNATURE, Shape, decode, encode, raw, record_of
from p2pcommerce.primitives.crypto import SignatureScheme, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import GenesisHash, PublicKey

__all__ = [
    "BALLOT_EVIDENCE",
    "EVIDENCE_BYTES_MAX",
    "DoubleSignature",
    "DoubleSignatures",
    "contradiction",
    "convict",
    "encode_evidence",
]

EVIDENCE_BYTES_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class DoubleSignature:
    """Two signed messages of one validator.

    Attributes:
        offender: public key, 32 bytes.
        first: the fixed-width form of a message.
        first_signature: 64 bytes.
        second: the same of another.
        second_signature: 64 bytes.
    """

    offender: PublicKey
    first: bytes
    first_signature: bytes
    second: bytes
    second_signature: bytes


class Said(Protocol):
    """What a validator signed."""

    @property
    def domain(self) -> str:
        """The tag under which it is signed."""
        ...

    @property
    def epoch(self) -> int:
        """By whose set the signer is judged."""
        ...

    @property
    def data(self) -> bytes:
        """The fixed-width form that is signed."""
        ...


S = TypeVar("S", bound=Said)


class DoubleSignatures(Generic[S]):
    """Evidence of two messages of one fixed width."""

    def __init__(
        self, message_bytes: int, read: Callable[[bytes], S], contradiction: Callable[[S, S], str | None]
    ) -> None:
        """Make the kind of evidence.

        Args:
            message_bytes: of each message.
            read: bytes -> message; raises CodecError for what is none.
            contradiction: two messages of one signer -> the rule that they break together, None if they agree.
        """
        self._read = read
        self._contradiction = contradiction
        message = raw(message_bytes)
        self._shape: Shape[DoubleSignature] = record_of(
            DoubleSignature,
            offender=KEY,
            first=message,
            first_signature=SIGNATURE,
            second=message,
            second_signature=SIGNATURE,
        )

    def encode(self, claim: DoubleSignature) -> bytes:
        """Return the bytes that `convict` reads."""
        return encode(self._shape, claim)

    def convict(
        self, evidence: bytes, sets: Sets, genesis_hash: GenesisHash, scheme: SignatureScheme
    ) -> Offence | None:
        """Return the offence that evidence proves, None if it proves nothing.

        Args:
            evidence: untrusted bytes.
            sets: epoch -> validator set.
            genesis_hash: of this network, 32 bytes.
            scheme: the network's signature scheme.
        """
        try:
            claim = decode(self._shape, evidence, EVIDENCE_BYTES_MAX)
            messages = self._read(claim.first), self._read(claim.second)
            kind = self._contradiction(*messages)
            if kind is None or claim.offender not in sets(messages[0].epoch):
                return None
        except (CodecError, KeyError):
            return None
        for message, signature in zip(messages, (claim.first_signature, claim.second_signature), strict=True):
            if not scheme.verify(claim.offender, signed_bytes(message.domain, genesis_hash, message.data), signature):
                return None
        return Offence(claim.offender, messages[0].epoch, kind)


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


BALLOT_EVIDENCE: Final = DoubleSignatures(BALLOT_BYTES, read_ballot, contradiction)
"""Evidence of two ballots, 49 bytes each."""
encode_evidence = BALLOT_EVIDENCE.encode
convict = BALLOT_EVIDENCE.convict
