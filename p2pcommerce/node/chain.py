"""The chain as one node knows it: the final head, and the blocks that compete to follow it.

It holds the bodies of unfinal blocks, executes each once on its parent's state, and folds a block into the final state
when the engine says so. It knows neither votes nor peers.

A signature that was checked when the transaction entered the pool is not checked again; a block that was executed to
propose it is not executed again to validate or to commit it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from p2pcommerce.finality.engine import Sets
from p2pcommerce.ledger.application import Application, BlockContext, InvalidTransactionError, time_step_ms
from p2pcommerce.ledger.block import BLOCK_VERSION, Block, Header, tx_root
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import receipts_root
from p2pcommerce.ledger.state import Version, VersionedState
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.epochs import EpochRules, EpochStart
from p2pcommerce.node.execution import Built, Executed, InvalidBlockError, LeftOut, Run
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import LocalProtocolError, RejectionCode
from p2pcommerce.primitives.ids import (
    ZERO_HASH,
    BlockHash,
    Epoch,
    GenesisHash,
    Height,
    PublicKey,
    TransactionId,
)

__all__ = ["UNFINAL_BLOCKS_MAX", "UNFINAL_BYTES_MAX", "Built", "Chain", "LeftOut", "genesis_header"]

UNFINAL_BLOCKS_MAX: Final = 512
"""Blocks above the final one that are held at most."""
UNFINAL_BYTES_MAX: Final = 64 * 2**20
"""Bytes of their transactions that are held at most."""

Verified = Callable[[TransactionId], bool]
Known = Callable[[TransactionId], Transaction | None]

_PASSING: Final = (RejectionCode.BAD_NONCE, RejectionCode.EXPIRED)
"""Reasons that say nothing for ever: a nonce may be early, and a branch higher than what becomes final.
What they are true of leaves the pool when the final head moves."""


def genesis_header(genesis: Genesis, state_root: bytes) -> Header:
    """Return the header of height 0, which is every chain's first parent."""
    return Header(
        version=BLOCK_VERSION,
        genesis_hash=genesis.hash,
        epoch=Epoch(0),
        height=Height(0),
        parent_hash=BlockHash(ZERO_HASH),
        proposer=PublicKey(ZERO_HASH),
        time_ms=genesis.time_ms,
        tx_root=ZERO_HASH,
        receipts_root=ZERO_HASH,
        state_root=state_root,
        validators_hash=genesis.validators.hash,
        next_validators_hash=genesis.validators.hash,
        engine_data=b"",
    )


