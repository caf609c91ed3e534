"""Final blocks on their way to those who take no part in deciding them.

A node that has delivered a block pushes header, proof and transaction ids to the peers that chose it as a sender of
transactions, but for the validators of the epoch, who hear the votes themselves. Whoever gets it verifies the proof
once, completes the body from its own pool (most transactions came by gossip before), asks whoever pushed it for what
is missing, delivers the block in the order of heights, and pushes it on. So nothing is passed on before it is verified,
and a follower that has the transactions is one message behind whoever it heard it from. What does not come by this way
comes by catching up, on the status messages.

To one peer heights are pushed in rising order, each once; a peer that repeats one, or whose proof does not hold, is
closed. A block that is not fresh, or whose proof is empty, is not pushed: its receivers have it, or catch up.

Bounds: `AHEAD_MAX` blocks above the final head are held, one for each height; what is above them, or above the epochs
whose validators are known, is left aside.

Source: the networking specification (Followers get certificates by the router and pull blocks).
Deviations: the ids come with the certificate, so that a block is pulled only as far as the pool lacks it: bodies that
are pulled whole cost another round trip, and the transactions a second time.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality.engine import Fetch
from p2pcommerce.ledger.block import Block, Header, decode_header, tx_root
from p2pcommerce.node.bodies import Bodies
from p2pcommerce.node.chain import Chain
from p2pcommerce.node.effects import Effect, Transmit
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.wire.finality_messages import FinalBlock
from p2pcommerce.wire.messages import BlockBody, BlockTransactions, NoBlock

__all__ = ["AHEAD_MAX", "FRESH_US", "FinalBlocks"]

AHEAD_MAX: Final = 16
"""Heights above the final head of which a block is held; no source: some seconds of the fastest chain."""
FRESH_US: Final = 10_000_000
"""A block older than this by its header is left to catching up, microseconds; no source."""


@dataclass(slots=True)
class _Held:
    """A block that is proven final and not delivered yet."""

    header: Header
    proof: bytes
    block: Block | None = None


class FinalBlocks:
    """What was pushed to this node and is not delivered yet, and who was shown what.

    Attributes:
        counters: of blocks by what became of them.
    """

    def __init__(
        self,
        chain: Chain,
        verify: Callable[[Header, bytes], bool],
        lookup: Callable[[TransactionId], bytes | None],
        timeout_us: int,
        rng: random.Random,
    ) -> None:
        """Hold nothing.

        Args:
            chain: tells the final head and how far validators are known.
            verify: tells whether a proof shows a header to be final; untrusted input.
            lookup: transaction id -> its bytes, if the pool has them.
            timeout_us: how long a peer has to answer for a body, microseconds.
            rng: breaks ties between peers.
        """
        self._chain = chain
        self._verify = verify
        self._bodies = Bodies(lookup, timeout_us, rng)
        self._held: dict[int, _Held] = {}
        self._heard: dict[PeerId, int] = {}  # the highest height that each connected peer pushed
        self.counters: Counter[str] = Counter()

    # --- peers ---

    def on_connected(self, peer: PeerId) -> None:
        """Take a new peer (32 bytes) in."""
        self._heard[peer] = 0
        self._bodies.on_connected(peer)

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """Forget a peer (32 bytes)."""
        self._heard.pop(peer, None)
        self._bodies.on_disconnected(peer, now)

    # --- pushing ---

    def push(
        self, block: Block, proof: bytes, choosers: Sequence[PeerId], members: Collection[PeerId], now: int
    ) -> list[Effect]:
        """Show a block that has just been delivered here to those who are to get it from this node.

        Args:
            block: the block.
            proof: that it is final; empty: a later block's proof is its.
            choosers: the peers that chose this node as a sender.
            members: the validators, who need not be told.
            now: microseconds.
        """
        header = block.header
        if not proof or now - header.time_ms * 1_000 > FRESH_US:
            return []
        heard = self._heard
        peers = [peer for peer in choosers if peer not in members and heard.get(peer, 0) < header.height]
        if not peers:
            return []
        self.counters["final_blocks_pushed"] += len(peers)
        message = FinalBlock(header.raw, proof, tuple(block.transaction_ids))
        return [Transmit(peer, message) for peer in peers]

    # --- the peers' messages ---

    def on_message(self, peer: PeerId, message: FinalBlock, now: int) -> list[Effect]:
        """Take a block that a peer (32 bytes) says is final.

        Raises:
            RemoteProtocolError: malformed, repeated, not final, or with transactions that are not the block's.
        """
        header = decode_header(message.header)
        height = header.height
        if height <= self._heard.get(peer, 0):
            raise RemoteProtocolError(f"height {height} pushed as final after a higher one", "FINAL_REPEATED")
        self._heard[peer] = height
        held = self._held.get(height)
        if height <= self._chain.head.height:
            self.counters["final_blocks_known"] += 1
            return []
        if held is not None and held.header == header:
            self.counters["final_blocks_known"] += 1
            return self._ask_too(peer, held, tuple(map(TransactionId, message.transaction_ids)), now)
        if height > min(self._chain.head.height + AHEAD_MAX, self._chain.rules.horizon(self._chain.head.height)):
            self.counters["final_blocks_far"] += 1
            return []
        ids = tuple(map(TransactionId, message.transaction_ids))
        if header.genesis_hash != self._chain.genesis_hash or tx_root(ids) != header.tx_root:
            raise RemoteProtocolError("a final block of another network or with foreign transactions", "FINAL_FORM")
        if not self._verify(header, message.proof):
            raise RemoteProtocolError(f"the proof of height {height} does not show it to be final", "FINAL_PROOF")
        if held is not None:
            # Both are proven: the lower heights tell which of them this node's chain contradicts.
            self.counters["final_blocks_rival"] += 1
            return []
        self.counters["final_blocks_taken"] += 1
        self._held[height] = _Held(header, message.proof)
        effects: list[Effect] = [*self._bodies.want(Fetch(header.hash, header, ids, (peer,)), now)]
        self._complete()
        return effects

    def _ask_too(self, peer: PeerId, held: _Held, ids: tuple[TransactionId, ...], now: int) -> list[Effect]:
        """Another peer (32 bytes) has a block, too: if who pushed it first keeps its body back, this one is next."""
        if held.block is not None:
            return []
        effects: list[Effect] = [*self._bodies.want(Fetch(held.header.hash, held.header, ids, (peer,)), now)]
        self._complete()
        return effects

    def on_bodies(self, peer: PeerId, message: BlockTransactions | BlockBody | NoBlock, now: int) -> list[Effect]:
        """Take what a peer (32 bytes) answers to a question for bodies.

        Raises:
            CodecError: a block that is not what it says.
        """
        effects: list[Effect] = []
        match message:
            case BlockTransactions():
                effects += self._bodies.on_transactions(peer, message, now)
            case BlockBody():
                effects += self._bodies.on_body(message)
            case NoBlock():
                effects += self._bodies.on_no_block(peer, message, now)
        self._complete()
        return effects

    @property
    def is_asking(self) -> bool:
        """Whether a body is being asked for."""
        return self._bodies.deadline is not None

    # --- delivering ---

    def next(self, head: Header) -> tuple[Block, bytes] | None:
        """Return the block of the height above the final head with its proof, if it is complete; it is handed out once.

        Whether it stands on that head is for the caller to see.
        """
        held = self._held.get(head.height + 1)
        if held is None or held.block is None:
            return None
        del self._held[head.height + 1]
        return held.block, held.proof

    def on_delivered(self, head: Header) -> None:
        """The final head has moved, by whatever way."""
        for height in [height for height in self._held if height <= head.height]:
            self._bodies.forget(self._held.pop(height).header.hash)

    def _complete(self) -> None:
        for block in self._bodies.take_ready():
            held = self._held.get(block.header.height)
            if held is None or held.header.hash != block.hash:
                continue
            held.block = block

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When a body is to be asked for again, microseconds."""
        return self._bodies.deadline

    def on_deadline(self, now: int) -> list[Effect]:
        """Ask again."""
        effects: list[Effect] = [*self._bodies.on_deadline(now)]
        self._complete()
        return effects

    def statistics(self) -> Mapping[str, int]:
        """Return counters by name."""
        counts = self._bodies.counters
        return {
            "final_blocks_held": len(self._held),
            "final_bodies_from_pool": counts["bodies_from_pool"],
            "final_bodies_pulled": counts["bodies_pulled"],
            **{name: self.counters[name] for name in sorted(self.counters)},
        }
