"""The state at height 0: rules, accounts, validators and the first totals."""

from __future__ import annotations

from typing import Final

from p2pcommerce.commerce.account import ACCOUNT, ACCOUNT_BYTES, Account
from p2pcommerce.commerce.audit import scan, sums_of
from p2pcommerce.commerce.candidates import ROSTER, Roster
from p2pcommerce.commerce.delegation import DELEGATION, Delegation
from p2pcommerce.commerce.rules import RULES, Rules
from p2pcommerce.commerce.totals import TOTALS, Totals
from p2pcommerce.commerce.validator import VALIDATOR, founding_validator
from p2pcommerce.commerce.weight import WEIGHT_MAX
from p2pcommerce.ledger.genesis import Genesis, GenesisError

__all__ = ["found"]

TIME_MS_MAX: Final = 2**53
"""Latest time of a genesis; deadlines are added to it and stay far below 2^63."""


def found(genesis: Genesis) -> dict[bytes, bytes]:
    """Return the whole state at height 0.

    An account's deposit comes out of its first credit, which here is its balance in the genesis.

    Raises:
        GenesisError: the time is absurd, no block could hold the heaviest transaction, or a balance is below the
            deposit of its account.
    """
    if genesis.time_ms > TIME_MS_MAX:
        raise GenesisError(f"genesis: time_ms must be at most {TIME_MS_MAX}: Unix milliseconds")
    if genesis.parameters.block_weight_max < WEIGHT_MAX:
        raise GenesisError(
            f"genesis: block_weight_max is {genesis.parameters.block_weight_max}, but one transaction may weigh "
            f"{WEIGHT_MAX} and would fit no block; set it to {WEIGHT_MAX} or more"
        )
    rules = Rules.of(genesis)
    deposit = ACCOUNT_BYTES * rules.byte_price
    values = {RULES.tag: RULES.write(rules)}
    for account, amount_minor in sorted(genesis.balances.items()):
        if amount_minor < deposit:
            raise GenesisError(
                f"genesis: account {account.hex()} has {amount_minor} minor units, its state deposit alone is {deposit}"
            )
        values[ACCOUNT.key(account)] = ACCOUNT.write(Account(amount_minor - deposit, 0))
    for validator in genesis.validators:
        key, own = validator.public_key, Delegation(validator.stake, 0, (), is_founding=True)
        values[VALIDATOR.key(key)] = VALIDATOR.write(founding_validator(validator.stake))
        values[DELEGATION.key(key + key)] = DELEGATION.write(own)
    values[ROSTER.tag] = ROSTER.write(Roster(tuple(genesis.validators.keys)))
    held, size, _ = sums_of(values.items())
    values[TOTALS.tag] = TOTALS.write(Totals(genesis.time_ms, *held, size, 0, 0))
    scan(values)
    return values
