"""The users of a simulated world: who acts when, how transactions are handed in, and what becomes of them.

Each user has at most one transaction on its way, so that no nonce ever overtakes another. What is not final after a
while is handed to another node, as a careful wallet does; what expired is signed anew. Some old transactions are handed
in again, as a thief would. Which user acts, what it does (`market`) and where it goes is drawn from one stream.

Source: the commerce specification; `sim network` of the interface specification.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from p2pcommerce.commerce import Sponsor, build_transaction
from p2pcommerce.ledger.genesis import TOKEN_MINOR, Genesis
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.crypto import SignatureScheme, blake2b_256
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import HEIGHT_MAX, MICROSECONDS, PublicKey, TransactionId
from p2pcommerce.simulation.host import Host
from p2pcommerce.simulation.market import Deed, Market, User

__all__ = ["ACCOUNTS_MAX", "BALANCE_MINOR", "Load", "LoadOwner", "account_seed", "accounts_for"]

ACCOUNTS_MAX: Final = 2_000
"""Accounts of one world at most."""
BALANCE_MINOR: Final = 10_000 * TOKEN_MINOR
_STALE_US: Final = 6 * MICROSECONDS
"""A transaction that is not final after so long is handed to another node, too."""
_EXPIRES: Final = {"at once": (0, 2), "soon": (3, 30)}
"""Blocks until a transaction expires, if it ever does."""
_EXPIRES_ONE_IN: Final = 12
"""One transaction in so many expires at once, if it does not become final; a third of the others soon."""
_REPLAYED_ONE_IN: Final = 40
"""One deed in so many is followed by an old transaction of anybody, handed in again."""
_REPLAYED_OF: Final = 64
"""Final transactions from which one is taken to be handed in again."""
_NO_VERDICT: Final = frozenset(
    {
        RejectionCode.OK,
        RejectionCode.DUPLICATE,
        RejectionCode.BAD_NONCE,
        RejectionCode.POOL_FULL,
        RejectionCode.EXPIRED,
    }
)
"""What a node says that does not end the wait."""
_TIME_STEP_MS_MAX: Final = 60_000
"""Application time moves on by so much in a block at most. Source: the commerce specification."""


def account_seed(number: int) -> bytes:
    """Return the key seed (32 bytes) of an account of the load."""
    return blake2b_256(f"account {number}".encode())


def accounts_for(load_tps: int) -> int:
    """Return how many accounts carry a load: enough for each to wait some seconds for finality."""
    return min(ACCOUNTS_MAX, max(16, 12 * load_tps)) if load_tps else 0


class LoadOwner(Protocol):
    """What the load needs of its world."""

    hosts: list[Host]
    genesis: Genesis
    scheme: SignatureScheme

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        ...

    def at_world(self, world_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Let something happen at a moment, whatever lives."""
        ...

    def hand_in(self, host: Host, transaction: Transaction, told: Callable[[RejectionCode], None]) -> bool:
        """Submit a transaction; `told` hears the verdict. False: the node takes nothing now."""
        ...


@dataclass(slots=True, eq=False)
class _Pending:
    """A transaction on its way."""

    transaction: Transaction
    account: User
    since_us: int
    handed_us: int
    deed: Deed


