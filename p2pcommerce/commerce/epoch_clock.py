"""When each epoch began, in application time: unbonded stake is withdrawn by that.

Stake that is unbonded in epoch e votes until the end of e + 1, and may be withdrawn once `unbonding_s` have passed
since e + 2 began. Until then evidence of epoch e + 1 counts, by the same time (`ledger.epochs`). (With a
finality engine that does not follow epochs no stake ever leaves the set, and none is withdrawn.) A start is kept until
that time is over: what is older is known to be over, and costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.kind import U63, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.primitives.codec import U32, record_of

__all__ = [
    "EPOCH_CLOCK",
    "EPOCH_START",
    "LEAVES_AFTER",
    "EpochClock",
    "EpochStart",
    "epoch_now",
    "has_left",
    "note_epoch",
]

LEAVES_AFTER: Final = 2
"""Epochs from a change of stake to the set in which it counts."""


@dataclass(frozen=True, slots=True)
class EpochClock:
    """Where the chain stands.

    Attributes:
        epoch: of the last block.
        oldest: the oldest epoch whose start is kept; that of an older one is longer ago than stake waits.
    """

    epoch: int
    oldest: int


@dataclass(frozen=True, slots=True)
class EpochStart:
    """When an epoch began; its id is its number (4 bytes).

    Attributes:
        time_ms: application time of its first block, Unix milliseconds.
    """

    time_ms: int


EPOCH_CLOCK: Final = Kind("epoch clock", b"\x0e", record_of(EpochClock, epoch=U32, oldest=U32), size=lambda _: 0)
EPOCH_START: Final = Kind("epoch start", b"\x0f", record_of(EpochStart, time_ms=U63), size=lambda _: 0)
_FIRST: Final = EpochClock(epoch=0, oldest=1)


def epoch_now(ledger: Ledger) -> int:
    """Return the epoch of the last block."""
    return _clock(ledger).epoch


def note_epoch(ledger: Ledger, epoch: int) -> bool:
    """Write down that a block of an epoch begins, and return whether it is the first one of it."""
    clock = _clock(ledger)
    if epoch <= clock.epoch:
        return False
    begun, oldest = range(clock.epoch + 1, epoch + 1), clock.oldest
    for each in begun:
        ledger.put(EPOCH_START, _id(each), EpochStart(ledger.now_ms))
    # Two for each one that is added: the list catches up when starts become old, and no block does much.
    for _ in range(2 * len(begun)):
        if oldest >= epoch or not _is_over(ledger, oldest):
            break
        ledger.remove(EPOCH_START, _id(oldest))
        oldest += 1
    ledger.put(EPOCH_CLOCK, b"", EpochClock(epoch, oldest))
    return True


def has_left(ledger: Ledger, epoch: int) -> bool:
    """Tell whether stake that was unbonded in an epoch has waited long enough."""
    clock, leaves = _clock(ledger), epoch + LEAVES_AFTER
    return leaves <= clock.epoch and (leaves < clock.oldest or _is_over(ledger, leaves))


def _is_over(ledger: Ledger, epoch: int) -> bool:
    start = ledger.get(EPOCH_START, _id(epoch))
    return start is not None and ledger.now_ms >= start.time_ms + ledger.rules.unbonding_s * 1_000


def _clock(ledger: Ledger) -> EpochClock:
    clock = ledger.get(EPOCH_CLOCK, b"")
    return _FIRST if clock is None else clock


def _id(epoch: int) -> bytes:
    return epoch.to_bytes(4, "big")
