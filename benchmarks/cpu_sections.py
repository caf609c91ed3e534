"""CPU by section: what each of some methods takes by itself, without what it calls of the others.

A profiler that hooks every call makes small functions look dear. Here only methods that are called once for a message
or a slice of transactions are timed, a few for each delivery, so that the whole hardly changes: two readings of the
thread's CPU clock for a call. Methods are replaced on their classes while `watching`, and put back afterwards.
"""

from __future__ import annotations

import functools
import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Sections"]

COLLECTION = "garbage collection (within the others)"


class Sections:
    """Adds up CPU by label.

    Attributes:
        spent_ns: label -> nanoseconds, without what belongs to another label.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.thread_time_ns) -> None:
        """Count by a clock, in nanoseconds."""
        self._clock_ns = clock_ns
        self._inner_ns: list[int] = []  # of each call under way: what watched calls inside it took
        self._collecting_since_ns = 0
        self.spent_ns: dict[str, int] = {}

    def clear(self) -> None:
        """Begin anew."""
        self.spent_ns.clear()

    @contextmanager
    def watching(self, methods: Iterable[tuple[type, str, str]]) -> Iterator[None]:
        """Time methods, each given by its class, name and label, and the garbage collector."""
        before: list[tuple[type, str, object]] = []
        gc.callbacks.append(self._on_collection)
        try:
            for cls, name, label in methods:
                method = vars(cls)[name]
                before.append((cls, name, method))
                setattr(cls, name, self._timed(method, label))
            yield
        finally:
            gc.callbacks.remove(self._on_collection)
            for cls, name, method in before:
                setattr(cls, name, method)

    def _timed(self, method: Callable[..., object], label: str) -> Callable[..., object]:
        @functools.wraps(method)
        def timed(*arguments: object, **options: object) -> object:
            begun_ns = self._clock_ns()
            self._inner_ns.append(0)
            try:
                return method(*arguments, **options)
            finally:
                whole_ns = self._clock_ns() - begun_ns
                self._add(label, whole_ns - self._inner_ns.pop())
                if self._inner_ns:
                    self._inner_ns[-1] += whole_ns

        return timed

    def _add(self, label: str, spent_ns: int) -> None:
        self.spent_ns[label] = self.spent_ns.get(label, 0) + spent_ns

    def _on_collection(self, phase: str, _info: dict[str, Any]) -> None:
        if phase == "start":
            self._collecting_since_ns = self._clock_ns()
        else:
            self._add(COLLECTION, self._clock_ns() - self._collecting_since_ns)

    def table(self, whole_ns: float, count: int) -> dict[str, float]:
        """Return microseconds per delivery by label, the largest first, and what no label has.

        Args:
            whole_ns: CPU of everything, watched or not.
            count: deliveries.
        """
        within = self.spent_ns.get(COLLECTION, 0)
        rest_ns = whole_ns - (sum(self.spent_ns.values()) - within)
        rows = sorted(((ns, label) for label, ns in self.spent_ns.items() if label != COLLECTION), reverse=True)
        named = [(label, float(ns)) for ns, label in rows]
        named += [("the rest: trio, tasks, reading sockets, other threads", rest_ns), (COLLECTION, float(within))]
        return {label: round(ns / count / 1e3, 2) for label, ns in named}
