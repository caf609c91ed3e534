"""What is kept of one blob while it is fetched: see `fetching`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from p2pcommerce.blobs.claims import Claim
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Asked", "Fetch"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A chunk that was asked for: of which list, and when it is late, microseconds."""

    claim: Claim
    late_us: int


@dataclass(slots=True)
class Fetch:
    """One blob being fetched.

    Attributes:
        waiters: requests, and how many bytes each takes at most.
        begun_us: when it began, microseconds.
        give_up_us: when it is given up, microseconds.
        asked: peers whose answer is awaited.
        asked_on: those of them that were asked to ask theirs, and how many records each may still name.
        has_asked_on: whether that was done.
        is_denied: a peer says that it does not have it.
        meets: how often peers have named others who say that they have it.
        too_large_bytes: what a peer says that it has, if that is more than anybody takes.
        claims: the lists that were told.
        first_us: when the first of them began to be fetched, microseconds; 0: none did.
        retry_us: when a list that waits may begin, microseconds; None: something else wakes it.
        chunks: by SHA-256 (32 bytes) those that are here; of no lists but those believed last.
        under_way: peer and number of each chunk that was asked for, of which list, and when it is late, microseconds.
        lates: how often each peer was late; who was less often is asked first.
    """

    waiters: dict[int, int]
    begun_us: int
    give_up_us: int
    asked: dict[PeerId, None] = field(default_factory=dict)
    asked_on: dict[PeerId, int] = field(default_factory=dict)
    has_asked_on: bool = False
    is_denied: bool = False
    meets: int = 0
    too_large_bytes: int = 0
    claims: list[Claim] = field(default_factory=list)
    first_us: int = 0
    retry_us: int | None = None
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    under_way: dict[tuple[PeerId, int], Asked] = field(default_factory=dict)
    lates: Counter[PeerId] = field(default_factory=Counter)

    @property
    def bytes_max(self) -> int:
        """The most that anybody who waits takes."""
        return max(self.waiters.values(), default=0)

    @property
    def held_bytes(self) -> int:
        """Bytes of the chunks that are here."""
        return sum(map(len, self.chunks.values()))

    @property
    def believed(self) -> list[Claim]:
        """The lists that are being fetched."""
        return [claim for claim in self.claims if claim.is_believed]

    @property
    def waiting(self) -> list[Claim]:
        """The lists that are not, though somebody serves them; whoever had no turn yet first, as they were told."""
        found = [claim for claim in self.claims if claim.sources and not claim.is_believed]
        return sorted(found, key=lambda claim: claim.turns)

    @property
    def claimed_bytes(self) -> int:
        """Bytes of memory that it takes, or will take by the lists that are believed."""
        return max(self.held_bytes, sum(claim.size for claim in self.believed))

    def believe(self, claim: Claim, due_us: int) -> None:
        """Go by one more list, which is behind from `due_us` on if nothing comes."""
        claim.is_believed = True
        claim.due_us = due_us
        self.prune()

    def prune(self) -> None:
        """Of the chunks that are here keep those that are in a list that is believed."""
        wanted = {chunk for claim in self.believed for chunk in claim.chunks}
        self.chunks = {chunk: held for chunk, held in self.chunks.items() if chunk in wanted}
