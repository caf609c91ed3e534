"""The end of a block: its fees go to the proposer's pool, and changes of stake to the chain.

The proposer keeps its commission; the rest is counted per active share (`delegation`), in time that no number of
delegators changes. A proposer without active shares keeps all. Fees of one that the state does not know, or that is
jailed, wait in the pot for the next proposer.

Rounding: the commission is rounded down. What a share earns is rounded up to a 2^-128th of a minor unit, so that a
division without a rest gives what one expects; in 2^65 blocks, with 2^63 shares, that adds up to no minor unit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.pool import BPS
from p2pcommerce.commerce.validator import REWARD_UNIT, VALIDATOR, ValidatorRecord
from p2pcommerce.ledger.validators import ValidatorUpdate
from p2pcommerce.primitives.ids import PublicKey, Stake

__all__ = ["credit_fees", "report_stake"]


def credit_fees(ledger: Ledger, proposer: PublicKey) -> bool:
    """Give the fee pot to the proposer of a block; return whether anything was given."""
    fees_minor = ledger.totals.fee_pot_minor
    record = ledger.get(VALIDATOR, proposer)
    if not fees_minor or record is None or record.is_jailed:
        return False
    ledger.put(VALIDATOR, proposer, _credited(record, fees_minor))
    ledger.fee_pot_minor -= fees_minor
    return True


def _credited(record: ValidatorRecord, fees_minor: int) -> ValidatorRecord:
    if not record.active.shares:
        return dataclasses.replace(record, commission_minor=record.commission_minor + fees_minor)
    commission_minor = fees_minor * record.commission_bps // BPS
    shared_minor = fees_minor - commission_minor
    return dataclasses.replace(
        record,
        commission_minor=record.commission_minor + commission_minor,
        rewards_minor=record.rewards_minor + shared_minor,
        reward_index=record.reward_index - (-shared_minor * REWARD_UNIT // record.active.shares),
    )


def report_stake(ledger: Ledger, keys: Iterable[PublicKey]) -> list[ValidatorUpdate]:
    """Return whose stake in the validator set changed, of some validators, and write down that it was told."""
    updates = []
    for key in keys:
        record = ledger.get(VALIDATOR, key)
        if record is not None and record.stake_minor != record.told_minor:
            ledger.put(VALIDATOR, key, dataclasses.replace(record, told_minor=record.stake_minor))
            updates.append(ValidatorUpdate(key, Stake(record.stake_minor)))
    return updates
