"""Validators as the application keeps them: stake and what they earned.

The founding validators are written at genesis; fees of a block go to its proposer's record. Registering, bonding and
withdrawing belong to a later version.

Deviations: a validator has no state deposit. Nobody is there to pay for the founding ones, and the least bond is a
multiple of any deposit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.kind import U63, Holdings, Kind
from p2pcommerce.ledger.validators import VALIDATORS_MAX
from p2pcommerce.primitives.codec import KEY, array, record_of
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["ROSTER", "VALIDATOR", "Roster", "ValidatorRecord"]


@dataclass(frozen=True, slots=True)
class ValidatorRecord:
    """One validator; its id is its public key (32 bytes).

    Attributes:
        bonded_minor: its stake.
        rewards_minor: fees it earned and did not withdraw.
    """

    bonded_minor: int
    rewards_minor: int


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is a validator, so that a query needs no scan.

    Attributes:
        keys: public keys (32 bytes), ascending.
    """

    keys: tuple[PublicKey, ...]


VALIDATOR: Final = Kind(
    "validator",
    b"\x03",
    record_of(ValidatorRecord, bonded_minor=U63, rewards_minor=U63),
    size=lambda _: 0,
    held=lambda validator: Holdings(bonded_minor=validator.bonded_minor, rewards_minor=validator.rewards_minor),
)
ROSTER: Final = Kind("roster", b"\x04", record_of(Roster, keys=array(KEY, VALIDATORS_MAX)), size=lambda _: 0)
