"""What is known of the peers and the snapshots that a restore chooses from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId
from p2pcommerce.sync.chunks import Place

__all__ = ["UNTRIED", "Offer", "Source"]

UNTRIED: Final = 2**62
"""How fast a peer is taken to be that was not asked for links yet."""


@dataclass(slots=True)
class Offer:
    """One snapshot, as one or more peers offer it."""

    header: Header
    proof: bytes
    places: list[Place]
    peers: dict[PeerId, None] = field(default_factory=dict)


@dataclass(slots=True)
class Source:
    """One peer.

    Attributes:
        told: its offer as it came, until the validators of its epoch are known.
        offer: its offer, shown to be final.
        has_answered: whether it said what it has.
        asked_epoch: from which epoch links were asked for; asked_us: when.
        links, links_us: how many it gave, and the time that it took for them.
        again_us: when it is asked for a newer offer; None: it is not.
        waits: what was asked -> when it is given up; None: the offer, -1: links, else a chunk's index.
    """

    told: tuple[Header, bytes, bytes] | None = None
    offer: Offer | None = None
    has_answered: bool = False
    asked_epoch: int = 0
    asked_us: int = 0
    links: int = 0
    links_us: int = 0
    again_us: int | None = None
    waits: dict[int | None, int] = field(default_factory=dict)

    @property
    def links_per_s(self) -> int:
        """How fast it gives links; who was not asked yet may be faster than anybody."""
        return self.links * MICROSECONDS // self.links_us if self.links_us else UNTRIED
