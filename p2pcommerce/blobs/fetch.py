"""What is kept of one blob while it is fetched: see `fetching`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from p2pcommerce.blobs.claims import Claim
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Fetch"]


@dataclass(slots=True)
class Fetch:
    """One blob being fetched.

    Attributes:
        waiters: requests, and how many bytes each takes at most.
        begun_us: when it began, microseconds.
        give_up_us: when it is given up, microseconds.
        asked: peers whose answer is awaited.
        asked_on: those of them that were asked to ask theirs.
        has_asked_on: whether that was done.
        is_denied: a peer says that it does not have it.
        meets: how often peers have named others who say that they have it.
        too_large_bytes: what a peer says that it has, if that is more than anybody takes.
        claims: the lists that were told.
        current: the one that is believed.
        chunks: by SHA-256 (32 bytes) those that are here; of no list but the one believed last.
        under_way: peer and number of each chunk that was asked for, and when it is late, microseconds.
        strikes: how often in a row a peer was late.
    """

    waiters: dict[int, int]
    begun_us: int
    give_up_us: int
    asked: dict[PeerId, None] = field(default_factory=dict)
    asked_on: dict[PeerId, None] = field(default_factory=dict)
    has_asked_on: bool = False
    is_denied: bool = False
    meets: int = 0
    too_large_bytes: int = 0
    claims: list[Claim] = field(default_factory=list)
    current: Claim | None = None
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    under_way: dict[tuple[PeerId, int], int] = field(default_factory=dict)
    strikes: Counter[PeerId] = field(default_factory=Counter)

    @property
    def bytes_max(self) -> int:
        """The most that anybody who waits takes."""
        return max(self.waiters.values(), default=0)

    @property
    def held_bytes(self) -> int:
        """Bytes of the chunks that are here."""
        return sum(map(len, self.chunks.values()))

    @property
    def claimed_bytes(self) -> int:
        """Bytes of memory that it takes, or will take by the list that is believed."""
        return max(self.held_bytes, 0 if self.current is None else self.current.size)

    def believe(self, claim: Claim | None) -> None:
        """Go by another list: of the chunks that are here those stay that are in it, too. None: by none, for now."""
        self.current = claim
        if claim is not None:
            wanted = set(claim.chunks)
            self.chunks = {chunk: held for chunk, held in self.chunks.items() if chunk in wanted}
