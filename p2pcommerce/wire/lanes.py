"""Five lanes by priority: what leaves first, how messages share a record, how large ones are cut and put together.

A plaintext of at most 16,366 bytes (so that a record fills 16 KiB on the stream) holds frames, one after the other:

    whole message    lane (u8)          | length (u16) | message
    first fragment   lane + 0x10 (u8)   | length (u16) | bytes of the message in all (u32) | fragment
    next fragment    lane + 0x20 (u8)   | length (u16) | fragment

Numbers are big-endian, `length` counts the message or fragment alone. The fragment that completes the stated total is
the last. Lanes are emptied in their order, each first in, first out; only a message that does not fit a plaintext of
its own is cut, and one that is on its way waits whenever a lane above has something: a vote overtakes a block body.
Within a lane nothing overtakes.

The receiving side takes one unfinished message per lane. The first fragment says the message's kind (its first byte)
and its size, and the kind's cap is checked before anything is kept.

It knows no kinds of messages: it is handed their lanes and caps. A message of another kind breaks a rule, unless the
kind is *optional*, which its number says (`OPTIONAL_KINDS_FROM`): such a message is skipped, as far as it is not larger
than `OPTIONAL_BYTES_MAX`, so that a new kind that others may do without needs no new version of the protocol.

Source: the networking specification (Records, Five lanes).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import IntEnum, unique
from typing import Final

from p2pcommerce.primitives.errors import CodecError, LocalProtocolError, RemoteProtocolError
from p2pcommerce.wire.records import RECORD_OVERHEAD_BYTES

__all__ = [
    "FRAMES_BYTES_MAX",
    "OPTIONAL_BYTES_MAX",
    "OPTIONAL_KINDS_FROM",
    "QUEUED_MESSAGE_OVERHEAD_BYTES",
    "FrameError",
    "IncomingLanes",
    "Lane",
    "OutgoingLanes",
]

FRAMES_BYTES_MAX: Final = 16 * 1024 - RECORD_OVERHEAD_BYTES
"""Largest plaintext that is written. Larger records are read."""
QUEUED_MESSAGE_OVERHEAD_BYTES: Final = 48
"""Charged to a lane's bound per message beside its bytes: roughly what the object costs."""
OPTIONAL_KINDS_FROM: Final = 0x80
"""Kinds of messages from this one on are optional: who does not know one skips it."""
OPTIONAL_BYTES_MAX: Final = 64 * 1024
"""Largest message of an optional kind that is not known."""

_HEADER_BYTES: Final = 3
_TOTAL_BYTES: Final = 4
_FIRST: Final = 0x10
_NEXT: Final = 0x20
_WHOLE_BYTES_MAX: Final = FRAMES_BYTES_MAX - _HEADER_BYTES
_FRAGMENT_BYTES_MIN: Final = 512
"""A plaintext with less room left than this is sent as it is: a tiny fragment costs a header for nothing."""
_TOTAL_BYTES_MAX: Final = 2**32 - 1


@unique
class Lane(IntEnum):
    """The priorities, the first to leave first."""

    FINALITY = 0
    CONTROL = 1
    TRANSACTIONS = 2
    SYNC = 3
    EXCHANGE = 4


_LANES: Final = len(Lane)


class FrameError(RemoteProtocolError):
    """A plaintext that is not a row of frames, or fragments that do not belong together."""

    code = "BAD_FRAME"


class OutgoingLanes:
    """Messages waiting to be sent, bounded in bytes per lane.

    Attributes:
        count: messages waiting in all lanes.
        total_bytes: bytes waiting in all lanes, each message's overhead included.
    """

    __slots__ = ("_bounds", "_cut_bytes", "_queued_bytes", "_queues", "count", "total_bytes")

    def __init__(self, bounds: tuple[int, int, int, int, int]) -> None:
        """Take the bytes that each lane may hold."""
        self.count = 0
        self.total_bytes = 0
        self._bounds = bounds
        # A queue exists while it holds something: an idle connection has none.
        self._queues: list[deque[bytes] | None] = [None] * _LANES
        self._queued_bytes = [0] * _LANES
        self._cut_bytes = [0] * _LANES  # how much of the lane's first message has already left

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return self.count > 0

    def lane_bytes(self, lane: Lane) -> int:
        """Return the bytes waiting in a lane, each message's overhead included."""
        return self._queued_bytes[lane]

    def push(self, lane: Lane, message: bytes) -> bool:
        """Queue a message; False, and nothing done, if the lane's bound would be exceeded.

        Raises:
            LocalProtocolError: the message is empty or no frame can state its size.
        """
        size = len(message)
        if not 0 < size <= _TOTAL_BYTES_MAX:
            raise LocalProtocolError(f"a message has 1 to {_TOTAL_BYTES_MAX} bytes, not {size}")
        charged = size + QUEUED_MESSAGE_OVERHEAD_BYTES
        queued = self._queued_bytes[lane] + charged
        if queued > self._bounds[lane]:
            return False
        self._queued_bytes[lane] = queued
        self.total_bytes += charged
        self.count += 1
        queue = self._queues[lane]
        if queue is None:
            self._queues[lane] = deque((message,))
        else:
            queue.append(message)
        return True

    def take(self) -> bytes:
        """Return the next plaintext, of at most FRAMES_BYTES_MAX bytes; empty if nothing waits."""
        if not self.count:
            return b""
        frames: list[bytes] = []
        room = FRAMES_BYTES_MAX
        for lane in range(_LANES):
            queue = self._queues[lane]
            if queue is None:
                continue
            room = self._take_lane(lane, queue, frames, room)
            if queue:
                break
            self._queues[lane] = None
        return b"".join(frames)

    def _take_lane(self, lane: int, queue: deque[bytes], frames: list[bytes], room: int) -> int:
        """Move what fits from one lane into `frames`; return the room that is left."""
        taken = 0
        while queue:
            message = queue[0]
            size = len(message)
            if size > _WHOLE_BYTES_MAX:
                if room < _FRAGMENT_BYTES_MIN:
                    break
                room = self._take_fragment(lane, message, frames, room)
                if self._cut_bytes[lane]:
                    break
            elif size + _HEADER_BYTES <= room:
                frames.append((lane << 16 | size).to_bytes(3, "big"))
                frames.append(message)
                room -= size + _HEADER_BYTES
            else:
                break
            queue.popleft()
            taken += size + QUEUED_MESSAGE_OVERHEAD_BYTES
            self.count -= 1
        self._queued_bytes[lane] -= taken
        self.total_bytes -= taken
        return room

    def _take_fragment(self, lane: int, message: bytes, frames: list[bytes], room: int) -> int:
        """Move a piece of a message that is larger than a plaintext; `_cut_bytes` is 0 again after its last."""
        start = self._cut_bytes[lane]
        header_bytes = _HEADER_BYTES if start else _HEADER_BYTES + _TOTAL_BYTES
        end = min(start + room - header_bytes, len(message))
        if start:
            frames.append(((lane | _NEXT) << 16 | (end - start)).to_bytes(3, "big"))
        else:
            frames.append(((lane | _FIRST) << 48 | end << 32 | len(message)).to_bytes(7, "big"))
        frames.append(message[start:end])
        self._cut_bytes[lane] = 0 if end == len(message) else end
        return room - header_bytes - (end - start)


