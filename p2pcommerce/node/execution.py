"""Executes the transactions of one block, in order, on the state after its parent.

It checks what the block's place asks of each transaction; headers, signatures and commitments are the chain's business.

Source: steps 5 and 6 of "How one transaction travels" in the architecture specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from p2pcommerce.ledger.application import Application, BlockContext
from p2pcommerce.ledger.block import Block
from p2pcommerce.ledger.epochs import check_application_keys
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Outcome
from p2pcommerce.ledger.state import State, Version
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.ledger.validators import ValidatorUpdate
from p2pcommerce.primitives.errors import RejectionCode, RemoteProtocolError
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["Built", "Executed", "InvalidBlockError", "LeftOut", "Run", "Settle"]

Settle = Callable[[State, Sequence[ValidatorUpdate]], None]


class InvalidBlockError(RemoteProtocolError):
    """A block that breaks a rule whatever happens later; the message names the rule."""

    code = "INVALID_BLOCK"


@dataclass(slots=True)
class Executed:
    """A block with what its execution gave.

    Attributes:
        block: the block.
        version: the state after it.
        outcomes: one per transaction.
        senders: sender -> its next nonce after this block, for those who sent in it.
        touched: every account that sent or paid in it.
        ids: the ids of its transactions.
    """

    block: Block
    version: Version
    outcomes: tuple[Outcome, ...]
    senders: dict[PublicKey, int]
    touched: tuple[PublicKey, ...]
    ids: frozenset[TransactionId]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A transaction that cannot stand in any block, though nothing that is not final yet speaks against it."""

    tx_id: TransactionId
    code: RejectionCode
    detail: str


@dataclass(frozen=True, slots=True)
class Built:
    """A block that was built, executed.

    Attributes:
        executed: None if there is no room for it.
        hopeless: what was left out for good.
    """

    executed: Executed | None
    hopeless: tuple[LeftOut, ...]


class Run:
    """One block's transactions being executed in order.

    Attributes:
        context: of the block.
        outcomes, transactions: one for each transaction that was applied.
        weight: the sum of their weights.
        touched: every account that sent or paid, with 1 above its last nonce if it sent.
    """

    __slots__ = ("_application", "_base", "_state", "context", "outcomes", "touched", "transactions", "weight")

    def __init__(self, application: Application, context: BlockContext, base: Version) -> None:
        """Begin a block on the state `base`."""
        self._application = application
        self._base = base
        self._state = State(base)
        self.context = context
        self.outcomes: list[Outcome] = []
        self.transactions: list[Transaction] = []
        self.weight = 0
        self.touched: dict[PublicKey, int | None] = {}
        application.begin_block(self._state, context)

    def apply(self, transaction: Transaction) -> None:
        """Execute the next transaction.

        Raises:
            InvalidBlockError: it belongs to another network.
            InvalidTransactionError: it must not stand here; nothing has changed.
        """
        if transaction.chain_id != self.context.genesis.hash:
            raise InvalidBlockError("a transaction belongs to another network")
        weight = self._application.weight(transaction)
        self.outcomes.append(self._application.apply(transaction, self._state, self.context))
        self.transactions.append(transaction)
        self.weight += weight
        self.touched.setdefault(transaction.payer, None)
        self.touched[transaction.sender] = transaction.nonce + 1

    def finish(self, genesis: Genesis, settle: Settle) -> Version:
        """Finish the block and return the state after it.

        Args:
            genesis: of the network.
            settle: writes the chain's own records, given the draft and the application's changes of stake.

        Raises:
            LocalProtocolError: the application made or lost something, or wrote the chain's records: a defect of it.
        """
        updates = self._application.end_block(self._state, self.context)
        changes = self._state.changes
        check_application_keys(changes)
        self._application.audit(genesis, self._base, changes)
        settle(self._state, updates)
        return self._base.child(changes)

    def executed(self, block: Block, version: Version) -> Executed:
        """Return what the execution of `block` gave."""
        return Executed(
            block=block,
            version=version,
            outcomes=tuple(self.outcomes),
            senders={account: nonce for account, nonce in self.touched.items() if nonce is not None},
            touched=tuple(self.touched),
            ids=frozenset(block.transaction_ids),
        )
