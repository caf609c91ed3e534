"""The journal of own transactions on the disk: nobody is told that a transaction is accepted before it is durable.

It has a file and a task of its own, so that no vote waits for a submission, and no submission for the store. Whatever
has gathered while the last sync ran shares the next one (group commit): one submitter waits for one sync, a thousand
wait for a few. A failing disk stops the node, as that of the write-ahead log does.

Source: the networking specification (own transactions are journalled); DeWitt et al., Implementation Techniques for
Main Memory Database Systems (1984), for group commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import trio

from p2pcommerce.node.effects import AppendOwn, RewriteOwn, Submitted
from p2pcommerce.runtime.journal import FRAME_BYTES_MAX, Journal

__all__ = ["OWN_EFFECTS_MAX", "OwnDisk"]

OWN_EFFECTS_MAX: Final = 4_096
"""Effects that wait for the disk; beyond that submitters are pushed back."""
_FRAME_BYTES: Final = FRAME_BYTES_MAX // 2
"""Bytes of records after which a further frame is begun; far above the largest record."""


class OwnDisk:
    """The journal of own transactions, behind one task.

    Attributes:
        syncs: frames and files that were made durable; records: what they held.
    """

    def __init__(
        self, journal: Journal, on_submitted: Callable[[Submitted], None], on_progress: Callable[[], None]
    ) -> None:
        """Take over an open journal.

        Args:
            journal: of own transactions.
            on_submitted: takes a verdict once what was accepted is durable.
            on_progress: is told that there may be room again.
        """
        self._journal = journal
        self._on_submitted = on_submitted
        self._on_progress = on_progress
        self._waiting: list[AppendOwn | RewriteOwn | Submitted] = []
        self._is_writing = False
        self._wake = trio.Event()
        self._limiter = trio.CapacityLimiter(1)
        self.syncs = self.records = 0

    @property
    def has_room(self) -> bool:
        """Whether the disk keeps up with submissions."""
        return len(self._waiting) < OWN_EFFECTS_MAX

    def give(self, effect: AppendOwn | RewriteOwn | Submitted) -> None:
        """Take an effect; it is done after those before it."""
        if isinstance(effect, Submitted) and not self._waiting and not self._is_writing:
            self._on_submitted(effect)  # nothing that it depends on is on its way
            return
        self._waiting.append(effect)
        self._wake.set()

    async def run(self) -> None:
        """Work off effects for ever.

        Raises:
            JournalWriteError: and others of the journal: the disk failed, the node must stop.
        """
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            batch, self._waiting = self._waiting, []
            self._is_writing = True
            await self._write(batch)
            self._is_writing = False
            for effect in batch:
                if isinstance(effect, Submitted):
                    self._on_submitted(effect)
            self._on_progress()

    async def _write(self, batch: Sequence[AppendOwn | RewriteOwn | Submitted]) -> None:
        records: list[bytes] = []
        size = 0
        for effect in batch:
            match effect:
                case AppendOwn(record):
                    records.append(record)
                    size += len(record)
                    if size >= _FRAME_BYTES:
                        await self._in_thread(self._journal.append, records)
                        records, size = [], 0
                case RewriteOwn(whole):
                    # It holds what the records before it said, so they need not be written.
                    records, size = [], 0
                    await self._in_thread(self._journal.compact, whole)
                case Submitted():
                    pass
        if records:
            await self._in_thread(self._journal.append, records)

    async def _in_thread(self, write: Callable[[Sequence[bytes]], None], records: Sequence[bytes]) -> None:
        await trio.to_thread.run_sync(write, records, limiter=self._limiter)
        self.syncs += 1
        self.records += len(records)
