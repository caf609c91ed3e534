"""Which way a finality message goes: straight to everybody whom it concerns, or by others.

While there are at most `RelayParameters.direct_max` validators, what one says goes straight to all of them that are
connected. Beyond, they are connected with some of the others only (`standing`), and what may come by others - votes,
proposals, certificates - is relayed (`gossip.relay`); questions and answers still go straight, to whom they concern or,
if all are meant, to the connected ones.

Source: the networking specification (Proposals, votes, certificates).
Deviations: an engine whose messages cannot be told from hearsay (`FinalityEngine.is_relayed`: FFG, solo) always sends
straight, however many validators there are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from p2pcommerce.finality.engine import FinalityEngine, Target
from p2pcommerce.gossip import effects as gossip
from p2pcommerce.gossip.relay import Relay
from p2pcommerce.node.effects import Effect, Transmit
from p2pcommerce.primitives.ids import PeerId, PublicKey
from p2pcommerce.wire.messages import Engine

__all__ = ["FinalityRoutes"]


class FinalityRoutes:
    """The ways to the validators of an epoch."""

    def __init__(self, engine: FinalityEngine, relay: Relay, own: PublicKey, direct_max: int) -> None:
        """Know nobody; `own`: this node's key, 32 bytes; `direct_max`: so many validators are told straight."""
        self._engine = engine
        self._relay = relay
        self._own = own
        self._direct_max = direct_max
        self._connected: dict[PeerId, None] = {}
        self._members: Mapping[PeerId, None] = {}

    def on_connected(self, peer: PeerId) -> None:
        """A peer (32 bytes) that can be sent to."""
        self._connected[peer] = None

    def on_disconnected(self, peer: PeerId) -> None:
        """A peer (32 bytes) that is gone."""
        self._connected.pop(peer, None)

    def begin(self, members: Mapping[PeerId, None], now: int) -> list[Effect]:
        """Another epoch begins, or the node does: these validators (32 bytes each) are those of it and the next."""
        self._members = members
        is_wide = self._own in members and self.is_wide(members)
        return _transmits(self._relay.set_audience(members if is_wide else (), now))

    def is_wide(self, members: Collection[PeerId]) -> bool:
        """Tell whether these validators are too many to tell each other everything straight."""
        return len(members) > self._direct_max and self._engine.is_relayed

    def send(self, to: PeerId | Target, data: bytes, now: int) -> list[Effect]:
        """Send a message of this node's own engine."""
        message = Engine(data)
        if to is Target.VALIDATORS:
            if self._relay.is_active and self._engine.relays(data):
                return _transmits(self._relay.publish(data, now))
            return [Transmit(peer, message) for peer in self._connected if peer in self._members]
        if to is Target.NETWORK:
            return [Transmit(peer, message) for peer in self._connected]
        return [Transmit(to, message)] if to in self._connected else []


def _transmits(effects: Sequence[gossip.Effect]) -> list[Effect]:
    return [Transmit(effect.peer, effect.message) for effect in effects if isinstance(effect, gossip.SendTo)]
