"""What the ends of a connection have sent and not heard to have arrived: how a stream meets a link that is cut one way.

Whoever sends towards the cut sends in vain. Whoever sends the other way is heard, but hears of no arrival: it sends on
until so much is unacknowledged as the window allows, and then waits. Neither knows more than that until a timer ends
the connection, `TIMEOUT_US` after the first message that was not acknowledged.

Source: RFC 9293 (window, retransmission), RFC 5482 (user timeout).
Deviations: a window does not grow or shrink. A direction that has lost something carries nothing more, even if the cut
ends before the timer: what it lost is not sent again.
"""

from __future__ import annotations

from typing import Final

__all__ = ["TIMEOUT_US", "WINDOW_BYTES", "Windows"]

TIMEOUT_US: Final = 5_000_000
"""How long a connection waits for an acknowledgement before it ends."""
WINDOW_BYTES: Final = 65_535
"""What may be on its way without being acknowledged: the window without scaling."""


class Windows:
    """The windows of one connection, by the number of the node that sends."""

    __slots__ = ("_stuck", "_waiting_bytes")

    def __init__(self) -> None:
        """Start with nothing on its way."""
        self._waiting_bytes: dict[int, int] = {}
        self._stuck: dict[int, None] = {}

    @property
    def is_clear(self) -> bool:
        """Whether all that was sent is acknowledged."""
        return not self._waiting_bytes

    @property
    def is_stuck(self) -> bool:
        """Whether a direction has lost something."""
        return bool(self._stuck)

    def send(self, source: int, size_bytes: int, *, is_cut: bool) -> bool:
        """Send what will not be acknowledged; tell whether it arrives. `is_cut`: the direction in which it goes is."""
        waiting = self._waiting_bytes.get(source, 0) + size_bytes
        self._waiting_bytes[source] = waiting
        if is_cut or waiting > WINDOW_BYTES:
            self._stuck[source] = None
        return source not in self._stuck

    def clear(self) -> None:
        """Everything that arrived is acknowledged: neither direction is cut any more."""
        self._waiting_bytes.clear()
