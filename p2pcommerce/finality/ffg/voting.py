"""What an FFG validator signs, and what it may sign after what.

A link is 89 bytes: epoch (8) | source index (8) | target index (8) | kind (1) | source hash (32) | target hash (32). In
front of it stand the domain tag "link" and the genesis hash. The index of a checkpoint is its height divided by 8, so
that a link cannot lie about the height of what it names without naming another block. A leader's signature on its
proposal is the ballot PROPOSE of `finality.voting`, with the slot as its view.

The two commandments: no two different links with one target index (F1), and no link within the span of another (F2).
An honest validator keeps both by never going down: its targets rise, its sources do not fall.

Proposals depend on the clock alone, and a clock that was ahead comes back. So it is not one last proposal that is
remembered: slots fall into 128 tracks, 16 slots in a row to each, and proposals rise within a track. A slot is of one
track for ever, so that none is proposed in twice; and a validator whose clock was ahead for some minutes finds the
tracks of the present as they were, and proposes at once.

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437), section 2; the signing guard of the
finality specification. Deviations: the last proposal of each track is guarded, and not the last one alone.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality import voting
from p2pcommerce.finality.ffg.parameters import CHECKPOINT_BLOCKS
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, BallotError, VoteKind, read_ballot
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import BlockHash

__all__ = [
    "INDEX_MAX",
    "LINK_BYTES",
    "LINK_DOMAIN",
    "LINK_SLOT",
    "TRACKS",
    "TRACK_SLOTS",
    "Checkpoint",
    "Link",
    "Proposed",
    "contradiction",
    "may_sign",
    "proposed",
    "read_link",
    "read_own",
    "slot",
    "track_of",
]

LINK_DOMAIN: Final = "link"
LINK_SLOT: Final = "LINK"
INDEX_MAX: Final = 2**32 // CHECKPOINT_BLOCKS - 1
"""Heights have 32 bits."""
TRACKS: Final = 128
"""Tracks of proposals: the guard remembers as many, some 60 bytes each."""
TRACK_SLOTS: Final = 16
"""Slots in a row that fall into one track: 2,048 slots pass before a track comes again, 34 minutes of slots of 1 s."""
_KIND: Final = 5
_LAYOUT: Final = struct.Struct(">QQQB32s32s")
LINK_BYTES: Final = _LAYOUT.size


@dataclass(frozen=True, slots=True, order=True)
class Checkpoint:
    """A block whose height is a multiple of 8.

    Attributes:
        index: its height divided by 8.
        hash: 32 bytes.
    """

    index: int
    hash: BlockHash

    @property
    def height(self) -> int:
        """Height of the block."""
        return self.index * CHECKPOINT_BLOCKS


@dataclass(frozen=True, slots=True)
class Link:
    """A vote: from a justified checkpoint to a later one of its branch.

    Attributes:
        epoch: number of the epoch.
        source: the justified checkpoint.
        target: the one that a quorum justifies.
    """

    epoch: int
    source: Checkpoint
    target: Checkpoint

    @property
    def domain(self) -> str:
        """The domain tag under which it is signed."""
        return LINK_DOMAIN

    @property
    def slot(self) -> str:
        """The name under which the guard remembers the last link."""
        return LINK_SLOT

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among the signer's links: epoch, and index of the target."""
        return self.epoch, self.target.index

    @property
    def data(self) -> bytes:
        """The fixed-width form, 89 bytes."""
        source, target = self.source, self.target
        return _LAYOUT.pack(self.epoch, source.index, target.index, _KIND, source.hash, target.hash)

    @property
    def is_consecutive(self) -> bool:
        """Whether a quorum finalizes its source."""
        return self.target.index == self.source.index + 1


def read_link(data: bytes) -> Link:
    """Read a link.

    Raises:
        BallotError: not 89 bytes, of another kind, or not upwards.
    """
    if len(data) != LINK_BYTES:
        raise BallotError(f"a link has {LINK_BYTES} bytes, not {len(data)}")
    epoch, source, target, kind, source_hash, target_hash = _LAYOUT.unpack(data)
    if kind != _KIND:
        raise BallotError(f"a link is of kind {_KIND}, not {kind}")
    if not source < target <= INDEX_MAX:
        raise BallotError("a link's source must be below its target, and its target a possible height")
    return Link(epoch, Checkpoint(source, source_hash), Checkpoint(target, target_hash))


def track_of(slot_number: int) -> str:
    """Return the name under which the guard remembers the last proposal of this slot's track."""
    return f"{VoteKind.PROPOSE.name} {slot_number // TRACK_SLOTS % TRACKS}"


@dataclass(frozen=True, slots=True)
class Proposed(Ballot):
    """A proposal's ballot, remembered by track; its view is the slot."""

    @property
    @override
    def slot(self) -> str:
        """The name under which the guard remembers the last one of its track."""
        return track_of(self.view)


def proposed(ballot: Ballot) -> Proposed:
    """Return a proposal's ballot as one that is remembered by track."""
    return Proposed(ballot.epoch, ballot.view, ballot.kind, ballot.hash)


def read_own(name: str, data: bytes) -> Link | Proposed:
    """Read what the guard remembers under a slot name: a link, or a proposal's ballot.

    Raises:
        BallotError: it is none.
    """
    return read_link(data) if name == LINK_SLOT else proposed(read_ballot(data))


def contradiction(one: Link, other: Link) -> str | None:
    """Return the commandment ("F1", "F2") that two links of one signer break together, None if they agree."""
    if one.epoch != other.epoch or one == other:
        return None
    if one.target.index == other.target.index:
        return "F1"
    inner, outer = sorted((one, other), key=lambda link: link.target.index)
    return "F2" if outer.source.index < inner.source.index else None


def slot(kind: str, data: bytes) -> str:
    """Return the name under which the guard remembers the last message of this kind.

    Raises:
        BallotError: neither a link nor a proposal's ballot, or signed under another domain.
    """
    if kind == PROPOSAL_DOMAIN:
        voting.slot(kind, data)
        return track_of(read_ballot(data).view)
    if kind != LINK_DOMAIN:
        raise BallotError(f"nothing is signed as {kind!r} here")
    read_link(data)
    return LINK_SLOT


def may_sign(last: Mapping[str, bytes], kind: str, data: bytes) -> bool:
    """Tell whether signing `data` contradicts nothing signed before.

    Identical bytes may always be signed again. Otherwise a proposal must be of a slot above its track's last; a link's
    target must be above the last one's, and its source not below the last one's, nor another block of its height.

    Args:
        last: by slot name, the last message signed in it.
        kind: domain tag.
        data: the message.
    """
    try:
        name = slot(kind, data)
    except BallotError:
        return False
    before = last.get(name)
    if before is None or before == data:
        return True
    if name != LINK_SLOT:
        return voting.may_sign({VoteKind.PROPOSE.name: before}, kind, data)
    held, link = read_link(before), read_link(data)
    if link.epoch != held.epoch:
        return link.epoch > held.epoch
    same_source = link.source.index == held.source.index
    return link.target.index > held.target.index and (
        link.source == held.source if same_source else link.source.index > held.source.index
    )
