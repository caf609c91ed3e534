"""What must be on a host's disk before something else may happen, with the time that a disk takes.

As in the runtime: lists of effects that touch the disk go through one queue, in order. Whatever waits is written in one
frame; after its sync the other effects are done; signatures come last, once the guard's memory is durable. Final blocks
are stored aside: a vote never waits for the store. A `Rewrite` waits for the blocks before it.

Between any two of these steps the host may crash.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from p2pcommerce.finality import SigningGuard
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import Append, Commit, Effect, Restore, Rewrite, SignRequest, TakeSnapshot
from p2pcommerce.node.epoch_links import EpochLink
from p2pcommerce.simulation.own_queue import SYNC_US_MAX, SYNC_US_MIN, OwnQueue
from p2pcommerce.simulation.storage import Storage

__all__ = ["COMMIT_US", "GUARD_BYTES_MAX", "SYNC_US_MAX", "SYNC_US_MIN", "DiskOwner", "DiskQueue", "first_durable"]

COMMIT_US: Final = 2_000
"""What the store takes on top of a sync, microseconds."""
GUARD_BYTES_MAX: Final = 64 * 1024
"""Size at which the guard's file is rewritten."""

_DURABLE: Final = frozenset({Append, Rewrite, SignRequest, Commit, Restore, TakeSnapshot})


def first_durable(effects: Sequence[Effect]) -> int:
    """Return the place of the first effect that must be on the disk; the length of the list if there is none."""
    for index, effect in enumerate(effects):
        if type(effect) in _DURABLE:
            return index
    return len(effects)


