"""The queue before admission: bounded per origin, and shared fairly between origins.

Each origin (a peer, or this node's own submitters) has a queue of its own. A slice is filled by deficit round-robin, so
that an origin that floods waits for itself and not the others for it. Whoever fills the queue asks `has_room` first and
stops reading from an origin that has none; the bound behind it is hard. When all origins together hold their total,
those that hold less than an equal share of it are still heard, up to twice that total.

An origin of which nothing waited has its first turn before the next turns of the others: who sends little does not wait
for a round of everybody who floods. After that turn it takes its place among them even if nothing of it waits, so that
nobody gains by stopping and coming anew.

Source: Shreedhar, Varghese: Efficient Fair Queuing Using Deficit Round Robin (1995); first turns: RFC 8290 (FQ-CoDel).
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from p2pcommerce.mempool.parameters import MempoolParameters
from p2pcommerce.mempool.verdicts import Origin
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["Intake", "Waiting"]

_HARD = 2
"""Times the total of all origins that is never passed."""


class Waiting(NamedTuple):
    """One transaction before admission.

    Attributes:
        order: rises with each submission.
        raw: untrusted bytes.
        tx_id: 32 bytes.
        origin: who brought it.
        is_private: it is to be examined, and not to be kept.
    """

    order: int
    raw: bytes
    tx_id: TransactionId
    origin: Origin
    is_private: bool


class _Line:
    """The queue of one origin."""

    __slots__ = ("bytes", "deficit", "items")

    def __init__(self) -> None:
        self.items: deque[Waiting] = deque()
        self.bytes = 0
        self.deficit = 0


class Intake:
    """What waits for admission."""

    __slots__ = ("_count", "_fresh", "_lines", "_order", "_parameters", "_total_bytes", "_turns")

    def __init__(self, parameters: MempoolParameters) -> None:
        """Start empty."""
        self._parameters = parameters
        self._lines: dict[Origin, _Line] = {}
        self._fresh: dict[Origin, None] = {}  # whose line was empty: in the order of their first turns
        self._turns: dict[Origin, None] = {}  # the others: in the order of their next turns
        self._count = 0
        self._total_bytes = 0
        self._order = 0

    def __len__(self) -> int:
        return self._count

    @property
    def total_bytes(self) -> int:
        """Bytes that wait."""
        return self._total_bytes

    def has_room(self, origin: Origin) -> bool:
        """Tell whether one more message of this origin may be read."""
        parameters = self._parameters
        line = self._lines.get(origin)
        total_max = parameters.intake_total_bytes_max
        if self._total_bytes >= total_max:
            # Many that flood must not shut out the others: whoever holds less than an equal share may go on.
            if self._total_bytes >= _HARD * total_max:
                return False
            return line is None or line.bytes < total_max // len(self._lines)
        if line is None:
            return True
        return len(line.items) < parameters.intake_count_max and line.bytes < parameters.intake_bytes_max

    def put(self, raw: bytes, tx_id: TransactionId, origin: Origin, *, is_private: bool = False) -> bool:
        """Queue a transaction; False if the hard bound of its origin or of all is reached, and it is not taken."""
        parameters = self._parameters
        size = len(raw)
        line = self._lines.get(origin) or _Line()
        if (
            len(line.items) >= parameters.intake_count_max + parameters.intake_overrun_count
            or line.bytes + size > parameters.intake_bytes_max + parameters.intake_overrun_bytes
            or self._total_bytes + size > _HARD * parameters.intake_total_bytes_max
        ):
            return False
        if origin not in self._lines:
            self._lines[origin] = line
            self._fresh[origin] = None
        self._order += 1
        line.items.append(Waiting(self._order, raw, tx_id, origin, is_private))
        line.bytes += size
        self._count += 1
        self._total_bytes += size
        return True

    def take(self, count_max: int) -> list[Waiting]:
        """Take up to `count_max` transactions, fairly between origins, and return them in order of submission."""
        taken: list[Waiting] = []
        several = len(self._lines) > 1
        while self._count and len(taken) < count_max:
            turns = self._fresh or self._turns
            origin = next(iter(turns))
            line = self._lines[origin]
            if not self._serve(line, taken, count_max):
                break  # the slice was full before: its turn goes on with the next one
            del turns[origin]
            if line.items or turns is self._fresh:
                self._turns[origin] = None  # at the end: its next turn
            else:
                del self._lines[origin]
        if not self._count:  # nobody waits, so nobody is before anybody: nothing is kept of who came
            self._lines.clear()
            self._fresh.clear()
            self._turns.clear()
        if several:
            taken.sort()
        return taken

    def _serve(self, line: _Line, taken: list[Waiting], count_max: int) -> bool:
        """Take what one turn allows; False if the slice was full before the turn was over."""
        parameters = self._parameters
        items = line.items
        if line.deficit <= 0:
            line.deficit += parameters.round_bytes
        while items and line.deficit > 0:
            if len(taken) >= count_max:
                return False
            item = items.popleft()
            size = len(item.raw)
            line.bytes -= size
            line.deficit -= size + parameters.round_item_bytes
            self._count -= 1
            self._total_bytes -= size
            taken.append(item)
        return True
