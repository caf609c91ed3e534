"""The draft of one transaction: typed records read from the state, written all at once or not at all.

Writes stay in the draft until `commit`, so that a failed transaction leaves only what was there at its `mark`: fee and
nonce. Decoded records are kept in a cache that several drafts share; an entry counts only while the state's value is
the very bytes object that was decoded, so that no rollback and no other branch of the chain can make it stale.

Deposits are netted at the end of a transaction (`settle_deposits`): the pot is the byte price times the sizes of all
records, always. The account that a record's write names as `bill` pays for its growth and gets what its shrinking
returns; by default that is the transaction's sender. An account's own deposit comes out of its first credit.

Source: "Fees and state" of the commerce specification.
Deviations: the savepoint is the draft's own and not the state's: undoing needs no walk over written values.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, TypeVar

from p2pcommerce.commerce.account import ACCOUNT, ACCOUNT_BYTES, Account
from p2pcommerce.commerce.errors import FundsError, LimitError
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.rules import RULES
from p2pcommerce.commerce.totals import TOTALS, Totals
from p2pcommerce.ledger.state import State, StateView
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["CACHED_RECORDS_MAX", "Ledger", "Mark", "RecordCache"]

R = TypeVar("R")

CACHED_RECORDS_MAX: Final = 8_192
"""Decoded records kept at most; about 4 MB. A full cache is emptied: the next block fills it with what is in use."""

RecordCache = dict[bytes, tuple[bytes, Any]]
"""State key -> (value, the record it decodes to)."""

_Written = dict[bytes, tuple[Kind[Any], Any]]

Mark = tuple[_Written, int, int]
"""What a draft looked like at some moment."""


class Ledger:
    """A draft of one transaction on a state.

    Attributes:
        rules: the chain's parameters.
        fee_pot_minor: fees taken by this draft.
        burned_minor: burned by this draft.
    """

    __slots__ = (
        "_bills",
        "_cache",
        "_totals",
        "_totals_value",
        "_view",
        "_written",
        "burned_minor",
        "fee_pot_minor",
        "rules",
    )

    def __init__(self, view: StateView, cache: RecordCache) -> None:
        """Open a draft on `view`.

        Raises:
            LocalProtocolError: the state was not made by this application's genesis.
        """
        if len(cache) >= CACHED_RECORDS_MAX:
            cache.clear()
        self._view = view
        self._cache = cache
        self._written: _Written = {}
        self._bills: dict[bytes, PublicKey] = {}
        self.fee_pot_minor = 0
        self.burned_minor = 0
        rules, totals = self._load(RULES, RULES.tag), self._load(TOTALS, TOTALS.tag)
        if rules is None or totals is None:
            raise LocalProtocolError("the state holds no rules and totals: it is not of a commerce genesis")
        self.rules = rules
        self._totals = totals
        self._totals_value = view.get(TOTALS.tag)

    def is_like_new(self, view: StateView) -> bool:
        """Tell whether a draft that is opened on `view` now would be like this one: nothing is written, nothing moved.

        Each block writes the totals, so that a view which says the same of them is of the same block.
        """
        is_empty = not self._written and len(self._cache) < CACHED_RECORDS_MAX
        return is_empty and view is self._view and view.get(TOTALS.tag) is self._totals_value

    @property
    def view(self) -> StateView:
        """The state under this draft: the records of the chain itself are read from it."""
        return self._view

    @property
    def totals(self) -> Totals:
        """The sums before this draft."""
        return self._totals

    @property
    def now_ms(self) -> int:
        """Application time, Unix milliseconds."""
        return self._totals.time_ms

    @property
    def account_deposit_minor(self) -> int:
        """The deposit of a new account."""
        return ACCOUNT_BYTES * self.rules.byte_price

    def get(self, kind: Kind[R], identifier: bytes) -> R | None:
        """Return a record, None if there is none."""
        key = kind.tag + identifier
        written = self._written.get(key)
        if written is not None:
            record: R | None = written[1]
            return record
        return self._load(kind, key)

    def put(self, kind: Kind[R], identifier: bytes, record: R, bill: PublicKey | None = None) -> None:
        """Write a record; `bill` pays for its growth and gets what its shrinking returns (default: the sender)."""
        key = kind.tag + identifier
        self._written[key] = (kind, record)
        if bill is not None:
            self._bills[key] = bill

    def remove(self, kind: Kind[Any], identifier: bytes, bill: PublicKey | None = None) -> None:
        """Remove a record; its deposit goes to `bill` (default: the sender)."""
        key = kind.tag + identifier
        self._written[key] = (kind, None)
        if bill is not None:
            self._bills[key] = bill

    def balance_minor(self, account: PublicKey) -> int:
        """Return what an account can spend."""
        found = self.get(ACCOUNT, account)
        return 0 if found is None else found.balance_minor

    def credit(self, account: PublicKey, amount_minor: int) -> None:
        """Give to an account; a new one pays its deposit out of this.

        Raises:
            LimitError: the account is new and the amount is below its deposit.
        """
        found = self.get(ACCOUNT, account)
        if found is not None:
            self.put(ACCOUNT, account, Account(found.balance_minor + amount_minor, found.nonce, found.active))
            return
        deposit = self.account_deposit_minor
        if amount_minor < deposit:
            raise LimitError(f"a new account needs at least {deposit} minor units, its deposit; this is {amount_minor}")
        self.put(ACCOUNT, account, Account(amount_minor - deposit, 0))

    def can_credit(self, account: PublicKey, amount_minor: int) -> bool:
        """Tell whether `credit` would take this: the account exists, or this is enough for its deposit."""
        return amount_minor >= self.account_deposit_minor or self.get(ACCOUNT, account) is not None

    def debit(self, account: PublicKey, amount_minor: int) -> None:
        """Take from an account.

        Raises:
            FundsError: it has less.
        """
        found = self.get(ACCOUNT, account)
        if found is None or found.balance_minor < amount_minor:
            balance = 0 if found is None else found.balance_minor
            raise FundsError(f"{account.hex()[:8]} must pay {amount_minor} minor units and has {balance}")
        self.put(ACCOUNT, account, Account(found.balance_minor - amount_minor, found.nonce, found.active))

    def mark(self) -> Mark:
        """Return what `rollback` can return to."""
        return dict(self._written), self.fee_pot_minor, self.burned_minor

    def rollback(self, mark: Mark) -> None:
        """Forget everything written since `mark`."""
        self._written, self.fee_pot_minor, self.burned_minor = dict(mark[0]), mark[1], mark[2]
        self._bills = {}

    def settle_deposits(self, sender: PublicKey) -> None:
        """Net the deposits of everything written: charge growth, return shrinkage.

        Raises:
            FundsError: somebody who must pay for growth cannot.
        """
        owed: dict[PublicKey, int] = {}
        for key, (kind, record) in self._written.items():
            if kind is ACCOUNT:
                continue  # paid out of the first credit, and an active key by `key.set` itself
            before = self._load(kind, key)
            growth = (0 if record is None else kind.size(record)) - (0 if before is None else kind.size(before))
            if growth:
                bill = self._bills.get(key, sender)
                owed[bill] = owed.get(bill, 0) + growth * self.rules.byte_price
        for bill, amount_minor in owed.items():
            if amount_minor > 0:
                self.debit(bill, amount_minor)
            elif amount_minor < 0:
                self.credit(bill, -amount_minor)

    def commit(self, state: State) -> None:
        """Write the draft to the state it was opened on, and move the sums by what its records gained and lost."""
        balances = bonded = rewards = escrow = campaigns = points = size = 0
        for key, (kind, record) in self._written.items():
            before = self._load(kind, key)
            for sign, one in ((-1, before), (1, record)):
                if one is None:
                    continue
                size += sign * kind.size(one)
                if kind.held is not None:
                    held = kind.held(one)
                    balances += sign * held.balances_minor
                    bonded += sign * held.bonded_minor
                    rewards += sign * held.rewards_minor
                    escrow += sign * held.escrow_minor
                    campaigns += sign * held.campaigns_minor
                    points += sign * held.points_minor
            self._store(state, kind, key, record)
        old = self._totals
        self._totals = Totals(
            old.time_ms,
            old.balances_minor + balances,
            old.bonded_minor + bonded,
            old.rewards_minor + rewards,
            old.escrow_minor + escrow,
            old.campaigns_minor + campaigns,
            old.points_minor + points,
            old.state_bytes + size,
            old.fee_pot_minor + self.fee_pot_minor,
            old.burned_minor + self.burned_minor,
        )
        self._store(state, TOTALS, TOTALS.tag, self._totals)
        self._written, self._bills = {}, {}
        self.fee_pot_minor = self.burned_minor = 0

    def advance_time(self, state: State, step_ms: int) -> None:
        """Move application time on."""
        old = self._totals
        self._totals = dataclasses.replace(old, time_ms=old.time_ms + step_ms)
        self._store(state, TOTALS, TOTALS.tag, self._totals)

    def _store(self, state: State, kind: Kind[R], key: bytes, record: R | None) -> None:
        if record is None:
            state.remove(key)
            return
        value = kind.write(record)
        state.put(key, value)
        self._cache[key] = (value, record)

    def _load(self, kind: Kind[R], key: bytes) -> R | None:
        value = self._view.get(key)
        if value is None:
            return None
        cached = self._cache.get(key)
        if cached is not None and cached[0] is value:
            record: R = cached[1]
            return record
        record = kind.read(value)
        self._cache[key] = (value, record)
        return record
