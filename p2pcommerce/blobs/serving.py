"""Giving blobs to peers: fair turns, bounded reads, and one hop of asking on.

Peers take turns, one chunk each, as fast as the upload limit allows: whoever asks for much waits behind itself. A blob
is read whole, once, and kept in memory for a while. A question that may be passed on goes to a few peers, once; each of
them that says that it has the blob is named to the asker, who connects to it: nobody carries blobs for others. Whoever
says so first may lie, so the others are heard, too; "it is not here" ends the answer.

Source: the commerce specification (Off chain).
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.blobs.allowance import Allowance
from p2pcommerce.blobs.claims import is_possible
from p2pcommerce.blobs.effects import AskDirectory, Effect, LoadBlob, SendTo
from p2pcommerce.blobs.parameters import BlobParameters
from p2pcommerce.blobs.shelf import Shelf
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId
from p2pcommerce.wire.off_chain_messages import BLOB_CHUNK_BYTES, BlobChunk, GetBlobChunk, HaveBlob, WantBlob

__all__ = ["ASKED_ON_US", "Serving"]

ASKED_ON_US: Final = 2 * MICROSECONDS
"""A question that was passed on ends, with no, after so long, microseconds."""


@dataclass(slots=True)
class _AskedOn:
    """A question of peers that was passed on.

    Attributes:
        askers: who asked.
        asked: whose answer is awaited.
        until_us: when it ends, microseconds.
        providers: who says that it has the blob; as many as were asked at most.
    """

    askers: dict[PeerId, None]
    asked: dict[PeerId, None]
    until_us: int
    providers: list[PeerId] = field(default_factory=list)


class Serving:
    """What peers are given.

    Attributes:
        counters: what happened, by name.
    """

    def __init__(self, parameters: BlobParameters, shelf: Shelf, rng: random.Random) -> None:
        """Serve what is on `shelf`; `rng` picks who is asked on."""
        self._parameters = parameters
        self._shelf = shelf
        self._rng = rng
        self._allowances: dict[PeerId, Allowance] = {}
        self._upload: Allowance | None = None
        self._queues: OrderedDict[PeerId, deque[GetBlobChunk]] = OrderedDict()
        self._wants: dict[bytes, dict[PeerId, None]] = {}
        self._loading: dict[bytes, None] = {}
        self._hot: OrderedDict[bytes, bytes] = OrderedDict()
        self._hot_bytes = 0
        self._lists: OrderedDict[bytes, tuple[int, tuple[bytes, ...]]] = OrderedDict()
        self._asked_on: OrderedDict[bytes, _AskedOn] = OrderedDict()
        self._resume_us: int | None = None
        self.counters: Counter[str] = Counter()

    # --- peers ---

    def on_connected(self, peer: PeerId, now: int) -> None:
        """A peer may ask from now on."""
        self._allowances[peer] = Allowance(self._parameters.wants_burst, self._parameters.wants_per_s, now)

    def on_disconnected(self, peer: PeerId) -> list[Effect]:
        """A peer gets nothing any more."""
        self._allowances.pop(peer, None)
        self._queues.pop(peer, None)
        for askers in self._wants.values():
            askers.pop(peer, None)
        effects: list[Effect] = []
        for blob_hash, asked_on in list(self._asked_on.items()):
            asked_on.askers.pop(peer, None)
            effects += self._on_no(blob_hash, asked_on, peer)
        return effects

    def on_want(self, peer: PeerId, message: WantBlob, now: int) -> list[Effect]:
        """A peer asks whether a blob is here."""
        allowance = self._allowances.get(peer)
        if allowance is None or not allowance.take(1, now):
            self.counters["wants_refused"] += 1
            return []
        blob_hash = message.blob_hash
        if self._shelf.get(blob_hash) is None:
            return self._pass_on(peer, blob_hash, now) if message.may_ask_on else [_no(peer, blob_hash)]
        known = self._lists.get(blob_hash)
        if known is not None:
            self._lists.move_to_end(blob_hash)
            return [SendTo(peer, HaveBlob(blob_hash, *known))]
        if sum(peer in askers for askers in self._wants.values()) >= self._parameters.loads_per_peer_max:
            self.counters["wants_refused"] += 1
            return [_no(peer, blob_hash)]
        self._wants.setdefault(blob_hash, {})[peer] = None
        return self._load(blob_hash)

    def on_get_chunk(self, peer: PeerId, message: GetBlobChunk, now: int) -> list[Effect]:
        """A peer asks for a chunk: it waits for its turn."""
        if peer not in self._allowances:
            return []
        queue = self._queues.setdefault(peer, deque())
        if len(queue) >= self._parameters.waiting_per_peer_max:
            self.counters["chunks_refused"] += 1
            return []
        queue.append(message)
        return self._pump(now)

    def on_have(self, peer: PeerId, message: HaveBlob) -> tuple[bool, list[Effect]]:
        """A peer answers; return whether it was asked on behalf of another, and what to do."""
        asked_on = self._asked_on.get(message.blob_hash)
        if asked_on is None or peer not in asked_on.asked:
            return False, []
        if not is_possible(message.blob_hash, message.size, message.chunks):
            return True, self._on_no(message.blob_hash, asked_on, peer)
        asked_on.providers.append(peer)
        self.counters["providers_named"] += len(asked_on.askers)
        named: list[Effect] = [AskDirectory(asker, message.blob_hash, peer) for asker in asked_on.askers]
        return True, named + self._on_no(message.blob_hash, asked_on, peer)

    # --- the disk ---

    def on_loaded(self, blob_hash: bytes, data: bytes, chunks: tuple[bytes, ...], now: int) -> list[Effect]:
        """A blob was read and is good: its list is told, its chunks are sent."""
        self._loading.pop(blob_hash, None)
        self._lists[blob_hash] = len(data), chunks
        self._lists.move_to_end(blob_hash)
        while len(self._lists) > self._parameters.lists_max:
            self._lists.popitem(last=False)
        self._hot_bytes += len(data) - len(self._hot.pop(blob_hash, b""))
        self._hot[blob_hash] = data
        while self._hot_bytes > self._parameters.hot_bytes_max and len(self._hot) > 1:
            self._hot_bytes -= len(self._hot.popitem(last=False)[1])
        have = HaveBlob(blob_hash, len(data), chunks)
        effects: list[Effect] = [SendTo(peer, have) for peer in self._wants.pop(blob_hash, {})]
        return effects + self._load_waiting() + self._pump(now)

    def forget(self, blob_hash: bytes, now: int) -> list[Effect]:
        """A blob is not here any more, or was damaged: whoever asked is told."""
        self._loading.pop(blob_hash, None)
        self._lists.pop(blob_hash, None)
        self._hot_bytes -= len(self._hot.pop(blob_hash, b""))
        effects: list[Effect] = [_no(peer, blob_hash) for peer in self._wants.pop(blob_hash, {})]
        return effects + self._load_waiting() + self._pump(now)

    def _load(self, blob_hash: bytes) -> list[Effect]:
        if blob_hash in self._loading or len(self._loading) >= self._parameters.loads_max:
            return []  # the end of another read begins this one
        self._loading[blob_hash] = None
        return [LoadBlob(blob_hash)]

    def _load_waiting(self) -> list[Effect]:
        return [effect for blob_hash in self._wants for effect in self._load(blob_hash)]

    # --- turns ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        first = next(iter(self._asked_on.values()), None)
        return earliest(self._resume_us, None if first is None else first.until_us)

    def on_deadline(self, now: int) -> list[Effect]:
        """Send what the upload limit held back; answer what nobody answered."""
        effects: list[Effect] = []
        for blob_hash, asked_on in list(self._asked_on.items()):
            if asked_on.until_us > now:
                break
            del self._asked_on[blob_hash]
            effects += [_no(asker, blob_hash) for asker in asked_on.askers]
        return effects + self._pump(now)

    def _pump(self, now: int) -> list[Effect]:
        """Give each waiting peer a chunk in turn, while the limit allows."""
        if self._upload is None:
            parameters = self._parameters
            self._upload = Allowance(parameters.upload_burst_bytes, parameters.upload_bytes_per_s, now)
        self._resume_us = None
        effects: list[Effect] = []
        waiting = 0  # peers in a row whose blob is being read
        while waiting < len(self._queues):
            peer, queue = next(iter(self._queues.items()))
            message = queue[0]
            data = self._hot.get(message.blob_hash)
            if data is None and self._shelf.get(message.blob_hash) is not None:
                effects += self._load(message.blob_hash)
                self._queues.move_to_end(peer)
                waiting += 1
                continue
            start = message.index * BLOB_CHUNK_BYTES
            piece = b"" if data is None else data[start : start + BLOB_CHUNK_BYTES]
            if not self._upload.take(len(piece), now):
                self._resume_us = self._upload.ready_us(len(piece), now)
                break
            queue.popleft()
            self._queues.move_to_end(peer)
            if not queue:
                del self._queues[peer]
            self._hot_touch(message.blob_hash)
            self.counters["chunks_served"] += bool(piece)
            self.counters["bytes_served"] += len(piece)
            effects.append(SendTo(peer, BlobChunk(message.blob_hash, message.index, piece)))
            waiting = 0
        return effects

    def _hot_touch(self, blob_hash: bytes) -> None:
        if blob_hash in self._hot:
            self._hot.move_to_end(blob_hash)
        self._shelf.touch(blob_hash)

    # --- asking on ---

    def _pass_on(self, peer: PeerId, blob_hash: bytes, now: int) -> list[Effect]:
        known = self._asked_on.get(blob_hash)
        if known is not None:
            if peer in known.askers:
                return []
            known.askers[peer] = None
            return [AskDirectory(peer, blob_hash, provider) for provider in known.providers]
        count = sum(peer in asked_on.askers for asked_on in self._asked_on.values())
        others = [other for other in self._allowances if other != peer]
        parameters = self._parameters
        if not others or len(self._asked_on) >= parameters.asked_on_max or count >= parameters.asked_on_per_peer_max:
            return [_no(peer, blob_hash)]
        chosen = self._rng.sample(others, min(parameters.ask_on_peers, len(others)))
        self._asked_on[blob_hash] = _AskedOn({peer: None}, dict.fromkeys(chosen), now + ASKED_ON_US)
        self.counters["asked_on"] += 1
        return [SendTo(other, WantBlob(blob_hash, may_ask_on=False)) for other in chosen]

    def _on_no(self, blob_hash: bytes, asked_on: _AskedOn, peer: PeerId) -> list[Effect]:
        """Await a peer's answer no longer; the last one's ends the question."""
        if peer in asked_on.asked:
            del asked_on.asked[peer]
            if not asked_on.asked:
                del self._asked_on[blob_hash]
                return [_no(asker, blob_hash) for asker in asked_on.askers]
        return []

    def statistics(self) -> dict[str, int]:
        """Return counters by name."""
        return {
            **self.counters,
            "hot_bytes": self._hot_bytes,
            "lists": len(self._lists),
            "waiting": sum(map(len, self._queues.values())),
            "passed_on": len(self._asked_on),
        }


def _no(peer: PeerId, blob_hash: bytes) -> SendTo:
    return SendTo(peer, HaveBlob(blob_hash, 0, ()))
