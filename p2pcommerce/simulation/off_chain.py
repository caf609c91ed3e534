"""What a simulated host's disk keeps beside the chain: blobs and messages, whole or not at all.

Source: the runtime's room of the same name, under simulated time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

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
from p2pcommerce.blobs.shelf import Kept
from p2pcommerce.node.effects import Effect, OffChainWork
from p2pcommerce.node.node import Node

__all__ = ["DISK_US", "SimulatedOffChain"]

DISK_US: Final = 2_000
"""A write that is durable, or a read, microseconds."""


class _Host(Protocol):
    """What is needed of a host."""

    @property
    def node(self) -> Node: ...

    def later(self, wait_us: int, call: Callable[..., None], *arguments: Any) -> None: ...  # noqa: ANN401 - of any call

    def give(self, call: Callable[[int], Sequence[Effect]]) -> None: ...


class SimulatedOffChain:
    """The files of one host, which outlive it.

    Attributes:
        blobs: hash (32 bytes) -> catalogue entry and bytes; a test may damage them.
        messages: id (32 bytes) -> box, expiry in microseconds, data.
        answers: what the application was told, by request; None: it failed.
        failures: why.
        arrived: ids (32 bytes) of messages, in order.
    """

    def __init__(self, host: _Host) -> None:
        """Begin empty."""
        self._host = host
        self.blobs: dict[bytes, tuple[Kept, bytes]] = {}
        self.messages: dict[bytes, tuple[str, int, bytes]] = {}
        self.answers: dict[int, bytes | None] = {}
        self.failures: dict[int, Failed] = {}
        self.arrived: list[bytes] = []

    def start(self, node: Node) -> None:
        """Tell a fresh core what is here."""
        found = [kept for kept, _ in self.blobs.values()]
        letters = [(name, *entry) for name, entry in self.messages.items()]
        self._host.give(lambda now: node.off_chain.start(found, letters, now))

    def perform(self, work: OffChainWork) -> None:
        """Do one effect; a crash before the disk has it leaves nothing of it."""
        match work.effect:
            case Done(request, data):
                self.answers[request] = data
            case Failed(request):
                self.answers[request] = None
                self.failures[request] = work.effect
            case Arrived(name):
                self.arrived.append(name)
            case StoreBlob() | LoadBlob() | RemoveBlob() | StoreMessage() | RemoveMessage():
                self._host.later(DISK_US, self._do, work.effect)

    def _do(self, effect: StoreBlob | LoadBlob | RemoveBlob | StoreMessage | RemoveMessage) -> None:
        room = self._host.node.off_chain
        match effect:
            case StoreBlob(blob_hash, data, is_own, expires_us):
                self.blobs[blob_hash] = Kept(blob_hash, len(data), is_own, expires_us), data
                self._host.give(lambda now: room.on_blob_stored(blob_hash, now, is_kept=True))
            case LoadBlob(blob_hash):
                data = self.blobs[blob_hash][1] if blob_hash in self.blobs else b""
                good = data if data and sha256(data) == blob_hash else None
                chunks = () if good is None else chunk_hashes(good)
                self._host.give(lambda now: room.on_blob_loaded(blob_hash, good, chunks, now))
            case RemoveBlob(blob_hash):
                self.blobs.pop(blob_hash, None)
            case StoreMessage(name, box, expires_us, data):
                self.messages[name] = box, expires_us, data
                self._host.give(lambda now: room.on_message_stored(name, now, is_kept=True))
            case RemoveMessage(name):
                self.messages.pop(name, None)