class Load:
    """The users of one world.

    Attributes:
        submitted, finalized, failed, refused: counts; what must not succeed is neither failed nor refused.
        expired: transactions that were signed anew.
        denied: what must not succeed and did not, by code; replays among them under "REPLAY".
        latencies_us: from submission until the first node had it stored.
        codes: of what failed or was refused.
    """

    def __init__(self, owner: LoadOwner, rng: random.Random, load_tps: int, *, orders: bool = True) -> None:
        """Prepare `load_tps` transactions each second; `orders`: not only transfers."""
        self._owner = owner
        self._rng = rng
        self._interval_us = MICROSECONDS // load_tps if load_tps else 0
        self._with_orders = orders
        seeds = [account_seed(number) for number in range(accounts_for(load_tps))]
        self._accounts = [User(number, seed, owner.scheme.public_key(seed)) for number, seed in enumerate(seeds)]
        self._by_key = {account.key: account for account in self._accounts}
        self._idle = dict.fromkeys(self._accounts)
        self._pending: dict[TransactionId, _Pending] = {}
        self._old: deque[Transaction] = deque(maxlen=_REPLAYED_OF)
        self._market: Market | None = None
        self._height = self._time_ms = self._elapsed_ms = 0
        self.submitted = self.finalized = self.failed = self.refused = self.expired = 0
        self.latencies_us: list[int] = []
        self.codes: Counter[str] = Counter()
        self.denied: Counter[str] = Counter()

    @property
    def balances(self) -> Mapping[PublicKey, int]:
        """What the accounts have at genesis."""
        some = self._accounts if not self._with_orders else [each for each in self._accounts if not each.is_poor]
        return {account.key: BALANCE_MINOR for account in some}

    @property
    def pending(self) -> int:
        """Transactions that are neither final nor refused."""
        return len(self._pending)

    @property
    def waiting(self) -> list[int]:
        """Since when users wait for each of these, microseconds of world time."""
        return [pending.since_us for pending in self._pending.values() if not pending.deed.is_forbidden]

    def begin(self, world_us: int) -> None:
        """Start at a moment."""
        if self._interval_us:
            genesis = self._owner.genesis
            self._time_ms = genesis.time_ms
            validators = [each.public_key for each in genesis.validators]
            self._market = Market(self._accounts, self._rng, genesis.parameters, validators)
            self._owner.at_world(world_us, self._beat, self._market)
            self._owner.at_world(world_us + _STALE_US, self._look_for_stale)

    def _beat(self, market: Market) -> None:
        if self._idle:
            # In every second case somebody for whom something waits.
            wanted = market.wanted(self._idle) if self._with_orders and self._rng.randrange(2) else None
            account = next(iter(self._idle)) if wanted is None else wanted
            del self._idle[account]
            self._act(account, market.next(account) if self._with_orders else market.transfer(account))
        wait_us = self._rng.randint(self._interval_us // 2, self._interval_us * 3 // 2)
        self._owner.at_world(self._owner.now_us + max(1, wait_us), self._beat, market)

    def _act(self, account: User, deed: Deed) -> None:
        sponsor = None if deed.sponsor is None else Sponsor(deed.sponsor.seed, deed.pays_all)
        transaction = build_transaction(
            deed.payload,
            self._owner.genesis,
            account.seed,
            account.nonce,
            self._expiry(deed),
            sponsor=sponsor,
            scheme=self._owner.scheme,
        )
        now_us = self._owner.now_us
        self._pending[transaction.id] = pending = _Pending(transaction, account, now_us, now_us, deed)
        self.submitted += 1
        self._hand_in(pending)
        if self._old and not self._rng.randrange(_REPLAYED_ONE_IN):
            self._replay(self._old[self._rng.randrange(len(self._old))])

    def _expiry(self, deed: Deed) -> int:
        """Return the last height at which a transaction may be included."""
        draw = self._rng.randrange(_EXPIRES_ONE_IN)
        if deed.is_late:
            return max(0, self._height - 1)
        if draw and draw % 3:
            return HEIGHT_MAX
        return self._height + 1 + self._rng.randint(*_EXPIRES["soon" if draw else "at once"])

    def _replay(self, transaction: Transaction) -> None:
        up = [host for host in self._owner.hosts if host.is_up and host.behaviour is None]
        if up:
            self.denied["REPLAY"] += 1
            self._owner.hand_in(up[self._rng.randrange(len(up))], transaction, lambda _: None)

    # --- what becomes of it ---

    def _hand_in(self, pending: _Pending) -> None:
        up = [host for host in self._owner.hosts if host.is_up and host.behaviour is None]
        pending.handed_us = self._owner.now_us
        if up:
            host = up[self._rng.randrange(len(up))]
            self._owner.hand_in(host, pending.transaction, lambda code: self._on_verdict(pending, code))

    def _on_verdict(self, pending: _Pending, code: RejectionCode) -> None:
        # A node that is behind says BAD_NONCE of what it cannot know yet; a later attempt finds another node. What one
        # calls expired may be final all the same: the blocks tell.
        if code not in _NO_VERDICT and pending.transaction.id in self._pending:
            self.refused += not pending.deed.is_forbidden
            self._end(pending, code)

    def _end(self, pending: _Pending, code: RejectionCode) -> None:
        if self._pending.pop(pending.transaction.id, None) is not None:
            if code is not RejectionCode.OK:
                (self.denied if pending.deed.is_forbidden else self.codes)[code.value] += 1
            self._idle[pending.account] = None

    def on_stored(self, committed: CommittedBlock) -> None:
        """The first node has stored a block."""
        header = committed.block.header
        self._height = header.height
        self._elapsed_ms += min(max(header.time_ms - self._time_ms, 0), _TIME_STEP_MS_MAX)
        self._time_ms = header.time_ms
        if self._market is not None:
            self._market.pass_time(self._elapsed_ms)
        block = committed.block
        for tx_id, raw, outcome in zip(block.transaction_ids, block.transactions, committed.outcomes, strict=True):
            pending = self._pending.get(tx_id)
            if pending is None:
                self._note(decode_transaction(raw))
                continue
            pending.account.nonce = pending.transaction.nonce + 1
            self._old.append(pending.transaction)
            self.finalized += 1
            self.latencies_us.append(self._owner.now_us - pending.since_us)
            if outcome.code is RejectionCode.OK:
                pending.deed.done(tx_id)
            else:
                self.failed += not pending.deed.is_forbidden
            self._end(pending, outcome.code)
        self._lapse()

    def _note(self, transaction: Transaction) -> None:
        """A transaction that was given up is final after all: its nonce is spent."""
        account = self._by_key.get(transaction.sender)
        if account is not None:
            account.nonce = max(account.nonce, transaction.nonce + 1)

    def _lapse(self) -> None:
        """Give up what can never be final any more; what a user still wants, it signs anew."""
        for pending in list(self._pending.values()):
            transaction, deed = pending.transaction, pending.deed
            # A block later than it could be: a node that is a block behind still holds it, and refuses its successor.
            is_over = transaction.expires_height < self._height
            if not is_over and transaction.nonce >= pending.account.nonce:
                continue
            if not deed.is_forbidden and self._market is not None:
                self.expired += 1
                self._market.again(pending.account, deed)
                del self._pending[transaction.id]
                self._idle[pending.account] = None
            else:
                self._end(pending, RejectionCode.EXPIRED)

    def _look_for_stale(self) -> None:
        """Hand in again what is not final after a while."""
        limit_us = self._owner.now_us - _STALE_US
        for pending in list(self._pending.values()):
            if pending.handed_us <= limit_us:
                self._hand_in(pending)
        self._owner.at_world(self._owner.now_us + _STALE_US // 4, self._look_for_stale)
