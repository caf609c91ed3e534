"""Why a commerce transaction is refused: one class per code of the specification.

`FormatError` is part of a bad envelope: a body that is not of its type's form has no weight and no fee, so that a block
must not hold it. Every other error fails the transaction alone: it stands in its block, costs its fee and nonce, and
changes nothing else.

Source: the codes of the commerce specification.
"""

from __future__ import annotations

from p2pcommerce.primitives.errors import P2PError, RejectionCode

__all__ = [
    "BudgetError",
    "CommerceError",
    "ExistsError",
    "ForbiddenError",
    "FormatError",
    "FundsError",
    "LimitError",
    "NotFoundError",
    "StateError",
    "StockError",
    "TooEarlyError",
    "TooLateError",
]


class CommerceError(P2PError):
    """Base of the rules that a transaction can break; the message is the sentence that its sender reads."""

    code = RejectionCode.BAD_FORMAT.value

    @property
    def rejection(self) -> RejectionCode:
        """The code as receipts carry it."""
        return RejectionCode(self.code)


class FormatError(CommerceError):
    """The body is not of the form of its type, whatever the state."""

    code = RejectionCode.BAD_FORMAT.value


class FundsError(CommerceError):
    """Somebody who must pay cannot."""

    code = RejectionCode.NO_FUNDS.value


class NotFoundError(CommerceError):
    """What the body names is not there."""

    code = RejectionCode.NOT_FOUND.value


class ExistsError(CommerceError):
    """What the body would create is there already."""

    code = RejectionCode.EXISTS.value


class ForbiddenError(CommerceError):
    """The sender has no right to do this, or this version of the chain does not offer it."""

    code = RejectionCode.FORBIDDEN.value


class StateError(CommerceError):
    """What the body names is not in a state that allows this."""

    code = RejectionCode.BAD_STATE.value


class TooEarlyError(CommerceError):
    """The time for this has not come."""

    code = RejectionCode.TOO_EARLY.value


class TooLateError(CommerceError):
    """The time for this is over."""

    code = RejectionCode.TOO_LATE.value


class LimitError(CommerceError):
    """A number is outside its limits."""

    code = RejectionCode.LIMIT.value


class BudgetError(CommerceError):
    """A campaign has less than the reward that its store promises for this order."""

    code = RejectionCode.NO_BUDGET.value


class StockError(CommerceError):
    """Less is on offer than the body takes."""

    code = RejectionCode.NO_STOCK.value
