"""The candidates: at most 256 validators that stand for the validator set with their stake.

Who is listed leaves by unbonding all stake of its own, by being jailed, or when a newcomer with more stake takes the
place of the lowest one. The stake stays where it is then, and its owners unbond it; a former candidate that was not
jailed registers again when it can.

One person may be many candidates, but each place costs the least bond, and a full list gives way to more stake.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.errors import LimitError
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.validator import VALIDATOR, ValidatorRecord, require_validator
from p2pcommerce.ledger.validators import VALIDATORS_MAX
from p2pcommerce.primitives.codec import KEY, array, record_of
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["CANDIDATES_MAX", "FORMER_MAX", "ROSTER", "Roster", "candidates", "enlist", "former", "strike"]

CANDIDATES_MAX: Final = VALIDATORS_MAX
"""As many as a validator set holds."""
FORMER_MAX: Final = 64
"""Former candidates that a query still lists."""
_FORMER: Final = b"former"


@dataclass(frozen=True, slots=True)
class Roster:
    """A list of validators, so that nothing needs a scan.

    Attributes:
        keys: public keys (32 bytes): of candidates ascending, of former ones in the order in which they left.
    """

    keys: tuple[PublicKey, ...]


ROSTER: Final = Kind("roster", b"\x04", record_of(Roster, keys=array(KEY, CANDIDATES_MAX)), size=lambda _: 0)


def candidates(ledger: Ledger) -> tuple[PublicKey, ...]:
    """Return the public keys of all candidates, ascending."""
    return _keys(ledger, b"")


def former(ledger: Ledger) -> tuple[PublicKey, ...]:
    """Return the public keys of those who last ceased to be candidates, at most 64."""
    return _keys(ledger, _FORMER)


def enlist(ledger: Ledger, key: PublicKey, record: ValidatorRecord) -> tuple[ValidatorRecord, PublicKey | None]:
    """Make a validator a candidate, in the place of the lowest one if there is none free.

    Returns:
        Its record, which the caller writes, and who lost the place.

    Raises:
        LimitError: all places are taken, and it has no more stake than the lowest one.
    """
    listed = candidates(ledger)
    evicted: PublicKey | None = None
    if len(listed) >= CANDIDATES_MAX:
        # Of equals the one with the highest key is the lowest: which of them it is must be the same everywhere.
        stake_minor, evicted = min(
            ((require_validator(ledger, each).active.minor, each) for each in reversed(listed)), key=lambda one: one[0]
        )
        if record.active.minor <= stake_minor:
            raise LimitError(
                f"all {CANDIDATES_MAX} places are taken, the lowest with {stake_minor} minor units: more is needed"
            )
        ledger.put(VALIDATOR, evicted, strike(ledger, evicted, require_validator(ledger, evicted)))
    listed = candidates(ledger)
    place = bisect_left(listed, key)
    ledger.put(ROSTER, b"", Roster((*listed[:place], key, *listed[place:])))
    left = former(ledger)
    if key in left:
        ledger.put(ROSTER, _FORMER, Roster(tuple([each for each in left if each != key])))
    return dataclasses.replace(record, is_listed=True), evicted


def strike(ledger: Ledger, key: PublicKey, record: ValidatorRecord) -> ValidatorRecord:
    """Take a validator from the list, if it is on it, and return its record, which the caller writes."""
    if not record.is_listed:
        return record
    ledger.put(ROSTER, b"", Roster(tuple([each for each in candidates(ledger) if each != key])))
    ledger.put(ROSTER, _FORMER, Roster((*former(ledger), key)[-FORMER_MAX:]))
    return dataclasses.replace(record, is_listed=False)


def _keys(ledger: Ledger, identifier: bytes) -> tuple[PublicKey, ...]:
    roster = ledger.get(ROSTER, identifier)
    return () if roster is None else roster.keys
