"""Blobs: content-addressed data beside the chain, put by the application and fetched from peers.

    put -> quota -> StoreBlob -> on_stored -> Done
    get -> on the shelf? LoadBlob -> on_loaded -> Done
           not here, or damaged: fetched from peers (`fetching`), kept as a cache, Done

Peers are given what is on the shelf (`serving`). Nothing here reads or writes a disk: the runtime does, and checks the
SHA-256 of what it read before it says so.

Source: the commerce specification (Off chain): images, descriptions, documents, evidence, by SHA-256, checked, capped.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from p2pcommerce.blobs.claims import sha256
from p2pcommerce.blobs.effects import Done, Effect, Failed, Failure, LoadBlob, RemoveBlob, StoreBlob
from p2pcommerce.blobs.fetching import Fetching
from p2pcommerce.blobs.parameters import BlobParameters
from p2pcommerce.blobs.serving import Serving
from p2pcommerce.blobs.shelf import Kept, Shelf
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.off_chain_messages import BlobChunk, BlobProviders, GetBlobChunk, HaveBlob, WantBlob

__all__ = ["READS_MAX", "Blobs"]

READS_MAX: Final = 64
"""Requests of the application that wait for the disk, of each kind; further ones are refused."""


class Blobs:
    """The core of blobs.

    Attributes:
        parameters: its numbers.
        shelf: what is kept.
        fetching, serving: its parts.
    """

    def __init__(self, parameters: BlobParameters, rng: random.Random) -> None:
        """Begin with nothing; `start` says what the disk holds."""
        self.parameters = parameters
        self.shelf = Shelf(parameters)
        self.fetching = Fetching(parameters, rng, self._on_fetched)
        self.serving = Serving(parameters, self.shelf, rng)
        self._puts: dict[bytes, list[int]] = {}
        self._gets: dict[bytes, dict[int, int]] = {}

    def start(self, found: Iterable[Kept], now: int) -> list[Effect]:
        """Take what the disk holds, the blob used longest ago first."""
        dropped = self.shelf.fill(found) + self.shelf.expire(now)
        return [RemoveBlob(blob_hash) for blob_hash in dropped]

    # --- the application ---

    def put(self, request: int, data: bytes, life_us: int | None, now: int) -> list[Effect]:
        """Keep a blob of the application's own; `Done` holds its SHA-256.

        Args:
            request: a number for the answer.
            data: 1 byte up to the cap.
            life_us: for how long, microseconds; None: until it is dropped.
            now: microseconds.
        """
        size, size_max = len(data), self.parameters.blob_bytes_max
        if not 0 < size <= size_max:
            return [Failed(request, Failure.TOO_LARGE, f"a blob has 1 to {size_max} bytes, this one {size}")]
        if sum(map(len, self._puts.values())) >= READS_MAX:
            return [Failed(request, Failure.BUSY, f"{READS_MAX} blobs are being written already")]
        blob_hash = sha256(data)
        before = self.shelf.get(blob_hash)
        if not self.shelf.has_room(size, is_own=True, instead_of=before):
            return [Failed(request, Failure.QUOTA, "the quota of own blobs is used up; drop some, or raise it")]
        expires_us = 0 if life_us is None else now + life_us
        self.shelf.add(Kept(blob_hash, size, is_own=True, expires_us=expires_us))
        self._puts.setdefault(blob_hash, []).append(request)
        return [StoreBlob(blob_hash, data, is_own=True, expires_us=expires_us)]

    def get(self, request: int, blob_hash: bytes, bytes_max: int, now: int) -> list[Effect]:
        """Return a blob (SHA-256: 32 bytes) of at most so many bytes, from here or from peers."""
        kept = self.shelf.get(blob_hash)
        if kept is None:
            return self.fetching.start(request, blob_hash, min(bytes_max, self.parameters.blob_bytes_max), now)
        if kept.size > bytes_max:
            detail = f"the blob has {kept.size} bytes, at most {bytes_max} are wanted"
            return [Failed(request, Failure.TOO_LARGE, detail)]
        if sum(map(len, self._gets.values())) >= READS_MAX:
            return [Failed(request, Failure.BUSY, f"{READS_MAX} blobs are being read already")]
        self.shelf.touch(blob_hash)
        is_first = blob_hash not in self._gets
        self._gets.setdefault(blob_hash, {})[request] = bytes_max
        return [LoadBlob(blob_hash)] if is_first else []

    def cancel(self, request: int, now: int) -> list[Effect]:
        """Nobody waits for a request any more."""
        for waiting in self._gets.values():
            waiting.pop(request, None)
        return self.fetching.cancel(request, now)

    def drop(self, blob_hash: bytes, now: int) -> list[Effect]:
        """Remove a blob (32 bytes), if it is here."""
        if not self.shelf.remove(blob_hash):
            return []
        return [RemoveBlob(blob_hash), *self.serving.forget(blob_hash, now)]

    # --- the disk ---

    def on_stored(self, blob_hash: bytes, *, is_kept: bool, now: int) -> list[Effect]:
        """A blob is on the disk, or could not be written."""
        requests = self._puts.pop(blob_hash, [])
        if is_kept:
            return [Done(request, blob_hash) for request in requests]
        effects: list[Effect] = [
            Failed(request, Failure.DISK, "the disk does not take the blob; see the log") for request in requests
        ]
        self.shelf.remove(blob_hash)
        return effects + self.serving.forget(blob_hash, now)

    def on_loaded(self, blob_hash: bytes, data: bytes | None, chunks: tuple[bytes, ...], now: int) -> list[Effect]:
        """A blob was read; None: it is missing or damaged, and is fetched again for those who wait.

        Args:
            blob_hash: SHA-256, 32 bytes; `data` has been checked against it.
            data: the blob.
            chunks: SHA-256 of its chunks.
            now: microseconds.
        """
        waiting = self._gets.pop(blob_hash, {})
        if data is not None:
            effects: list[Effect] = [Done(request, data) for request in waiting]
            return effects + self.serving.on_loaded(blob_hash, data, chunks, now)
        effects = self.drop(blob_hash, now) or self.serving.forget(blob_hash, now)
        for request, bytes_max in waiting.items():
            effects += self.fetching.start(request, blob_hash, min(bytes_max, self.parameters.blob_bytes_max), now)
        return effects

    def _on_fetched(self, blob_hash: bytes, data: bytes, waiters: dict[int, int], now: int) -> list[Effect]:
        effects: list[Effect] = []
        if self.shelf.get(blob_hash) is None and self.shelf.has_room(len(data), is_own=False):
            kept = Kept(blob_hash, len(data), is_own=False, expires_us=now + self.parameters.fetched_life_us)
            for dropped in self.shelf.add(kept):
                effects += [RemoveBlob(dropped), *self.serving.forget(dropped, now)]
            effects.append(StoreBlob(blob_hash, data, is_own=False, expires_us=kept.expires_us))
        for request, bytes_max in waiters.items():
            if len(data) <= bytes_max:
                effects.append(Done(request, data))
            else:
                detail = f"the blob has {len(data)} bytes, at most {bytes_max} are wanted"
                effects.append(Failed(request, Failure.TOO_LARGE, detail))
        return effects

    # --- peers ---

    def on_connected(self, peer: PeerId, now: int) -> list[Effect]:
        """A peer is connected."""
        self.serving.on_connected(peer, now)
        return self.fetching.on_connected(peer, now)

    def on_disconnected(self, peer: PeerId, now: int) -> list[Effect]:
        """A peer is gone."""
        return self.serving.on_disconnected(peer) + self.fetching.on_disconnected(peer, now)

    def on_message(
        self, peer: PeerId, message: WantBlob | HaveBlob | GetBlobChunk | BlobChunk | BlobProviders, now: int
    ) -> list[Effect]:
        """Take a message of a connected peer."""
        match message:
            case WantBlob():
                return self.serving.on_want(peer, message, now)
            case GetBlobChunk():
                return self.serving.on_get_chunk(peer, message, now)
            case BlobChunk():
                return self.fetching.on_chunk(peer, message, now)
            case BlobProviders():
                return self.fetching.on_providers(peer, message)
            case HaveBlob():
                was_asked_on, effects = self.serving.on_have(peer, message)
                if was_asked_on and not self.fetching.is_asked(peer, message.blob_hash):
                    return effects
                return effects + self.fetching.on_have(peer, message, now)

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return earliest(self.shelf.deadline, self.fetching.deadline, self.serving.deadline)

    def on_deadline(self, now: int) -> list[Effect]:
        """Act on the passing of time."""
        effects: list[Effect] = []
        due = self.shelf.deadline
        if due is not None and due <= now:
            for blob_hash in self.shelf.expire(now):
                effects += [RemoveBlob(blob_hash), *self.serving.forget(blob_hash, now)]
        return effects + self.fetching.on_deadline(now) + self.serving.on_deadline(now)

    def statistics(self) -> dict[str, int]:
        """Return counters by name."""
        return {**self.shelf.statistics(), **self.fetching.statistics(), **self.serving.statistics()}
