"""A base for applications of one's own: accounts, nonces and fees are here, what a chain is for is the subclass's.

Money is the genesis's balances, in minor units. A transaction's fee goes to the proposer of its block; one that is
refused costs its fee and nonce, and changes nothing else. A subclass names its transaction types in `bodies`, says in
`execute` what they do, and in `query` what can be asked; all else of the `Application` protocol has an answer here.

Accounts sign for themselves and pay for themselves: an envelope with an active key or a sponsor is refused, because
their signatures are good whoever they belong to, and only an application knows whether they may speak for an account.

State keys: `a` and the account (33 bytes). All others are the subclass's, but those that begin with a zero byte, which
are the chain's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from p2pcommerce.ledger.application import (
    UNIT_WEIGHT,
    Admission,
    BlockContext,
    InvalidTransactionError,
    QueryError,
    Rejection,
)
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Event, Outcome
from p2pcommerce.ledger.state import State, StateChanges, StateView
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.ledger.validators import ValidatorUpdate
from p2pcommerce.primitives.codec import U64, Shape, decode, encode, record_of, uint
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError, P2PError, RejectionCode
from p2pcommerce.primitives.ids import Height, PublicKey

__all__ = ["ACCOUNT_TAG", "PlainApplication", "RefusedError"]

ACCOUNT_TAG: Final = b"a"
"""First byte of an account's state key."""
_ACCOUNT_BYTES_MAX: Final = 32


class RefusedError(P2PError):
    """A transaction that may stand in a block and has no effect there but its fee and nonce."""

    def __init__(self, rejection: RejectionCode, detail: str) -> None:
        """Build the error from a code and a sentence."""
        super().__init__(f"{rejection.value}: {detail}")
        self.rejection = rejection
        self.code = rejection.value
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Account:
    nonce: int = 0
    balance_minor: int = 0


_ACCOUNT: Final = record_of(_Account, nonce=U64, balance_minor=uint(2**63 - 1))


