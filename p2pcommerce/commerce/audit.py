"""Conservation: nothing is made, nothing is lost.

    balances + bonded + rewards + escrow + campaigns + point reserves + deposits + fee pot + burned = supply at genesis

and everything that two records count of each other agrees (`Kind.tallies`): points held and outstanding, items locked
and the items of open orders, the open orders of teams and campaigns.

`audit_block` proves it after a block from what the block changed: it reads each changed record before and after, sums
what they hold, and compares with the sums that the block claims in its `Totals` record. `scan` adds up a whole state;
it is for genesis, tests and a node's start.

Stake has books of its own beside it (`stake_audit`).

Source: properties 1, 2, 3, 7 and 10 of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from p2pcommerce.commerce.kind import NOTHING_HELD, Holdings, Kind, Tallies
from p2pcommerce.commerce.rules import RULES
from p2pcommerce.commerce.schema import KINDS
from p2pcommerce.commerce.stake_audit import audit_stake, scan_stake
from p2pcommerce.commerce.totals import TOTALS, Totals
from p2pcommerce.ledger.epochs import is_system_key
from p2pcommerce.ledger.state import StateChanges, StateView
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError

__all__ = ["AUDITED_MAX", "Audited", "Sums", "audit_block", "scan", "sums_of"]

AUDITED_MAX: Final = 8_192
"""Records remembered at most."""
Audited: TypeAlias = dict[bytes, tuple[bytes, Holdings, int, Tallies]]
"""Key -> a value that was decoded, its money, the bytes for which a deposit is held, and what it counts."""
_NO_TOTALS = Totals(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class Sums(NamedTuple):
    """What some records add up to.

    Attributes:
        held: the money.
        size: bytes for which deposits are held.
        tallies: what they count, by name.
    """

    held: Holdings
    size: int
    tallies: dict[bytes, int]


def sums_of(
    records: Iterable[tuple[bytes, bytes]],
    kinds: Mapping[int, Kind[Any]] = KINDS,
    audited: Audited | None = None,
) -> Sums:
    """Add up what some state records hold and count.

    Args:
        records: state key and value.
        kinds: the table of kinds.
        audited: what was decoded before, by this table; what is decoded now is added. Only the very same value counts,
            not an equal one, so that a lookup costs no comparison.

    Raises:
        LocalProtocolError: a record is of no known kind, malformed, or has a negative or too large number.
    """
    balances = bonded = rewards = escrow = campaigns = points = total = 0
    tallies: dict[bytes, int] = {}
    for key, value in records:
        if is_system_key(key):
            continue  # of the chain, which keeps its own records in the same state
        known = None if audited is None else audited.get(key)
        if known is not None and known[0] is value:
            _, held, size, counts = known
        else:
            held, size, counts = _weighed(key, value, kinds)
            if audited is not None:
                audited[key] = (value, held, size, counts)
        balances += held.balances_minor
        bonded += held.bonded_minor
        rewards += held.rewards_minor
        escrow += held.escrow_minor
        campaigns += held.campaigns_minor
        points += held.points_minor
        total += size
        for name, count in counts:
            tallies[name] = tallies.get(name, 0) + count
    return Sums(Holdings(balances, bonded, rewards, escrow, campaigns, points), total, tallies)


def _weighed(key: bytes, value: bytes, kinds: Mapping[int, Kind[Any]]) -> tuple[Holdings, int, Tallies]:
    """Return what one record holds, the bytes for which its deposit is held, and what it counts."""
    kind = kinds.get(key[0])
    if kind is None:
        raise LocalProtocolError(f"the state holds a record of unknown kind {key[0]}")
    try:
        record = kind.read(value)
    except CodecError as error:
        raise LocalProtocolError(f"the state holds a broken {kind.name}: {error}") from error
    counts = () if kind.tallies is None else kind.tallies(key[1:], record)
    return NOTHING_HELD if kind.held is None else kind.held(record), kind.size(record), counts


def audit_block(
    supply_minor: int,
    byte_price: int,
    before: StateView,
    changes: StateChanges,
    kinds: Mapping[int, Kind[Any]] = KINDS,
    audited: Audited | None = None,
) -> None:
    """Check one block.

    Args:
        supply_minor: at genesis.
        byte_price: minor units of deposit per byte of state.
        before: the state before the block.
        changes: what the block changed.
        kinds: the table of kinds.
        audited: what was decoded for earlier blocks; kept by the caller from block to block.

    Raises:
        LocalProtocolError: something was made or lost, or `before` is not the state before the block.
    """
    claimed = changes.get(TOTALS.tag)
    if claimed is None:
        if changes:
            raise LocalProtocolError("a block changed the state and not its totals")
        return
    if before.get(TOTALS.tag) is claimed:
        raise LocalProtocolError("an audit needs the state before the block, and was given the one after it")
    old_totals, new_totals = _read_totals(before.get(TOTALS.tag)), _read_totals(claimed)
    olds = ((key, value) for key in changes if (value := before.get(key)) is not None)
    news = ((key, value) for key, value in changes.items() if value is not None)
    if audited is not None and len(audited) >= AUDITED_MAX:
        audited.clear()
    # The old ones first: what is decoded of the new ones takes their places.
    old, new = sums_of(olds, kinds, audited), sums_of(news, kinds, audited)
    for index, name in enumerate(Holdings._fields):
        changed = new.held[index] - old.held[index]
        told: int = getattr(new_totals, name) - getattr(old_totals, name)
        if changed != told:
            raise LocalProtocolError(f"{name} changed by {changed} and the totals say {told}")
    if new.size - old.size != new_totals.state_bytes - old_totals.state_bytes:
        raise LocalProtocolError("the totals do not count the bytes of state that the block added")
    _compare_tallies(old.tallies, new.tallies)
    total = new_totals.sum_minor(byte_price)
    if total != supply_minor:
        raise LocalProtocolError(f"there are {total} minor units, at genesis there were {supply_minor}")
    audit_stake(before, changes)


def scan(values: Mapping[bytes, bytes], kinds: Mapping[int, Kind[Any]] = KINDS) -> Totals:
    """Add up a whole state and check it against its totals and its supply.

    Args:
        values: every key and value of the state; the chain's own records are left out.
        kinds: the table of kinds.

    Returns:
        The totals, as counted.

    Raises:
        LocalProtocolError: the state's totals are wrong, or do not add up to the supply.
    """
    kept = _read_totals(values.get(TOTALS.tag))
    own = ((key, value) for key, value in values.items() if not is_system_key(key))
    held, size, tallies = sums_of(own, kinds)
    _compare_tallies({}, tallies)
    counted = Totals(kept.time_ms, *held, size, kept.fee_pot_minor, kept.burned_minor)
    if counted != kept:
        raise LocalProtocolError(f"the state's totals are {kept}, its records add up to {counted}")
    rules = RULES.read(values[RULES.tag])
    total = counted.sum_minor(rules.byte_price)
    if total != rules.supply_minor:
        raise LocalProtocolError(f"there are {total} minor units, at genesis there were {rules.supply_minor}")
    scan_stake(values)
    return counted


def _compare_tallies(before: Mapping[bytes, int], after: Mapping[bytes, int]) -> None:
    for tally in (*before, *after):
        if after.get(tally, 0) != before.get(tally, 0):
            raise LocalProtocolError(f"records disagree on what they count of each other: {tally!r:.80}")


def _read_totals(value: bytes | None) -> Totals:
    if value is None:
        return _NO_TOTALS
    try:
        return TOTALS.read(value)
    except CodecError as error:
        raise LocalProtocolError(f"the state holds broken totals: {error}") from error
