"""Fetching blobs from peers: who is asked, whose list is believed, who is asked for which chunk.

Every connected peer is asked at once. With no answer that helps after a second, a few of them are asked to ask theirs
(one hop), and whoever those name is connected to. Chunks are asked of all peers that tell the same list, the least
late and then the least busy first; a chunk that does not come in time is asked of another. Different lists are fetched
beside each other if the first is not whole at once (`lists`), so that a holder of the blob is heard whoever spoke
before it. What nobody has is remembered as such for a while; what was fetched of a blob whose fetch was broken off is
kept for the next try.

Source: the commerce specification (Off chain).
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from p2pcommerce.blobs.claims import Claim, is_possible, sha256
from p2pcommerce.blobs.effects import Blame, Effect, Failed, Failure, Meet, SendTo
from p2pcommerce.blobs.fetch import Asked, Fetch
from p2pcommerce.blobs.lists import Lists
from p2pcommerce.blobs.parameters import BlobParameters
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId
from p2pcommerce.wire.off_chain_messages import (
    BLOB_RECORDS_MAX,
    BlobChunk,
    BlobProviders,
    GetBlobChunk,
    HaveBlob,
    WantBlob,
)

__all__ = ["CONVICTED_US", "SET_ASIDE_MAX", "Fetching"]

CONVICTED_US: Final = 3_600 * MICROSECONDS
"""Nothing is fetched from a peer that lied for so long, microseconds."""
SET_ASIDE_MAX: Final = 1_024
"""Peers that are set aside; beyond that the first of them is forgotten."""


class Fetching:
    """All blobs being fetched.

    Attributes:
        counters: what happened, by name.
    """

    def __init__(
        self,
        parameters: BlobParameters,
        rng: random.Random,
        on_fetched: Callable[[bytes, bytes, dict[int, int], int], list[Effect]],
    ) -> None:
        """Begin with nothing.

        Args:
            parameters: the numbers.
            rng: picks who is asked to ask on.
            on_fetched: takes hash (32 bytes), blob, who waits for it with how many bytes each, and now.
        """
        self._parameters = parameters
        self._rng = rng
        self._on_fetched = on_fetched
        self._peers: dict[PeerId, None] = {}
        self._fetches: dict[bytes, Fetch] = {}
        self._busy: Counter[PeerId] = Counter()
        self._aside: OrderedDict[PeerId, int] = OrderedDict()
        self._not_found: OrderedDict[bytes, int] = OrderedDict()
        self._partial: OrderedDict[bytes, tuple[int, dict[bytes, bytes]]] = OrderedDict()
        self._partial_bytes = 0
        self._strikes: Counter[PeerId] = Counter()
        self.counters: Counter[str] = Counter()
        self._lists = Lists(parameters, self._fetches, self._busy, self.counters)

    # --- the application ---

    def start(self, request: int, blob_hash: bytes, bytes_max: int, now: int) -> list[Effect]:
        """Fetch a blob (32 bytes), of at most so many bytes."""
        parameters = self._parameters
        fetch = self._fetches.get(blob_hash)
        if fetch is not None:
            fetch.waiters[request] = bytes_max
            return self._pump(blob_hash, fetch, now)
        if self._not_found.get(blob_hash, 0) > now:
            return [Failed(request, Failure.NOT_FOUND, "no peer had this blob a moment ago; try again later")]
        if len(self._fetches) >= parameters.fetches_max:
            return [Failed(request, Failure.BUSY, f"{parameters.fetches_max} blobs are being fetched already")]
        fetch = self._fetches[blob_hash] = Fetch({request: bytes_max}, now, now + parameters.give_up_us)
        fetch.chunks = self._take_partial(blob_hash)
        return self._ask(blob_hash, fetch, self._peers, now)

    def cancel(self, request: int, now: int) -> list[Effect]:
        """Nobody waits for a request any more; what was fetched is kept for a while."""
        for blob_hash, fetch in list(self._fetches.items()):
            if fetch.waiters.pop(request, None) is not None and not fetch.waiters:
                return self._end(blob_hash, fetch, now)
        return []

    # --- peers ---

    def on_connected(self, peer: PeerId, now: int) -> list[Effect]:
        """A new peer may have what the others had not."""
        self._peers[peer] = None
        self._not_found.clear()
        effects: list[Effect] = []
        for blob_hash, fetch in self._fetches.items():
            effects += self._ask(blob_hash, fetch, [peer], now)
        return effects

    def on_disconnected(self, peer: PeerId, now: int) -> list[Effect]:
        """What was asked of a peer is asked of others."""
        self._peers.pop(peer, None)
        return self._drop_peer(peer, now)

    def is_asked(self, peer: PeerId, blob_hash: bytes) -> bool:
        """Tell whether an answer of a peer is awaited."""
        fetch = self._fetches.get(blob_hash)
        return fetch is not None and peer in fetch.asked

    def on_have(self, peer: PeerId, message: HaveBlob, now: int) -> list[Effect]:
        """A peer says whether it has a blob, and what that is made of."""
        fetch = self._fetches.get(message.blob_hash)
        if fetch is None or peer not in fetch.asked:
            self.counters["unasked"] += 1
            return []
        del fetch.asked[peer]
        fetch.asked_on.pop(peer, None)
        if not message.size and not message.chunks:
            fetch.is_denied = True
            return self._see_answered(message.blob_hash, fetch, now)
        if not is_possible(message.blob_hash, message.size, message.chunks):
            return self._convict([peer], "BLOB_LIST", "its list of chunks cannot be that of the blob", now)
        if message.size > fetch.bytes_max:
            self.counters["too_large"] += 1
            fetch.too_large_bytes = message.size
            return self._see_answered(message.blob_hash, fetch, now)
        claim = next((c for c in fetch.claims if c.size == message.size and c.chunks == message.chunks), None)
        if claim is None:
            claim = Claim(message.size, message.chunks)
            fetch.claims.append(claim)
        claim.tellers[peer] = claim.sources[peer] = None
        return self._pump(message.blob_hash, fetch, now)

    def on_chunk(self, peer: PeerId, message: BlobChunk, now: int) -> list[Effect]:
        """A chunk came."""
        blob_hash, index, data = message.blob_hash, message.index, message.data
        fetch = self._fetches.get(blob_hash)
        asked = None if fetch is None else fetch.under_way.pop((peer, index), None)
        if fetch is None or asked is None:
            self.counters["unasked"] += 1
            return []
        self._busy[peer] -= 1
        claim = asked.claim
        if not data:
            claim.sources.pop(peer, None)
            return self._pump(blob_hash, fetch, now)
        if len(data) != claim.bytes_of(index) or sha256(data) != claim.chunks[index]:
            return self._convict([peer], "BLOB_CHUNK", "a chunk of a blob differs from its own list", now)
        self.counters["chunks"] += 1
        self.counters["bytes"] += len(data)
        fetch.chunks[claim.chunks[index]] = data
        claim.due_us += len(data) * MICROSECONDS // self._parameters.pace_bytes_per_s
        fetch.give_up_us = now + self._parameters.give_up_us
        self._strikes.pop(peer, None)
        return self._pump(blob_hash, fetch, now)

    def on_providers(self, peer: PeerId, message: BlobProviders) -> list[Effect]:
        """A peer names others who say that they have a blob."""
        fetch = self._fetches.get(message.blob_hash)
        if fetch is None or peer not in fetch.asked_on:
            self.counters["unasked"] += 1
            return []
        records = message.records[: fetch.asked_on[peer]]
        fetch.asked_on[peer] -= len(records)
        if not fetch.asked_on[peer]:
            del fetch.asked_on[peer]
            fetch.asked.pop(peer, None)
        fetch.meets += 1
        return [Meet(peer, records)]

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return earliest(*[self._due(fetch) for fetch in self._fetches.values()])

    def _due(self, fetch: Fetch) -> int:
        due = [fetch.give_up_us, *[asked.late_us for asked in fetch.under_way.values()]]
        if fetch.retry_us is not None:
            due.append(fetch.retry_us)
        if not fetch.has_asked_on and not fetch.claims:
            due.append(fetch.begun_us + self._parameters.ask_on_us)
        return min(due)

    def on_deadline(self, now: int) -> list[Effect]:
        """Ask others for what did not come, and give up what nobody has."""
        effects: list[Effect] = []
        for blob_hash, fetch in list(self._fetches.items()):
            if self._fetches.get(blob_hash) is not fetch or self._due(fetch) > now:
                continue
            self._see_late(fetch, now)
            effects += self._pump(blob_hash, fetch, now)
            if self._fetches.get(blob_hash) is not fetch:
                continue
            if fetch.give_up_us <= now:
                effects += self._give_up(blob_hash, fetch, now)
            elif not fetch.has_asked_on and not fetch.claims and fetch.begun_us + self._parameters.ask_on_us <= now:
                effects += self._ask_on(blob_hash, fetch, now)
        return effects

    def _see_late(self, fetch: Fetch, now: int) -> None:
        """Take back what was asked of peers that are late; a peer that is late again and again is set aside."""
        late = [key for key, asked in fetch.under_way.items() if asked.late_us <= now]
        self._lists.forget_asked(fetch, late)
        for peer in dict.fromkeys(peer for peer, _ in late):
            self.counters["stalls"] += 1
            self._strikes[peer] += 1
            fetch.lates[peer] += 1
            if self._strikes[peer] >= self._parameters.strikes_max:
                self._set_aside(peer, now + self._parameters.aside_us)
                for claim in [claim for each in self._fetches.values() for claim in each.claims]:
                    claim.sources.pop(peer, None)

    def _see_answered(self, blob_hash: bytes, fetch: Fetch, now: int) -> list[Effect]:
        """Once everybody has answered and nobody has it: ask further at once, or give up.

        A size cannot be checked: that it is too large is believed at once only where nobody says otherwise.
        """
        if fetch.asked or fetch.claims or fetch.meets:
            return []
        if fetch.has_asked_on or (fetch.too_large_bytes and not fetch.is_denied):
            return self._give_up(blob_hash, fetch, now)
        return self._ask_on(blob_hash, fetch, now)

    def _give_up(self, blob_hash: bytes, fetch: Fetch, now: int) -> list[Effect]:
        failure, detail = Failure.NOT_FOUND, "no connected peer has this blob"
        if fetch.claims:
            detail = "who had this blob no longer sends it"
        elif fetch.too_large_bytes:
            failure = Failure.TOO_LARGE
            detail = f"the blob has {fetch.too_large_bytes} bytes, at most {fetch.bytes_max} are wanted"
        else:
            self._not_found[blob_hash] = now + self._parameters.not_found_us
            while len(self._not_found) > self._parameters.not_found_max:
                self._not_found.popitem(last=False)
        self.counters["not_found"] += 1
        waiters = list(fetch.waiters)
        effects = self._end(blob_hash, fetch, now)
        return [*[Failed(request, failure, detail) for request in waiters], *effects]

    # --- asking ---

    def _ask(self, blob_hash: bytes, fetch: Fetch, peers: Iterable[PeerId], now: int) -> list[Effect]:
        fresh = [peer for peer in peers if peer not in fetch.asked and not self._is_aside(peer, now)]
        fetch.asked |= dict.fromkeys(fresh)
        return [SendTo(peer, WantBlob(blob_hash, may_ask_on=False)) for peer in fresh]

    def _ask_on(self, blob_hash: bytes, fetch: Fetch, now: int) -> list[Effect]:
        fetch.has_asked_on = True
        peers = [peer for peer in self._peers if not self._is_aside(peer, now)]
        chosen = self._rng.sample(peers, min(self._parameters.ask_on_peers, len(peers)))
        fetch.asked |= dict.fromkeys(chosen)
        fetch.asked_on = dict.fromkeys(chosen, BLOB_RECORDS_MAX)
        return [SendTo(peer, WantBlob(blob_hash, may_ask_on=True)) for peer in chosen]

    def _pump(self, blob_hash: bytes, fetch: Fetch, now: int) -> list[Effect]:
        """Ask for what is missing; finish what is complete."""
        self._lists.choose(fetch, now)
        effects: list[Effect] = []
        # What is on its way as a part of another list is asked for all the same: who serves that may be slow by intent.
        wanted: defaultdict[int, set[bytes]] = defaultdict(set)
        for (_, index), asked in fetch.under_way.items():
            wanted[id(asked.claim)].add(asked.claim.chunks[index])
        for claim in fetch.believed:
            missing = [index for index, chunk in enumerate(claim.chunks) if chunk not in fetch.chunks]
            if not missing:
                return effects + self._finish(blob_hash, fetch, claim, now)
            effects += self._ask_chunks(blob_hash, fetch, claim, missing, wanted[id(claim)], now)
        return effects

    def _ask_chunks(
        self, blob_hash: bytes, fetch: Fetch, claim: Claim, missing: list[int], wanted: set[bytes], now: int
    ) -> list[Effect]:
        """Ask for chunks of a list; not for those that are `wanted` already, under this number or another."""
        effects: list[Effect] = []
        for index in missing:
            if claim.chunks[index] in wanted:
                continue
            free = [source for source in claim.sources if self._busy[source] < self._parameters.window]
            if not free:
                break
            peer = min(free, key=lambda source: (fetch.lates[source], self._busy[source]))
            wanted.add(claim.chunks[index])
            self._busy[peer] += 1
            fetch.under_way[peer, index] = Asked(claim, now + self._parameters.chunk_timeout_us)
            effects.append(SendTo(peer, GetBlobChunk(blob_hash, index)))
        return effects

    def _finish(self, blob_hash: bytes, fetch: Fetch, claim: Claim, now: int) -> list[Effect]:
        data = b"".join([fetch.chunks[chunk] for chunk in claim.chunks])
        if len(data) != claim.size or sha256(data) != blob_hash:
            self._lists.leave(fetch, claim)
            fetch.claims = [other for other in fetch.claims if other is not claim]
            effects = self._convict(list(claim.tellers), "BLOB_FALSE", "the blob of its list has another hash", now)
            # The chunks of the false list may have been all that another lacked: then this fetch has ended meanwhile.
            return effects + (self._pump(blob_hash, fetch, now) if self._fetches.get(blob_hash) is fetch else [])
        del self._fetches[blob_hash]
        self._lists.forget_asked(fetch, list(fetch.under_way))
        self.counters["fetched"] += 1
        return [*self._on_fetched(blob_hash, data, fetch.waiters, now), *self._pump_all(now)]

    # --- peers that are not asked any more ---

    def _convict(self, peers: Sequence[PeerId], code: str, reason: str, now: int) -> list[Effect]:
        effects: list[Effect] = []
        for peer in peers:
            self.counters["convicted"] += 1
            self._set_aside(peer, now + CONVICTED_US)
            effects += [Blame(peer, code, reason)] if peer in self._peers else []
            effects += self._drop_peer(peer, now)
        return effects

    def _is_aside(self, peer: PeerId, now: int) -> bool:
        until_us = self._aside.get(peer)
        if until_us is None:
            return False
        if until_us > now:
            return True
        del self._aside[peer]
        return False

    def _set_aside(self, peer: PeerId, until_us: int) -> None:
        self._aside[peer] = max(until_us, self._aside.pop(peer, 0))
        while len(self._aside) > SET_ASIDE_MAX:
            self._aside.popitem(last=False)

    def _drop_peer(self, peer: PeerId, now: int) -> list[Effect]:
        for fetch in self._fetches.values():
            fetch.asked.pop(peer, None)
            fetch.asked_on.pop(peer, None)
            for claim in fetch.claims:
                claim.sources.pop(peer, None)
            for key in [key for key in fetch.under_way if key[0] == peer]:
                del fetch.under_way[key]
        self._busy.pop(peer, None)
        self._strikes.pop(peer, None)
        return self._pump_all(now)

    def _pump_all(self, now: int) -> list[Effect]:
        effects: list[Effect] = []
        for blob_hash, fetch in list(self._fetches.items()):
            if self._fetches.get(blob_hash) is fetch:
                effects += self._pump(blob_hash, fetch, now)
        return effects

    # --- what was broken off ---

    def _end(self, blob_hash: bytes, fetch: Fetch, now: int) -> list[Effect]:
        """End a fetch, and keep the chunks of the list that was believed."""
        del self._fetches[blob_hash]
        self._lists.forget_asked(fetch, list(fetch.under_way))
        if fetch.chunks:
            self._partial[blob_hash] = (now + self._parameters.partial_life_us, fetch.chunks)
            self._partial_bytes += fetch.held_bytes
        while self._partial and (
            self._partial_bytes > self._parameters.fetch_bytes_max
            or len(self._partial) > self._parameters.fetches_max
            or next(iter(self._partial.values()))[0] <= now
        ):
            self._take_partial(next(iter(self._partial)))
        return self._pump_all(now)

    def _take_partial(self, blob_hash: bytes) -> dict[bytes, bytes]:
        _, chunks = self._partial.pop(blob_hash, (0, {}))
        self._partial_bytes -= sum(map(len, chunks.values()))
        return chunks

    def statistics(self) -> dict[str, int]:
        """Return counters by name."""
        held = {"fetching": len(self._fetches), "set_aside": len(self._aside), "partial_bytes": self._partial_bytes}
        return {**self.counters, **held}
