"""What must be on the disk before something else may happen.

Effects of one list are done in order, and an `Append` is durable before what follows it. Lists that touch the disk go
through one task, so that the event loop never waits for it; whatever lists have gathered meanwhile share one sync.
Final blocks are stored by a second task: a vote never waits for the store.

While the disk is behind (`has_room`), nothing more is read from peers: what waits for it stays bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import trio

from p2pcommerce.finality import SigningGuard
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import Append, Commit, Effect, Restore, Rewrite, SignRequest, TakeSnapshot
from p2pcommerce.primitives.vrf import VRF_KIND
from p2pcommerce.runtime.identity import Identity
from p2pcommerce.runtime.journal import FRAME_BYTES_MAX, Journal
from p2pcommerce.runtime.snapshots import FrozenState
from p2pcommerce.runtime.store import Store

__all__ = ["COMMITS_WAITING_MAX", "LISTS_WAITING_MAX", "Disk"]

LISTS_WAITING_MAX: Final = 1_024
"""Lists of effects waiting for the log; beyond that peers are pushed back."""

COMMITS_WAITING_MAX: Final = 256
"""Commits waiting for the store; beyond that the log task waits for the store."""
_BLOCKS_AT_ONCE: Final = 32
"""Blocks after which one transaction of the store takes no further commit: stopping waits for it."""
_APPEND_BYTES: Final = FRAME_BYTES_MAX // 2
"""Bytes of records after which a further frame of the log is begun; far above the largest record."""

_DURABLE: Final = (Append, Rewrite, SignRequest, Commit, TakeSnapshot, Restore)

OnProgress = Callable[[], None]
OnSigned = Callable[[int, bytes | None], None]
OnCommitted = Callable[[CommittedBlock], None]
OnFrozen = Callable[[TakeSnapshot, FrozenState], None]
Perform = Callable[[Effect], None]


class Disk:
    """The write-ahead log, the signing guard and the store of one node, behind two tasks."""

    def __init__(
        self,
        *,
        journal: Journal,
        guard_journal: Journal,
        guard: SigningGuard,
        store: Store,
        identity: Identity,
        genesis: Genesis,
        perform: Perform,
        on_signed: OnSigned,
        on_committed: OnCommitted,
        on_frozen: OnFrozen,
        on_progress: OnProgress,
    ) -> None:
        """Take over open files.

        Args:
            journal: the write-ahead log.
            guard_journal: the guard's file.
            guard: restored from that file.
            store: the final chain.
            identity: signs.
            genesis: what is signed names the network.
            perform: does an effect that is not the disk's.
            on_signed: takes a signature, or None where the guard refused.
            on_committed: takes a block that is now stored, or a restored state.
            on_frozen: takes the state as it was after a block, to make a snapshot of.
            on_progress: is told that there may be room again.
        """
        self._journal = journal
        self._guard_journal = guard_journal
        self._guard = guard
        self._store = store
        self._identity = identity
        self._genesis = genesis
        self._perform = perform
        self._on_signed = on_signed
        self._on_committed = on_committed
        self._on_frozen = on_frozen
        self._on_progress = on_progress
        self._lists: deque[Sequence[Effect]] = deque()
        self._wake = trio.Event()
        self._commits: deque[Commit | TakeSnapshot | Restore] = deque()
        self._commit_wake = trio.Event()
        self._commit_room = trio.Event()
        self._log_limiter = trio.CapacityLimiter(1)
        self.store_limiter = trio.CapacityLimiter(1)

    @staticmethod
    def first_durable(effects: Sequence[Effect]) -> int:
        """Return the place of the first effect that must be on the disk; the length of the list if there is none."""
        for index, effect in enumerate(effects):
            if type(effect) in _DURABLE:
                return index
        return len(effects)

    @property
    def has_room(self) -> bool:
        """Whether the log keeps up: if not, nothing more should be read."""
        return len(self._lists) < LISTS_WAITING_MAX

    def give(self, effects: Sequence[Effect]) -> None:
        """Take a list; its effects are done in order, after those of earlier lists."""
        self._lists.append(effects)
        self._wake.set()

    async def run_log(self) -> None:
        """Work off lists for ever.

        Raises:
            JournalWriteError: and others of the journal: the disk failed, the node must stop.
        """
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            batch, self._lists = self._lists, deque()
            effects: list[Effect] = []
            for effect in (effect for effects in batch for effect in effects):
                if isinstance(effect, Rewrite):
                    await self._work_off(effects)
                    effects = []
                    await self._rewrite(effect)
                else:
                    effects.append(effect)
            await self._work_off(effects)
            self._on_progress()

    async def _work_off(self, effects: Sequence[Effect]) -> None:
        """Do effects without a rewrite among them: what is to be logged first, in one sync; then what is to be signed.

        The guard's memory is written right after the log in the same turn of the thread: on a busy machine every turn
        waits for a core twice, and the next vote with it.
        """
        requests = [effect for effect in effects if isinstance(effect, SignRequest)]
        allowed = await self._write(effects, requests)
        for effect in effects:
            match effect:
                case Append() | SignRequest():
                    pass
                case Commit() | TakeSnapshot() | Restore():
                    await self._queue_commit(effect)
                case _:
                    self._perform(effect)
        for request, may in zip(requests, allowed, strict=True):
            self._on_signed(request.request, self._answer(request) if may else None)

    async def _rewrite(self, rewrite: Rewrite) -> None:
        """Shorten the log once the blocks that became final before are stored: until then the log alone has them."""
        while self._commits:
            self._commit_room = trio.Event()
            await self._commit_room.wait()
        await trio.to_thread.run_sync(self._journal.compact, rewrite.records, limiter=self._log_limiter)

    async def _write(self, effects: Sequence[Effect], requests: Sequence[SignRequest]) -> list[bool]:
        """Make durable what is to be logged, then what the guard is to remember; return which requests it admits."""
        logged = _frames(effects)
        admitted = [self._guard.admit(request.kind, request.data) for request in requests]
        remembered = [frame for frame in admitted if frame]
        if remembered and self._guard_journal.size_bytes > _GUARD_BYTES_MAX:
            write_guard, remembered = self._guard_journal.compact, self._guard.frames()
        else:
            write_guard = self._guard_journal.append

        def write() -> None:
            for records in logged:
                self._journal.append(records)
            if remembered:
                write_guard(remembered)

        if logged or remembered:
            await trio.to_thread.run_sync(write, limiter=self._log_limiter)
        return [frame is not None for frame in admitted]

    def _answer(self, request: SignRequest) -> bytes:
        if request.kind == VRF_KIND:
            return self._identity.prove(request.data)
        return self._identity.sign(request.kind, self._genesis.hash, request.data)

    async def _queue_commit(self, effect: Commit | TakeSnapshot | Restore) -> None:
        while len(self._commits) >= COMMITS_WAITING_MAX:
            self._commit_room = trio.Event()
            await self._commit_room.wait()
        self._commits.append(effect)
        self._commit_wake.set()

    async def run_store(self) -> None:
        """Store final blocks for ever.

        Raises:
            StoreError: the disk is full or failed, the node must stop.
        """
        while True:
            await self._commit_wake.wait()
            self._commit_wake = trio.Event()
            await self._store_waiting()

    async def _store_waiting(self) -> None:
        while self._commits:
            taken, blocks = 1, list[CommittedBlock]()
            match self._commits[0]:
                case Commit():
                    taken, blocks = self._consecutive()
                    await trio.to_thread.run_sync(self._store.commit_many, blocks, limiter=self.store_limiter)
                case TakeSnapshot() as effect:
                    frozen = await trio.to_thread.run_sync(self._store.freeze, limiter=self.store_limiter)
                    self._on_frozen(effect, frozen)
                case Restore(block, links):
                    blocks = [block]
                    await trio.to_thread.run_sync(self._store.restore, block, links, limiter=self.store_limiter)
            for _ in range(taken):
                self._commits.popleft()
            for block in blocks:
                self._on_committed(block)
            self._commit_room.set()

    def _consecutive(self) -> tuple[int, list[CommittedBlock]]:
        """Return how many waiting commits go into one transaction of the store, and their blocks."""
        taken, blocks = 0, list[CommittedBlock]()
        for waiting in self._commits:
            if not isinstance(waiting, Commit) or len(blocks) >= _BLOCKS_AT_ONCE:
                break
            blocks += waiting.blocks
            taken += 1
        return taken, blocks


_GUARD_BYTES_MAX: Final = 256 * 1024
"""Size at which the guard's file is rewritten with the last frame of each slot alone."""


def _frames(effects: Sequence[Effect]) -> list[list[bytes]]:
    """Return the records that are to be logged, frame by frame."""
    frames: list[list[bytes]] = []
    size = _APPEND_BYTES
    for effect in effects:
        if isinstance(effect, Append):
            if size >= _APPEND_BYTES:
                frames.append([])
                size = 0
            frames[-1].append(effect.record)
            size += len(effect.record)
    return frames
