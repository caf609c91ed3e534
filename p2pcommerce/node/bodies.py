"""Completes blocks: from the own pool, and from peers for what is missing.

A proposal travels as header and transaction ids. Most bodies are in the pool already; the missing ones are asked of the
proposer first, then of others, then the whole block is asked for. A block whose ids are unknown is asked for whole.

A block is ready when its header hashes to the wanted hash and commits to the body; nothing else is believed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.finality.engine import Fetch
from p2pcommerce.ledger.block import Block, Header, decode_block, tx_root
from p2pcommerce.ledger.transaction import transaction_id
from p2pcommerce.node.effects import Transmit
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import BlockHash, PeerId, TransactionId
from p2pcommerce.wire.messages import BlockBody, BlockTransactions, GetBlock, GetTransactions, NoBlock

__all__ = ["WANTS_MAX", "Bodies"]

WANTS_MAX: Final = 128
"""Blocks that are being completed at one time; the oldest want gives way."""
BY_IDS_TRIES: Final = 2
"""How many peers are asked for single transactions before the whole block is asked for."""
TRIES_MAX: Final = 24
"""After so many questions without an answer a want is given up; the engine asks again if it still needs it."""

Lookup = Callable[[TransactionId], bytes | None]


@dataclass(slots=True)
class _Want:
    """One block being completed."""

    block_hash: BlockHash
    header: Header | None
    ids: tuple[TransactionId, ...] | None
    peers: list[PeerId]
    found: dict[TransactionId, bytes] = field(default_factory=dict)
    asked: PeerId | None = None
    tried: dict[PeerId, None] = field(default_factory=dict)
    tries: int = 0
    retry_at: int = 0

    @property
    def missing(self) -> tuple[TransactionId, ...]:
        return tuple([tx_id for tx_id in self.ids or () if tx_id not in self.found])


class Bodies:
    """The blocks that are wanted and not complete yet."""

    def __init__(self, lookup: Lookup, timeout_us: int, rng: random.Random) -> None:
        """Take bodies from `lookup` first.

        Args:
            lookup: transaction id -> its bytes, if the pool has them.
            timeout_us: how long a peer has to answer, microseconds.
            rng: breaks ties between peers.
        """
        self._lookup = lookup
        self._timeout_us = timeout_us
        self._rng = rng
        self._wants: dict[BlockHash, _Want] = {}
        self._peers: dict[PeerId, None] = {}
        self._ready: list[Block] = []
        self.counters = {"bodies_from_pool": 0, "bodies_pulled": 0, "bodies_refused": 0, "wants_given_up": 0}

    @property
    def deadline(self) -> int | None:
        """When the next question is to be asked again, microseconds."""
        return min([want.retry_at for want in self._wants.values()]) if self._wants else None

    def take_ready(self) -> list[Block]:
        """Return the blocks completed since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def on_connected(self, peer: PeerId) -> None:
        """A peer that may be asked."""
        self._peers[peer] = None

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """A peer that will not answer any more: whoever it was asked for is asked elsewhere at once."""
        self._peers.pop(peer, None)
        for want in self._wants.values():
            if want.asked == peer:
                want.asked, want.retry_at = None, now

    def want(self, fetch: Fetch, now: int) -> list[Transmit]:
        """Begin to complete a block; asking twice is harmless and may add what was not known before."""
        want = self._wants.get(fetch.block_hash)
        if want is None:
            if len(self._wants) >= WANTS_MAX:
                self._wants.pop(next(iter(self._wants)))
                self.counters["wants_given_up"] += 1
            want = _Want(fetch.block_hash, fetch.header, fetch.transaction_ids, list(fetch.peers))
            self._wants[fetch.block_hash] = want
        else:
            want.header = want.header or fetch.header
            want.peers += [peer for peer in fetch.peers if peer not in want.peers]
            if want.ids is not None or fetch.transaction_ids is None:
                return []
            want.ids = fetch.transaction_ids
        if want.ids is not None and not self._ids_fit(want):
            want.ids = None
        if want.ids is not None:
            self._fill_from_pool(want)
            if not want.missing:
                return self._complete(want)
        return self._ask(want, now)

    def forget(self, block_hash: BlockHash) -> None:
        """A block is not wanted any more."""
        self._wants.pop(block_hash, None)

    def on_deadline(self, now: int) -> list[Transmit]:
        """Ask again, somebody else, for what did not come."""
        effects: list[Transmit] = []
        for want in [want for want in self._wants.values() if want.retry_at <= now]:
            if want.ids is not None:
                self._fill_from_pool(want)
                if not want.missing:
                    effects += self._complete(want)
                    continue
            effects += self._ask(want, now)
        return effects

    def on_transactions(self, peer: PeerId, message: BlockTransactions, now: int) -> list[Transmit]:
        """Take single bodies; those that came from elsewhere meanwhile are ignored.

        Raises:
            CodecError: one that is not of the block at all: it was never asked for.
        """
        want = self._wants.get(BlockHash(message.block_hash))
        if want is None or want.ids is None:
            return []
        of_block, missing = dict.fromkeys(want.ids), dict.fromkeys(want.missing)
        for raw in message.items:
            tx_id = transaction_id(raw)
            if tx_id not in of_block:
                self.counters["bodies_refused"] += 1
                raise CodecError("a transaction that is not of the block it was asked for", "BAD_BODY")
            if tx_id in missing:
                want.found[tx_id] = raw
                self.counters["bodies_pulled"] += 1
        if not want.missing:
            return self._complete(want)
        return self._ask(want, now) if want.asked == peer else []

    def on_body(self, message: BlockBody) -> list[Transmit]:
        """Take a whole block, if it is wanted and what it says it is.

        Raises:
            CodecError: malformed, or a block that nobody can want: its header does not commit to its body.
        """
        block = decode_block(message.block)
        want = self._wants.get(block.hash)
        if want is None:
            return []
        if not block.body_is_committed:
            self.counters["bodies_refused"] += 1
            raise CodecError("a block whose header does not commit to its body", "BAD_BODY")
        del self._wants[block.hash]
        self.counters["bodies_pulled"] += len(block.transactions)
        self._ready.append(block)
        return []

    def on_no_block(self, peer: PeerId, message: NoBlock, now: int) -> list[Transmit]:
        """A peer does not have it: ask the next one."""
        want = self._wants.get(BlockHash(message.block_hash))
        if want is None or want.asked != peer:
            return []
        return self._ask(want, now)

    def _ids_fit(self, want: _Want) -> bool:
        """Tell whether the ids that came with a header are the ones it commits to."""
        return want.header is not None and want.ids is not None and tx_root(want.ids) == want.header.tx_root

    def _fill_from_pool(self, want: _Want) -> None:
        for tx_id in want.missing:
            raw = self._lookup(tx_id)
            if raw is not None:
                want.found[tx_id] = raw
                self.counters["bodies_from_pool"] += 1

    def _complete(self, want: _Want) -> list[Transmit]:
        header, ids = want.header, want.ids
        del self._wants[want.block_hash]
        if header is not None and ids is not None:
            self._ready.append(Block(header, tuple([want.found[tx_id] for tx_id in ids])))
        return []

    def _ask(self, want: _Want, now: int) -> list[Transmit]:
        if want.tries >= TRIES_MAX:
            del self._wants[want.block_hash]
            self.counters["wants_given_up"] += 1
            return []
        want.retry_at = now + self._timeout_us
        want.asked = self._next_peer(want)
        if want.asked is None:
            return []
        want.tries += 1
        want.tried[want.asked] = None
        if want.ids is not None and want.tries <= BY_IDS_TRIES:
            return [Transmit(want.asked, GetTransactions(want.block_hash, want.missing))]
        return [Transmit(want.asked, GetBlock(want.block_hash))]

    def _next_peer(self, want: _Want) -> PeerId | None:
        """Return whom to ask: those who should have it in their order first, then anybody."""
        for peer in want.peers:
            if peer in self._peers and peer not in want.tried:
                return peer
        others = [peer for peer in self._peers if peer != want.asked] or list(self._peers)
        return self._rng.choice(others) if others else None
