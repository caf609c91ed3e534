"""The event queue: what happens next, at what time, at which node.

Events of one time come out in the order in which they went in. Nothing is ever compared but time and sequence, so an
event may be any object. There is no cancelling: who wants that ignores the event when it comes.

Source: the deterministic simulator specification.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeAlias, TypeVar

from p2pcommerce.primitives.errors import LocalProtocolError

__all__ = ["EVENTS_MAX", "Entry", "EventQueue", "EventQueueError"]

E = TypeVar("E")
Entry: TypeAlias = tuple[int, int, int, E]
"""World time in microseconds, sequence number, node, event."""

_SLOT_BITS: Final = 10
EVENTS_MAX: Final = 20_000_000
"""Events waiting at most, about 3 GB; a world that needs more sends faster than its links carry."""


class EventQueueError(LocalProtocolError):
    """An event in the past, one too many, or none where one was expected."""

    code = "EVENT_QUEUE"


class EventQueue(Generic[E]):
    """Events in the order of their time.

    Attributes:
        now_us: time of the event taken last, microseconds of world time.
        sequence: how many events were ever pushed.
    """

    __slots__ = ("_events_max", "_heap", "_heap_slot", "_later", "_slots", "_taken", "now_us", "sequence")

    def __init__(self, *, events_max: int = EVENTS_MAX) -> None:
        """Start empty at time 0; `events_max` events at most."""
        # A heap of all events would be slow for its size: most of a comparison is the wait for memory. So only what is
        # due in the present millisecond, or before, lies in a heap; the rest lies in a plain list for each millisecond.
        self._heap: list[Entry[E]] = []
        self._heap_slot = 0
        self._later: dict[int, list[Entry[E]]] = {}
        self._slots: list[int] = []
        self._events_max = events_max
        self._taken = 0
        self.sequence = 0
        self.now_us = 0

    def __len__(self) -> int:
        """Return how many events wait."""
        return self.sequence - self._taken

    @property
    def next_us(self) -> int | None:
        """When the next event is due, microseconds of world time; None: there is none."""
        if not self._heap and not self._fill():
            return None
        return self._heap[0][0]

    def push(self, time_us: int, node: int, event: E) -> None:
        """Let something happen.

        Args:
            time_us: when, microseconds of world time; not before `now_us`.
            node: where.
            event: what.

        Raises:
            EventQueueError: `time_us` has passed, or the queue is full.
        """
        sequence = self.sequence
        if time_us < self.now_us or sequence - self._taken >= self._events_max:
            self._refuse(time_us)
        self.sequence = sequence + 1
        slot = time_us >> _SLOT_BITS
        if slot <= self._heap_slot:
            heappush(self._heap, (time_us, sequence, node, event))
            return
        later = self._later.get(slot)
        if later is None:
            self._later[slot] = [(time_us, sequence, node, event)]
            heappush(self._slots, slot)
        else:
            later.append((time_us, sequence, node, event))

    def pop(self) -> Entry[E]:
        """Take the next event and move the time on.

        Raises:
            EventQueueError: there is none.
        """
        if not self._heap and not self._fill():
            raise EventQueueError("no event is waiting; look at the length of the queue first")
        entry = heappop(self._heap)
        self._taken += 1
        self.now_us = entry[0]
        return entry

    def advance(self, time_us: int) -> None:
        """Move the time on to a moment at which nothing happens; earlier than `now_us`: do nothing.

        Raises:
            EventQueueError: an event is due before that moment.
        """
        due_us = self.next_us
        if due_us is not None and due_us < time_us:
            raise EventQueueError(f"an event is due at {due_us} us, before {time_us} us: take it first")
        self.now_us = max(self.now_us, time_us)

    def _fill(self) -> bool:
        """Take the next millisecond that has events into the empty heap; tell whether there is one."""
        if not self._slots:
            return False
        self._heap_slot = slot = heappop(self._slots)
        self._heap = self._later.pop(slot)
        heapify(self._heap)
        return True

    def _refuse(self, time_us: int) -> None:
        if time_us < self.now_us:
            raise EventQueueError(f"an event at {time_us} us, but it is {self.now_us} us already")
        raise EventQueueError(f"{self._events_max} events are waiting; lower the load or raise the bandwidth")
