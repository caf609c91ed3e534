"""Delegations: what one account has at one validator, in shares. A validator's own stake is one of them.

Stake that is unbonded goes from the active to the unbonding pool and waits there, one entry for each epoch in which
some was unbonded, until `epoch_clock` says that its time has come.

Fees are counted per active share (`ValidatorRecord.reward_index`), so that a block costs the same for any number of
delegators. A delegation remembers up to where it was paid, and is paid whenever it is touched, before its shares
change: nothing is paid twice, and nobody has a part in fees from before.

Rounding: what a delegation earned is rounded down; the rest stays with the validator's `rewards_minor`, and becomes its
commission when the last active share leaves.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.errors import LimitError
from p2pcommerce.commerce.kind import U63, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.validator import REWARD_INDEX, REWARD_UNIT, VALIDATOR, ValidatorRecord
from p2pcommerce.primitives.codec import BOOL, U32, Shape, array, record_of, uint
from p2pcommerce.primitives.ids import PublicKey

__all__ = [
    "DELEGATION",
    "DELEGATION_BYTES",
    "UNBONDINGS_MAX",
    "UNBONDING_BYTES",
    "Delegation",
    "Position",
    "Unbonding",
    "earned_minor",
]

DELEGATION_BYTES: Final = 128
UNBONDING_BYTES: Final = 16
UNBONDINGS_MAX: Final = 16
"""Epochs of which unbonded stake may wait in one delegation."""


@dataclass(frozen=True, slots=True)
class Unbonding:
    """What was unbonded in one epoch.

    Attributes:
        epoch: in which it was.
        shares: of the unbonding pool.
    """

    epoch: int
    shares: int


@dataclass(frozen=True, slots=True)
class Delegation:
    """One account's stake at one validator; its id is the validator's key and the account (64 bytes).

    Attributes:
        shares: of the active pool.
        paid_index: the reward index up to which its fees were paid.
        unbondings: by epoch.
        is_founding: whether it came with the genesis, without a deposit.
    """

    shares: int
    paid_index: int
    unbondings: tuple[Unbonding, ...]
    is_founding: bool

    @property
    def unbonding_shares(self) -> int:
        """Its shares of the unbonding pool."""
        return sum(entry.shares for entry in self.unbondings)


_UNBONDING: Final[Shape[Unbonding]] = record_of(Unbonding, epoch=U32, shares=uint(2**63 - 1, 1))
DELEGATION: Final = Kind(
    "delegation",
    b"\x0c",
    record_of(
        Delegation,
        shares=U63,
        paid_index=REWARD_INDEX,
        unbondings=array(_UNBONDING, UNBONDINGS_MAX),
        is_founding=BOOL,
    ),
    size=lambda delegation: (
        (0 if delegation.is_founding else DELEGATION_BYTES) + UNBONDING_BYTES * len(delegation.unbondings)
    ),
)


def earned_minor(record: ValidatorRecord, delegation: Delegation) -> int:
    """Return the fees that a delegation earned since it was last paid."""
    return delegation.shares * (record.reward_index - delegation.paid_index) // REWARD_UNIT


class Position:
    """A validator and one delegation to it, taken out of a draft to be changed and put back together.

    Attributes:
        key: the validator, 32 bytes.
        account: the delegator, 32 bytes.
        record: the validator.
        own: the delegation.
    """

    __slots__ = ("_ledger", "account", "key", "own", "record")

    def __init__(self, ledger: Ledger, key: PublicKey, record: ValidatorRecord, account: PublicKey) -> None:
        """Take them, and pay to the account what it earned."""
        self._ledger = ledger
        self.key = key
        self.account = account
        self.record = record
        found = ledger.get(DELEGATION, key + account)
        self.own = Delegation(0, record.reward_index, (), is_founding=False) if found is None else found
        self._pay()

    @property
    def is_validators(self) -> bool:
        """Whether this is the validator's own stake."""
        return self.key == self.account

    @property
    def bonded_minor(self) -> int:
        """What its active shares are worth."""
        return self.record.active.value(self.own.shares)

    @property
    def unbonding_minor(self) -> int:
        """What its unbonding shares are worth."""
        return self.record.unbonding.value(self.own.unbonding_shares)

    def _pay(self) -> None:
        amount_minor = earned_minor(self.record, self.own)
        commission_minor = self.record.commission_minor if self.is_validators else 0
        self.record = dataclasses.replace(
            self.record,
            rewards_minor=self.record.rewards_minor - amount_minor,
            commission_minor=self.record.commission_minor - commission_minor,
        )
        self.own = dataclasses.replace(self.own, paid_index=self.record.reward_index)
        if amount_minor + commission_minor:
            self._ledger.credit(self.account, amount_minor + commission_minor)

    def bond(self, amount_minor: int) -> None:
        """Move an amount from the account to the active pool.

        Raises:
            FundsError: the account has less.
            LimitError: see `Pool.put`.
        """
        self._ledger.debit(self.account, amount_minor)
        active, shares = self.record.active.put(amount_minor)
        self.record = dataclasses.replace(self.record, active=active)
        self.own = dataclasses.replace(self.own, shares=self.own.shares + shares)

    def unbond(self, amount_minor: int, shares: int, epoch: int) -> None:
        """Move active shares, for an amount that is at most their value, to the unbonding pool.

        Raises:
            LimitError: stake of too many epochs waits already; or see `Pool.put`.
        """
        unbonding, waiting = self.record.unbonding.put(amount_minor)
        active = self.record.active.take(amount_minor, shares)
        self.record = dataclasses.replace(self.record, active=active, unbonding=unbonding)
        entries = self.own.unbondings
        if waiting and entries and entries[-1].epoch == epoch:
            entries = (*entries[:-1], Unbonding(epoch, entries[-1].shares + waiting))
        elif waiting:
            entries = (*entries, Unbonding(epoch, waiting))
        if len(entries) > UNBONDINGS_MAX:
            raise LimitError(f"stake unbonded in {UNBONDINGS_MAX} epochs waits already: withdraw some first")
        self.own = dataclasses.replace(self.own, shares=self.own.shares - shares, unbondings=entries)

    def withdraw(self, amount_minor: int, shares: int) -> None:
        """Pay an amount, at most the value of so many unbonding shares, to the account; the oldest shares go."""
        entries, left = list(self.own.unbondings), shares
        while left:
            first = entries.pop(0)
            if first.shares > left:
                entries.insert(0, Unbonding(first.epoch, first.shares - left))
            left -= min(first.shares, left)
        self.record = dataclasses.replace(self.record, unbonding=self.record.unbonding.take(amount_minor, shares))
        self.own = dataclasses.replace(self.own, unbondings=tuple(entries))
        self._ledger.credit(self.account, amount_minor)

    def put_back(self) -> None:
        """Write both; a delegation that holds nothing is removed."""
        if not self.record.active.shares and self.record.rewards_minor:
            self.record = dataclasses.replace(
                self.record,
                commission_minor=self.record.commission_minor + self.record.rewards_minor,
                rewards_minor=0,
            )
        self._ledger.put(VALIDATOR, self.key, self.record)
        if self.own.shares or self.own.unbondings:
            self._ledger.put(DELEGATION, self.key + self.account, self.own)
        elif self._ledger.get(DELEGATION, self.key + self.account) is not None:
            self._ledger.remove(DELEGATION, self.key + self.account)
