"""What a running node reads for others beside blocks, and how it takes its snapshots, without holding up the store."""

from __future__ import annotations

from typing import Final

import trio

from p2pcommerce.node.effects import ChunkOf, HistoryOf, LinksOf, NewestSnapshot, Query, TakeSnapshot
from p2pcommerce.node.epoch_links import encode_link
from p2pcommerce.runtime.log import Log
from p2pcommerce.runtime.reading import Reading
from p2pcommerce.runtime.snapshots import FrozenState, Snapshots, StateConflictError
from p2pcommerce.runtime.store_error import StoreError
from p2pcommerce.sync import CutError

__all__ = ["PAUSES", "Offers"]

PAUSES: Final = 100
"""A snapshot is taken at the first boundary after so many times the processor time of the last one: of a core they take
a hundredth, however large the state and however short the epochs. No source."""


class Offers:
    """Links from the store, and snapshots beside it.

    A snapshot of 104,000 records takes 0.6 s of a core and 5.6 MB. Where epochs are seconds long, as in a network on
    one machine, not every boundary gets one.
    """

    def __init__(self, snapshots: Snapshots, reading: Reading, epoch_blocks: int, log: Log) -> None:
        """Offer `snapshots`, and links from the store through `reading`."""
        self._is_taking = False
        self._not_before_s = 0.0
        self._snapshots = snapshots
        self._reading = reading
        self._epoch_blocks = epoch_blocks
        self._log = log
        self._limiter = trio.CapacityLimiter(1)
        self._for_links = trio.Lock()

    async def read(self, query: Query) -> list[bytes]:
        """Return what a peer asks for; nothing if it is not here."""
        match query:
            case LinksOf(from_epoch, count):
                async with self._for_links:  # one at a time waits for the store: commits stand behind one at most
                    links = await self._reading.links(from_epoch, from_epoch + count, self._epoch_blocks)
                return [encode_link(link) for link in links]
            case NewestSnapshot():
                return await trio.to_thread.run_sync(self._snapshots.newest, limiter=self._limiter)
            case HistoryOf(from_height, count):
                async with self._for_links:
                    return await self._reading.history(from_height, count)
            case ChunkOf(height, index):
                return await trio.to_thread.run_sync(self._snapshots.chunk, height, index, limiter=self._limiter)

    @property
    def is_due(self) -> bool:
        """Whether the state after the next boundary should be kept: none is being taken, and the last is long ago."""
        return not self._is_taking and trio.current_time() >= self._not_before_s

    async def take(self, effect: TakeSnapshot, frozen: FrozenState) -> None:
        """Take a snapshot; one that cannot be cut or written is said in the log, and the node goes on.

        Args:
            effect: what is to be taken.
            frozen: the state; it is closed, whatever happens.

        Raises:
            StateConflictError: the stored state is not the one that the validators signed: the node must stop.
        """
        self._is_taking = True
        try:
            spent_s = await trio.to_thread.run_sync(self._snapshots.write, frozen, effect.header, effect.proof, _rest)
            self._not_before_s = trio.current_time() + PAUSES * spent_s
            await trio.to_thread.run_sync(self._snapshots.offer, effect.header.height, limiter=self._limiter)
        except StateConflictError:
            raise
        except (CutError, StoreError, OSError) as error:
            self._log.warning("sync", f"no snapshot of height {effect.header.height} is offered: {error}")
        finally:
            frozen.close()  # of a node that is stopped before the thread begins nobody else would
            self._is_taking = False


def _rest(seconds: float) -> None:
    """Wait in a thread of the node; whoever stops the node ends the wait, and with it the thread's work."""

    async def rest() -> None:
        await trio.sleep(seconds)

    trio.from_thread.run(rest)
