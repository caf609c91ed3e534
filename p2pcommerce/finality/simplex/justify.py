"""Justifies, and what a header commits to of one.

A proposal carries its whole justify; the header commits to it in such a way that what is wrong with it can be shown by
a part: by the heads of its certificates alone, or by one signature of one of them.

    leaf        H(anchor as u64, big-endian | signature)            of each signer, in index order
    root        Merkle root over the leaves
    head        [kind, epoch, view, hash, bitmap, root]             of a certificate
    justify     H([head of the parent's, head of the nullification])   nil for one that is not there

H is BLAKE2b-256; what stands in brackets is encoded canonically. The anchor is 0 but for nullifications.

So evidence has less than 2 KB whatever the number of validators. (Two certificates of 256 signatures are 35 KB: more
than a transaction holds.) It convicts nobody honest: who checked a whole justify knows every part of it that can be
opened, for the tree fixes the number of its leaves and the place of each.

Source: the justify and the evidence of the finality specification; RFC 6962 (see `primitives.merkle`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from p2pcommerce.finality.certificates import CERTIFICATE, Certificate, signers_of
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.validators import VALIDATORS_MAX
from p2pcommerce.primitives.codec import (
    BOOL,
    HASH,
    SIGNATURE,
    U32,
    U64,
    Shape,
    blob,
    encode,
    maybe,
    record,
    record_of,
    uint,
)
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import U64_MAX
from p2pcommerce.primitives.merkle import INCLUSION_PROOF, InclusionProof, prove, root, verify_inclusion

__all__ = [
    "JUSTIFY",
    "JUSTIFY_HEADS",
    "OPENING",
    "CertificateHead",
    "Justify",
    "JustifyHeads",
    "Opening",
    "open_signature",
]


@dataclass(frozen=True)
class CertificateHead:
    """A certificate without its signatures.

    Attributes:
        kind, epoch, view, hash, bitmap: as in the certificate.
        root: over its signatures and anchors, 32 bytes.
    """

    kind: VoteKind
    epoch: int
    view: int
    hash: bytes
    bitmap: bytes
    root: bytes

    @classmethod
    def of(cls, certificate: Certificate) -> CertificateHead:
        """Return the head of a certificate."""
        return cls(
            certificate.kind,
            certificate.epoch,
            certificate.view,
            certificate.hash,
            certificate.bitmap,
            root(_leaves(certificate)),
        )

    @cached_property
    def signers(self) -> tuple[int, ...]:
        """The indices of the signers, ascending; at least one."""
        return signers_of(self.bitmap)

    @property
    def anchor(self) -> int:
        """The highest anchor of a nullification."""
        return int.from_bytes(self.hash, "big")

    def opened(self, opening: Opening) -> Ballot | None:
        """Return what the signer of an opening should have signed, None if the opening is not of this certificate."""
        proof = opening.proof
        is_here = proof.index < proof.count == len(self.signers)
        if not is_here or not verify_inclusion(self.root, _leaf(opening.anchor, opening.signature), proof):
            return None
        digest = anchor_hash(opening.anchor) if self.kind is VoteKind.NULLIFY else self.hash
        return Ballot(self.epoch, self.view, self.kind, digest)


@dataclass(frozen=True, slots=True)
class Opening:
    """One signature of a justify.

    Attributes:
        of_parent: of the parent's certificate, otherwise of the nullification.
        anchor: of the signer's nullification; otherwise 0.
        signature: 64 bytes.
        proof: its place among the signatures of the certificate.
    """

    of_parent: bool
    anchor: int
    signature: bytes
    proof: InclusionProof


@dataclass(frozen=True, slots=True)
class JustifyHeads:
    """What a header commits to of a justify.

    Attributes:
        parent, nullification: the heads of its certificates.
    """

    parent: CertificateHead | None
    nullification: CertificateHead | None

    @property
    def hash(self) -> bytes:
        """BLAKE2b-256 of the canonical bytes; committed in the seal."""
        return blake2b_256(encode(JUSTIFY_HEADS, self))


@dataclass(frozen=True)
class Justify:
    """Why a proposal may build on its parent.

    Attributes:
        parent: N or F of the parent; None if the parent is the block that the epoch starts from (view 0).
        nullification: Z of the view before the proposal's, if the parent's view is below that one.
    """

    parent: Certificate | None
    nullification: Certificate | None

    @cached_property
    def heads(self) -> JustifyHeads:
        """What a header commits to."""
        parent, skip = self.parent, self.nullification
        return JustifyHeads(
            None if parent is None else CertificateHead.of(parent), None if skip is None else CertificateHead.of(skip)
        )

    @property
    def hash(self) -> bytes:
        """Commits to the whole justify, 32 bytes."""
        return self.heads.hash


def open_signature(certificate: Certificate, position: int, *, of_parent: bool) -> Opening:
    """Return the opening of the signature at `position` (of `signers`) of a justify's certificate."""
    anchor = certificate.anchors[position] if certificate.anchors else 0
    return Opening(of_parent, anchor, certificate.signatures[position], prove(_leaves(certificate), position))


def _leaf(anchor: int, signature: bytes) -> bytes:
    return blake2b_256(anchor.to_bytes(8, "big") + signature)


def _leaves(certificate: Certificate) -> list[bytes]:
    anchors = certificate.anchors or (0,) * len(certificate.signatures)
    return [_leaf(*each) for each in zip(anchors, certificate.signatures, strict=True)]


def _read_head(kind: int, epoch: int, view: int, digest: bytes, bitmap: bytes, top: bytes) -> CertificateHead:
    head = CertificateHead(VoteKind(kind), epoch, view, digest, bitmap, top)
    if not head.signers:
        raise CodecError("must name a signer")
    return head


_HEAD_FIELDS: Final = record(
    _read_head,
    kind=uint(VoteKind.FINALIZE, VoteKind.NOTARIZE),
    epoch=U32,
    view=uint(U64_MAX - 1, 1),
    hash=HASH,
    bitmap=blob(VALIDATORS_MAX // 8, 1),
    root=HASH,
)
_HEAD: Final[Shape[CertificateHead]] = Shape(
    _HEAD_FIELDS.read,
    lambda head: (int(head.kind), head.epoch, head.view, head.hash, head.bitmap, head.root),
    _HEAD_FIELDS.form,
)
JUSTIFY_HEADS: Final[Shape[JustifyHeads]] = record_of(JustifyHeads, parent=maybe(_HEAD), nullification=maybe(_HEAD))
JUSTIFY: Final[Shape[Justify]] = record_of(Justify, parent=maybe(CERTIFICATE), nullification=maybe(CERTIFICATE))
OPENING: Final[Shape[Opening]] = record_of(
    Opening, of_parent=BOOL, anchor=U64, signature=SIGNATURE, proof=INCLUSION_PROOF
)