class DiskOwner(Protocol):
    """What the queue needs of its host."""

    def later(self, wait_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Call after a while, unless the host stops before."""
        ...

    def survives(self) -> bool:
        """Pass one step at which the host may crash; tell whether it did not."""
        ...

    def perform(self, effect: Effect) -> None:
        """Do an effect that is not the disk's."""
        ...

    def sign(self, request: SignRequest, frame: bytes | None) -> None:
        """Answer a request for a signature: the guard admitted it, or (None) refused."""
        ...

    def note_final(self, blocks: Sequence[CommittedBlock], *, is_restored: bool = False) -> None:
        """Blocks are final, or the state after one was restored; they are about to be stored."""
        ...

    def on_stored(self, blocks: Sequence[CommittedBlock]) -> None:
        """Blocks are stored for good."""
        ...

    def on_restored(self, block: CommittedBlock, links: Sequence[EpochLink]) -> None:
        """A whole state is stored for good."""
        ...

    def take_snapshot(self, effect: TakeSnapshot) -> None:
        """The state after the last stored block is to be offered to others."""
        ...


class DiskQueue:
    """The work of one host's disk; it ends with the life of the host.

    Attributes:
        own: the work on the journal of own transactions, which goes aside.
    """

    def __init__(
        self, owner: DiskOwner, storage: Storage, guard: SigningGuard, rng: random.Random, own: OwnQueue
    ) -> None:
        """Begin with an idle disk; `rng` draws how long a sync takes."""
        self.own = own
        self._owner = owner
        self._storage = storage
        self._guard = guard
        self._rng = rng
        self._waiting: deque[Effect] = deque()
        self._is_busy = False
        self._commits: deque[CommittedBlock | Restore | TakeSnapshot] = deque()
        self._is_storing = False

    def __len__(self) -> int:
        """Return how many effects wait."""
        return len(self._waiting) + len(self._commits)

    def give(self, effects: Sequence[Effect]) -> None:
        """Take effects; they are done in order, after those before."""
        self._waiting.extend(effects)
        self._begin()

    def _sync_us(self) -> int:
        return self._rng.randint(SYNC_US_MIN, SYNC_US_MAX)

    def _begin(self) -> None:
        """Start the next piece of work, if the disk is free."""
        while self._waiting and not self._is_busy:
            if type(self._waiting[0]) is Rewrite:
                if self._commits:
                    return  # what the new log lacks must be in the store first
                self._rewrite(self._waiting[0])
                return
            self._write(self._take())

    def _take(self) -> list[Effect]:
        batch: list[Effect] = []
        while self._waiting and type(self._waiting[0]) is not Rewrite:
            batch.append(self._waiting.popleft())
        return batch

    def _rewrite(self, effect: Rewrite) -> None:
        self._waiting.popleft()
        self._is_busy = True
        if self._owner.survives():
            self._storage.log.compact(effect.records)
            self._owner.later(self._sync_us(), self._end)

    def _write(self, batch: list[Effect]) -> None:
        self._is_busy = True
        records = [effect.record for effect in batch if type(effect) is Append]
        if not self._owner.survives():
            return
        if records:
            self._storage.log.append(records)
            self._owner.later(self._sync_us(), self._sync_log, batch)
        else:
            self._do(batch)

    def _sync_log(self, batch: list[Effect]) -> None:
        if self._owner.survives():
            self._storage.log.sync()
            self._do(batch)

    def _do(self, batch: list[Effect]) -> None:
        requests: list[SignRequest] = []
        for effect in batch:
            if not self._owner.survives():
                return
            match effect:
                case Append() | Rewrite():
                    pass
                case SignRequest():
                    requests.append(effect)
                case Commit(blocks):
                    self._owner.note_final(blocks)
                    self._commits.extend(blocks)
                    self._store()
                case Restore(block):
                    self._owner.note_final([block], is_restored=True)
                    self._commits.append(effect)
                    self._store()
                case TakeSnapshot():
                    self._commits.append(effect)
                    self._store()
                case _:
                    self._owner.perform(effect)
        if requests:
            self._ask_guard(requests)
        else:
            self._end()

    def _ask_guard(self, requests: Sequence[SignRequest]) -> None:
        answers = [(request, self._guard.admit(request.kind, request.data)) for request in requests]
        frames = [frame for _, frame in answers if frame]
        if not frames:
            self._sign(answers)
            return
        if not self._owner.survives():
            return
        if self._storage.guard.size_bytes > GUARD_BYTES_MAX:
            self._storage.guard.compact(self._guard.frames())
        else:
            self._storage.guard.append(frames)
        self._owner.later(self._sync_us(), self._sync_guard, answers)

    def _sync_guard(self, answers: Sequence[tuple[SignRequest, bytes | None]]) -> None:
        if self._owner.survives():
            self._storage.guard.sync()
            self._sign(answers)

    def _sign(self, answers: Sequence[tuple[SignRequest, bytes | None]]) -> None:
        for request, frame in answers:
            if not self._owner.survives():
                return
            self._owner.sign(request, frame)
        self._end()

    def _end(self) -> None:
        self._is_busy = False
        self._begin()

    def _store(self) -> None:
        if self._is_storing or not self._commits or not self._owner.survives():
            return
        first = self._commits[0]
        if isinstance(first, TakeSnapshot):
            self._commits.popleft()
            self._owner.take_snapshot(first)
            self._store()
            return
        self._is_storing = True
        if isinstance(first, Restore):
            self._storage.write_restored(first.block)
            self._owner.later(self._sync_us() + COMMIT_US, self._restored, first)
            return
        blocks: list[CommittedBlock] = []
        for each in self._commits:
            if not isinstance(each, CommittedBlock):
                break
            blocks.append(each)
        self._storage.write_blocks(blocks)
        self._owner.later(self._sync_us() + COMMIT_US, self._stored, blocks)

    def _restored(self, effect: Restore) -> None:
        if not self._owner.survives():
            return
        self._storage.sync_restored(effect.block)
        self._commits.popleft()
        self._is_storing = False
        self._owner.on_restored(effect.block, effect.links)
        self._store()
        self._begin()

    def _stored(self, blocks: Sequence[CommittedBlock]) -> None:
        if not self._owner.survives():
            return
        self._storage.sync_blocks(blocks)
        for _ in blocks:
            self._commits.popleft()
        self._is_storing = False
        self._owner.on_stored(blocks)
        self._store()
        self._begin()
