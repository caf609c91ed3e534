"""What a target says is wrong, beside any exception that escapes from the product."""

from __future__ import annotations

__all__ = ["BrokenRuleError", "check"]


class BrokenRuleError(Exception):
    """The product took an input in a way that it must not."""


def check(holds: bool, rule: str) -> None:  # noqa: FBT001 - an assertion
    """Demand that a rule holds.

    Raises:
        BrokenRuleError: it does not.
    """
    if not holds:
        raise BrokenRuleError(rule)
