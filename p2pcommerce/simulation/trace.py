"""The trace: one hash over everything that happened, and the last of it in words.

Two runs of one seed have the same trace hash, in any process and under any PYTHONHASHSEED; where they differ, something
is not deterministic. What is hashed is unambiguous: lengths stand before texts.

Source: the deterministic simulator specification (compare Commonware's audit hash).
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["EVENTS_KEPT", "Trace"]

EVENTS_KEPT: Final = 200
"""Events kept for a report by default."""
_HASH_BYTES: Final = 32
_SHOWN_BYTES: Final = 16
_HEAD: Final = struct.Struct(">qqqHI")


class Trace:
    """A running BLAKE2b-256 over events.

    Attributes:
        count: events recorded.
    """

    __slots__ = ("_digest", "_kinds", "_last", "_pack", "_read", "_update", "count")

    def __init__(
        self, *, events_kept: int = EVENTS_KEPT, read: Callable[[str, bytes], str] = lambda _kind, _detail: ""
    ) -> None:
        """Start empty.

        Args:
            events_kept: how many of the last events are kept.
            read: puts the detail of a kind of event into words; empty: it cannot.
        """
        self._read = read
        self._digest = hashlib.blake2b(digest_size=_HASH_BYTES)
        self._update = self._digest.update
        self._pack = _HEAD.pack
        self._kinds: dict[str, bytes] = {}
        self._last: deque[tuple[int, int, str, bytes, str, int]] = deque(maxlen=events_kept)
        self.count = 0

    def record(
        self, time_us: int, node: int, kind: str, detail: bytes = b"", words: str = "", source: int = -1
    ) -> None:
        """Take one event.

        Args:
            time_us: microseconds of world time.
            node: where it happened; -1: in the world.
            kind: what happened ("deliver", "crash" ...), one of a few fixed names.
            detail: what tells it from others, such as a state root; hashed.
            words: for people, before what can be read of `detail`, or in its place; not hashed.
            source: the node that it came from; -1: none.
        """
        name = self._kinds.get(kind)
        if name is None:
            name = self._kinds[kind] = kind.encode()
        self._update(self._pack(time_us, node, source, len(name), len(detail)) + name + detail)
        self._last.append((time_us, node, kind, detail, words, source))
        self.count += 1

    @property
    def hash(self) -> str:
        """The hash of all events so far, 64 hexadecimal digits."""
        return self._digest.hexdigest()

    def tail(self, count: int | None = None) -> list[str]:
        """Return the last events in words, oldest first; `count` of them, or all that are kept."""
        events = list(self._last)
        if count is not None:
            events = events[max(0, len(events) - count) :]
        return [self._words(*event) for event in events]

    def _words(self, time_us: int, node: int, kind: str, detail: bytes, words: str, source: int) -> str:
        where = "world" if node < 0 else f"node {node}"
        sender = "" if source < 0 else f"from node {source}"
        known = ": ".join(filter(None, (sender, words, self._read(kind, detail))))
        return f"{_seconds(time_us)} s  {where}  {kind}  {known or _hexadecimal(detail)}".rstrip()


def _seconds(time_us: int) -> str:
    return f"{time_us // 1_000_000}.{time_us % 1_000_000:06d}"


def _hexadecimal(detail: bytes) -> str:
    return detail[:_SHOWN_BYTES].hex() + ("..." if len(detail) > _SHOWN_BYTES else "")
