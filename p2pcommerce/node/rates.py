"""How often a peer may send what costs it next to nothing: small questions, and words about itself.

Most kinds of message are limited by the room that takes them, by what they hold or by what is under way. The others are
limited here, each kind by a bucket for each peer:

- A question beyond its rate is left without an answer. Of so many in a row somebody makes a habit, and is closed.
- A word about its sender ("I listen to these topics") must not be left aside, since the last one counts: whoever says
  more than one has reason to say is closed at once.

What a peer has used up it does not get anew by connecting anew: its buckets are kept until they are full again.

Rates are many times those of an honest node, whose messages may come all at once after a stall of the network: it lasts
as long as an unanswered ping is waited for, no longer.

Source: the networking specification (every message kind has a rate). The numbers are ours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from p2pcommerce.primitives.buckets import Buckets
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId
from p2pcommerce.wire import messages as wire

__all__ = ["EXCESS", "FLOOD", "GONE_MAX", "RATES", "Rate", "Rates"]

FLOOD: Final = "FLOOD"
"""The code of a peer that is closed for sending too much too often."""
_PEERS_MAX: Final = 65_536
"""More than can be connected, and those that are gone: so a new peer always finds a place for its buckets."""
GONE_MAX: Final = 4_096
"""Disconnected peers whose buckets are kept; beyond, who went first is forgotten first."""
_LOOKED_AT: Final = 16
"""Gone peers that are looked at whenever one goes: more than one, so those whose buckets are full go in time."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a kind of message may come from one peer.

    Attributes:
        burst: at once.
        interval_us: then one in so long, microseconds.
        is_word: it is about its sender, and the last one counts.
    """

    burst: int
    interval_us: int
    is_word: bool = False


_WORD: Final = Rate(128, MICROSECONDS // 4, is_word=True)
RATES: Final[Mapping[type[wire.Message], Rate]] = {
    wire.Ping: Rate(16, 2 * MICROSECONDS),
    wire.Pong: Rate(16, 2 * MICROSECONDS),
    wire.Observed: Rate(8, 60 * MICROSECONDS),
    wire.GetTransactions: Rate(256, MICROSECONDS // 64),
    wire.GetBlock: Rate(256, MICROSECONDS // 64),
    **dict.fromkeys(
        (
            wire.Choose,
            wire.Unchoose,
            wire.Refuse,
            wire.Status,
            wire.FeeFloor,
            wire.Listening,
            wire.TakesCalls,
        ),
        _WORD,
    ),
    wire.RelayRole: Rate(256, MICROSECONDS // 8, is_word=True),
}
"""The kinds that are limited here."""
EXCESS: Final = Rate(1_000, MICROSECONDS // 8)
"""Questions that may be left without an answer before their sender is closed."""


class Rates:
    """The buckets of all connected peers, and of those that went lately."""

    __slots__ = ("_buckets", "_excess", "_gone")

    def __init__(self) -> None:
        """Begin with full ones."""
        self._buckets: dict[type[wire.Message], Buckets[PeerId]] = {
            kind: Buckets(rate.burst, rate.interval_us, _PEERS_MAX) for kind, rate in RATES.items()
        }
        self._excess: Buckets[PeerId] = Buckets(EXCESS.burst, EXCESS.interval_us, _PEERS_MAX)
        self._gone: OrderedDict[PeerId, int] = OrderedDict()  # until when, in the order of their going

    def __len__(self) -> int:
        """Return how many disconnected peers are remembered."""
        return len(self._gone)

    def admits(self, peer: PeerId, message: wire.Message, now: int) -> bool:
        """Tell whether a message of a peer (32 bytes) is within its rate; if not, it is to be left aside.

        Raises:
            RemoteProtocolError: the peer is to be closed.
        """
        kind = type(message)
        buckets = self._buckets.get(kind)
        if buckets is None or buckets.take(peer, now):
            return True
        rate = RATES[kind]
        if rate.is_word or not self._excess.take(peer, now):
            raise RemoteProtocolError(
                f"more {kind.__name__} than {rate.burst} at once and {MICROSECONDS / rate.interval_us:g} a second",
                FLOOD,
            )
        return False

    def on_connected(self, peer: PeerId) -> None:
        """A peer (32 bytes) connects: what is left in its buckets counts."""
        self._gone.pop(peer, None)

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """Keep the buckets of a peer (32 bytes) that goes until all of them are full again."""
        until_us = max(buckets.full_us(peer, now) for buckets in (*self._buckets.values(), self._excess))
        self._gone.pop(peer, None)
        if until_us > now:
            self._gone[peer] = until_us
        else:
            self._forget(peer)
        surplus = len(self._gone) - GONE_MAX
        for index, (other, other_us) in enumerate(list(islice(self._gone.items(), _LOOKED_AT))):
            if index < surplus or not now < other_us:
                del self._gone[other]
                self._forget(other)

    def _forget(self, peer: PeerId) -> None:
        for buckets in (*self._buckets.values(), self._excess):
            buckets.forget(peer)