class IncomingLanes:
    """Splits plaintexts into messages and puts fragments together.

    Attributes:
        skipped: messages of optional kinds that are not known here.
    """

    __slots__ = ("_limits", "_unfinished", "skipped")

    def __init__(self, limits: Mapping[int, tuple[int, int]]) -> None:
        """Take the limits: kind (the first byte of a message) -> its lane and the most bytes it may have."""
        self._limits = limits
        self.skipped = 0
        self._unfinished: dict[int, tuple[int, bytearray]] = {}  # lane -> bytes in all, bytes so far

    @property
    def unfinished_bytes(self) -> int:
        """Bytes kept of messages that are not complete."""
        return sum([len(kept) for _, kept in self._unfinished.values()]) if self._unfinished else 0

    def receive(self, plaintext: bytes) -> list[bytes]:
        """Return the messages that a plaintext completes, in order.

        Raises:
            FrameError: it is not a row of frames, or a fragment does not continue what the lane began.
            CodecError: a message of a kind that is unknown and not optional, of another lane, or over its cap.
        """
        messages = []
        unfinished = self._unfinished
        place, end = 0, len(plaintext)
        while place < end:
            start = place + _HEADER_BYTES
            if start > end:
                raise FrameError("a record ends inside a frame's header")
            tag = plaintext[place]
            place = start + (plaintext[place + 1] << 8 | plaintext[place + 2])
            if tag & _FIRST:
                place += _TOTAL_BYTES
            if place > end:
                raise FrameError(f"a frame claims {place - end} bytes more than its record has")
            content = plaintext[start:place]
            if tag < _FIRST:
                if not content or (unfinished and tag in unfinished):
                    raise FrameError(f"an empty message, or one inside another (lane {tag})")
                if self._check(tag, content[0], len(content)):
                    messages.append(content)
                else:
                    self.skipped += 1
            elif tag < _NEXT:
                self._begin(tag - _FIRST, content)
            elif (message := self._continue(tag - _NEXT, content)) is not None:
                messages.append(message)
        return messages

    def _check(self, lane: int, kind: int, size: int) -> bool:
        """Tell whether a message is known; False: it is to be skipped."""
        limit = self._limits.get(kind)
        is_known = limit is not None
        if limit is None and kind >= OPTIONAL_KINDS_FROM and lane < _LANES:
            limit = lane, OPTIONAL_BYTES_MAX
        if limit is None or limit[0] != lane:
            raise CodecError(f"no message of kind {kind} travels in lane {lane}", "UNKNOWN_KIND")
        if size > limit[1]:
            raise CodecError(f"{size} bytes for a message of kind {kind}, at most {limit[1]} allowed", "OVERSIZED")
        return is_known

    def _begin(self, lane: int, content: bytes) -> None:
        """Begin a message that comes in fragments: its size in all (4 bytes), then the first fragment."""
        total, fragment = int.from_bytes(content[:_TOTAL_BYTES], "big"), content[_TOTAL_BYTES:]
        if lane in self._unfinished or not 0 < len(fragment) < total:
            raise FrameError(f"a first fragment that is empty, the whole message, or inside another (lane {lane})")
        self._check(lane, fragment[0], total)
        self._unfinished[lane] = (total, bytearray(fragment))

    def _continue(self, lane: int, fragment: bytes) -> bytes | None:
        """Continue a message; return it once it is complete, unless it is to be skipped."""
        unfinished = self._unfinished.get(lane)
        if unfinished is None:
            raise FrameError(f"a fragment of a message that was not begun (lane {lane})")
        total, kept = unfinished
        if not fragment or len(kept) + len(fragment) > total:
            raise FrameError("a fragment that is empty, or goes past the message's end")
        kept += fragment
        if len(kept) < total:
            return None
        del self._unfinished[lane]
        if kept[0] not in self._limits:
            self.skipped += 1
            return None
        return bytes(kept)
