"""Evidence: two signed messages that no honest validator signs together cost it a part of its stake.

Both pools of the validator lose `slash_bps`, it is jailed for good, and the offence stays on record, so that one epoch
is punished once, whatever further evidence of it comes. Of what is taken a part goes to the reporter and the rest is
burned.

What the reporter gets is a part of the *validator's own* loss. Otherwise a validator with little stake of its own and
much from delegators would report itself from a second account, and gain from what its delegators lose. It gets nothing
if it reports itself openly; behind a second account it loses at least half of what it would lose to a stranger.

Source: "Token and stake" of the commerce specification. Deviations: the cap just named. Whoever copies a stranger's
evidence into an own transaction and is first gets the reward.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.candidates import strike
from p2pcommerce.commerce.delegation import DELEGATION
from p2pcommerce.commerce.errors import ExistsError, ForbiddenError
from p2pcommerce.commerce.kind import U63, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.pool import BPS
from p2pcommerce.commerce.validator import VALIDATOR, ValidatorRecord, require_validator
from p2pcommerce.ledger.transaction import TRANSACTION_BYTES_MAX
from p2pcommerce.primitives.codec import KEY, blob, record_of, text
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import SIGNATURE_BYTES, PublicKey

__all__ = ["EVIDENCE_BYTES_MAX", "OFFENCE", "OffenceRecord", "SubmitEvidence", "offence_id"]

EVIDENCE_BYTES_MAX: Final = TRANSACTION_BYTES_MAX - 1_024
"""What an envelope leaves. Two signed votes are some 260 bytes; a certificate that was misused, 66 for each signer."""
OFFENCE_BYTES: Final = 112
_KIND_BYTES_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class OffenceRecord:
    """What one validator was punished for; its id is its key and the epoch (40 bytes).

    Attributes:
        kind: the rule that it broke.
        slashed_minor: what its pools lost.
        reporter: account, 32 bytes.
        reward_minor: the part of it that the reporter got; the rest was burned.
    """

    kind: str
    slashed_minor: int
    reporter: PublicKey
    reward_minor: int


OFFENCE: Final = Kind(
    "offence",
    b"\x0d",
    record_of(OffenceRecord, kind=text(_KIND_BYTES_MAX), slashed_minor=U63, reporter=KEY, reward_minor=U63),
    size=lambda _: OFFENCE_BYTES,
)


def offence_id(validator: bytes, epoch: int) -> bytes:
    """Return the id (40 bytes) of a validator's offence in an epoch."""
    return validator + epoch.to_bytes(8, "big")


@body("evidence.submit", evidence=blob(EVIDENCE_BYTES_MAX, 1))
@dataclass(frozen=True, slots=True)
class SubmitEvidence(Body):
    """Report a validator.

    Attributes:
        evidence: two signed messages, as the finality engine writes them; at most 15 KiB.
    """

    evidence: bytes

    @override
    def records(self) -> int:
        """The sender's account, validator, offence, both lists of validators, and every signature that may be in it."""
        return 5 + len(self.evidence) // SIGNATURE_BYTES

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposit of the record."""
        return OFFENCE_BYTES * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Slash and jail; see `Body.apply`."""
        offence = call.convict(self.evidence)
        if offence is None:
            raise ForbiddenError("the evidence convicts nobody, or is of an epoch too long ago")
        record = require_validator(ledger, offence.offender)
        identifier = offence_id(offence.offender, offence.epoch)
        if ledger.get(OFFENCE, identifier) is not None:
            raise ExistsError("the validator was punished for this epoch already")
        slashed, slashed_minor = self._slash(ledger, record)
        own_minor = self._own_loss_minor(ledger, offence.offender, record)
        reward_minor = min(own_minor, slashed_minor) * ledger.rules.reporter_bps // BPS
        if call.sender == offence.offender:
            reward_minor = 0
        ledger.put(VALIDATOR, offence.offender, strike(ledger, offence.offender, slashed))
        kind = offence.kind.encode("ascii", "replace")[:_KIND_BYTES_MAX].decode()
        ledger.put(OFFENCE, identifier, OffenceRecord(kind, slashed_minor, call.sender, reward_minor))
        ledger.burned_minor += slashed_minor - reward_minor
        if reward_minor:
            ledger.credit(call.sender, reward_minor)
        return (offence.offender, call.sender)

    @staticmethod
    def _slash(ledger: Ledger, record: ValidatorRecord) -> tuple[ValidatorRecord, int]:
        bps = ledger.rules.slash_bps
        active, unbonding = record.active.slashed(bps), record.unbonding.slashed(bps)
        lost_minor = record.active.minor - active.minor + record.unbonding.minor - unbonding.minor
        return dataclasses.replace(record, active=active, unbonding=unbonding, is_jailed=True), lost_minor

    @staticmethod
    def _own_loss_minor(ledger: Ledger, validator: PublicKey, record: ValidatorRecord) -> int:
        own = ledger.get(DELEGATION, validator + validator)
        if own is None:
            return 0
        stake_minor = record.active.value(own.shares) + record.unbonding.value(own.unbonding_shares)
        return stake_minor * ledger.rules.slash_bps // BPS
