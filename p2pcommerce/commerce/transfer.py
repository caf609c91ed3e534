"""Transfers of the token."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.kind import AMOUNT
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.primitives.codec import KEY
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Transfer"]


@body("token.transfer", to=KEY, amount_minor=AMOUNT)
@dataclass(frozen=True, slots=True)
class Transfer(Body):
    """Move tokens to another account, which is created if need be.

    Attributes:
        to: account, 32 bytes.
        amount_minor: at least 1; to a new account at least its deposit.
    """

    to: PublicKey
    amount_minor: int

    @override
    def records(self) -> int:
        """Both accounts."""
        return 2

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The amount."""
        return self.amount_minor

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Move the amount; see `Body.apply`."""
        ledger.debit(call.sender, self.amount_minor)
        ledger.credit(self.to, self.amount_minor)
        return (call.sender, self.to)
