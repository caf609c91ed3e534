"""A host's journal of own transactions: what was submitted is durable before its user is told.

As in the runtime: a file aside of log and store, and whatever has gathered during a sync shares the next one. Between
any two steps the host may crash.

Source: the runtime's room of the same purpose, under simulated time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias

from p2pcommerce.node.effects import AppendOwn, RewriteOwn, Submitted
from p2pcommerce.simulation.journal import SimulatedJournal

__all__ = ["SYNC_US_MAX", "SYNC_US_MIN", "OwnQueue"]

SYNC_US_MIN: Final = 400
"""The fastest sync, microseconds: a data-centre SSD."""
SYNC_US_MAX: Final = 4_000
"""The slowest sync without a fault, microseconds: a busy consumer SSD."""

OwnEffect: TypeAlias = AppendOwn | RewriteOwn | Submitted


class Owner(Protocol):
    """What the queue needs of its host."""

    def later(self, wait_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Call after a while, unless the host stops before."""
        ...

    def survives(self) -> bool:
        """Pass one step at which the host may crash; tell whether it did not."""
        ...


class OwnQueue:
    """The work of one life of a host; it ends with that."""

    def __init__(
        self,
        owner: Owner,
        journal: SimulatedJournal,
        rng: random.Random,
        on_submitted: Callable[[Submitted], None],
    ) -> None:
        """Begin with an idle disk.

        Args:
            owner: the host.
            journal: open.
            rng: draws how long a sync takes.
            on_submitted: takes a verdict once what was accepted is durable.
        """
        self._owner = owner
        self._journal = journal
        self._rng = rng
        self._on_submitted = on_submitted
        self._waiting: list[OwnEffect] = []
        self._is_busy = False

    def give(self, effect: OwnEffect) -> None:
        """Take an effect; it is done after those before it."""
        self._waiting.append(effect)
        if not self._is_busy:
            self._work()

    def _work(self) -> None:
        """Work off what needs no sync, and begin one for the rest."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            if self._write(batch):
                self._is_busy = True
                self._owner.later(self._rng.randint(SYNC_US_MIN, SYNC_US_MAX), self._synced, batch)
                return
            self._tell(batch)

    def _write(self, batch: Sequence[OwnEffect]) -> bool:
        """Write what is to be written; tell whether anything was."""
        records: list[bytes] = []
        wrote = False
        for effect in batch:
            if isinstance(effect, RewriteOwn):
                records, wrote = [], True
                if self._owner.survives():
                    self._journal.compact(effect.records)
            elif isinstance(effect, AppendOwn):
                records.append(effect.record)
        if records and self._owner.survives():
            self._journal.append(records)
        return wrote or bool(records)

    def _synced(self, batch: Sequence[OwnEffect]) -> None:
        if self._owner.survives():
            self._journal.sync()
            self._is_busy = False
            self._tell(batch)
            self._work()

    def _tell(self, batch: Sequence[OwnEffect]) -> None:
        for effect in batch:
            if isinstance(effect, Submitted) and self._owner.survives():
                self._on_submitted(effect)
