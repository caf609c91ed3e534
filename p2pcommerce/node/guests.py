"""Links of guests: callers for whom discovery has no place, and who may ask it for records before they are closed.

A guest is no peer. No room but discovery hears of it, it is sent nothing but the answer, and whatever else it says is
left aside.
"""

from __future__ import annotations

from p2pcommerce.discovery import Discovery
from p2pcommerce.discovery import effects as discovery
from p2pcommerce.node.effects import Attach, Close, Effect, Transmit
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import GetPeers, Message

__all__ = ["Guests"]


class Guests:
    """Who is connected, and is no peer; how many there may be is up to discovery."""

    __slots__ = ("_discovery", "_links")

    def __init__(self, room: Discovery) -> None:
        """Begin without any."""
        self._discovery = room
        self._links: dict[PeerId, int] = {}

    def __len__(self) -> int:
        return len(self._links)

    def take(self, peer: PeerId, link: int) -> list[Effect]:
        """Let a link stand for a while."""
        self._links[peer] = link
        return [Attach(peer, link)]

    def on_message(self, peer: PeerId, message: Message, now: int) -> list[Effect]:
        """Answer a question for records; of one who is no guest nothing is heard."""
        if peer not in self._links or not isinstance(message, GetPeers):
            return []
        effects: list[Effect] = []
        for effect in self._discovery.on_get_peers(peer, message.count, now):
            match effect:
                case discovery.SendTo(asker, answer):
                    effects.append(Transmit(asker, answer))
                case discovery.CloseOne(asker, _, reason):
                    effects += self.close(asker, reason)
        return effects

    def on_disconnected(self, peer: PeerId, link: int, now: int) -> None:
        """A link has ended by itself."""
        if self._links.get(peer) == link:
            del self._links[peer]
            self._discovery.on_disconnected(peer, now)

    def close(self, peer: PeerId, code: str) -> list[Effect]:
        """End the link of a guest whom discovery has forgotten."""
        link = self._links.pop(peer, None)
        return [] if link is None else [Close(link, code, "there is no place for it here")]
