"""What is known of addresses as places to dial: which are being dialled, which rest after a failure, which are our own.

The pause after a failed dial doubles from 1 s up to a cap, and half of it is drawn at random, so that nodes that lost
one peer together do not come back together. A connection that ends soon counts as a failure; one that lasted wipes out
the failures before it.

Source: the discovery section of the networking specification; "equal jitter" of M. Brooker, Exponential Backoff and
Jitter (2015).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.primitives.ids import PeerId

__all__ = ["PLACES_MAX", "Dialling", "Purpose", "backoff_us"]

PLACES_MAX: Final = 16_384
"""Addresses remembered; those that rest and were tried longest ago are forgotten first."""
_DOUBLINGS_MAX: Final = 32


@unique
class Purpose(Enum):
    """Why an address is dialled."""

    RESERVED = "reserved"
    """Its peer has a place of its own."""
    TRIED = "tried"
    """For one of the ordinary places, a peer that was reached before."""
    NEW = "new"
    """For one of the ordinary places, a peer that was never reached."""
    FEELER = "feeler"
    """To see whether somebody is there."""
    CALLED = "called"
    """Its peer asked for it through another one: nothing is learnt of the address."""

    @property
    def is_ordinary(self) -> bool:
        """Whether the connection takes one of the ordinary places."""
        return self in {Purpose.TRIED, Purpose.NEW}


def backoff_us(failures: int, least_us: int, most_us: int, rng: random.Random) -> int:
    """Return the pause after so many failures in a row: between half and all of least x 2^(failures - 1), capped."""
    whole = min(most_us, least_us << min(max(failures - 1, 0), _DOUBLINGS_MAX))
    return whole - rng.randrange(whole // 2 + 1)


@dataclass(slots=True)
class _Place:
    failures: int = 0
    next_us: int = 0
    since_us: int | None = None
    """When the dial under way began; None: there is none."""
    purpose: Purpose = Purpose.TRIED
    peer: PeerId | None = None


class Dialling:
    """The state of every address that was dialled."""

    def __init__(self, parameters: DiscoveryParameters, rng: random.Random) -> None:
        """Start without memory."""
        self._parameters = parameters
        self._rng = rng
        self._places: dict[str, _Place] = {}
        self._own: dict[str, None] = {}
        self._in_flight: dict[str, _Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def in_flight(self) -> int:
        """Dials under way."""
        return len(self._in_flight)

    @property
    def ordinary_in_flight(self) -> int:
        """Dials under way for ordinary places."""
        return sum(place.purpose.is_ordinary for place in self._in_flight.values())

    @property
    def ordinary_under_way(self) -> dict[str, Purpose]:
        """The addresses that are being dialled for ordinary places, and why."""
        return {address: place.purpose for address, place in self._in_flight.items() if place.purpose.is_ordinary}

    @property
    def is_feeling(self) -> bool:
        """Whether a feeler is under way."""
        return any(place.purpose is Purpose.FEELER for place in self._in_flight.values())

    @property
    def peers_in_flight(self) -> dict[PeerId, None]:
        """The peers that are being dialled by name (an address of a bootstrap list has none yet)."""
        return {place.peer: None for place in self._in_flight.values() if place.peer is not None}

    @property
    def deadline(self) -> int | None:
        """When the oldest dial under way is given up; None: there is none."""
        first = next(iter(self._in_flight.values()), None)
        return None if first is None or first.since_us is None else first.since_us + self._parameters.dial_timeout_us

    def add_own(self, addresses: Iterable[str]) -> None:
        """Never dial these: they are this node's."""
        self._own.update(dict.fromkeys(addresses))

    def is_own(self, address: str) -> bool:
        """Tell whether an address is this node's own."""
        return address in self._own

    def next_us(self, address: str) -> int | None:
        """Return when an address may be dialled; None: it is being dialled, or it is our own."""
        if address in self._own or address in self._in_flight:
            return None
        place = self._places.get(address)
        return 0 if place is None else place.next_us

    def failures(self, address: str) -> int:
        """Return how often in a row an address has failed."""
        place = self._places.get(address)
        return 0 if place is None else place.failures

    def best(self, addresses: Iterable[str], now: int) -> str | None:
        """Return that address of a peer which may be dialled now and failed the least, None if there is none."""
        ready: list[tuple[int, int, str]] = []
        for address in addresses:
            next_us = self.next_us(address)
            if next_us is not None and next_us <= now:
                place = self._places.get(address)
                ready.append((0 if place is None else place.failures, len(ready), address))
        return min(ready)[2] if ready else None

    def start(self, address: str, peer: PeerId | None, *, purpose: Purpose, now: int) -> None:
        """A dial begins."""
        place = self._places.pop(address, None) or _Place()
        self._places[address] = place
        place.since_us, place.peer, place.purpose = now, peer, purpose
        self._in_flight[address] = place
        if len(self._places) > PLACES_MAX:
            del self._places[next(known for known in self._places if known not in self._in_flight)]

    def on_reached(self, address: str) -> Purpose | None:
        """A dial led to a connection; return why it was made, None if none was under way."""
        place = self._in_flight.pop(address, None)
        if place is None:
            return None
        place.since_us = None
        return place.purpose

    def on_failed(self, address: str, now: int) -> PeerId | None:
        """A dial failed, or the connection it led to has ended; return who was expected there."""
        self._in_flight.pop(address, None)
        place = self._places.setdefault(address, _Place())
        place.since_us = None
        if place.purpose is Purpose.CALLED:  # whose address it is, only who asked for the dial has said
            return None
        place.failures += 1
        limits = self._parameters
        most = limits.wanted_backoff_us_max if place.purpose is Purpose.RESERVED else limits.backoff_us_max
        place.next_us = now + backoff_us(place.failures, limits.backoff_us_min, most, self._rng)
        return place.peer

    def on_ended(self, address: str, lasted_us: int, now: int) -> None:
        """A connection that was dialled has ended."""
        if lasted_us >= self._parameters.stable_us:
            self._places.setdefault(address, _Place()).failures = 0
        self.on_failed(address, now)

    def overdue(self, now: int) -> list[str]:
        """Return the addresses whose dial nobody reported on in time."""
        limit = now - self._parameters.dial_timeout_us
        return [
            address
            for address, place in self._in_flight.items()
            if place.since_us is not None and place.since_us <= limit
        ]
