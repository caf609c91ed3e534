"""Blobs and sealed messages of a running node: requests of the application, and the files behind them.

Files are written and read by one task in a thread, in the order in which the core wants it: what is read was written
before. A blob's SHA-256 is checked there, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from p2pcommerce.blobs.claims import chunk_hashes, sha256
from p2pcommerce.blobs.effects import (
    Arrived,
    Done,
    Failed,
    LoadBlob,
    RemoveBlob,
    RemoveMessage,
    StoreBlob,
    StoreMessage,
)
from p2pcommerce.blobs.mailbox import STORED_BYTES_MAX, Letter
from p2pcommerce.blobs.shelf import Kept
from p2pcommerce.commerce.sealed import Sealed, open_address
from p2pcommerce.node.effects import Effect, OffChainWork
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.errors import CryptoError
from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.log import Log
from p2pcommerce.runtime.off_chain_errors import OffChainError, error_of
from p2pcommerce.runtime.off_chain_files import OffChainFiles

__all__ = ["PUTS_MAX", "Message", "OffChainDesk", "OffChainFolder"]

PUTS_MAX: Final = 4
"""Blobs that are being written at once; further callers wait."""
_OWN, _FETCHED = "own", "fetched"

_Work = StoreBlob | LoadBlob | RemoveBlob | StoreMessage | RemoveMessage
_Answer = Callable[[int], list[Effect]]


@dataclass(frozen=True, slots=True)
class Message:
    """A message for this node.

    Attributes:
        id: 32 bytes; the `address_hash` of the order that it belongs to.
        content: what the sender wrote; None: it is not sealed to this node's box key, open it with another.
        sealed: as it came.
    """

    id: bytes
    content: bytes | None
    sealed: Sealed


@dataclass(slots=True)
class _Pending:
    """A request without its answer."""

    event: trio.Event
    data: bytes = b""
    error: OffChainError | None = None
    is_answered: bool = False


class OffChainDesk:
    """Off-chain data of one running node."""

    def __init__(self, core: Node, give: Callable[[list[Effect]], None], clock: Clock, folder: OffChainFolder) -> None:
        """Serve `core`; `give` does its effects."""
        self._core = core
        self._give = give
        self._clock = clock
        self._folder = folder
        self._pending: dict[int, _Pending] = {}
        self._next_request = 1
        self._work: deque[_Work] = deque()
        self._wake = trio.Event()
        self._arrived = trio.Event()
        self._limiter = trio.CapacityLimiter(1)
        self._puts = trio.Semaphore(PUTS_MAX)
        self._is_closed = False

    def start(self, now: int) -> list[Effect]:
        """Tell the core what the folder holds."""
        return self._core.off_chain.start(self._folder.blobs_found(), self._folder.messages_found(), now)

    # --- the application ---

    async def put(self, data: bytes, life_us: int | None) -> bytes:
        """Keep a blob; return its SHA-256 (32 bytes) once it is durable."""
        async with self._puts:
            return await self._ask(lambda number, now: self._core.off_chain.put(number, data, life_us, now))

    async def get(self, blob_hash: bytes, bytes_max: int) -> bytes:
        """Return a blob (32 bytes)."""
        return await self._ask(lambda number, now: self._core.off_chain.get(number, blob_hash, bytes_max, now))

    async def drop_blob(self, blob_hash: bytes) -> None:
        """Remove a blob (32 bytes)."""
        await self._tell(self._core.off_chain.drop_blob(blob_hash, self._clock.now()))

    async def send(self, letter: Letter) -> bytes:
        """Send a message; return its id (32 bytes) once it is durable here."""
        return await self._ask(lambda number, now: self._core.off_chain.send(number, letter, now))

    async def drop_message(self, message_id: bytes) -> None:
        """Forget a message that was read; durable when it returns."""
        await self._ask(lambda number, now: self._core.off_chain.drop_message(number, message_id, now))

    def inbox(self, secret: bytes) -> list[Message]:
        """Return the messages for this node, opened with its box secret (32 bytes) where that fits."""
        return [_opened(name, letter, secret) for name, letter in self._core.off_chain.mailbox.inbox()]

    def inbox_ids(self) -> list[bytes]:
        """Return the ids (32 bytes) of the messages for this node."""
        return [name for name, _ in self._core.off_chain.mailbox.inbox()]

    async def wait_arrival(self) -> None:
        """Wait until another message has come.

        Raises:
            ClosedResourceError: the node has stopped.
        """
        self._check_open()
        await self._arrived.wait()
        self._check_open()

    def _check_open(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("the node has stopped")

    async def _tell(self, effects: list[Effect]) -> None:
        self._check_open()
        self._give(effects)
        await trio.lowlevel.checkpoint()

    async def _ask(self, call: Callable[[int, int], list[Effect]]) -> bytes:
        self._check_open()
        number, self._next_request = self._next_request, self._next_request + 1
        pending = self._pending[number] = _Pending(trio.Event())
        self._give(call(number, self._clock.now()))
        try:
            await pending.event.wait()
        finally:
            del self._pending[number]
            if not pending.is_answered and not self._is_closed:
                self._give(self._core.off_chain.cancel(number, self._clock.now()))
        if pending.error is not None:
            raise pending.error
        if not pending.is_answered:
            raise trio.ClosedResourceError("the node has stopped")
        return pending.data

    # --- what the core wants ---

    def perform(self, work: OffChainWork) -> None:
        """Do one effect, or give it to the task of the files."""
        match work.effect:
            case Done(request, data):
                self._answer(request, data, None)
            case Failed(request):
                self._answer(request, b"", error_of(work.effect))
            case Arrived():
                arrived, self._arrived = self._arrived, trio.Event()
                arrived.set()
            case StoreBlob() | LoadBlob() | RemoveBlob() | StoreMessage() | RemoveMessage():
                self._work.append(work.effect)
                self._wake.set()

    def _answer(self, request: int, data: bytes, error: OffChainError | None) -> None:
        pending = self._pending.get(request)
        if pending is not None:
            pending.data, pending.error, pending.is_answered = data, error, True
            pending.event.set()

    async def run(self) -> None:
        """Work on files until cancelled; what was to be removed then is, as nobody would do it later."""
        try:
            await self._work_off()
        finally:
            for work in self._work:
                if isinstance(work, RemoveBlob | RemoveMessage):
                    self._folder.do(self._core, work)

    async def _work_off(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._work:
                work = self._work.popleft()
                answer = await trio.to_thread.run_sync(self._folder.do, self._core, work, limiter=self._limiter)
                if answer is not None:
                    self._give(answer(self._clock.now()))

    def close(self) -> None:
        """Nothing is answered any more; whoever waits is told so."""
        self._is_closed = True
        self._arrived.set()
        for pending in self._pending.values():
            pending.event.set()


class OffChainFolder:
    """The files of blobs and messages."""

    def __init__(self, blobs: OffChainFiles, messages: OffChainFiles, blob_bytes_max: int, log: Log) -> None:
        """Take over open files."""
        self._blobs = blobs
        self._messages = messages
        self._blob_bytes_max = blob_bytes_max
        self._log = log

    def blobs_found(self) -> list[Kept]:
        """Return what was found at the start, the blob used longest ago first."""
        tags = {_OWN: True, _FETCHED: False}
        return [Kept(f.name, f.size, tags[f.tag], f.expires_us) for f in self._blobs.found if f.tag in tags]

    def messages_found(self) -> list[tuple[bytes, str, int, bytes]]:
        """Return the messages that were found at the start."""
        return [
            (file.name, file.tag, file.expires_us, self._messages.read(file.name, STORED_BYTES_MAX) or b"")
            for file in self._messages.found
        ]

    def do(self, core: Node, work: _Work) -> _Answer | None:
        """Do what the core wants of a disk; return its answer. Runs in a thread."""
        room = core.off_chain
        match work:
            case LoadBlob(blob_hash):
                found = self._read(blob_hash)
                chunks = () if found is None else chunk_hashes(found)
                return lambda now: room.on_blob_loaded(blob_hash, found, chunks, now)
            case StoreBlob(blob_hash, data, is_own, expires_us):
                tag = _OWN if is_own else _FETCHED
                is_kept = self._try(lambda: self._blobs.write(blob_hash, tag, expires_us, data))
                return lambda now: room.on_blob_stored(blob_hash, now, is_kept=is_kept)
            case StoreMessage(name, box, expires_us, data):
                is_kept = self._try(lambda: self._messages.write(name, box, expires_us, data))
                return lambda now: room.on_message_stored(name, now, is_kept=is_kept)
            case RemoveBlob(blob_hash):
                self._try(lambda: self._blobs.remove(blob_hash))
            case RemoveMessage(name):
                self._try(lambda: self._messages.remove(name))
        return None

    def _read(self, blob_hash: bytes) -> bytes | None:
        data = self._blobs.read(blob_hash, self._blob_bytes_max)
        if data is not None and sha256(data) == blob_hash:
            return data
        self._log.warning("blobs", f"blob {blob_hash.hex()} is missing or damaged on the disk; it is fetched again")
        return None

    def _try(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except OSError as error:
            self._log.warning("blobs", f"the disk refuses off-chain data: {error.strerror or error}")
            return False
        return True


def _opened(name: bytes, letter: Letter, secret: bytes) -> Message:
    sealed = Sealed(letter.salt, letter.sealed, letter.expires_ms)
    try:
        content: bytes | None = open_address(secret, sealed)
    except CryptoError:
        content = None
    return Message(name, content, sealed)
