"""Where a demo's orders and custody steps come from: files where some were given, made up otherwise.

Files end, a demo may not: orders begin again from the first file, custody goes on with made-up goods. What is skipped
is counted in the first pass only.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from p2pcommerce.cli.demo.options import DemoOptions
from p2pcommerce.cli.demo.workload import (
    Cancellation,
    CustodyStep,
    GeneratorShape,
    Order,
    SkippedLines,
    WorkloadError,
    example_gtin14,
    generate_orders,
    generated_custody,
    read_custody,
    read_retail,
)

__all__ = ["Sources"]

_SHAPE: Final = GeneratorShape(products=1_280)
"""Made-up orders; fewer products than measured, so that shops are open within seconds."""
_GOODS: Final = 24
"""Made-up traced products."""
_STEPS_MAX: Final = 100_000
"""Custody steps that are read from files."""
_GTINS_MAX: Final = 200
"""Products of files that are described before the load; others when they come."""


class Sources:
    """The workload of one demo.

    Attributes:
        skipped: lines, events and identifiers that were left out, by reason.
    """

    def __init__(self, options: DemoOptions, rng: random.Random) -> None:
        """Prepare; nothing is read yet."""
        self.skipped = SkippedLines()
        self._options = options
        self._rng = rng

    def orders(self, count: int) -> tuple[list[Order], Iterator[Order | Cancellation]]:
        """Return the first orders, at most `count`, and an endless stream that begins with them.

        Raises:
            WorkloadError: a file cannot be read, is malformed, or holds no order.
        """
        path = self._options.orders
        stream = generate_orders(self._rng, _SHAPE) if path is None else self._retail(path)
        events: list[Order | Cancellation] = []
        orders: list[Order] = []
        while len(orders) < count:
            event = next(stream)
            events.append(event)
            if isinstance(event, Order):
                orders.append(event)
        return orders, itertools.chain(events, stream)

    def custody(self) -> tuple[list[str], Iterator[CustodyStep]]:
        """Return GTINs to describe first, and an endless stream of steps.

        Raises:
            WorkloadError, EpcisDocumentError: a document cannot be read or is malformed.
        """
        goods = [example_gtin14(number) for number in range(_GOODS)]
        made_up = generated_custody(self._rng, goods)
        folder = self._options.epcis
        if folder is None:
            return goods, made_up
        steps = list(itertools.islice(read_custody(folder, self.skipped), _STEPS_MAX))
        gtins = dict.fromkeys(item.gtin14 for step in steps for item in step.items)
        return [*list(gtins)[:_GTINS_MAX], *goods], itertools.chain(steps, made_up)

    def _retail(self, path: Path) -> Iterator[Order | Cancellation]:
        skipped = self.skipped
        while True:
            found = False
            for event in read_retail(path, skipped):
                found = found or isinstance(event, Order)
                yield event
            if not found:
                raise WorkloadError(str(path), "", "holds no order that can be used; give another file or folder")
            skipped = SkippedLines()
