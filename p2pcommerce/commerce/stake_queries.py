"""Questions about validators and stake; `queries` has the table of all questions."""

from __future__ import annotations

from p2pcommerce.commerce.arguments import Arguments, read_key, read_number
from p2pcommerce.commerce.candidates import candidates, former
from p2pcommerce.commerce.delegation import DELEGATION, earned_minor
from p2pcommerce.commerce.epoch_clock import epoch_now, has_left
from p2pcommerce.commerce.evidence import OFFENCE, offence_id
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.validator import VALIDATOR, ValidatorRecord
from p2pcommerce.ledger.epochs import sets_change_in, sets_in
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["offence", "stake", "validator", "validators"]


def validators(_: Arguments, ledger: Ledger) -> object:
    """Return all candidates by public key, and after them who last ceased to be one."""
    answers = []
    for key in (*candidates(ledger), *former(ledger)):
        record = ledger.get(VALIDATOR, key)
        if record is not None:
            answers.append(_plain(key, record, ledger))
    return answers


def validator(arguments: Arguments, ledger: Ledger) -> object:
    """Return one validator, None if nobody of this key ever registered."""
    key = read_key(arguments, "validator")
    record = ledger.get(VALIDATOR, key)
    if record is None:
        return None
    own = ledger.get(DELEGATION, key + key)
    return {
        **_plain(key, record, ledger),
        "own_minor": 0 if own is None else record.active.value(own.shares),
        "shares": record.active.shares,
        "unbonding_shares": record.unbonding.shares,
    }


def offence(arguments: Arguments, ledger: Ledger) -> object:
    """Return what a validator was punished for in an epoch, None if it was not."""
    record = ledger.get(OFFENCE, offence_id(read_key(arguments, "validator"), read_number(arguments, "epoch")))
    if record is None:
        return None
    return {
        "rule": record.kind,
        "height": record.height,
        "slashed_minor": record.slashed_minor,
        "reporter": record.reporter.hex(),
        "reward_minor": record.reward_minor,
    }


def stake(arguments: Arguments, ledger: Ledger) -> object:
    """Return what an account has at one validator, or at all that the list of validators names."""
    account = read_key(arguments, "account")
    named = "validator" in arguments
    keys = (read_key(arguments, "validator"),) if named else (*candidates(ledger), *former(ledger))
    return [answer for key in keys if (answer := _plain_stake(key, account, ledger)) is not None]


def _plain(key: PublicKey, record: ValidatorRecord, ledger: Ledger) -> dict[str, object]:
    return {
        "public_key": key.hex(),
        "bonded_minor": record.active.minor,
        "unbonding_minor": record.unbonding.minor,
        "commission_bps": record.commission_bps,
        "commission_minor": record.commission_minor,
        "rewards_minor": record.commission_minor + record.rewards_minor,
        "candidate": record.is_listed,
        "jailed": record.is_jailed,
        "in_set": _is_in_set(key, record, ledger),
        "set_changes": sets_change_in(ledger.view),
    }


def _is_in_set(key: PublicKey, record: ValidatorRecord, ledger: Ledger) -> bool:
    """Tell whether a validator votes now: by the chain's record of this epoch's set, without one by the genesis."""
    try:
        return key in sets_in(ledger.view)(epoch_now(ledger))
    except KeyError:
        return record.is_founding


def _plain_stake(key: PublicKey, account: PublicKey, ledger: Ledger) -> dict[str, object] | None:
    record, own = ledger.get(VALIDATOR, key), ledger.get(DELEGATION, key + account)
    if record is None or own is None:
        return None
    return {
        "validator": key.hex(),
        "bonded_minor": record.active.value(own.shares),
        "earned_minor": earned_minor(record, own),
        "unbonding": [
            {
                "epoch": entry.epoch,
                "amount_minor": record.unbonding.value(entry.shares),
                "may_withdraw": has_left(ledger, entry.epoch),
            }
            for entry in own.unbondings
        ],
    }
