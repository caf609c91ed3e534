"""What every transaction type has: its name, the form of its body, its static check, its weight and its effect.

A type is a frozen dataclass that derives from `Body` and is decorated with its name and the shape of its fields:

    @body("token.transfer", to=KEY, amount_minor=AMOUNT)
    @dataclass(frozen=True, slots=True)
    class Transfer(Body): ...

`registry` has the table of all types.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.codec import Shape, record_of
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.primitives.quick import quick

__all__ = ["Body", "Call", "body", "require_increasing"]

B = TypeVar("B", bound="type[Body]")
Convict = Callable[[bytes], Offence | None]


def _convict_nobody(_evidence: bytes) -> Offence | None:
    return None


@dataclass(frozen=True, slots=True)
class Call:
    """One transaction as its body's `apply` sees it.

    Attributes:
        transaction: the whole.
        sender: account, 32 bytes.
        payer: who pays escrow and deposits: the sender, or the sponsor if `sponsor_pays`; 32 bytes.
        tx_id: 32 bytes.
        time_ms: of the block's header, Unix milliseconds.
        convict: evidence -> the offence that it proves, None if it proves nothing; outside of a block always None.
        height: of the block; 0 outside of one.
    """

    transaction: Transaction
    sender: PublicKey
    payer: PublicKey
    tx_id: TransactionId
    time_ms: int
    convict: Convict = _convict_nobody
    height: int = 0

    @classmethod
    def of(cls, transaction: Transaction, time_ms: int, convict: Convict = _convict_nobody, height: int = 0) -> Call:
        """Return the call of a transaction in a block of a time."""
        payer = transaction.payer if transaction.sponsor_pays else transaction.sender
        return _call(transaction, transaction.sender, payer, transaction.id, time_ms, convict, height)


_call = quick(Call)


class Body(ABC):
    """Base of all transaction types.

    Attributes:
        TYPE: the name in the envelope.
        SHAPE: how the body is read and written.
        SPONSOR_MAY_PAY: whether `sponsor_pays` is possible.
        COLD: whether the account's own key signs it even when there is an active one.
    """

    __slots__ = ()

    TYPE: str = ""
    SHAPE: Shape[Any]
    SPONSOR_MAY_PAY: bool = False
    COLD: bool = False

    def to_body(self) -> tuple[object, ...]:
        """Return the body as a plain array."""
        plain: tuple[object, ...] = self.SHAPE.plain(self)  # type: ignore[assignment] # a record is written as a tuple
        return plain

    def check(self, rules: Rules) -> None:
        """Check what needs no state.

        Raises:
            CommerceError: a rule is broken; a `FormatError` makes a block that holds it invalid.
        """
        del rules

    @abstractmethod
    def records(self) -> int:
        """Return how many records it may write, as its weight counts them; known from the body alone.

        At most `weight.RECORDS_MAX`, so that every block has room for it.
        """

    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """Return what it takes from the payer in this state, besides the fee; 0 where that cannot be known."""
        del ledger, call
        return 0

    @abstractmethod
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Do it, and return the ids it touched.

        Raises:
            CommerceError: a rule is broken; the caller rolls the draft back.
        """


def body(type_name: str, /, **fields: Shape[Any]) -> Callable[[B], B]:
    """Return a decorator that makes a frozen dataclass a transaction type.

    Args:
        type_name: the name in the envelope.
        fields: the shape of each field, in order.
    """

    def decorate(cls: B) -> B:
        cls.TYPE = type_name
        cls.SHAPE = record_of(cls, **fields)
        return cls

    return decorate


def require_increasing(values: Sequence[Any], name: str) -> None:
    """Demand that a list is strictly increasing, which makes it free of duplicates and of one form.

    Raises:
        FormatError: it is not.
    """
    if any(first >= second for first, second in itertools.pairwise(values)):
        raise FormatError(f"{name} must be strictly increasing")
