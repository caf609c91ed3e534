"""Validators as the application keeps them: the stake at each, its shares, and the fees it earned.

    active pool       votes, earns fees
    unbonding pool    on its way out: neither, but a slash takes from it as well, until it is withdrawn

A record is permanent, so that a commission that only falls does not rise by leaving and coming back, and so that who is
jailed stays jailed. Stake counts as long as the validator is a candidate (`candidates`).

Deviations: the founding validators' records have no state deposit, because nobody is there to pay for it. They begin
with a commission of 10 %, which the genesis does not name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.errors import NotFoundError, StateError
from p2pcommerce.commerce.kind import U63, Holdings, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.pool import BPS, EMPTY_POOL, POOL, Pool
from p2pcommerce.primitives.codec import BOOL, Shape, record_of, uint
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import PublicKey

__all__ = [
    "COMMISSION",
    "FOUNDING_COMMISSION_BPS",
    "REWARD_INDEX",
    "REWARD_UNIT",
    "VALIDATOR",
    "VALIDATOR_BYTES",
    "ValidatorRecord",
    "founding_validator",
    "new_validator",
    "require_free",
    "require_validator",
]

VALIDATOR_BYTES: Final = 160
FOUNDING_COMMISSION_BPS: Final = 1_000
REWARD_UNIT: Final = 2**128
"""Parts of a minor unit in which the fees of one share are counted."""
_INDEX_BYTES: Final = 32


def _read_index(value: object) -> int:
    if type(value) is not bytes or len(value) != _INDEX_BYTES:
        raise CodecError(f"must be {_INDEX_BYTES} bytes")
    return int.from_bytes(value, "big")


REWARD_INDEX: Final[Shape[int]] = Shape(_read_index, lambda number: number.to_bytes(_INDEX_BYTES, "big"), "bytes 32")
"""The fees that one share ever earned, in 2^-128 minor units: below 2^128 minor units, which no chain lives to pay."""
COMMISSION: Final = uint(BPS)


@dataclass(frozen=True, slots=True)
class ValidatorRecord:
    """One validator; its id is its public key (32 bytes).

    Attributes:
        commission_bps: basis points of its fees that it keeps before its delegators share.
        active: stake that votes.
        unbonding: stake that was unbonded and not withdrawn.
        commission_minor: commission that it did not take yet.
        rewards_minor: fees of its delegators (itself among them) that they did not take yet.
        reward_index: what one active share ever earned.
        told_minor: the stake with which it stands for the validator set, as last reported to the chain.
        is_listed: whether it is a candidate.
        is_jailed: for good.
        is_founding: whether it came with the genesis, without a deposit.
    """

    commission_bps: int
    active: Pool
    unbonding: Pool
    commission_minor: int
    rewards_minor: int
    reward_index: int
    told_minor: int
    is_listed: bool
    is_jailed: bool
    is_founding: bool

    @property
    def stake_minor(self) -> int:
        """The stake with which it stands for the validator set; 0: it does not."""
        return self.active.minor if self.is_listed else 0


VALIDATOR: Final = Kind(
    "validator",
    b"\x03",
    record_of(
        ValidatorRecord,
        commission_bps=COMMISSION,
        active=POOL,
        unbonding=POOL,
        commission_minor=U63,
        rewards_minor=U63,
        reward_index=REWARD_INDEX,
        told_minor=U63,
        is_listed=BOOL,
        is_jailed=BOOL,
        is_founding=BOOL,
    ),
    size=lambda validator: 0 if validator.is_founding else VALIDATOR_BYTES,
    held=lambda validator: Holdings(
        bonded_minor=validator.active.minor + validator.unbonding.minor,
        rewards_minor=validator.commission_minor + validator.rewards_minor,
    ),
)


def new_validator(commission_bps: int) -> ValidatorRecord:
    """Return a validator without stake."""
    return ValidatorRecord(
        commission_bps=commission_bps,
        active=EMPTY_POOL,
        unbonding=EMPTY_POOL,
        commission_minor=0,
        rewards_minor=0,
        reward_index=0,
        told_minor=0,
        is_listed=False,
        is_jailed=False,
        is_founding=False,
    )


def founding_validator(stake_minor: int) -> ValidatorRecord:
    """Return a validator of the genesis, a candidate with its own stake."""
    return ValidatorRecord(
        commission_bps=FOUNDING_COMMISSION_BPS,
        active=Pool(stake_minor, stake_minor),
        unbonding=EMPTY_POOL,
        commission_minor=0,
        rewards_minor=0,
        reward_index=0,
        told_minor=stake_minor,
        is_listed=True,
        is_jailed=False,
        is_founding=True,
    )


def require_validator(ledger: Ledger, key: PublicKey) -> ValidatorRecord:
    """Return a validator.

    Raises:
        NotFoundError: nobody of this key ever registered.
    """
    record = ledger.get(VALIDATOR, key)
    if record is None:
        raise NotFoundError(f"{key.hex()[:8]} is no validator; validator.register makes the sender one")
    return record


def require_free(record: ValidatorRecord) -> None:
    """Demand that a validator is not jailed.

    Raises:
        StateError: it is.
    """
    if record.is_jailed:
        raise StateError("this validator signed what no honest one signs, and is jailed for good")
