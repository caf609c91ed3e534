"""Becoming a validator."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.candidates import enlist
from p2pcommerce.commerce.delegation import DELEGATION, DELEGATION_BYTES, Position
from p2pcommerce.commerce.errors import ExistsError, ForbiddenError
from p2pcommerce.commerce.kind import U63
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.stake import require_least_bond
from p2pcommerce.commerce.validator import COMMISSION, VALIDATOR, VALIDATOR_BYTES, new_validator, require_free
from p2pcommerce.primitives.compat import override

__all__ = ["RegisterValidator"]


@body("validator.register", commission_bps=COMMISSION, bond_minor=U63)
@dataclass(frozen=True, slots=True)
class RegisterValidator(Body):
    """Make the sender's key a candidate, or a candidate again, or lower its commission.

    A validator's own stake is at least the least bond, so that registering and bonding are one step: the specification
    has them in two types, of which neither could be the first.

    Attributes:
        commission_bps: basis points of the fees, 0 to 10,000; a registered validator's never rises.
        bond_minor: stake to bond with it; 0 if there is enough already.
    """

    commission_bps: int
    bond_minor: int = 0

    @override
    def records(self) -> int:
        """The sender's account, the validator, its delegation, both lists, and a validator that loses its place."""
        return 6

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The bond, and the deposits of what is new."""
        size = VALIDATOR_BYTES if ledger.get(VALIDATOR, call.sender) is None else 0
        if ledger.get(DELEGATION, call.sender + call.sender) is None and self.bond_minor:
            size += DELEGATION_BYTES
        return self.bond_minor + size * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Register the sender; see `Body.apply`."""
        record = ledger.get(VALIDATOR, call.sender)
        if record is None:
            record = new_validator(self.commission_bps)
        require_free(record)
        if self.commission_bps > record.commission_bps:
            raise ForbiddenError(f"the commission is {record.commission_bps} basis points and never rises")
        if record.is_listed and not self.bond_minor and self.commission_bps == record.commission_bps:
            raise ExistsError("the sender is a candidate already, with this commission")
        position = Position(
            ledger, call.sender, dataclasses.replace(record, commission_bps=self.commission_bps), call.sender
        )
        if self.bond_minor:
            position.bond(self.bond_minor)
        evicted = None
        if self.bond_minor or not record.is_listed:
            require_least_bond(position, ledger)
        if not record.is_listed:
            position.record, evicted = enlist(ledger, call.sender, position.record)
        position.put_back()
        return (call.sender,) if evicted is None else (call.sender, evicted)