class PlainApplication(ABC):
    """Accounts with money, and whatever a subclass adds; implements `ledger.application.Application`.

    Attributes:
        name: of the application; a subclass has its own.
        bodies: transaction type -> the shape of its body, which `execute` gets as the shape reads it.
        records_max: state records that `execute` writes at most; each weighs as much as 100 bytes.
    """

    name: str = "plain"
    bodies: ClassVar[Mapping[str, Shape[Any]]] = {}
    records_max: ClassVar[int] = 2

    @abstractmethod
    def execute(self, payload: Any, sender: PublicKey, state: State, context: BlockContext) -> tuple[bytes, ...]:  # noqa: ANN401 - of the subclass's bodies
        """Do what a transaction asks for, and return the ids that it touched, each at most 96 bytes.

        Args:
            payload: the body, as its shape in `bodies` read it.
            sender: account, 32 bytes; its fee is paid.
            state: of the block; what is written is undone if this raises.
            context: of the block.

        Raises:
            RefusedError: it may not be.
        """

    def query(self, name: str, arguments: Mapping[str, object], view: StateView) -> object:
        """Answer "account" (account): its balance and next nonce; a subclass answers more.

        Raises:
            QueryError: no such question, or wrong arguments.
        """
        if name != "account":
            raise QueryError(f'there is no query "{name}"')
        try:
            key = bytes.fromhex(str(arguments["account"]))
        except (KeyError, ValueError) as error:
            raise QueryError("the query account needs account=, hexadecimal") from error
        found = _account(view, key)
        return {"balance_minor": found.balance_minor, "nonce": found.nonce}

    @staticmethod
    def balance_minor(view: StateView, account: bytes) -> int:
        """Return what an account (32 bytes) has."""
        return _account(view, account).balance_minor

    @staticmethod
    def pay(state: State, giver: bytes, taker: bytes, amount_minor: int) -> None:
        """Move money from one account (32 bytes) to another.

        Raises:
            RefusedError: the giver does not have it, or it is less than nothing.
        """
        has = _account(state, giver)
        if not 0 <= amount_minor <= has.balance_minor:
            raise RefusedError(
                RejectionCode.NO_FUNDS, f"{amount_minor} minor units are needed, the account has {has.balance_minor}"
            )
        _put(state, giver, _Account(has.nonce, has.balance_minor - amount_minor))
        gets = _account(state, taker)
        _put(state, taker, _Account(gets.nonce, gets.balance_minor + amount_minor))

    def genesis(self, genesis: Genesis) -> StateChanges:
        """Return the accounts of the genesis."""
        return {ACCOUNT_TAG + key: encode(_ACCOUNT, _Account(0, minor)) for key, minor in genesis.balances.items()}

    def weight(self, transaction: Transaction) -> int:
        """Return its bytes, and those of its signature and each record: of `execute`, sender and proposer."""
        return len(transaction.raw) + UNIT_WEIGHT * (3 + self.records_max)

    def check(self, transaction: Transaction, view: StateView, height: Height) -> Admission | Rejection:
        """Judge a transaction for the pool; see `Application.check`."""
        del height
        try:
            self._read(transaction)
        except InvalidTransactionError as error:
            return Rejection(error.rejection, error.detail)
        sender = _account(view, transaction.sender)
        if transaction.nonce < sender.nonce:
            return Rejection(
                RejectionCode.BAD_NONCE, f"the nonce is {transaction.nonce}, the next one is {sender.nonce}"
            )
        weight = self.weight(transaction)
        return Admission(weight, transaction.sender, transaction.fee, sender.balance_minor, sender.nonce)

    def begin_block(self, state: State, context: BlockContext) -> None:
        """Prepare nothing."""
        del state, context

    def apply(self, transaction: Transaction, state: State, context: BlockContext) -> Outcome:
        """Take fee and nonce, then do what the transaction asks for.

        Raises:
            InvalidTransactionError: it must not stand in this block here; the state is as before.
        """
        payload = self._read(transaction)
        context.require_envelope(transaction, self.weight(transaction))
        sender = _account(state, transaction.sender)
        if transaction.nonce != sender.nonce:
            raise InvalidTransactionError(
                RejectionCode.BAD_NONCE, f"the nonce is {transaction.nonce}, the next one is {sender.nonce}"
            )
        try:
            self.pay(state, transaction.sender, context.proposer, transaction.fee)
        except RefusedError as error:
            raise InvalidTransactionError(error.rejection, f"the fee cannot be paid: {error.detail}") from error
        _put(state, transaction.sender, _Account(sender.nonce + 1, self.balance_minor(state, transaction.sender)))
        mark = state.savepoint()
        try:
            ids = self.execute(payload, transaction.sender, state, context)
        except RefusedError as error:
            state.rollback(mark)
            return Outcome(error.rejection, (), error.detail)
        return Outcome(RejectionCode.OK, (Event(transaction.type, ids),))

    def end_block(self, state: State, context: BlockContext) -> Sequence[ValidatorUpdate]:
        """Let the validators of the genesis stay."""
        del state, context
        return ()

    def audit(self, genesis: Genesis, view: StateView, changes: StateChanges) -> None:
        """Check that a block made and lost no money.

        Raises:
            LocalProtocolError: it did.
        """
        del genesis
        keys = [key for key in changes if key.startswith(ACCOUNT_TAG)]
        before = sum(_read_account(view.get(key)).balance_minor for key in keys)
        after = sum(_read_account(changes[key]).balance_minor for key in keys)
        if before != after:
            raise LocalProtocolError(f"{self.name}: a block turned {before} minor units into {after}")

    def _read(self, transaction: Transaction) -> Any:  # noqa: ANN401 - of the subclass's bodies
        if transaction.key is not None or transaction.sponsor is not None:
            raise InvalidTransactionError(
                RejectionCode.BAD_SIGNATURE, "here an account signs and pays for itself, without key and sponsor"
            )
        shape = self.bodies.get(transaction.type)
        if shape is None:
            raise InvalidTransactionError(RejectionCode.BAD_FORMAT, "there is no transaction type of that name")
        try:
            return shape.read(transaction.body)
        except CodecError as error:
            raise InvalidTransactionError(RejectionCode.BAD_FORMAT, f"{transaction.type}: {error}") from error


def _account(view: StateView, key: bytes) -> _Account:
    return _read_account(view.get(ACCOUNT_TAG + key))


def _read_account(raw: bytes | None) -> _Account:
    return _Account() if raw is None else decode(_ACCOUNT, raw, _ACCOUNT_BYTES_MAX)


def _put(state: State, key: bytes, account: _Account) -> None:
    state.put(ACCOUNT_TAG + key, encode(_ACCOUNT, account))
