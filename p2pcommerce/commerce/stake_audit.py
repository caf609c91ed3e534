"""The books of stake: every share belongs to somebody, and a share loses value by a slash alone.

    shares of a pool = sum of the shares of its delegations
    minor units of a pool <= its shares; none without shares
    minor / shares of a pool falls only in a block that puts an offence of the validator on record

`audit_stake` proves it after a block from what the block changed. `scan_stake` looks at a whole state, and there also
at what a block cannot show in the time of a block: that the fees of all delegations are there, and who is listed.

Source: property 10 of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from p2pcommerce.commerce.candidates import ROSTER
from p2pcommerce.commerce.delegation import DELEGATION, Delegation, earned_minor
from p2pcommerce.commerce.evidence import OFFENCE
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.pool import Pool
from p2pcommerce.commerce.validator import VALIDATOR, ValidatorRecord
from p2pcommerce.ledger.state import StateChanges, StateView
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError

__all__ = ["audit_stake", "scan_stake"]

R = TypeVar("R")
_KEY_END: Final = 33
"""A state key's tag and the public key after it."""
_TAGS: Final = frozenset(kind.tag[0] for kind in (VALIDATOR, DELEGATION, OFFENCE))


def audit_stake(before: StateView, changes: StateChanges) -> None:
    """Check the stake that one block changed.

    Args:
        before: the state before the block.
        changes: what the block changed.

    Raises:
        LocalProtocolError: the books are wrong: a defect of the application.
    """
    moved: dict[bytes, tuple[int, int]] = {}
    slashed: set[bytes] = set()
    for key in changes:
        # Most records of a block are of other kinds: this is all that they cost here.
        if key[0] not in _TAGS:
            continue
        validator = key[1:_KEY_END]
        sums = moved.setdefault(validator, (0, 0))
        if key[:1] == OFFENCE.tag:
            slashed.add(validator)
        elif key[:1] == DELEGATION.tag:
            (old_active, old_unbonding), (active, unbonding) = _shares(before.get(key)), _shares(changes[key])
            moved[validator] = (sums[0] + active - old_active, sums[1] + unbonding - old_unbonding)
    for validator, sums in moved.items():
        state_key = VALIDATOR.key(validator)
        old = _read(VALIDATOR, before.get(state_key))
        new = _read(VALIDATOR, changes.get(state_key)) or old
        for index, (first, second) in enumerate(zip(_pools(old), _pools(new), strict=True)):
            _check_pool(second)
            if second.shares - first.shares != sums[index]:
                raise LocalProtocolError("the shares of a validator's pool are not those of its delegations")
            if second.minor * first.shares < first.minor * second.shares and validator not in slashed:
                raise LocalProtocolError("the shares of a pool lost value without a slash")


def scan_stake(values: Mapping[bytes, bytes]) -> None:
    """Check all stake of a whole state.

    Raises:
        LocalProtocolError: the books are wrong.
    """
    validators: dict[bytes, ValidatorRecord] = {}
    delegations: dict[bytes, list[Delegation]] = {}
    for key, value in values.items():
        if key[:1] == VALIDATOR.tag and (record := _read(VALIDATOR, value)) is not None:
            validators[key[1:]] = record
        elif key[:1] == DELEGATION.tag and (delegation := _read(DELEGATION, value)) is not None:
            delegations.setdefault(key[1:_KEY_END], []).append(delegation)
    for validator, record in validators.items():
        own = delegations.pop(validator, [])
        held = sum(each.shares for each in own), sum(each.unbonding_shares for each in own)
        for pool, shares in zip(_pools(record), held, strict=True):
            _check_pool(pool)
            if pool.shares != shares:
                raise LocalProtocolError("the shares of a validator's pool are not those of its delegations")
        if sum(earned_minor(record, each) for each in own) > record.rewards_minor:
            raise LocalProtocolError("delegations earned more fees than their validator holds")
    if delegations:
        raise LocalProtocolError("a delegation is to nobody")
    roster = _read(ROSTER, values.get(ROSTER.tag))
    listed = sorted(key for key, record in validators.items() if record.is_listed)
    if listed != ([] if roster is None else list(roster.keys)):
        raise LocalProtocolError("the list of candidates does not name those who are listed")


def _check_pool(pool: Pool) -> None:
    if pool.minor > pool.shares:
        raise LocalProtocolError("a share is worth more than it ever was")


def _pools(record: ValidatorRecord | None) -> tuple[Pool, Pool]:
    return (Pool(0, 0), Pool(0, 0)) if record is None else (record.active, record.unbonding)


def _shares(value: bytes | None) -> tuple[int, int]:
    delegation = _read(DELEGATION, value)
    return (0, 0) if delegation is None else (delegation.shares, delegation.unbonding_shares)


def _read(kind: Kind[R], value: bytes | None) -> R | None:
    if value is None:
        return None
    try:
        return kind.read(value)
    except CodecError as error:
        raise LocalProtocolError(f"the state holds a broken {kind.name}: {error}") from error
