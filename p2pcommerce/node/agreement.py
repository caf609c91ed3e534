"""Carries the finality engine: answers what it asks, and turns what it decides into node effects.

The engine asks for blocks to be built, fetched, executed, signed and logged; this room does each with the chain, the
pool and the peers, in the order in which it was asked, and feeds the answers back until the engine is content.

The write-ahead log holds the engine's own records, whole blocks, and evidence.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, assert_never

from p2pcommerce.finality import engine as finality
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.mempool import Dropped, Mempool
from p2pcommerce.node.bodies import Bodies
from p2pcommerce.node.chain import Chain
from p2pcommerce.node.effects import Append, Effect, Halt, Log, Rewrite, SignRequest, TakeSnapshot, Transmit
from p2pcommerce.node.epochs import EpochStart
from p2pcommerce.node.execution import InvalidBlockError
from p2pcommerce.node.finality_routes import FinalityRoutes
from p2pcommerce.node.log_records import BLOCK_RECORD, ENGINE_RECORD, log_of, sort_records
from p2pcommerce.node.offences import Offences
from p2pcommerce.node.proposer import Proposer
from p2pcommerce.node.recalled import load_of, recalled
from p2pcommerce.node.turn import Turn
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import CodecError, P2PError, Verdict
from p2pcommerce.primitives.ids import MICROSECONDS, BlockHash, PeerId, PublicKey, short
from p2pcommerce.wire.messages import BlockBody, BlockTransactions, NoBlock

__all__ = ["Agreement"]

_SNAPSHOT_AGE_US: Final = 600 * MICROSECONDS


class Agreement:
    """The finality engine with its chain, bodies and pool."""

    def __init__(
        self,
        *,
        engine: FinalityEngine,
        chain: Chain,
        mempool: Mempool,
        bodies: Bodies,
        offences: Offences,
        genesis: Genesis,
        routes: FinalityRoutes,
        key: PublicKey,
        scheme: SignatureScheme,
        rng: random.Random,
    ) -> None:
        """Put the parts together; `key` is this node's public key: it votes in the epochs of whose set it is."""
        self._engine = engine
        self._chain = chain
        self._mempool = mempool
        self._bodies = bodies
        self._offences = offences
        self._genesis = genesis
        self._key = key
        self._scheme = scheme
        self._rng = rng
        self._routes = routes
        self._proposer = Proposer(chain, mempool, genesis.parameters, key)
        self._finals: list[tuple[Block, bytes]] = []
        self._dropped: list[Dropped] = []
        self._blamed: list[tuple[PeerId, str]] = []
        self._counters = {"blocks_invalid": 0, "blocks_executed": 0}

    # --- inputs ---

    @property
    def counters(self) -> Mapping[str, int]:
        """Counts of blocks by what became of them."""
        return {**self._counters, **self._proposer.counters}

    @property
    def has_news(self) -> bool:
        """Whether one of the `take_...` methods would return anything."""
        return bool(self._finals or self._dropped or self._blamed)

    def take_finals(self) -> list[tuple[Block, bytes]]:
        """Return the blocks that became final since the last call with their proofs, oldest first."""
        finals, self._finals = self._finals, []
        return finals

    def take_dropped(self) -> list[Dropped]:
        """Return what left the pool since the last call without becoming final."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def take_blamed(self) -> list[tuple[PeerId, str]]:
        """Return the peers that the engine blamed since the last call, with its reasons."""
        blamed, self._blamed = self._blamed, []
        return blamed

    def start(self, records: Sequence[bytes], signed: Mapping[str, bytes], now: int) -> list[Effect]:
        """Begin from the write-ahead log.

        Args:
            records: the log, oldest first.
            signed: what the signing guard remembers.
            now: microseconds.

        Raises:
            CodecError: a record that this version cannot read.
        """
        logged = sort_records(records)
        blocks = {block.hash: block.header for block in logged.blocks if self._chain.add(block)}
        begun = self._chain.epoch_start
        context = finality.Context(
            key=self._key,
            genesis_hash=self._genesis.hash,
            parameters=self._genesis.parameters,
            epoch=begun.epoch,
            validators=begun.validators,
            following=begun.following,
            delivered=self._chain.head,
            proof=self._chain.proof,
            scheme=self._scheme,
            rng=self._rng,
            has_pending=self._proposer.has_pending,
            signed=signed,
            seed=begun.seed,
        )
        effects = self._routes.begin(begun.members, now)
        effects += self._work(self._engine.start(context, logged.engine, blocks, now), now)
        self._offences.restore(logged.evidence, now)  # which only an engine that has started can judge
        return effects

    @property
    def deadline(self) -> int | None:
        """When the engine or a missing body wants to be seen to, microseconds."""
        return earliest(self._engine.deadline, self._bodies.deadline)

    def on_deadline(self, now: int) -> list[Effect]:
        """Act on the passing of time."""
        effects: list[Effect] = []
        if (due := self._bodies.deadline) is not None and due <= now:
            effects += self._with_bodies(self._bodies.on_deadline(now), now)
        if (due := self._engine.deadline) is not None and due <= now:
            effects += self._work(self._engine.on_deadline(now), now)
        return effects

    def on_connected(self, peer: PeerId, now: int) -> list[Effect]:
        """A peer that can be sent to."""
        self._routes.on_connected(peer)
        self._bodies.on_connected(peer)
        return self._work(self._engine.on_peer(peer, now), now)

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """A peer that is gone."""
        self._routes.on_disconnected(peer)
        self._bodies.on_disconnected(peer, now)

    def on_message(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Take an engine message."""
        return self._work(self._engine.on_message(peer, data, now), now)

    def on_relayed(self, peer: PeerId, data: bytes, now: int) -> tuple[Verdict | None, list[Effect]]:
        """Take an engine message that a peer passes on, and say whether to pass it on."""
        verdict, asked = self._engine.on_relayed(peer, data, now)
        return verdict, self._work(asked, now)

    def on_pending(self, now: int) -> list[Effect]:
        """New transactions are in the pool."""
        return self._work(self._engine.on_pending(now), now)

    def on_signed(self, request: int, signature: bytes | None, now: int) -> list[Effect]:
        """Take a signature, or the guard's refusal."""
        return self._work(self._engine.on_signed(request, signature, now), now)

    def on_bodies(self, peer: PeerId, message: BlockTransactions | BlockBody | NoBlock, now: int) -> list[Effect]:
        """Take what a peer answers to a question for bodies.

        Raises:
            CodecError: a block that is not what it says.
        """
        match message:
            case BlockTransactions():
                return self._with_bodies(self._bodies.on_transactions(peer, message, now), now)
            case BlockBody():
                return self._with_bodies(self._bodies.on_body(message), now)
            case NoBlock():
                return self._with_bodies(self._bodies.on_no_block(peer, message, now), now)

    def on_synced(self, blocks: Sequence[tuple[Block, bytes]], now: int) -> list[Effect]:
        """Take final blocks from catching up, in height order right above the head; their proofs are verified."""
        turn = Turn(now)
        last: tuple[Header, bytes] | None = None
        crossed: tuple[Header, bytes, EpochStart] | None = None
        for block, proof in blocks:
            header = block.header
            if header.height <= self._chain.head.height:
                continue
            self._chain.add(block, certified=True)
            if not self._make_final(block.hash, proof, turn):
                break
            self._bodies.forget(block.hash)
            last = header, proof
            if self._chain.rules.ends_epoch(header.height):
                crossed = header, proof, self._chain.epoch_start
        turn.flush_commits()
        if crossed is not None:  # of several the last: the engine goes from epoch to any later one
            turn.asked.extend(self._engine.on_synced(*crossed[:2], now))
            if crossed[0] is self._chain.head:
                self._offer_snapshot(turn)
            self._begin_epoch(crossed[2], turn)
            self._drain(turn)
        if last is not None and (crossed is None or last[0] is not crossed[0]):
            turn.asked.extend(self._engine.on_synced(*last, now))
            self._drain(turn)
        return turn.effects

    def on_rival(self, proof: bytes, reason: str, now: int) -> list[Effect]:
        """Stop for this reason, as the engine does it: another chain is final by this verified proof."""
        return self._work(self._engine.on_rival(proof, reason, now), now)

    def on_recalled(self, request: int, items: Sequence[bytes], now: int) -> list[Effect]:
        """Take what the store holds of final blocks that the engine asked for."""
        return self._work(self._engine.on_recalled(request, recalled(items), self._offences.sets, now), now)

    def on_restored(self, state: Mapping[bytes, bytes], header: Header, proof: bytes, now: int) -> list[Effect]:
        """Stand on the last block of an epoch, after which the whole state is this."""
        turn = Turn(now)
        self._chain.adopt(state, header, proof)
        self._mempool.set_view(self._chain.state.final, header.height)
        turn.asked.extend(self._engine.on_synced(header, proof, now))
        self._begin_epoch(self._chain.epoch_start, turn)
        self._drain(turn)
        return turn.effects

    def _offer_snapshot(self, turn: Turn) -> None:
        """Let the state after the final head be kept for others, unless it is an old one that is being caught up."""
        head = self._chain.head
        if self._chain.proof and turn.now - head.time_ms * 1_000 <= _SNAPSHOT_AGE_US:
            turn.effects.append(TakeSnapshot(head, self._chain.proof))

    def _begin_epoch(self, begun: EpochStart, turn: Turn) -> None:
        turn.effects += self._routes.begin(begun.members, turn.now)
        told = begun.epoch, begun.validators, begun.following, begun.seed
        turn.answers.append(lambda: self._engine.on_epoch(*told, turn.now))

    # --- working off the engine's effects ---

    def _work(self, asked: Sequence[finality.Effect], now: int) -> list[Effect]:
        if not asked:
            return []
        turn = Turn(now, asked=deque(asked))
        self._drain(turn)
        return turn.effects

    def _drain(self, turn: Turn) -> None:
        while turn.asked or turn.answers:
            while turn.asked:
                self._do(turn.asked.popleft(), turn)
            if turn.answers:
                turn.asked.extend(turn.answers.popleft()())

    def _do(self, effect: finality.Effect, turn: Turn) -> None:  # noqa: C901 - one arm per effect of the seam
        match effect:
            case finality.Persist(record):
                turn.effects.append(Append(ENGINE_RECORD + record))
            case finality.PersistBlock(block_hash):
                block = self._chain.block(block_hash)
                if block is not None:
                    turn.effects.append(Append(BLOCK_RECORD + block.raw))
            case finality.Sign(request, kind, data):
                turn.effects.append(SignRequest(request, kind, data))
            case finality.Send(to, data):
                turn.effects += self._routes.send(to, data, turn.now)
            case finality.Build():
                self._build(effect, turn)
            case finality.Validate(block_hash):
                self._validate(block_hash, turn)
            case finality.Fetch():
                self._fetch(effect, turn)
            case finality.Head():
                pass  # The pool selects on the branch it is asked for; a gadget's head changes nothing else here.
            case finality.Finalized(block_hash, proof, justify):
                if self._make_final(block_hash, proof, turn, justify):
                    turn.flush_commits()
                    if self._chain.rules.ends_epoch(self._chain.head.height):
                        self._offer_snapshot(turn)
                        self._begin_epoch(self._chain.epoch_start, turn)
            case finality.Evidence(data):
                turn.effects += self._offences.on_found(data, turn.now)
            case finality.Blame(peer, reason):
                self._blamed.append((peer, reason))
            case finality.Recall():
                turn.effects.append(load_of(effect))
            case finality.Forget(below):
                self._chain.forget(below)
            case finality.Rewrite(records, block_hashes):
                blocks = [self._chain.block(block_hash) for block_hash in block_hashes]
                turn.effects.append(Rewrite(log_of(blocks, records, self._offences.records())))
            case finality.Halt(reason):
                turn.effects.append(Halt(reason))
            case _:
                assert_never(effect)

    def _build(self, request: finality.Build, turn: Turn) -> None:
        block, dropped = self._proposer.build(request)
        self._dropped += dropped
        turn.answers.append(lambda: self._engine.on_built(request.request, block, turn.now))

    def _validate(self, block_hash: BlockHash, turn: Turn) -> None:
        try:
            valid = self._execute(block_hash, certified=False)
        except (InvalidBlockError, CodecError) as error:
            self._refuse(block_hash, str(error), turn)
            return
        if valid:
            turn.answers.append(partial(self._engine.on_validated, block_hash, valid=True, now=turn.now))

    def _refuse(self, block_hash: BlockHash, reason: str, turn: Turn) -> None:
        """A block is invalid whatever happens later: its body is not kept."""
        self._counters["blocks_invalid"] += 1
        self._chain.drop(block_hash)
        turn.effects.append(Log("WARNING", "chain", f"block {short(block_hash)} is invalid: {reason}"))
        turn.answers.append(partial(self._engine.on_validated, block_hash, valid=False, now=turn.now))

    def _execute(self, block_hash: BlockHash, *, certified: bool) -> bool:
        """Execute a block after its ancestors; False if one of them is not here.

        Raises:
            InvalidBlockError: one of them breaks a rule.
            CodecError: one of them holds a malformed transaction.
        """
        pending: list[BlockHash] = []
        while not self._chain.is_executed(block_hash):
            block = self._chain.block(block_hash)
            if block is None:
                return False
            pending.append(block_hash)
            block_hash = block.header.parent_hash
        for ancestor in reversed(pending):
            executed = self._chain.execute(ancestor, self._mempool.is_verified, self._mempool.get, certified=certified)
            for tx_id in executed.block.transaction_ids:
                self._mempool.remember_verified(tx_id)
            self._counters["blocks_executed"] += 1
        return True

    def _fetch(self, fetch: finality.Fetch, turn: Turn) -> None:
        held = self._chain.block(fetch.block_hash)
        if held is not None:
            turn.answers.append(lambda: self._engine.on_block(held.header, turn.now))
            return
        turn.effects.extend(self._bodies.want(fetch, turn.now))
        self._take_ready(turn)

    def _with_bodies(self, transmits: Sequence[Transmit], now: int) -> list[Effect]:
        turn = Turn(now, effects=list(transmits))
        self._take_ready(turn)
        self._drain(turn)
        return turn.effects

    def _take_ready(self, turn: Turn) -> None:
        for block in self._bodies.take_ready():
            if self._chain.is_too_large(block):
                self._refuse(block.hash, "it is larger than a block may be", turn)
            elif self._chain.add(block):
                turn.answers.append(partial(self._engine.on_block, block.header, turn.now))

    def _make_final(self, block_hash: BlockHash, proof: bytes, turn: Turn, justify: bytes = b"") -> bool:
        """Execute a block that a quorum decided and fold it into the final state; stop the node if that cannot be."""
        try:
            if not self._execute(block_hash, certified=True):
                return self._halt(f"block {short(block_hash)} is final, but its branch is not here", turn)
            committed, executed = self._chain.finalize(block_hash, proof, justify)
        except P2PError as error:
            reason = (
                f"block {short(block_hash)} is final for a quorum, and this node finds it wrong ({error}): its store "
                "or version differs from the network's; compare versions, then begin with an empty folder"
            )
            return self._halt(reason, turn)
        turn.committed.append(committed)
        block = committed.block
        # At once: the engine's next question may be for a block on top of this one.
        self._dropped += self._mempool.on_block(
            block.header.height, self._chain.state.final, block.transaction_ids, executed.touched, turn.now
        )
        self._finals.append((block, proof))
        return True

    def _halt(self, reason: str, turn: Turn) -> bool:
        turn.flush_commits()
        turn.effects.append(Halt(reason))
        return False
