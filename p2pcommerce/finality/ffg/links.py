"""Votes on links, and the quorums that justify a checkpoint.

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437), section 2: supermajority links.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from p2pcommerce.finality.certificates import bitmap_of, signers_of
from p2pcommerce.finality.ffg.voting import INDEX_MAX, Checkpoint, Link
from p2pcommerce.ledger.validators import VALIDATORS_MAX, ValidatorSet
from p2pcommerce.primitives.codec import HASH, SIGNATURE, U32, Shape, array, blob, record, record_of, uint
from p2pcommerce.primitives.errors import CodecError

__all__ = ["LINK_VOTE", "QUORUM_LINK", "QUORUM_LINK_BYTES_MAX", "LinkVote", "QuorumLink", "make_quorum_link"]

QUORUM_LINK_BYTES_MAX: Final = 192 + VALIDATORS_MAX * 66
"""Bytes of an encoded quorum at most: 256 signatures and the fields around them."""

CHECKPOINT: Final[Shape[Checkpoint]] = record_of(Checkpoint, index=uint(INDEX_MAX), hash=HASH)


def _read_link(epoch: int, source: Checkpoint, target: Checkpoint) -> Link:
    if source.index >= target.index:
        raise CodecError("a link's source must be below its target")
    return Link(epoch, source, target)


LINK: Final[Shape[Link]] = record(_read_link, epoch=U32, source=CHECKPOINT, target=CHECKPOINT)


@dataclass(frozen=True, slots=True)
class LinkVote:
    """A signed link.

    Attributes:
        link: what was signed.
        voter: index in the validator set.
        signature: 64 bytes.
    """

    link: Link
    voter: int
    signature: bytes


LINK_VOTE: Final[Shape[LinkVote]] = record_of(LinkVote, link=LINK, voter=uint(VALIDATORS_MAX - 1), signature=SIGNATURE)


@dataclass(frozen=True)
class QuorumLink:
    """Votes of a quorum on one link.

    Attributes:
        link: what they signed.
        bitmap: who signed, one bit per validator.
        signatures: 64 bytes each, in index order.
    """

    link: Link
    bitmap: bytes
    signatures: tuple[bytes, ...]

    @cached_property
    def signers(self) -> tuple[int, ...]:
        """The indices of the signers, ascending."""
        return signers_of(self.bitmap)

    def ballot(self, position: int) -> Link:
        """Return what the signer at `position` signed."""
        return self.link

    @property
    def votes(self) -> list[LinkVote]:
        """The votes of its signers."""
        return [
            LinkVote(self.link, voter, signature)
            for voter, signature in zip(self.signers, self.signatures, strict=True)
        ]


def _read_quorum_link(link: Link, bitmap: bytes, signatures: tuple[bytes, ...]) -> QuorumLink:
    quorum = QuorumLink(link, bitmap, signatures)
    if len(quorum.signers) != len(signatures):
        raise CodecError("must have one signature for each bit of its bitmap")
    return quorum


QUORUM_LINK: Final[Shape[QuorumLink]] = record(
    _read_quorum_link,
    link=LINK,
    bitmap=blob(VALIDATORS_MAX // 8, 1),
    signatures=array(SIGNATURE, VALIDATORS_MAX, 1),
)


def make_quorum_link(votes: Iterable[LinkVote], validators: ValidatorSet) -> QuorumLink:
    """Join verified votes on one link; each voter once, at least one vote."""
    ordered = sorted(votes, key=lambda vote: vote.voter)
    return QuorumLink(
        link=ordered[0].link,
        bitmap=bitmap_of([vote.voter for vote in ordered], validators),
        signatures=tuple(vote.signature for vote in ordered),
    )
