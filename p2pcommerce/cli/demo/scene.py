"""A market of one of the three scales: who is there from the start, and how large it is in the end.

Accounts are in the genesis, as many as a genesis takes, so that nobody has to be given tokens first. Stores and
listings are not part of a genesis: they are opened by transactions before the load, as fast as the network takes them.

Deviations: the genesis takes 100,000 balances, those of validators and banks included. Of scale M a few dozen
accounts, of scale L nine tenths are not there from the start; a load of ten minutes does not reach them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from p2pcommerce.cli.demo.folder import BANKS, NODES_MAX
from p2pcommerce.ledger.genesis import BALANCES_MAX
from p2pcommerce.workload import Scale
from p2pcommerce.workload.generator import customer_name, merchant_names

__all__ = ["OPENING_SHOPS", "OPENING_WINDOW", "Opening", "accounts_founded", "founded_people", "opening_text"]

OPENING_SHOPS: Final = 64
"""Shops of a scale that are opened at a time."""
OPENING_WINDOW: Final = 768
"""Transactions in flight meanwhile."""
_PER_STORE: Final = 2
"""Transactions that open a store, beside one for each of its products: the store and its terms."""
_OTHERS: Final = 60
"""Transactions of an opening that belong to no store: the people and products of custody."""
_OPENING_PER_S: Final = 500
"""Transactions per second that the time of an opening is reckoned with; `Opening` tells what it really took."""
_FOUNDERS: Final = BANKS + NODES_MAX + 1
"""Balances of a genesis that are not of the market: banks, validators, the guest."""


def accounts_founded(scale: Scale) -> int:
    """Return how many accounts of a scale are in its genesis."""
    return min(scale.accounts, BALANCES_MAX - _FOUNDERS)


def founded_people(scale: Scale) -> frozenset[str]:
    """Return the names of the people of a scale that are in its genesis: its merchants, and buyers."""
    buyers = accounts_founded(scale) - scale.merchants
    return frozenset(
        [
            *(f"merchant {name}" for name in merchant_names(scale.merchants)),
            *(f"customer {customer_name(1, number)}" for number in range(1, buyers + 1)),
        ]
    )


def opening_text(scale: Scale) -> str:
    """Return what is done before the load of a scale, and what of it cannot be in a genesis."""
    transactions = scale.products + _PER_STORE * scale.merchants + _OTHERS
    minutes = transactions / _OPENING_PER_S / 60
    founded = accounts_founded(scale)
    few = "" if founded == scale.accounts else f"; {founded:,} of {scale.accounts:,} accounts are in the genesis"
    return (
        f"workload {scale.name}: {scale.merchants:,} stores and {scale.products:,} products are opened by about "
        f"{transactions:,} transactions before the load, {minutes:.1f} minutes at {_OPENING_PER_S} a second{few}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The market of a scale as it stood when its load began.

    Attributes:
        scale: what it should be.
        accounts: in the genesis.
        stores, listings: that were open.
        transactions: that opened them; seconds: that it took.
    """

    scale: Scale
    accounts: int
    stores: int
    listings: int
    transactions: int
    seconds: float

    @property
    def name(self) -> str:
        """See `Section`."""
        return "workload"

    @property
    def ok(self) -> bool:
        """Whether every store and every product is on offer."""
        return self.stores >= self.scale.merchants and self.listings >= self.scale.products

    def to_plain(self) -> dict[str, object]:
        """See `Section`."""
        return {
            "scale": self.scale.name,
            "rate_per_s": self.scale.rate_per_s,
            "peak": self.scale.peak,
            "accounts": self.accounts,
            "accounts_of_scale": self.scale.accounts,
            "stores": self.stores,
            "listings": self.listings,
            "opening": {"transactions": self.transactions, "seconds": self.seconds},
        }

    def lines(self) -> Iterator[str]:
        """See `Section`."""
        of = "" if self.accounts >= self.scale.accounts else f" of {self.scale.accounts:,}"
        yield (
            f"    workload {self.scale.name}: {self.stores:,} stores, {self.listings:,} products, "
            f"{self.accounts:,}{of} accounts in the genesis; {self.transactions:,} transactions in "
            f"{self.seconds:.0f} s opened it"
        )
