"""The one record of sums: where every minor unit is, and the application's time.

Each transaction moves the sums by what its records gained and lost; `audit` proves them against the records after every
block, and against the supply of the genesis. With them, "was anything made or lost" never needs a scan.

Application time advances by at most 60 s per block, so that a halt of the chain does not expire every order at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.kind import U63, Kind
from p2pcommerce.primitives.codec import record_of

__all__ = ["TOTALS", "Totals"]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the whole state.

    Attributes:
        time_ms: application time, Unix milliseconds at genesis.
        balances_minor: of all accounts.
        bonded_minor: stake at all validators, active and unbonding.
        rewards_minor: earned by all validators and their delegators, and not taken.
        escrow_minor: of all open orders, cash and the value of points.
        campaigns_minor: budgets of all campaigns, and what open orders have reserved of them.
        points_minor: reserves of all points.
        state_bytes: sum of the sizes of all records; the deposit pot is this times the byte price.
        fee_pot_minor: fees that no proposer has been credited with yet.
        burned_minor: gone for good.
    """

    time_ms: int
    balances_minor: int
    bonded_minor: int
    rewards_minor: int
    escrow_minor: int
    campaigns_minor: int
    points_minor: int
    state_bytes: int
    fee_pot_minor: int
    burned_minor: int

    def sum_minor(self, byte_price: int) -> int:
        """Return everything there is, in minor units, at a byte price: the supply, if all is well."""
        return (
            self.balances_minor
            + self.bonded_minor
            + self.rewards_minor
            + self.escrow_minor
            + self.campaigns_minor
            + self.points_minor
            + self.state_bytes * byte_price
            + self.fee_pot_minor
            + self.burned_minor
        )


TOTALS: Final = Kind(
    "totals",
    b"\x00",
    record_of(
        Totals,
        time_ms=U63,
        balances_minor=U63,
        bonded_minor=U63,
        rewards_minor=U63,
        escrow_minor=U63,
        campaigns_minor=U63,
        points_minor=U63,
        state_bytes=U63,
        fee_pot_minor=U63,
        burned_minor=U63,
    ),
    size=lambda _: 0,
)
