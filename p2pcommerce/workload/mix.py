"""How often each kind of transaction comes, and what that means for the life of one order.

Of what the mix says an order's ending follows: of 20 that are shipped 16 are confirmed, 3 are settled by anybody once
their time is over, in 0.2 the arbiter is called (one dispute and one resolution are 0.4), and what is left is given
back. Half of those that confirm write a review. One of 21 that are placed is never shipped; of these every other one is
cancelled by its buyer.

Source: the workload of the commerce specification.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

__all__ = [
    "CANCELLED_SHARE",
    "MIX",
    "PEAK_PERIOD_S",
    "PEAK_S",
    "REVIEWED_SHARE",
    "Ending",
    "ending_of",
    "is_peak",
    "peak_share",
]

MIX: Final = {
    "place": 21.0,
    "ship": 20.0,
    "confirm": 16.0,
    "settle": 3.0,
    "refund": 1.6,
    "dispute": 0.4,
    "review": 8.0,
    "trace": 22.0,
    "catalogue": 3.0,
    "transfer": 3.0,
    "points": 1.0,
    "campaign": 0.3,
    "stake": 0.6,
    "attest": 0.1,
}
"""Kinds of transactions and their share, in percent. A refund is one by the store or a buyer's cancellation, a dispute
one or its resolution."""

PEAK_PERIOD_S: Final = 30.0
PEAK_S: Final = 5.0
REVIEWED_SHARE: Final = MIX["review"] / MIX["confirm"]
"""Of the confirmed orders."""

CANCELLED_SHARE: Final = (1 - MIX["ship"] / MIX["place"]) / 2
"""Of the placed orders, those whose buyers change their mind before they are shipped."""

_CLOSED: Final = MIX["confirm"] + MIX["settle"] + MIX["dispute"] / 2
_SETTLED_SHARE: Final = MIX["settle"] / _CLOSED
_DISPUTED_SHARE: Final = MIX["dispute"] / 2 / _CLOSED


@unique
class Ending(Enum):
    """How an order that was shipped comes to its end."""

    CONFIRMED = "confirmed"
    SETTLED = "settled"
    DISPUTED = "disputed"


def ending_of(rng: random.Random) -> Ending:
    """Draw how a shipped order ends that nobody gives back; one draw."""
    draw = rng.random()
    if draw < _SETTLED_SHARE:
        return Ending.SETTLED
    return Ending.DISPUTED if draw < _SETTLED_SHARE + _DISPUTED_SHARE else Ending.CONFIRMED


def is_peak(offset_s: float) -> bool:
    """Tell whether a moment of the load (seconds from its start) belongs to a peak: the last 5 s of every 30 s."""
    return offset_s % PEAK_PERIOD_S >= PEAK_PERIOD_S - PEAK_S


def peak_share(duration_s: float) -> float:
    """Return the share of a finite duration that belongs to peaks."""
    whole, rest_s = divmod(duration_s, PEAK_PERIOD_S)
    return (whole * PEAK_S + max(0.0, rest_s - (PEAK_PERIOD_S - PEAK_S))) / duration_s if duration_s else 0.0
