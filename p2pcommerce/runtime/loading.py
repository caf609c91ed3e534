"""Reads from the store for peers, aside of everything else and bounded in number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from p2pcommerce.node.effects import Effect, LoadBlocks, LoadItems
from p2pcommerce.node.node import Node
from p2pcommerce.runtime.offers import Offers
from p2pcommerce.runtime.reading import Reading

__all__ = ["LOADS_MAX", "Loading"]

LOADS_MAX: Final = 256
"""Reads that are under way at once; beyond that a peer is told of nothing."""


class Loading:
    """The reads that a core asked for."""

    def __init__(
        self,
        core: Node,
        reading: Reading,
        offers: Offers,
        give: Callable[[list[Effect]], None],
        now: Callable[[], int],
    ) -> None:
        """Read with `reading` and `offers`; `give` does the effects of what the core says to it at `now()`."""
        self._now = now
        self._core = core
        self._reading = reading
        self._offers = offers
        self._give = give
        self._count = 0
        self._nursery: trio.Nursery | None = None

    def __len__(self) -> int:
        """Reads that are under way."""
        return self._count

    def begin(self, nursery: trio.Nursery | None) -> None:
        """Read in tasks of a nursery from now on; None: read nothing any more."""
        self._nursery = nursery

    def load(self, load: LoadBlocks | LoadItems) -> None:
        """Read what a core asks for, and give it to the core; nothing, if too much is being read."""
        if self._nursery is None or self._count >= LOADS_MAX:
            if isinstance(load, LoadBlocks):
                self._give(self._core.on_loaded(load.request, ()))
            else:
                self._give(self._core.on_items(load.request, (), self._now()))
        else:
            self._count += 1
            self._nursery.start_soon(self._load, load)

    async def _load(self, load: LoadBlocks | LoadItems) -> None:
        if isinstance(load, LoadBlocks):
            rows = await self._reading.rows(load.from_height, load.count)
            effects = self._core.on_loaded(load.request, rows)
        else:
            items = await self._offers.read(load.query)
            effects = self._core.on_items(load.request, items, self._now())
        self._count -= 1
        self._give(effects)
