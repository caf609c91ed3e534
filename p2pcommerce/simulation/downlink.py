"""A receiver's bandwidth: when the last byte of a message is in, if others arrive at the same time.

Messages are booked when they are sent, not in the order in which they will arrive. So time is cut into slots of about a
millisecond, and each message takes room in the first slots from its arrival on that have any.

Deviations: within one slot messages do not wait for each other unless the slot is full: a burst of less than a
millisecond's worth of bytes is in at once.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SLOTS_KEPT", "SLOT_NS", "Downlink"]

_SLOT_BITS: Final = 20
SLOT_NS: Final = 1 << _SLOT_BITS
"""Length of a slot, nanoseconds."""
SLOTS_KEPT: Final = 128
"""Slots after which those that have passed are dropped."""


class Downlink:
    """The bandwidth queue of one receiver."""

    __slots__ = ("_booked_ns", "_drop_at", "_next_slot")

    def __init__(self) -> None:
        """Start with nothing booked."""
        self._booked_ns: dict[int, int] = {}
        self._next_slot: dict[int, int] = {}
        self._drop_at = SLOTS_KEPT

    def __len__(self) -> int:
        """Return how many slots are remembered."""
        return len(self._booked_ns)

    def book(self, first_ns: int, work_ns: int, now_ns: int) -> int:
        """Take a message in; return when its last byte is in, nanoseconds, if nothing but this bandwidth delays it.

        Args:
            first_ns: when its first byte is there.
            work_ns: how long it takes at this receiver's bandwidth.
            now_ns: present world time; nothing will arrive before.
        """
        slot = first_ns >> _SLOT_BITS
        booked_ns = self._booked_ns.get(slot, 0) + work_ns
        if booked_ns > SLOT_NS:
            return self._spill(slot, work_ns, now_ns)
        self._booked_ns[slot] = booked_ns
        if len(self._booked_ns) > self._drop_at:
            self._drop_past(now_ns)
        return (slot << _SLOT_BITS) + booked_ns

    def _spill(self, slot: int, work_ns: int, now_ns: int) -> int:
        booked, following = self._booked_ns, self._next_slot
        first = slot
        while True:
            while (free := following.get(slot)) is not None:
                slot = free
            room_ns = SLOT_NS - booked.get(slot, 0)
            if work_ns <= room_ns:
                break
            work_ns -= room_ns
            booked[slot] = SLOT_NS
            following[slot] = slot + 1
        booked[slot] = booked.get(slot, 0) + work_ns
        # The next one that comes here jumps over all the full slots at once.
        step = first
        while step < slot:
            following_slot = following[step]
            following[step] = slot
            step = following_slot
        if len(booked) > self._drop_at:
            self._drop_past(now_ns)
        return (slot << _SLOT_BITS) + booked[slot]

    def _drop_past(self, now_ns: int) -> None:
        present = now_ns >> _SLOT_BITS
        self._booked_ns = {slot: booked for slot, booked in self._booked_ns.items() if slot >= present}
        self._next_slot = {slot: free for slot, free in self._next_slot.items() if slot >= present}
        self._drop_at = max(SLOTS_KEPT, 2 * len(self._booked_ns))
