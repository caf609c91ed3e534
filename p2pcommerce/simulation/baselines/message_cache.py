"""The message cache of the gossipsub baseline: what it can tell of, and serve, by windows of one heartbeat.

Source: the gossipsub v1.0 specification (message cache).
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from p2pcommerce.primitives.ids import PeerId, TransactionId

__all__ = ["MessageCache"]


class MessageCache:
    """Messages of the last windows; bounded by their number of heartbeats."""

    __slots__ = ("_messages", "_served", "_told", "_windows")

    def __init__(self, windows: int, told: int) -> None:
        """Keep messages for `windows` heartbeats, and tell of them for `told`."""
        self._told = told
        self._windows: deque[list[TransactionId]] = deque([[] for _ in range(windows)])
        self._messages: dict[TransactionId, bytes] = {}
        self._served: dict[TransactionId, dict[PeerId, int]] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, tx_id: TransactionId, raw: bytes) -> None:
        """Add a message (id of 32 bytes) to the present window."""
        if tx_id not in self._messages:
            self._messages[tx_id] = raw
            self._windows[0].append(tx_id)

    def told(self) -> list[TransactionId]:
        """Return the ids that are told of."""
        return [tx_id for window in islice(self._windows, self._told) for tx_id in window]

    def serve(self, tx_id: TransactionId, peer: PeerId, serve_max: int) -> bytes | None:
        """Return a message to a peer (32 bytes) that asks for it, at most `serve_max` times."""
        raw = self._messages.get(tx_id)
        if raw is None:
            return None
        served = self._served.setdefault(tx_id, {})
        count = served.get(peer, 0)
        if count >= serve_max:
            return None
        served[peer] = count + 1
        return raw

    def shift(self) -> None:
        """Begin a new window, and forget the oldest."""
        for tx_id in self._windows.pop():
            del self._messages[tx_id]
            self._served.pop(tx_id, None)
        self._windows.appendleft([])