class Chain:
    """The final state, and the unfinal blocks above it.

    Attributes:
        state: the versioned state.
        head: header of the last final block.
        proof: its proof of finality; empty at genesis.
        rules: of epochs.
    """

    def __init__(
        self,
        application: Application,
        genesis: Genesis,
        scheme: SignatureScheme,
        state: VersionedState,
        head: Header,
        proof: bytes,
        rules: EpochRules | None = None,
    ) -> None:
        """Stand on a final head; without `rules` the validators never change.

        Raises:
            LocalProtocolError: the state is not the one that the head commits to.
        """
        if state.final.root != head.state_root:
            raise LocalProtocolError(
                f"the stored state does not match the stored head at height {head.height}: "
                "the store is damaged; move it away and let the node catch up from its peers"
            )
        self.state = state
        self.head = head
        self.proof = proof
        self._application = application
        self._genesis = genesis
        self._scheme = scheme
        self.rules = EpochRules(genesis) if rules is None else rules
        self._blocks: dict[BlockHash, Block] = {}
        self._bytes = 0
        self._executed: dict[BlockHash, Executed] = {}

    @property
    def genesis_hash(self) -> GenesisHash:
        """The chain id, 32 bytes."""
        return self._genesis.hash

    @property
    def sets(self) -> Sets:
        """Epoch -> validator set, as the final state has it; KeyError if it has not."""
        return self.rules.sets(self.state.final)

    @property
    def epoch_start(self) -> EpochStart:
        """The epoch of the block that follows the final head."""
        return self.rules.start(self.state.final, self.head.height)

    # --- bodies ---

    def block(self, block_hash: BlockHash) -> Block | None:
        """Return a block that is held here and not final yet."""
        return self._blocks.get(block_hash)

    def is_too_large(self, block: Block) -> bool:
        """Tell whether a block holds more transactions, or more bytes of them, than any block may."""
        limits = self._genesis.parameters
        size = sum(map(len, block.transactions))
        return len(block.transactions) > limits.block_transactions_max or size > limits.block_bytes_max

    def add(self, block: Block, *, certified: bool = False) -> bool:
        """Hold a block whose header commits to its body; False if there is no room or its height is final.

        Args:
            block: what to hold.
            certified: a quorum vouches for it and it is the next to become final: there is always room.
        """
        if block.hash in self._blocks:
            return True
        if block.header.height <= self.head.height:
            return False
        size = sum(map(len, block.transactions))
        is_full = len(self._blocks) >= UNFINAL_BLOCKS_MAX or self._bytes + size > UNFINAL_BYTES_MAX
        if is_full and not certified:
            return False
        self._blocks[block.hash] = block
        self._bytes += size
        return True

    def forget(self, below: Height) -> None:
        """Drop unfinal blocks at or below a height."""
        for block_hash in [key for key, block in self._blocks.items() if block.header.height <= below]:
            self.drop(block_hash)

    def drop(self, block_hash: BlockHash) -> None:
        """Drop one unfinal block: it is invalid, or will never be final."""
        block = self._blocks.pop(block_hash, None)
        if block is None:
            return
        self._bytes -= sum(map(len, block.transactions))
        self._executed.pop(block_hash, None)

    # --- branches ---

    @property
    def unfinal(self) -> dict[BlockHash, Executed]:
        """The executed blocks above the final head."""
        return self._executed

    def branch(self, block_hash: BlockHash) -> Iterator[Executed]:
        """Yield the executed blocks from `block_hash` down to, and without, the final head.

        A branch that does not stand on the final head simply ends early; `is_executed` tells.
        """
        while (executed := self._executed.get(block_hash)) is not None:
            yield executed
            block_hash = executed.block.header.parent_hash

    def is_executed(self, block_hash: BlockHash) -> bool:
        """Tell whether a block is the final head or was executed on a branch above it."""
        return block_hash == self.head.hash or block_hash in self._executed

    def version(self, block_hash: BlockHash) -> Version | None:
        """Return the state after an executed block, or after the final head."""
        if block_hash == self.head.hash:
            return self.state.final
        executed = self._executed.get(block_hash)
        return None if executed is None else executed.version

    def header(self, block_hash: BlockHash) -> Header | None:
        """Return the header of the final head or of an unfinal block held here."""
        if block_hash == self.head.hash:
            return self.head
        block = self._blocks.get(block_hash)
        return None if block is None else block.header

    # --- execution ---

    def build(
        self,
        parent: Header,
        *,
        proposer: PublicKey,
        epoch: Epoch,
        time_ms: int,
        seal: bytes,
        transactions: Sequence[Transaction],
    ) -> Built:
        """Execute transactions on a parent and return the block.

        A transaction that cannot stand at its place is left out. If neither an unfinal block nor an earlier transaction
        of this one touched its sender or payer, the final state itself is against it, and it is hopeless.

        Raises:
            LocalProtocolError: the parent is not executed.
        """
        base = self.version(parent.hash)
        if base is None:
            raise LocalProtocolError("a block is built on an executed parent")
        run = Run(self._application, self._context(parent, base, proposer, time_ms), base)
        touched = {account: None for executed in self.branch(parent.hash) for account in executed.touched}
        hopeless: list[LeftOut] = []
        for transaction in transactions:
            try:
                run.apply(transaction)
            except InvalidTransactionError as error:
                accounts = (transaction.sender, transaction.payer)
                in_flux = any(account in touched or account in run.touched for account in accounts)
                if not in_flux and error.rejection not in _PASSING:
                    hopeless.append(LeftOut(transaction.id, error.rejection, error.detail))
        return Built(self._seal(run, parent, epoch, seal), tuple(hopeless))

    def _seal(self, run: Run, parent: Header, epoch: Epoch, seal: bytes) -> Executed | None:
        version = run.finish(self._genesis, self.rules.settle(run.context, seal))
        find = self.rules.sets(version)
        ids = tuple([transaction.id for transaction in run.transactions])
        header = Header(
            version=BLOCK_VERSION,
            genesis_hash=self._genesis.hash,
            epoch=epoch,
            height=Height(parent.height + 1),
            parent_hash=parent.hash,
            proposer=run.context.proposer,
            time_ms=run.context.time_ms,
            tx_root=tx_root(ids),
            receipts_root=receipts_root(run.outcomes),
            state_root=version.root,
            validators_hash=find(epoch).hash,
            next_validators_hash=find(epoch + 1).hash,
            engine_data=seal,
        )
        block = Block(header, tuple([transaction.raw for transaction in run.transactions]))
        if not self.add(block):
            return None
        executed = run.executed(block, version)
        self._executed[block.hash] = executed
        return executed

    def carry(self, parent: Header, *, proposer: PublicKey, time_ms: int, seal: bytes) -> Executed | None:
        """Return a carrier on the last block of an epoch or on another carrier; None if none may stand there."""
        base = self.version(parent.hash)
        if base is None or not self.rules.may_carry(parent, parent_is_final=parent.hash == self.head.hash):
            return None
        block = Block(self.rules.carrier(parent, proposer, time_ms, seal), ())
        return self._carried(block, base) if self.add(block) else None

    def _carried(self, block: Block, base: Version) -> Executed:
        executed = Executed(block=block, version=base, outcomes=(), senders={}, touched=(), ids=frozenset())
        self._executed[block.hash] = executed
        return executed

    def execute(
        self, block_hash: BlockHash, is_verified: Verified, known: Known, *, certified: bool = False
    ) -> Executed:
        """Execute a held block on its parent's state, once, and compare every commitment of its header.

        Args:
            block_hash: of a block given to `add`.
            is_verified: tells of which transactions the signatures were checked before.
            known: gives a transaction that is decoded already.
            certified: a quorum vouches for the block: its signatures are not checked again.

        Raises:
            InvalidBlockError: a rule is broken.
            CodecError: a transaction is malformed: the block is invalid.
            LocalProtocolError: the block is not held, or its parent is not executed.
        """
        done = self._executed.get(block_hash)
        if done is not None:
            return done
        block = self._blocks.get(block_hash)
        if block is None:
            raise LocalProtocolError("only a held block can be executed")
        header = block.header
        base = self.version(header.parent_hash)
        parent = self.header(header.parent_hash)
        if base is None or parent is None:
            raise LocalProtocolError("a block is executed after its parent")
        self._check_header(header, parent, block)
        is_final = parent.hash == self.head.hash
        if header.height == parent.height:
            self.rules.check_carrier(block, parent, base, parent_is_final=is_final)
            return self._carried(block, base)
        self.rules.check_place(header, parent, base, parent_is_final=is_final)
        run = Run(self._application, self._context(parent, base, header.proposer, header.time_ms), base)
        for raw, tx_id in zip(block.transactions, block.transaction_ids, strict=True):
            self._apply_foreign(run, raw, tx_id, None if certified else is_verified, known)
        if receipts_root(run.outcomes) != header.receipts_root:
            raise InvalidBlockError("the receipts root is not what the execution gives")
        version = run.finish(self._genesis, self.rules.settle(run.context, header.engine_data))
        if version.root != header.state_root:
            raise InvalidBlockError("the state root is not what the execution gives")
        executed = run.executed(block, version)
        self._executed[block_hash] = executed
        return executed

    def _check_header(self, header: Header, parent: Header, block: Block) -> None:
        rules = (
            (header.genesis_hash == self._genesis.hash, "it belongs to another network"),
            (header.height in {parent.height, parent.height + 1}, "its height does not follow its parent's"),
            (header.time_ms > parent.time_ms, "its time is not after its parent's"),
            (not self.is_too_large(block), "it holds too many transactions, or too many bytes of them"),
            (block.body_is_committed, "its header does not commit to its transactions"),
        )
        for holds, complaint in rules:
            if not holds:
                raise InvalidBlockError(complaint)

    def _apply_foreign(
        self, run: Run, raw: bytes, tx_id: TransactionId, is_verified: Verified | None, known: Known
    ) -> None:
        transaction = known(tx_id)
        if transaction is None:
            transaction = decode_transaction(raw)
        if is_verified is not None and not is_verified(tx_id) and not transaction.verify(self._scheme):
            raise InvalidBlockError("a transaction's signature is bad")
        try:
            run.apply(transaction)
        except InvalidTransactionError as error:
            raise InvalidBlockError(f"a transaction must not stand in it: {error}") from error
        if run.weight > self._genesis.parameters.block_weight_max:
            raise InvalidBlockError("its transactions weigh too much")

    def _context(self, parent: Header, base: Version, proposer: PublicKey, time_ms: int) -> BlockContext:
        return BlockContext(
            genesis=self._genesis,
            height=Height(parent.height + 1),
            epoch=self.rules.epoch(parent.height + 1),
            time_ms=time_ms,
            parent_time_ms=parent.time_ms,
            proposer=proposer,
            convict=self.rules.convict(base, time_step_ms(time_ms, parent.time_ms)),
        )

    # --- finality ---

    def adopt(self, state: Mapping[bytes, bytes], header: Header, proof: bytes) -> None:
        """Stand on another final head, with its whole state; unfinal blocks are dropped.

        Raises:
            LocalProtocolError: the state is not the one that the header commits to; nothing has changed.
        """
        versions = VersionedState(state)
        if versions.final.root != header.state_root:
            raise LocalProtocolError(f"the restored state is not the one of the block at height {header.height}")
        self.state, self.head, self.proof = versions, header, proof
        self._blocks.clear()
        self._executed.clear()
        self._bytes = 0

    def finalize(self, block_hash: BlockHash, proof: bytes, justify: bytes = b"") -> tuple[CommittedBlock, Executed]:
        """Make an executed child of the head final.

        Raises:
            LocalProtocolError: it is not executed, or does not follow the head.
        """
        executed = self._executed.get(block_hash)
        if executed is None or executed.block.header.parent_hash != self.head.hash:
            raise LocalProtocolError("only an executed child of the final head can become final")
        block = executed.block
        committed = CommittedBlock(
            block, proof, executed.outcomes, changes=dict(executed.version.changes), justify=justify
        )
        self.state.finalize(executed.version)
        self.head = block.header
        self.proof = proof
        self.forget(block.header.height)
        return committed, executed
