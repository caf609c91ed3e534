"""Reads from the store, in its thread, one at a time, until the node stops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

import trio

from p2pcommerce.commerce import HistoryEntry, entry_from, extends_history, read_body, verify_history
from p2pcommerce.ledger.block import decode_block, decode_header
from p2pcommerce.ledger.epochs import boundary_of, read_set
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.ledger.validators import ValidatorSetError
from p2pcommerce.node.compact import Claim
from p2pcommerce.node.epoch_links import EpochLink
from p2pcommerce.node.node import Node
from p2pcommerce.node.proof import Proof, make_compact_proof, make_proof, subject_of
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.errors import CodecError, P2PError, UsageError
from p2pcommerce.primitives.ids import Height, TransactionId
from p2pcommerce.runtime.anchor import anchor_of_store
from p2pcommerce.runtime.events import FinalizedBlock
from p2pcommerce.runtime.log import Log
from p2pcommerce.runtime.store import Store
from p2pcommerce.runtime.store_error import StoreDamagedError, damaged
from p2pcommerce.sync import ANSWER_BYTES_MAX

__all__ = ["Reading"]

_T = TypeVar("_T")
_FOR_THE_VERIFIER: Final = frozenset(("since_epoch", "validators"))
"""Arguments that say what the verifier of a proof trusts, and not what it is about."""


class Reading:
    """What a running node reads from its store."""

    def __init__(self, store: Store, limiter: trio.CapacityLimiter, log: Log) -> None:
        """Read from `store`; `limiter` keeps reads and commits apart; damage is told in `log`."""
        self._store = store
        self._log = log
        self._told: dict[int, None] = {}
        self._limiter = limiter
        self._for_peers = trio.Lock()
        self._is_closed = False

    async def close(self) -> None:
        """Wait for the read at work; then the store may be closed: who asks from now on hears that the node stopped."""
        self._is_closed = True
        with trio.CancelScope(shield=True):
            async with self._limiter:
                pass

    async def _read(self, read: Callable[..., _T], *arguments: object) -> _T:
        def unless_closed() -> _T:
            if self._is_closed:
                raise trio.ClosedResourceError("the node has stopped")
            return read(*arguments)

        return await trio.to_thread.run_sync(unless_closed, limiter=self._limiter)

    async def anchor(self, genesis: Genesis, *, follows: bool) -> TrustAnchor:
        """Return what `anchor_of_store` does."""
        read = partial(anchor_of_store, self._store, genesis, follows=follows)
        return await self._read(read)

    async def receipt(self, tx_id: TransactionId) -> Receipt | None:
        """Return the receipt of a final transaction (id of 32 bytes), None if it is not final here."""
        return await self._read(self._store.receipt, tx_id)

    async def rows(self, from_height: int, count: int) -> list[tuple[bytes, bytes]]:
        """Return the bytes and proofs of consecutive blocks, for a peer."""
        # The store's budget counts headers and proofs too, the answer's only blocks: `answer` applies the real cap.
        async with self._for_peers:  # one at a time waits for the store: commits and own reads stand behind one at most
            return await self._read(self._sound_rows, from_height, count)

    def _sound_rows(self, from_height: int, count: int) -> list[tuple[bytes, bytes]]:
        """Return rows up to one that the disk has changed: who sent that would be taken for a liar."""
        found: list[tuple[bytes, bytes]] = []
        for header, raw, proof in self._store.blocks(from_height, count, 2 * ANSWER_BYTES_MAX):
            if not _is_sound(header, raw):
                self._tell_damage(from_height + len(found))
                break
            found.append((raw, proof))
        return found

    def _tell_damage(self, height: int) -> None:
        if height not in self._told:  # by peers' questions alone the log must not grow
            self._told = {height: None}
            self._log.error("store", str(damaged(self._store.path, f"block {height} is not what was stored")))

    async def blocks(self, from_height: int, count: int) -> Sequence[FinalizedBlock]:
        """Return stored blocks as events, for a subscriber that begins in the past."""
        return await self._read(self._blocks, from_height, count)

    def _blocks(self, from_height: int, count: int) -> list[FinalizedBlock]:
        found: list[FinalizedBlock] = []
        receipts: list[Receipt] = []  # of the next block that has some
        read_up_to = from_height - 1
        for raw, _, _ in self._store.blocks(from_height, count, ANSWER_BYTES_MAX):
            header = decode_header(raw)
            if header.height > read_up_to:
                receipts = self._store.events_since(header.height - 1, 1)
                read_up_to = receipts[-1].height if receipts else from_height + count
            own = tuple(receipts) if receipts and receipts[0].height == header.height else ()
            found.append(FinalizedBlock(header.height, header.hash, header.time_ms, own))
        return found

    async def prove(
        self,
        core: Node,
        engine: str,
        name: str,
        arguments: Mapping[str, object],
        wait_stored: Callable[[int], Awaitable[None]],
    ) -> Proof:
        """Make a proof of one fact of the last final state.

        Args:
            core: the node.
            engine: name of its engine.
            name: of the subject.
            arguments: of the subject; `since_epoch` (default 0): the epoch whose validators the verifier trusts, a
                number or "head" for that of the last final block. If it is that one, the proof is a compact one;
                `validators` ("yes"): it carries the validators of its epoch, for a verifier who trusts a header.
            wait_stored: waits until a height is stored: the state in memory is a little ahead of the store.

        Raises:
            UsageError: no such subject, or wrong arguments.
        """
        subject = subject_of(name, {key: value for key, value in arguments.items() if key not in _FOR_THE_VERIFIER})
        chain = core.chain
        head, finality, version, sets = chain.head, chain.proof, chain.state.final, chain.sets
        if not finality:
            raise UsageError(f"this node has no proof that block {head.height} is final: wait for the next block")
        since = _since_epoch(arguments, head.epoch)
        value, state = version.get(subject.key), version.tree.prove(subject.key)
        history: list[HistoryEntry] = []
        if subject.history_id is not None and value is not None:
            await wait_stored(head.height)
            history = await self._read(self._history, subject.history_id, head.height)
            self._check_whole(history, value, head.height)
        if since == head.epoch:
            claim = Claim(engine, head, finality, subject.key, value, state, tuple(history))
            carries = arguments.get("validators") == "yes"
            return make_compact_proof(claim, sets(head.epoch), carries_validators=carries)
        epoch_blocks = core.genesis.parameters.epoch_blocks
        await wait_stored(boundary_of(head.epoch - 1, epoch_blocks))
        links = await self.links(since, head.epoch, epoch_blocks)
        return make_proof(engine, head, finality, subject.key, value, state, history, links)

    def _check_whole(self, history: Sequence[HistoryEntry], value: bytes, height: int) -> None:
        """Check that a node that began with a snapshot has all of an item's history.

        Raises:
            UsageError: it has not.
        """
        try:
            verify_history(history, value)
        except P2PError as error:
            raise UsageError(
                f"this node does not hold the item's whole history up to height {height}, as one that began with a "
                'snapshot does not: ask a node that has all blocks (sync = "full")'
            ) from error

    async def links(self, from_epoch: int, to_epoch: int, epoch_blocks: int) -> list[EpochLink]:
        """Return what leads from one epoch's validators to another's; fewer if this node does not have them all.

        Args:
            from_epoch: whose validators are trusted.
            to_epoch: whose validators are to be known; it has begun.
            epoch_blocks: blocks in an epoch.
        """
        return await self._read(self._links, from_epoch, to_epoch, epoch_blocks)

    async def history(self, from_height: int, count: int) -> list[bytes]:
        """Return header, proof and justify of final blocks that are kept whole, one after the other, without gaps."""
        return await self._read(self._sound_history, from_height, count)

    def _sound_history(self, from_height: int, count: int) -> list[bytes]:
        """Return what is stored up to a header that the disk has changed: it would be taken for another chain's."""
        items = self._store.justifies.history(from_height, count)
        for place in range(0, len(items), 3):
            height = from_height + place // 3
            try:
                header = decode_header(items[place])
            except CodecError:
                header = None
            if header is None or self._store.height_of(header.hash) != height:
                self._tell_damage(height)
                return items[:place]
        return items

    def _links(self, from_epoch: int, to_epoch: int, epoch_blocks: int) -> list[EpochLink]:
        found: list[EpochLink] = []
        for epoch in range(from_epoch, to_epoch):
            height = boundary_of(epoch, epoch_blocks)
            try:
                link = self._link(epoch, height)
            except (CodecError, ValidatorSetError, StoreDamagedError):
                self._tell_damage(height)
                break
            if link is None:
                break
            found.append(link)
        return found

    def _link(self, epoch: int, height: int) -> EpochLink | None:
        """Return what leads from an epoch, by its last block at `height`, to the next one; None if it is not here.

        Raises:
            CodecError, ValidatorSetError, StoreDamagedError: the disk has changed something of it; whoever sent that
                would be taken for a liar.
        """
        last, raw = self._store.header_at(height), self._store.validator_set(epoch + 1)
        if last is None or raw is None or not last[1]:
            return None
        header, following = last[0], read_set(raw)
        if self._store.height_of(header.hash) != height or following.hash != header.next_validators_hash:
            raise damaged(self._store.path, f"the link from epoch {epoch} is not what was stored")
        return EpochLink(header, last[1], following.validators)

    def _history(self, identifier: bytes, up_to: Height) -> list[HistoryEntry]:
        """Return what happened to an item up to a height, first event first."""
        entries: list[HistoryEntry] = []
        since = 0
        while places := self._store.touched(identifier, since):
            for height, index in places:
                if height > up_to:
                    return entries
                block = decode_block(self._store.blocks(height, 1, 0)[0][1])
                transaction = decode_transaction(block.transactions[index])
                if extends_history(read_body(transaction.type, transaction.body)):
                    entries.append(entry_from(transaction, block.header.time_ms))
            since = places[-1][0]
        return entries


def _is_sound(header: bytes, raw: bytes) -> bool:
    """Tell whether a stored block is one, of this header and of the transactions that it commits to."""
    try:
        block = decode_block(raw)
    except CodecError:
        return False
    return block.header.raw == header and block.body_is_committed


def _since_epoch(arguments: Mapping[str, object], head: int) -> int:
    """Return the epoch whose validators the verifier of a proof trusts.

    Raises:
        UsageError: it has not begun, or is no epoch.
    """
    since = arguments.get("since_epoch", 0)
    if since == "head":
        return head
    if isinstance(since, str) and since.isdecimal() and len(since) <= 10:
        since = int(since)
    if type(since) is not int or since < 0:
        raise UsageError('since_epoch must be the number of an epoch, or "head"')
    if since > head:
        raise UsageError(f"epoch {since} has not begun here: the last final block is of epoch {head}")
    return since
