"""Bonding stake to a validator, unbonding and withdrawing it.

Whoever bonds owns shares of the validator's active pool, and gets a part of its fees. The way out takes time: an
unbonded amount votes until the end of the next epoch and waits from then on. All the while a slash takes from it, so
that nobody gets away by unbonding first.

The stake of an account at a validator is nothing or at least the least bond. Fees that were earned are paid by each of
these transactions.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.candidates import strike
from p2pcommerce.commerce.delegation import DELEGATION, DELEGATION_BYTES, UNBONDING_BYTES, Position
from p2pcommerce.commerce.epoch_clock import epoch_now, has_left
from p2pcommerce.commerce.errors import FundsError, LimitError, NotFoundError, TooEarlyError
from p2pcommerce.commerce.kind import AMOUNT, U63
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.validator import require_free, require_validator
from p2pcommerce.primitives.codec import KEY
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Bond", "Unbond", "Withdraw", "require_least_bond"]


def require_least_bond(position: Position, ledger: Ledger) -> None:
    """Demand that an account's stake at a validator is at least the least bond.

    Raises:
        LimitError: it is not.
    """
    least = ledger.rules.bond_minor_min
    if position.bonded_minor < least:
        raise LimitError(
            f"the stake at a validator is at least {least} minor units; this would be {position.bonded_minor}"
        )


def _require_delegation(ledger: Ledger, validator: PublicKey, account: PublicKey) -> Position:
    record = require_validator(ledger, validator)
    if ledger.get(DELEGATION, validator + account) is None:
        raise NotFoundError(f"the sender has no stake at {validator.hex()[:8]}")
    return Position(ledger, validator, record, account)


@body("stake.bond", validator=KEY, amount_minor=AMOUNT)
@dataclass(frozen=True, slots=True)
class Bond(Body):
    """Bond stake to a validator, one's own key among them.

    Attributes:
        validator: public key, 32 bytes.
        amount_minor: at least 1; together with what is bonded there already at least the least bond.
    """

    validator: PublicKey
    amount_minor: int

    @override
    def records(self) -> int:
        """The sender's account, the validator and the delegation."""
        return 3

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The amount, and the deposit of a new delegation."""
        is_new = ledger.get(DELEGATION, self.validator + call.sender) is None
        return self.amount_minor + (DELEGATION_BYTES * ledger.rules.byte_price if is_new else 0)

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Move the amount into the active pool; see `Body.apply`."""
        record = require_validator(ledger, self.validator)
        require_free(record)
        position = Position(ledger, self.validator, record, call.sender)
        position.bond(self.amount_minor)
        require_least_bond(position, ledger)
        position.put_back()
        return (call.sender, self.validator)


@body("stake.unbond", validator=KEY, amount_minor=U63)
@dataclass(frozen=True, slots=True)
class Unbond(Body):
    """Begin to take stake from a validator. One that unbonds all of its own is no candidate any more.

    Attributes:
        validator: public key, 32 bytes.
        amount_minor: 0: all; what stays is nothing or at least the least bond.
    """

    validator: PublicKey
    amount_minor: int = 0

    @override
    def records(self) -> int:
        """The sender's account, the validator, the delegation and both lists of validators."""
        return 5

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposit of an entry."""
        return UNBONDING_BYTES * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Move the amount into the unbonding pool; see `Body.apply`."""
        position = _require_delegation(ledger, self.validator, call.sender)
        bonded_minor, active = position.bonded_minor, position.record.active
        if not position.own.shares:
            raise NotFoundError(f"nothing of the sender is bonded to {self.validator.hex()[:8]} any more")
        if self.amount_minor > bonded_minor:
            raise FundsError(f"the sender's stake at this validator is {bonded_minor} minor units")
        if self.amount_minor in {0, bonded_minor}:
            position.unbond(bonded_minor, position.own.shares, epoch_now(ledger))
        else:
            position.unbond(self.amount_minor, active.price(self.amount_minor), epoch_now(ledger))
            require_least_bond(position, ledger)
        if position.is_validators and not position.own.shares:
            position.record = strike(ledger, self.validator, position.record)
        position.put_back()
        return (call.sender, self.validator)


@body("stake.withdraw", validator=KEY, amount_minor=U63)
@dataclass(frozen=True, slots=True)
class Withdraw(Body):
    """Take what was unbonded long enough ago, and all fees earned.

    Attributes:
        validator: public key, 32 bytes.
        amount_minor: 0: all that may be taken, which may be fees alone.
    """

    validator: PublicKey
    amount_minor: int = 0

    @override
    def records(self) -> int:
        """The sender's account, the validator and the delegation."""
        return 3

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Pay; see `Body.apply`."""
        before_minor = ledger.balance_minor(call.sender)
        position = self._require_position(ledger, call.sender)
        entries = position.own.unbondings
        shares = sum(entry.shares for entry in entries if has_left(ledger, entry.epoch))
        free_minor = position.record.unbonding.value(shares)
        if self.amount_minor > position.unbonding_minor:
            raise FundsError(f"{position.unbonding_minor} minor units of the sender are unbonding at this validator")
        if self.amount_minor > free_minor:
            raise TooEarlyError(f"{free_minor} minor units may be withdrawn now; the rest waits until its time is over")
        if self.amount_minor in {0, free_minor}:
            position.withdraw(free_minor, shares)
        else:
            position.withdraw(self.amount_minor, position.record.unbonding.price(self.amount_minor))
        if not shares and ledger.balance_minor(call.sender) == before_minor:
            raise TooEarlyError("nothing may be withdrawn yet, and no fees were earned")
        position.put_back()
        return (call.sender, self.validator)

    def _require_position(self, ledger: Ledger, sender: PublicKey) -> Position:
        record = require_validator(ledger, self.validator)
        # A validator takes its commission also when it has no stake of its own any more.
        if sender == self.validator and record.commission_minor:
            return Position(ledger, self.validator, record, sender)
        return _require_delegation(ledger, self.validator, sender)
