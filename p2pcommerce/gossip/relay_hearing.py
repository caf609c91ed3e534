"""Who hears whom straight: what its maker pushes to a chooser itself, no sender need push to it again.

A validator says to those that it chose as senders which validators it is connected to, and says it again a fifth of a
second after that has changed. A sender announces to it what these have made, instead of pushing it: if it does not come
straight, it is pulled. A validator that says that it hears whom it does not, has what it lacks later, and harms nobody
else.

Source: no source; in a network of 80 validators, where each is connected to 40, half of what is pushed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeAlias

from p2pcommerce.gossip.effects import Effect, SendTo
from p2pcommerce.gossip.relay_link import RelayLink
from p2pcommerce.primitives.crypto import keyed_hash
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId
from p2pcommerce.wire.finality_messages import RELAY_HEARS_MAX, ROLE_CHOSEN, RelayRole
from p2pcommerce.wire.messages import SHORT_ID_BYTES

__all__ = ["Hearing", "Maker"]

Maker: TypeAlias = Callable[[bytes], PeerId | None]
"""Returns whose (32 bytes) an accepted message is; None: it cannot be told."""

_SAY_US: Final = MICROSECONDS // 5
"""How long after a connection came or went it is said; meanwhile others come."""


class Hearing:
    """Among the links of the relay.

    Attributes:
        deadline: when it is to be said whom this node hears; None: it is not.
    """

    def __init__(self, links: Mapping[PeerId, RelayLink], maker: Maker) -> None:
        """Watch `links`, which the relay fills."""
        self._links = links
        self._maker = maker
        self.deadline: int | None = None

    def changed(self, now: int) -> None:
        """A link came or went."""
        if self.deadline is None:
            self.deadline = now + _SAY_US

    def on_deadline(self, now: int) -> list[Effect]:
        """Say to the senders whom this node hears, if it is time."""
        if self.deadline is None or now < self.deadline:
            return []
        self.deadline = None
        return [SendTo(peer, self.role(peer, ROLE_CHOSEN)) for peer, link in self._links.items() if link.is_sender]

    def role(self, sender: PeerId, role: int) -> RelayRole:
        """Return what a peer (32 bytes) is told of its role."""
        if role != ROLE_CHOSEN or sender not in self._links:
            return RelayRole(role, ())
        key = self._links[sender].key
        heard = [keyed_hash(key, peer, SHORT_ID_BYTES) for peer in self._links if peer != sender]
        return RelayRole(ROLE_CHOSEN, tuple(heard[:RELAY_HEARS_MAX]))

    def on_chosen(self, link: RelayLink, hears: Collection[bytes], members: Collection[PeerId], own_key: bytes) -> None:
        """Learn whom a chooser hears, of `members`: short ids (8 bytes) under this node's key."""
        shorts = frozenset(hears)
        link.hears = frozenset(peer for peer in members if keyed_hash(own_key, peer, SHORT_ID_BYTES) in shorts)

    def maker(self, raw: bytes) -> PeerId | None:
        """Return whose an accepted message is."""
        return self._maker(raw)
