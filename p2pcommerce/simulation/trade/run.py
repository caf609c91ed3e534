"""One world of random trade, from its founding to its last day.

On the way, now and then:

- two branches: some blocks are executed on the final version and thrown away, and the block that becomes final is
  another one; what the application remembers of the first must not show in the second
- a restart: the state is written to bytes and read again, and an application that knows nothing executes the same block
  on it: same outcomes, same root
- both ends of a deadline: no party of an order may act where a stranger may settle (property 8; the buyer may confirm)

On the last day nobody cooperates any more: a stranger settles everything, and no escrow, no lock, no reward and no team
is left (property 9).

Source: "Properties to test, after every transaction" of the commerce specification.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from p2pcommerce.commerce import (
    Body,
    CampaignSettle,
    Commerce,
    OrderCancel,
    OrderDispute,
    OrderRefund,
    OrderResolve,
    OrderSettle,
    OrderShip,
)
from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.commerce.campaign import CAMPAIGN
from p2pcommerce.commerce.item import ITEM, ItemStatus
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.order import DONE_ORDER, ORDER
from p2pcommerce.commerce.team import TEAM
from p2pcommerce.commerce.totals import TOTALS
from p2pcommerce.ledger.application import Admission, InvalidTransactionError
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.simulation.trade.chain import Deed, Executed, TradeChain
from p2pcommerce.simulation.trade.deeds import matching
from p2pcommerce.simulation.trade.properties import Properties, PropertyError
from p2pcommerce.simulation.trade.traders import PEOPLE, STRANGER, Traders

__all__ = ["TradeResult", "TradeWorld", "run_trade"]

BALANCE_MINOR: Final = 200_000_000_000
_WAITS_ONE_IN: Final = 12
_RESTARTS_ONE_IN: Final = 60
_BRANCHES_ONE_IN: Final = 25
_DEADLINES_ONE_IN: Final = 10
_RECOUNTS_EVERY: Final = 250
_LAST_DAY_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class TradeResult:
    """What came of a world.

    Attributes:
        seed: that repeats it.
        operations: transactions that were executed, on thrown-away branches, too.
        failed: of the final ones, those that the application refused.
        branches: that were thrown away.
        restarts: from bytes.
        types: transaction type and code -> how many became final.
        root: of the last state, hexadecimal.
    """

    seed: int
    operations: int
    failed: int
    branches: int
    restarts: int
    types: dict[str, int]
    root: str


class TradeWorld:
    """A world that acts step by step.

    Attributes:
        chain: its chain.
        traders: who act.
        properties: what must hold.
        types: transaction type and code -> how many became final.
        operations: transactions that were executed.
    """

    def __init__(self, rng: random.Random) -> None:
        """Found the chain and open the stores."""
        parameters = ChainParameters.local()
        self.chain = TradeChain(dict.fromkeys((*PEOPLE, STRANGER), BALANCE_MINOR), parameters, Commerce())
        self.traders = Traders(self.chain)
        self.properties = Properties(self.chain.state.values, self.chain.genesis.supply_minor, parameters.byte_price)
        self.types: dict[str, int] = {}
        self.operations = self.branches = self.restarts = 0
        for deed in self.traders.founding(rng):
            self.do(deed)

    def step(self, rng: random.Random, operation: str | None = None) -> None:
        """Let somebody act, or time pass.

        Args:
            rng: of the world.
            operation: what somebody does; None: it is drawn, too.

        Raises:
            PropertyError: a property does not hold.
            LocalProtocolError: the application's own audit failed.
        """
        if not rng.randrange(_WAITS_ONE_IN):
            self.wait(rng.randint(200, 3_000))
        if not rng.randrange(_BRANCHES_ONE_IN):
            self._branch(rng)
        deed = self.traders.draw(rng, self.chain.state.final, operation)
        if deed is None:
            return
        if not rng.randrange(_RESTARTS_ONE_IN):
            self._restart(deed)
        self.do(deed)
        if not rng.randrange(_DEADLINES_ONE_IN):
            self._look_at_deadlines(rng)
        if self.properties.checked % _RECOUNTS_EVERY == 0:
            self.properties.recount(self.chain.state.values)

    def do(self, deed: Deed) -> Executed:
        """Make what somebody does final, in a block of its own, and check the properties."""
        transaction = self.chain.build(deed, self.chain.state.final)
        executed = self.chain.execute([transaction])
        self._check_admission(transaction, executed)
        self.operations += 1
        name = f"{deed.payload.TYPE} {executed.outcomes[0].code.value}"
        self.types[name] = self.types.get(name, 0) + 1
        self.chain.finalize(executed, self.properties.watch)
        return executed

    def _check_admission(self, transaction: Transaction, executed: Executed) -> None:
        """What the pool is told that a transaction takes at most is not below what it takes."""
        view = self.chain.state.final
        verdict = self.chain.application.check(transaction, view, executed.context.height)
        before = self.chain.get(ACCOUNT, transaction.payer, view)
        after = self.chain.get(ACCOUNT, transaction.payer, executed.state)
        if not executed.outcomes[0].ok or before is None or after is None:
            return
        if not isinstance(verdict, Admission):
            raise PropertyError(f"the pool refuses what a block takes: {verdict.code.value} {verdict.detail}")
        if before.balance_minor - after.balance_minor > verdict.spend_minor:
            raise PropertyError(f"{transaction.type} takes more from its payer than the pool is told")

    def wait(self, step_ms: int) -> None:
        """Let application time pass, at most 60 s of it."""
        self.chain.finalize(self.chain.execute([], step_ms=step_ms), self.properties.watch)

    def end(self) -> None:
        """Nobody cooperates: a stranger settles everything.

        Raises:
            PropertyError: something is left that nobody but its parties can free.
        """
        for kind, body in ((ORDER, OrderSettle), (DONE_ORDER, OrderSettle), (CAMPAIGN, CampaignSettle)):
            for _ in range(10):
                self.wait(_LAST_DAY_MS)
            self._settle_all(kind, body)
        totals = self.chain.get(TOTALS, b"")
        if totals is None or totals.escrow_minor or totals.campaigns_minor:
            raise PropertyError(f"9: money is locked after everything was settled: {totals}")
        if self.chain.ids(TEAM):
            raise PropertyError("9: a team is left after all of its orders were settled")
        for identifier in self.chain.ids(ITEM):
            item = self.chain.get(ITEM, identifier)
            if item is not None and item.status == ItemStatus.IN_ORDER:
                raise PropertyError("9: an item is locked after everything was settled")
        self.properties.recount(self.chain.state.values)

    def _settle_all(self, kind: Kind[Any], body: type[OrderSettle | CampaignSettle]) -> None:
        for identifier in self.chain.ids(kind):
            outcome = self.do(Deed(STRANGER, body(identifier))).outcomes[0]
            if not outcome.ok:
                raise PropertyError(f"9: a stranger cannot settle a {kind.name}: {outcome.code.value} {outcome.detail}")

    # --- branches and restarts ---

    def _branch(self, rng: random.Random) -> None:
        """Execute up to three blocks that never become final."""
        version = self.chain.state.final
        for above in range(rng.randint(1, 3)):
            deed = self.traders.draw(rng, version)
            if deed is None:
                continue
            transaction = self.chain.build(deed, version)
            executed = self.chain.execute([transaction], above=version, blocks_above=above)
            version = version.child(executed.state.changes)
            self.operations += 1
        self.branches += 1

    def _restart(self, deed: Deed) -> None:
        """Execute a block on the state as it is, and on one that was written and read, with another application."""
        transaction = self.chain.build(deed, self.chain.state.final)
        executed = self.chain.execute([transaction])
        copied = {bytes(bytearray(key)): bytes(bytearray(value)) for key, value in self.chain.state.values.items()}
        restarted = VersionedState(copied)
        again = self.chain.execute([transaction], above=restarted.final, application=Commerce())
        roots = [each.before.child(each.state.changes).root for each in (executed, again)]
        if executed.outcomes != again.outcomes or roots[0] != roots[1]:
            raise PropertyError(f"a restarted application makes another state of {deed.payload.TYPE}")
        self.restarts += 1

    # --- property 8 ---

    def _look_at_deadlines(self, rng: random.Random) -> None:
        ids = self.chain.ids(ORDER)
        if not ids:
            return
        identifier = rng.choice(ids)
        order = self.chain.get(ORDER, identifier)
        if order is None or not self._would(STRANGER, OrderSettle(identifier)):
            return
        store, buyer = self.traders.name_of(order.store), self.traders.name_of(order.buyer)
        arbiter = "judge" if order.arbiter is None else self.traders.name_of(order.arbiter)
        items = matching(self.chain, self.chain.state.final, order)
        acts: tuple[tuple[str, Body], ...] = (
            (store, OrderRefund(identifier)),
            (store, OrderRefund(identifier, 1)),
            (store, OrderShip(identifier, items)),
            (buyer, OrderCancel(identifier)),
            (buyer, OrderDispute(identifier)),
            (arbiter, OrderResolve(identifier, 5_000)),
        )
        for name, body in acts:
            if self._would(name, body):
                raise PropertyError(f"8: {body.TYPE} and settling are possible at one time")

    def _would(self, name: str, body: Body) -> bool:
        """Tell whether a transaction would succeed at the time of the final block."""
        view = self.chain.state.final
        transaction: Transaction = self.chain.build(Deed(name, body), view)
        try:
            return self.chain.execute([transaction], step_ms=0).outcomes[0].ok
        except InvalidTransactionError:
            return False


def run_trade(seed: int, operations: int) -> TradeResult:
    """Run one world of random trade.

    Args:
        seed: of everything that is drawn.
        operations: transactions that are executed at least, before the last day.

    Raises:
        PropertyError: a property does not hold; the seed and the number of operations repeat it.
        LocalProtocolError: the application's own audit failed.
    """
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose; nothing secret is drawn
    world = TradeWorld(rng)
    while world.operations < operations:
        world.step(rng)
    world.end()
    return TradeResult(
        seed,
        world.operations,
        world.properties.failed,
        world.branches,
        world.restarts,
        dict(sorted(world.types.items())),
        world.chain.state.final.root.hex(),
    )
