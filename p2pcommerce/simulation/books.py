"""A second set of books: what final blocks should have done to accounts, kept without the application.

It reads final transactions and what blocks say they changed, and keeps its own account of it:

- a transaction is signed, stands once, and each account's nonces follow each other from 0
- the fees of a block, and what is kept of finished orders, go to its proposer, to the unit
- a transfer takes from one and gives to the other; an order takes its price from the buyer, and once it is confirmed
  gives it to the store, once
- nobody else's balance changes; a failed transaction costs its fee and nothing else

Deposits for state are not modelled: an account that pays or gets one for an order in a block is held to a bound there,
not to a figure, and a block in which stores or goods are set up, or that holds a type which an embedding program added,
only brings the balances up to date. Stake is not modelled: fees are not compared in a block that moves some.

Source: "Fees and state" and the orders of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.commerce import BODIES, read_body
from p2pcommerce.commerce.account import ACCOUNT, ACCOUNT_BYTES
from p2pcommerce.commerce.listing import ListingSet
from p2pcommerce.commerce.order_close import OrderCancel, OrderConfirm, OrderRefund, OrderSettle
from p2pcommerce.commerce.order_place import OrderPlace
from p2pcommerce.commerce.order_ship import OrderShip
from p2pcommerce.commerce.transfer import Transfer
from p2pcommerce.commerce.validator import VALIDATOR
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["Books"]

_BPS: Final = 10_000
_OF_STAKE: Final = ("validator.", "stake.", "evidence.")


@dataclass(slots=True)
class _Order:
    """An open order: who, and how much is held for it."""

    payer: PublicKey
    store: PublicKey
    cash_minor: int
    items: tuple[bytes, ...] = ()
    is_shipped: bool = False


@dataclass(slots=True)
class _Page:
    """What one block should do: by account an exact change, and who has deposits beside it.

    Attributes:
        is_vague: it holds something that moves deposits of others than its sender.
        moves_stake: it holds something that may take out what validators earned, or slash.
    """

    changes: dict[PublicKey, int] = field(default_factory=dict)
    deposits: dict[PublicKey, None] = field(default_factory=dict)
    rewards_minor: int = 0
    is_vague: bool = False
    moves_stake: bool = False

    def move(self, account: PublicKey, amount_minor: int) -> None:
        """Change a balance."""
        self.changes[account] = self.changes.get(account, 0) + amount_minor


class Books:
    """Follows the final blocks of one world, each once, in order."""

    def __init__(self, genesis: Genesis, scheme: SignatureScheme) -> None:
        """Open the books."""
        deposit_minor = ACCOUNT_BYTES * genesis.parameters.byte_price
        self._scheme = scheme
        self._genesis = genesis
        self._balances = {key: amount - deposit_minor for key, amount in genesis.balances.items()}
        self._earned: dict[PublicKey, int] = {}
        self._jailed: dict[PublicKey, None] = {}
        self._waiting_minor = 0
        self._nonces: dict[PublicKey, int] = {}
        self._prices: dict[tuple[PublicKey, int], int] = {}
        self._orders: dict[TransactionId, _Order] = {}
        self._locked: dict[bytes, None] = {}
        self._deposit_minor = deposit_minor
        self.height = 0

    def enter(self, committed: CommittedBlock) -> Iterator[str]:
        """Take the next final block; yield what is wrong with it."""
        block, page = committed.block, _Page()
        self.height = block.header.height
        for raw, outcome in zip(block.transactions, committed.outcomes, strict=True):
            transaction = decode_transaction(raw)
            yield from self._check_envelope(transaction)
            page.move(transaction.payer, -transaction.fee)
            page.rewards_minor += transaction.fee
            if outcome.ok:
                yield from self._do(transaction, page)
            page.is_vague |= transaction.sponsor is not None
        yield from self._compare(committed, page)

    def _check_envelope(self, transaction: Transaction) -> Iterator[str]:
        if transaction.chain_id != self._genesis.hash or not transaction.verify(self._scheme):
            yield f"transaction {transaction.id[:4].hex()} is not signed for this network"
        due = self._nonces.get(transaction.sender, 0)
        if transaction.nonce != due:
            yield f"transaction {transaction.id[:4].hex()} has nonce {transaction.nonce} where {due} is due"
        self._nonces[transaction.sender] = transaction.nonce + 1

    def _do(self, transaction: Transaction, page: _Page) -> Iterator[str]:
        if transaction.type not in BODIES:
            page.is_vague = page.moves_stake = True
            return
        body = read_body(transaction.type, transaction.body)
        sender = transaction.sender
        match body:
            case Transfer(to, amount_minor):
                page.move(sender, -amount_minor)
                is_new = to not in self._balances and to not in page.changes
                page.move(to, amount_minor - (self._deposit_minor if is_new else 0))
            case OrderPlace(store, lines):
                payer = transaction.payer if transaction.sponsor_pays else sender
                cash_minor = sum(self._prices.get((store, line.listing), 0) * line.quantity for line in lines)
                self._orders[transaction.id] = _Order(payer, store, cash_minor)
                page.move(payer, -cash_minor)
                page.deposits[payer] = None
            case OrderShip(order_id, items):
                yield from self._ship(order_id, items)
            case OrderConfirm(order_id):
                yield from self._close(order_id, page, is_paid=True)
            case OrderCancel(order_id) | OrderRefund(order_id, 0):
                yield from self._close(order_id, page, is_paid=False)
            case OrderRefund(order_id, amount_minor):
                yield from self._give(order_id, amount_minor, page)
            case OrderSettle(order_id) if order_id in self._orders:
                yield from self._close(order_id, page, is_paid=self._orders[order_id].is_shipped)
            case _:
                page.is_vague = True
                page.moves_stake |= transaction.type.startswith(_OF_STAKE)
                if isinstance(body, ListingSet):
                    self._prices[sender, body.number] = body.price_minor

    def _ship(self, order_id: TransactionId, items: tuple[bytes, ...]) -> Iterator[str]:
        order = self._orders.get(order_id)
        if order is None or order.is_shipped:
            yield f"order {order_id[:4].hex()} is shipped, and was not placed or is shipped already"
            return
        for item in items:
            if item in self._locked:
                yield f"item {item[:4].hex()} is shipped in two open orders"
            self._locked[item] = None
        order.items, order.is_shipped = items, True

    def _give(self, order_id: TransactionId, amount_minor: int, page: _Page) -> Iterator[str]:
        order = self._orders.get(order_id)
        if order is None or order.cash_minor <= amount_minor:
            yield f"order {order_id[:4].hex()} gives back more than it holds"
            return
        order.cash_minor -= amount_minor
        page.move(order.payer, amount_minor)

    def _close(self, order_id: TransactionId, page: _Page, *, is_paid: bool) -> Iterator[str]:
        order = self._orders.pop(order_id, None)
        if order is None or (is_paid and not order.is_shipped):
            yield f"order {order_id[:4].hex()} is closed, and was not open or not shipped"
            return
        page.deposits[order.payer] = None
        for item in order.items:
            self._locked.pop(item, None)
        if not is_paid:
            page.move(order.payer, order.cash_minor)
            return
        kept_minor = order.cash_minor * self._genesis.parameters.protocol_fee_bps // _BPS
        page.move(order.store, order.cash_minor - kept_minor)
        page.rewards_minor += kept_minor - kept_minor // 2

    def _compare(self, committed: CommittedBlock, page: _Page) -> Iterator[str]:
        changes = committed.changes
        yield from self._compare_fees(committed, page)
        written = [key[len(ACCOUNT.tag) :] for key in changes if key.startswith(ACCOUNT.tag)]
        for account in dict.fromkeys([*page.changes, *map(PublicKey, written)]):
            before, due = self._balances.get(account, 0), page.changes.get(account, 0)
            value = changes.get(ACCOUNT.key(account))
            after = before if value is None else ACCOUNT.read(value).balance_minor
            self._balances[account] = after
            if page.is_vague:
                continue
            if after - before != due and account not in page.deposits:
                yield f"account {account[:4].hex()} changed by {after - before} minor units, {due} are accounted for"
            elif abs(after - before - due) > self._deposit_max_minor(committed):
                yield f"account {account[:4].hex()} changed by {after - before} minor units, far from {due}"

    def _compare_fees(self, committed: CommittedBlock, page: _Page) -> Iterator[str]:
        """Compare what the proposer got; fees of a jailed one wait for the next."""
        proposer, before = committed.block.header.proposer, dict(self._earned)
        for key, value in committed.changes.items():
            if key.startswith(VALIDATOR.tag) and value is not None:
                validator, record = PublicKey(key[len(VALIDATOR.tag) :]), VALIDATOR.read(value)
                self._earned[validator] = record.commission_minor + record.rewards_minor
                if record.is_jailed:
                    self._jailed[validator] = None
        due_minor = self._waiting_minor + page.rewards_minor
        self._waiting_minor = due_minor if proposer in self._jailed else 0
        got_minor = self._earned.get(proposer, 0) - before.get(proposer, 0)
        if not page.moves_stake and got_minor != due_minor - self._waiting_minor:
            yield f"the proposer got {got_minor} minor units in fees, {due_minor - self._waiting_minor} are due to it"

    def _deposit_max_minor(self, committed: CommittedBlock) -> int:
        """Return a bound of what deposits can move in a block: the price of all bytes that it wrote, and a slack."""
        size = sum(len(key) + len(value or b"") + 512 for key, value in committed.changes.items())
        return 2 * size * self._genesis.parameters.byte_price
