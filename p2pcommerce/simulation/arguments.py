"""What a test hands to its `Cluster`, checked: one sentence each that says what to write instead.

Source: the interface specification (bad input: one line).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from p2pcommerce.ledger.application import Payload
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.faults import check_fault

__all__ = [
    "check_account_names",
    "check_faults",
    "check_groups",
    "check_integer",
    "check_item",
    "check_latency_ms",
    "check_node",
    "microseconds",
]

_SECONDS_MAX: Final = 365 * 86_400
_LATENCY_MS_MAX: Final = 60_000


def check_integer(name: str, value: object, example: int) -> None:
    """Check that a number is a whole one.

    Raises:
        UsageError: it is not.
    """
    if type(value) is not int:
        raise UsageError(f"{name} is {value!r}; give an integer: {name}={example}")


def _is_number(value: object, most: float) -> bool:
    """Tell whether a value is a number from 0 to `most`; NaN is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def microseconds(name: str, seconds: object) -> int:
    """Return microseconds of a time in seconds.

    Raises:
        UsageError: no number, negative, NaN, or more than a year.
    """
    if not _is_number(seconds, _SECONDS_MAX) or not isinstance(seconds, int | float):
        raise UsageError(f"{name} is {seconds!r}; give seconds, 0 to {_SECONDS_MAX:,} (time runs forward only)")
    return round(seconds * MICROSECONDS)


def check_latency_ms(latency_ms: object) -> None:
    """Check a delay in milliseconds.

    Raises:
        UsageError: no number, negative, NaN, or more than a minute.
    """
    if not _is_number(latency_ms, _LATENCY_MS_MAX):
        raise UsageError(f"latency_ms is {latency_ms!r}; give milliseconds, 0 to {_LATENCY_MS_MAX:,}")


def check_account_names(accounts: object) -> None:
    """Check names of accounts.

    Raises:
        UsageError: a single text, or no sequence of texts.
    """
    if isinstance(accounts, str):
        raise UsageError(f"accounts is one text; give a sequence of names: accounts=({accounts!r},)")
    if not isinstance(accounts, Sequence) or not all(isinstance(name, str) and name for name in accounts):
        raise UsageError(f"accounts is {accounts!r}; give a sequence of names: accounts=('ann', 'bob')")


def check_faults(faults: object) -> None:
    """Check kinds of faults and their intensities.

    Raises:
        UsageError: no mapping, an unknown kind, or an intensity out of range.
    """
    if not isinstance(faults, Mapping):
        raise UsageError(f"faults is {faults!r}; give intensities by kind: faults={{'loss': 0.05}}")
    for kind, intensity in faults.items():
        check_fault(kind, intensity if _is_number(intensity, 1) else math.nan)


def check_node(node: object, count: int) -> None:
    """Check the number of a node.

    Raises:
        UsageError: no integer, or there is no such node.
    """
    if type(node) is not int or not 0 <= node < count:
        raise UsageError(f"there is no node {node!r}; there are 0 to {count - 1}")


def check_groups(groups: object, count: int) -> tuple[tuple[int, ...], ...]:
    """Return the groups of a partition.

    Raises:
        UsageError: no lists of nodes, an unknown node, one that is named twice, or nobody is cut off.
    """
    example = "partition([[0, 1], [2, 3]])"
    if not isinstance(groups, Sequence) or not all(
        isinstance(group, Sequence) and not isinstance(group, str) for group in groups
    ):
        raise UsageError(f"a partition needs groups of nodes, not {groups!r}: {example}")
    found = tuple(tuple(group) for group in groups if group)
    named: list[int] = []
    for node in (node for group in found for node in group):
        check_node(node, count)
        if node in named:
            raise UsageError(f"node {node} is named twice; each node is in one group: {example}")
        named.append(node)
    if len(found) + (len(named) < count) < 2:
        raise UsageError(f"this leaves all nodes in one group; name two groups or some of the nodes: {example}")
    return found


def check_item(item: object) -> None:
    """Check what is submitted.

    Raises:
        UsageError: neither a payload nor a transaction.
    """
    if not isinstance(item, Transaction) and not (hasattr(item, "TYPE") and hasattr(item, Payload.to_body.__name__)):
        raise UsageError(f"submit takes a payload, such as Transfer(...), or a signed Transaction, not {item!r}")
