"""Asking peers for records, so that no honest node ever meets a limit of the others.

A peer is asked once a minute at most, also over several connections; peers that this node dialled are asked, and those
that dialled it only while it has no other: whoever calls in order to be asked learns nothing. Each question makes room
for one answer. What comes unasked is not looked into beyond its first record, which is how a node tells of itself.

Source: the discovery section of the networking specification; Bitcoin Core asks its outbound peers alone.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import Final

from p2pcommerce.discovery.connections import Connections
from p2pcommerce.discovery.effects import SendTo
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import GetPeers

__all__ = ["Asking"]

_UNASKED_RECORDS_MAX: Final = 1


class Asking:
    """Whom this node asked for records, and when."""

    __slots__ = ("_asked_us", "_connections", "_next_us", "_open", "_parameters", "_rng")

    def __init__(self, parameters: DiscoveryParameters, connections: Connections, rng: random.Random) -> None:
        """Watch the connections."""
        self._parameters = parameters
        self._connections = connections
        self._rng = rng
        self._asked_us: OrderedDict[PeerId, int] = OrderedDict()
        """Outlasts connections; who was asked longest ago is forgotten first."""
        self._open: dict[PeerId, None] = {}
        self._next_us = 0

    def __len__(self) -> int:
        return len(self._asked_us)

    def on_dialled(self, peer: PeerId, now: int) -> list[SendTo]:
        """Ask a peer (32 bytes) that this node has just dialled, unless it was asked just now."""
        return [self._ask(peer, now)] if self._ready_us(peer) <= now else []

    def on_disconnected(self, peer: PeerId) -> None:
        """What a peer (32 bytes) has not answered it will not answer any more."""
        self._open.pop(peer, None)

    def records_max(self, peer: PeerId) -> int:
        """Return how many records of a message of a peer (32 bytes) are looked into; an answer closes its question."""
        if peer in self._open:
            del self._open[peer]
            return self._parameters.answer_records_max
        return _UNASKED_RECORDS_MAX

    def plan(self, effects: list[SendTo], now: int) -> int | None:
        """Ask one peer while this node lacks peers; return when the next may be asked, None: nobody is there."""
        if not self._connections:
            return None
        dialled = [peer for peer, connection in self._connections.items() if connection.outbound]
        waits = {peer: self._ready_us(peer) for peer in dialled or self._connections}
        wake = max(self._next_us, min(waits.values()))
        if wake > now:
            return wake
        ready = [peer for peer, at in waits.items() if at <= now]
        effects.append(self._ask(ready[self._rng.randrange(len(ready))], now))
        limits = self._parameters
        self._next_us = now + limits.ask_interval_us // max(limits.outbound_target, 1)
        return self._next_us

    def _ready_us(self, peer: PeerId) -> int:
        asked_us = self._asked_us.get(peer)
        return 0 if asked_us is None else asked_us + self._parameters.ask_interval_us

    def _ask(self, peer: PeerId, now: int) -> SendTo:
        self._asked_us[peer] = now
        self._asked_us.move_to_end(peer)
        if len(self._asked_us) > self._parameters.askers_max:
            self._asked_us.popitem(last=False)
        self._open[peer] = None
        return SendTo(peer, GetPeers(self._parameters.answer_records_max))
