"""How often a peer may send what costs it next to nothing: small questions, and words about itself.

Most kinds of message are limited by the room that takes them, by what they hold or by what is under way. The others are
limited here, each kind by a bucket for each peer:

- A question beyond its rate is left without an answer. Of so many in a row somebody makes a habit, and is closed.
- A word about its sender ("I listen to these topics") must not be left aside, since the last one counts: whoever says
  more than one has reason to say is closed at once.

Rates are many times those of an honest node, whose messages may come all at once after a stall of the network: it lasts
as long as an unanswered ping is waited for, no longer.

Source: the networking specification (every message kind has a rate). The numbers are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.buckets import Buckets
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId
from p2pcommerce.wire import messages as wire

__all__ = ["EXCESS", "FLOOD", "RATES", "Rate", "Rates"]

FLOOD: Final = "FLOOD"
"""The code of a peer that is closed for sending too much too often."""
_PEERS_MAX: Final = 65_536
"""More than can be connected: buckets are for connected peers only."""


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
    """The buckets of all connected peers."""

    __slots__ = ("_buckets", "_excess")

    def __init__(self) -> None:
        """Begin with full ones."""
        self._buckets: dict[type[wire.Message], Buckets[PeerId]] = {
            kind: Buckets(rate.burst, rate.interval_us, _PEERS_MAX) for kind, rate in RATES.items()
        }
        self._excess: Buckets[PeerId] = Buckets(EXCESS.burst, EXCESS.interval_us, _PEERS_MAX)

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

    def on_disconnected(self, peer: PeerId) -> None:
        """Forget a peer (32 bytes)."""
        for buckets in (*self._buckets.values(), self._excess):
            buckets.forget(peer)
