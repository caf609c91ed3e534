"""Votes and certificates: a quorum of signatures that anyone can check.

A certificate names its signers by a bitmap over the validator set (bit i of byte i // 8 is validator i) and holds their
signatures in index order. Its signers are distinct by construction; their stake must reach the quorum, and every
signature is verified. A nullification certificate also holds each signer's anchor, because signers may have different
ones; its hash field is the highest anchor.

Source: the certificate of the finality specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from p2pcommerce.finality.voting import VOTE_DOMAIN, Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.validators import VALIDATORS_MAX, ValidatorSet
from p2pcommerce.primitives.codec import HASH, SIGNATURE, U32, U64, Shape, array, blob, packed, record, uint
from p2pcommerce.primitives.crypto import SignatureScheme, domain_prefix
from p2pcommerce.primitives.errors import CodecError, RemoteProtocolError
from p2pcommerce.primitives.ids import U64_MAX, GenesisHash

__all__ = [
    "CERTIFICATE",
    "CERTIFICATE_BYTES_MAX",
    "VERIFIED_MAX",
    "VOTE",
    "Certificate",
    "CertificateError",
    "Quorum",
    "Signed",
    "Vote",
    "VoteVerifier",
    "bad_signature",
    "bitmap_of",
    "make_certificate",
    "signers_of",
]

CERTIFICATE_BYTES_MAX: Final = 128 + VALIDATORS_MAX * (64 + 9)
"""Bytes of an encoded certificate at most: 256 signatures, as many anchors, and the fields around them."""
_SIGNATURE_BYTES: Final = 64
VERIFIED_MAX: Final = 65_536
"""Signatures remembered as good: 64 views x 3 kinds x 256 validators, and a third more. The oldest goes first."""
_VIEW: Final = uint(U64_MAX - 1, 1)


class CertificateError(RemoteProtocolError):
    """A certificate whose signers, weight or signatures do not hold."""

    code = "CERTIFICATE"


@dataclass(frozen=True, slots=True)
class Vote:
    """A signed ballot.

    Attributes:
        ballot: what was signed.
        voter: index in the validator set of the ballot's epoch.
        signature: 64 bytes.
    """

    ballot: Ballot
    voter: int
    signature: bytes


def _read_vote(kind: int, epoch: int, view: int, digest: bytes, voter: int, signature: bytes) -> Vote:
    ballot = Ballot(epoch, view, VoteKind(kind), digest)
    if ballot.kind is VoteKind.NULLIFY and ballot.anchor >= view:
        raise CodecError("a nullification's anchor must be below its view")
    return Vote(ballot, voter, signature)


_VOTE_FIELDS: Final = record(
    _read_vote,
    kind=uint(VoteKind.FINALIZE, VoteKind.NOTARIZE),
    epoch=U32,
    view=_VIEW,
    hash=HASH,
    voter=uint(VALIDATORS_MAX - 1),
    signature=SIGNATURE,
)
VOTE: Final[Shape[Vote]] = Shape(
    _VOTE_FIELDS.read,
    lambda vote: (
        int(vote.ballot.kind),
        vote.ballot.epoch,
        vote.ballot.view,
        vote.ballot.hash,
        vote.voter,
        vote.signature,
    ),
    _VOTE_FIELDS.form,
)


@dataclass(frozen=True)
class Certificate:
    """Votes of one kind, view and (but for nullifications) hash, by a quorum.

    Attributes:
        kind: NOTARIZE, NULLIFY or FINALIZE.
        epoch: number of the epoch.
        view: number of the view.
        hash: 32 bytes: the block; of a nullification the highest anchor.
        anchors: of a nullification, each signer's anchor in index order; otherwise empty.
        bitmap: who signed, one bit per validator.
        signatures: 64 bytes each, in index order.
    """

    kind: VoteKind
    epoch: int
    view: int
    hash: bytes
    anchors: tuple[int, ...]
    bitmap: bytes
    signatures: tuple[bytes, ...]

    @cached_property
    def signers(self) -> tuple[int, ...]:
        """The indices of the signers, ascending."""
        return signers_of(self.bitmap)

    @property
    def anchor(self) -> int:
        """The highest anchor of a nullification."""
        return int.from_bytes(self.hash, "big")

    def ballot(self, position: int) -> Ballot:
        """Return what the signer at `position` (of `signers`) signed."""
        digest = anchor_hash(self.anchors[position]) if self.kind is VoteKind.NULLIFY else self.hash
        return Ballot(self.epoch, self.view, self.kind, digest)

    def ballot_of(self, index: int) -> Ballot | None:
        """Return what validator `index` signed here, None if it did not sign."""
        return self.ballot(self.signers.index(index)) if index in self.signers else None


def _read_certificate(
    kind: int,
    epoch: int,
    view: int,
    digest: bytes,
    anchors: tuple[int, ...],
    bitmap: bytes,
    signatures: tuple[bytes, ...],
) -> Certificate:
    certificate = Certificate(VoteKind(kind), epoch, view, digest, anchors, bitmap, signatures)
    if len(certificate.signers) != len(signatures):
        raise CodecError("must have one signature for each bit of its bitmap")
    if certificate.kind is not VoteKind.NULLIFY:
        if anchors:
            raise CodecError("only a nullification has anchors")
    elif len(anchors) != len(signatures) or certificate.anchor != max(anchors) or certificate.anchor >= view:
        raise CodecError("must have one anchor for each signer, all below its view, the highest as its hash")
    return certificate


_CERTIFICATE_FIELDS: Final = record(
    _read_certificate,
    kind=uint(VoteKind.FINALIZE, VoteKind.NOTARIZE),
    epoch=U32,
    view=_VIEW,
    hash=HASH,
    anchors=array(U64, VALIDATORS_MAX),
    bitmap=blob(VALIDATORS_MAX // 8, 1),
    signatures=packed(_SIGNATURE_BYTES, VALIDATORS_MAX, 1),
)
CERTIFICATE: Final[Shape[Certificate]] = Shape(
    _CERTIFICATE_FIELDS.read,
    lambda certificate: (
        int(certificate.kind),
        certificate.epoch,
        certificate.view,
        certificate.hash,
        certificate.anchors,
        certificate.bitmap,
        b"".join(certificate.signatures),
    ),
    _CERTIFICATE_FIELDS.form,
)


def make_certificate(votes: Iterable[Vote], validators: ValidatorSet) -> Certificate:
    """Join verified votes of one kind, view and (but for nullifications) hash; each voter once, at least one vote."""
    ordered = sorted(votes, key=lambda vote: vote.voter)
    ballot = ordered[0].ballot
    anchors = tuple(vote.ballot.anchor for vote in ordered) if ballot.kind is VoteKind.NULLIFY else ()
    return Certificate(
        kind=ballot.kind,
        epoch=ballot.epoch,
        view=ballot.view,
        hash=anchor_hash(max(anchors)) if anchors else ballot.hash,
        anchors=anchors,
        bitmap=bitmap_of([vote.voter for vote in ordered], validators),
        signatures=tuple(vote.signature for vote in ordered),
    )


def signers_of(bitmap: bytes) -> tuple[int, ...]:
    """Return the indices that a bitmap names, ascending."""
    return tuple(8 * position + bit for position, byte in enumerate(bitmap) for bit in range(8) if byte >> bit & 1)


def bitmap_of(voters: Iterable[int], validators: ValidatorSet) -> bytes:
    """Return the bitmap over a set that names these indices."""
    bits = 0
    for voter in voters:
        bits |= 1 << voter
    return bits.to_bytes(bitmap_bytes(validators), "little")


def bitmap_bytes(validators: ValidatorSet) -> int:
    """Return the length of a bitmap over a set."""
    return (len(validators) + 7) // 8


class Signed(Protocol):
    """Anything that a vote says."""

    @property
    def data(self) -> bytes:
        """The fixed-width form that is signed."""
        ...


class Named(Protocol):
    """Voters of a set."""

    @property
    def bitmap(self) -> bytes:
        """Who signed, one bit per validator."""
        ...

    @property
    def signers(self) -> tuple[int, ...]:
        """The indices of the signers, ascending; at least one."""
        ...


class Quorum(Named, Protocol):
    """Signatures of several voters, whatever their votes say."""

    @property
    def signatures(self) -> tuple[bytes, ...]:
        """64 bytes each, in index order."""
        ...

    def ballot(self, position: int) -> Signed:
        """Return what the signer at `position` (of `signers`) signed."""
        ...


def bad_signature(position: int) -> CertificateError:
    """Return the error for a signature of a certificate, by position, that is not good."""
    return CertificateError(f"signature {position} of a certificate is not good", "CERTIFICATE_SIGNATURE")


class VoteVerifier:
    """Verifies the votes of one validator set, each signature once."""

    def __init__(
        self,
        validators: ValidatorSet,
        genesis_hash: GenesisHash,
        scheme: SignatureScheme,
        domain: str = VOTE_DOMAIN,
    ) -> None:
        """Make a verifier.

        Args:
            validators: whose votes.
            genesis_hash: 32 bytes.
            scheme: the network's signature scheme.
            domain: the tag under which votes are signed.
        """
        self.validators = validators
        self.checked = 0
        """Signatures verified, without those remembered."""
        self._scheme = scheme
        self._prefix = domain_prefix(domain, genesis_hash)
        self._good: dict[tuple[int, bytes], bytes] = {}

    def is_good(self, voter: int, ballot: Signed, signature: bytes) -> bool:
        """Tell whether `signature` (64 bytes) is the voter's on this ballot."""
        if voter >= len(self.validators):
            return False
        data = ballot.data
        if self._good.get((voter, data)) == signature:
            return True
        self.checked += 1
        key = self.validators.validators[voter].public_key
        if not self._scheme.verify(key, self._prefix + data, signature):
            return False
        self.remember(voter, data, signature)
        return True

    def remember(self, voter: int, data: bytes, signature: bytes) -> None:
        """Take a signature for good: one's own, or one just verified."""
        if len(self._good) >= VERIFIED_MAX:
            del self._good[next(iter(self._good))]
        self._good[voter, data] = signature

    def weigh(self, certificate: Named) -> None:
        """Check what costs little of a certificate: signers in the set, weight at least the quorum.

        Raises:
            CertificateError: one of these does not hold.
        """
        members = self.validators.validators
        if len(certificate.bitmap) != bitmap_bytes(self.validators) or certificate.signers[-1] >= len(members):
            raise CertificateError("a certificate's bitmap does not fit the validator set", "CERTIFICATE_SIGNERS")
        weight = sum(members[index].stake for index in certificate.signers)
        if weight < self.validators.quorum:
            raise CertificateError(
                f"a certificate of weight {weight} is below the quorum of {self.validators.quorum}",
                "CERTIFICATE_WEIGHT",
            )

    def check(self, certificate: Quorum) -> None:
        """Check a certificate: signers in the set, weight at least the quorum, all signatures good.

        Raises:
            CertificateError: one of these does not hold.
        """
        self.weigh(certificate)
        for position, (index, signature) in enumerate(zip(certificate.signers, certificate.signatures, strict=True)):
            if not self.is_good(index, certificate.ballot(position), signature):
                raise bad_signature(position)

    def holds(self, certificates: Iterable[Quorum]) -> bool:
        """Tell whether every one of these certificates is good; see `check`."""
        try:
            for certificate in certificates:
                self.check(certificate)
        except CertificateError:
            return False
        return True
