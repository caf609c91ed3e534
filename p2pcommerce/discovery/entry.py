"""One peer of the address book, and what this node itself saw of it.

Source: Bitcoin Core's `AddrInfo` (`IsTerrible`, `GetChance`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.discovery.group import is_local
from p2pcommerce.discovery.record import PeerRecord
from p2pcommerce.discovery.source import Source
from p2pcommerce.primitives.ids import PeerId

__all__ = ["REACHED_KEPT_MS", "Entry", "Place"]

Place = tuple[int, int]
"""Bucket, and place in it."""

REACHED_KEPT_MS: Final = 30 * 86_400_000
"""A peer that was reached is dialled for so long after, though its record has expired; nobody is told of it."""
_NEVER_REACHED_FAILURES: Final = 3
_WEEK_MS: Final = 7 * 86_400_000
_FAILURES: Final = 10
_CHANCE: Final = 0.66
_CHANCE_FAILURES_MAX: Final = 8


@dataclass(slots=True)
class Entry:
    """One peer of the book.

    Attributes:
        record: its newest record.
        source: who told of it first.
        reached_ms: when a connection that this node dialled last stood, Unix milliseconds; 0: never.
        reached_at: the address at which that was; empty: never.
        failures: dials that failed in a row, while others led somewhere.
        counted_ms: when a failure was counted last, Unix milliseconds.
        new: its places in the table of peers never reached.
        tried: its place in the table of peers reached; None: it is not there.
        is_kept: it has a place of its own beside the tables.
    """

    record: PeerRecord
    source: Source
    reached_ms: int = 0
    reached_at: str = ""
    failures: int = 0
    counted_ms: int = 0
    new: list[Place] = field(default_factory=list)
    tried: Place | None = None
    is_kept: bool = False

    @property
    def peer(self) -> PeerId:
        """Who it is, 32 bytes."""
        return self.record.public_key

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it may be dialled: local addresses mean nothing from afar."""
        if self.source.is_local:
            return self.record.addresses
        return tuple(address for address in self.record.addresses if not is_local(address))

    def has_expired(self, now_ms: int) -> bool:
        """Tell whether its record may be told to nobody any more."""
        return self.record.expires_ms <= now_ms

    def is_useless(self, now_ms: int) -> bool:
        """Tell whether there is no reason to dial it any more."""
        return self.has_expired(now_ms) and now_ms - self.reached_ms > REACHED_KEPT_MS

    def is_terrible(self, now_ms: int) -> bool:
        """Tell whether it gives its place to anybody."""
        if self.has_expired(now_ms):
            return True
        if not self.reached_ms:
            return self.failures >= _NEVER_REACHED_FAILURES
        return self.failures >= _FAILURES and now_ms - self.reached_ms > _WEEK_MS

    @property
    def chance(self) -> float:
        """How likely it is taken when it is drawn: two thirds as likely after each failure."""
        return _CHANCE ** min(self.failures, _CHANCE_FAILURES_MAX)
