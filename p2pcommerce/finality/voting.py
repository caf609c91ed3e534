"""What a validator signs, and what it may sign after what: the rules that never depend on a network.

A ballot is 49 bytes: epoch (8) | view (8) | kind (1) | hash (32). In front of it stand the domain tag and the genesis
hash (`p2pcommerce.primitives.crypto.signed_bytes`). The hash of a nullification is its anchor p as a big-endian number:
Z(v, p) nullifies the views p+1 to v.

`may_sign` is the one place of the rule: the engine asks it before it logs a vote, the signing guard before it signs.

Source: Chan & Pass, Simplex Consensus (ePrint 2023/463); the signing guard of the finality specification.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, unique
from functools import lru_cache
from typing import Final

from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import U64_MAX

__all__ = [
    "BALLOT_BYTES",
    "PROPOSAL_DOMAIN",
    "VOTE_DOMAIN",
    "Ballot",
    "BallotError",
    "VoteKind",
    "anchor_hash",
    "may_sign",
    "read_ballot",
    "slot",
]

VOTE_DOMAIN: Final = "vote"
PROPOSAL_DOMAIN: Final = "proposal"
_LAYOUT: Final = struct.Struct(">QQB32s")
BALLOT_BYTES: Final = _LAYOUT.size
_BALLOTS_CACHED: Final = 256
"""Ballots read lately: engine and guard read the last few of each kind again before each signature."""


class BallotError(CodecError):
    """Bytes that are no ballot."""

    code = "BALLOT"


@unique
class VoteKind(IntEnum):
    """What a ballot says."""

    NOTARIZE = 1
    """N(v, h): h is a valid proposal of view v."""
    NULLIFY = 2
    """Z(v, p): the views p+1 to v may be skipped."""
    FINALIZE = 3
    """F(v, h): h is notarized in v, and this voter did not and will not nullify v."""
    PROPOSE = 4
    """The leader's signature on a proposal: no vote, but guarded like one."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """A message that a validator signs.

    Attributes:
        epoch: number of the epoch.
        view: number of the view within the epoch, from 1.
        kind: what it says.
        hash: 32 bytes: the block, or for a nullification the anchor (`anchor_hash`).
    """

    epoch: int
    view: int
    kind: VoteKind
    hash: bytes

    @property
    def data(self) -> bytes:
        """The fixed-width form, 49 bytes."""
        return _LAYOUT.pack(self.epoch, self.view, self.kind, self.hash)

    @property
    def anchor(self) -> int:
        """The anchor p of a nullification."""
        return int.from_bytes(self.hash, "big")

    @property
    def domain(self) -> str:
        """The domain tag under which it is signed."""
        return PROPOSAL_DOMAIN if self.kind is VoteKind.PROPOSE else VOTE_DOMAIN

    @property
    def slot(self) -> str:
        """The name under which the guard remembers the last ballot of this kind."""
        return self.kind.name

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among the signer's ballots of its kind: epoch and view."""
        return self.epoch, self.view


def anchor_hash(anchor: int) -> bytes:
    """Return the hash field (32 bytes) of a nullification with this anchor."""
    return anchor.to_bytes(32, "big")


@lru_cache(maxsize=_BALLOTS_CACHED)
def read_ballot(data: bytes) -> Ballot:
    """Read a ballot.

    Raises:
        BallotError: not 49 bytes, of unknown kind, of view 0, or a nullification of nothing.
    """
    if len(data) != BALLOT_BYTES:
        raise BallotError(f"a ballot has {BALLOT_BYTES} bytes, not {len(data)}")
    epoch, view, kind, digest = _LAYOUT.unpack(data)
    try:
        ballot = Ballot(epoch, view, VoteKind(kind), digest)
    except ValueError as error:
        raise BallotError(f"there is no ballot of kind {kind}") from error
    if not 1 <= view < U64_MAX:
        raise BallotError("a ballot's view is from 1 to 2^64 - 2")
    if ballot.kind is VoteKind.NULLIFY and ballot.anchor >= view:
        raise BallotError("a nullification's anchor must be below its view")
    return ballot


def slot(kind: str, data: bytes) -> str:
    """Return the name under which the guard remembers the last ballot of this kind.

    Raises:
        BallotError: no ballot, or signed under another domain.
    """
    ballot = read_ballot(data)
    if ballot.domain != kind:
        raise BallotError(f"a ballot of kind {ballot.kind.name} is not signed as {kind!r}")
    return ballot.kind.name


def may_sign(last: Mapping[str, bytes], kind: str, data: bytes) -> bool:
    """Tell whether signing `data` contradicts nothing signed before.

    Identical bytes may always be signed again. Otherwise a ballot must be of the newest epoch and above the last of its
    kind, and: F above the last Z, not below or against the last N; Z with an anchor not below the last F; N above the
    last F or with its hash.

    Args:
        last: by slot name, the last ballot signed in it.
        kind: domain tag.
        data: the ballot.
    """
    try:
        name = slot(kind, data)
    except BallotError:
        return False
    if last.get(name) == data:
        return True
    ballot = read_ballot(data)
    held: dict[VoteKind, Ballot] = {}
    for other in map(read_ballot, last.values()):
        if other.epoch > ballot.epoch:
            return False
        if other.epoch == ballot.epoch:
            held[other.kind] = other
    same = held.get(ballot.kind)
    return (same is None or ballot.view > same.view) and _agrees(ballot, held)


def _agrees(ballot: Ballot, held: Mapping[VoteKind, Ballot]) -> bool:
    """Tell whether a ballot agrees with the last ones of the other kinds."""
    notarized, nullified = held.get(VoteKind.NOTARIZE), held.get(VoteKind.NULLIFY)
    finalized = held.get(VoteKind.FINALIZE)
    if ballot.kind is VoteKind.FINALIZE:
        above = nullified is None or ballot.view > nullified.view
        return above and (notarized is None or _above_or_same(ballot, notarized))
    if finalized is None or ballot.kind is VoteKind.PROPOSE:
        return True
    if ballot.kind is VoteKind.NULLIFY:
        return ballot.anchor >= finalized.view
    return _above_or_same(ballot, finalized)


def _above_or_same(ballot: Ballot, other: Ballot) -> bool:
    return ballot.view > other.view or (ballot.view == other.view and ballot.hash == other.hash)
