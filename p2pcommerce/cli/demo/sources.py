"""Where a demo's orders and custody steps come from: files where some were given, made up otherwise.

Files end, a demo may not: orders begin again from the first file, custody goes on with made-up goods. What is skipped
is counted in the first pass only.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from p2pcommerce.cli.demo.flash_sale import FlashSale, expected_orders
from p2pcommerce.cli.demo.options import DemoOptions
from p2pcommerce.cli.demo.scene import accounts_founded
from p2pcommerce.cli.demo.workload import CustodyStep, example_gtin14, generated_custody, read_custody, read_retail
from p2pcommerce.workload import (
    Cancellation,
    Catalogue,
    GeneratorShape,
    Order,
    SkippedLines,
    WorkloadError,
    generate_orders,
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
        catalogue: of a scale, once `orders` was called.
        flash_sale: None without one.
        readings: how often the files of orders were begun.
    """

    def __init__(self, options: DemoOptions, rng: random.Random) -> None:
        """Prepare; nothing is read yet."""
        self.skipped = SkippedLines()
        self.catalogue: Catalogue | None = None
        self.readings = 0
        self.flash_sale = _flash_sale(options) if options.flash_sale else None
        self._options = options
        self._rng = rng

    def orders(self, count: int) -> tuple[list[Order], Iterator[Order | Cancellation]]:
        """Return the first orders, at most `count`, and an endless stream that begins with them.

        Raises:
            WorkloadError: a file cannot be read, is malformed, or holds no order.
        """
        path = self._options.orders
        stream = self._made_up() if path is None else self._retail(path)
        if self.flash_sale is not None:
            stream = self.flash_sale.lead(stream, self._rng)
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

    def _made_up(self) -> Iterator[Order | Cancellation]:
        scale = self._options.scale
        if scale is None:
            return generate_orders(self._rng, _SHAPE)
        shape = scale.shape(accounts_founded(scale))
        self.catalogue = Catalogue(self._rng, shape)
        return generate_orders(self._rng, shape, self.catalogue)

    def _retail(self, path: Path) -> Iterator[Order | Cancellation]:
        skipped = self.skipped
        for reading in itertools.count(1):
            found = False
            self.readings = reading
            for event in read_retail(path, skipped):
                found = found or isinstance(event, Order)
                yield replace(event, reading=reading) if isinstance(event, Order) else event
            if not found:
                raise WorkloadError(str(path), "", "holds no order that can be used; give another file or folder")
            skipped = SkippedLines()


def _flash_sale(options: DemoOptions) -> FlashSale:
    expected = expected_orders(options.rate_per_s, options.duration_s, options.peak)
    return FlashSale(max(1, expected // 2))
