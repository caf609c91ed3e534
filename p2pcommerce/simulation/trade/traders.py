"""Who does what, drawn from one stream: mostly what may be done, and often enough what may not.

One table (`OPERATIONS`) weighs the kinds of deeds. Each is drawn on a view of the state, which may be a branch that is
thrown away later.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from p2pcommerce.commerce import (
    AttestIssue,
    AttestRevoke,
    Body,
    Bond,
    CampaignSet,
    CampaignSettle,
    KeySet,
    Operator,
    OrderCancel,
    OrderConfirm,
    OrderDispute,
    OrderRefund,
    OrderResolve,
    OrderSettle,
    OrderShip,
    PointsGrant,
    PointsOpen,
    PointsTransfer,
    ProductSet,
    RegisterValidator,
    ReviewPost,
    StoreSet,
    Subject,
    SubjectKind,
    SubmitEvidence,
    TraceCommission,
    Transfer,
    Unbond,
    Withdraw,
)
from p2pcommerce.commerce.attestation import ATTESTATION, OBSERVE
from p2pcommerce.commerce.campaign import CAMPAIGN
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.order import DONE_ORDER, ORDER, Order, OrderStatus
from p2pcommerce.commerce.order_machine import settles
from p2pcommerce.commerce.validator import VALIDATOR
from p2pcommerce.ledger.state import StateView
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.simulation.trade.chain import VALIDATOR_NAME, Deed, TradeChain, key_of
from p2pcommerce.simulation.trade.deeds import (
    ARBITER_NAME,
    GTIN,
    HASH,
    PEOPLE,
    PRICES_MINOR,
    STORES,
    STRANGER,
    listing,
    matching,
    order,
    some,
    terms,
)
from p2pcommerce.simulation.trade.movers import Movers

__all__ = ["OPERATIONS", "PEOPLE", "STORES", "STRANGER", "Traders"]

_BUYERS: Final = ("buyer", "buyer", "friend", "rival", "judge", "helper")
_OPEN_MAX: Final = 40


class Traders(Movers):
    """The people of one world."""

    def __init__(self, chain: TradeChain) -> None:
        """Let them act on a chain."""
        super().__init__(chain)
        for name in PEOPLE:
            for number in range(2):
                chain.know(f"{name}/{number}")

    def founding(self, rng: random.Random) -> Iterator[Deed]:
        """Yield what opens the stores; each is asked for when those before it are final."""
        for name in STORES:
            operators = (Operator(key_of("helper"), 7),)
            yield Deed(name, StoreSet(name, HASH, HASH, "", operators))
            yield Deed(name, ProductSet(GTIN, HASH))
            yield Deed(name, PointsOpen(rng.choice((1, 7, 499, 1_000))))
            yield Deed(name, CampaignSet(None, 2_000_000, 0, rng.randint(20_000, 400_000)))
            yield Deed(name, terms(rng, 1, None))
            yield Deed(name, terms(rng, 2, self._campaign_of(key_of(name), self._chain.state.final)))
            yield Deed(name, terms(rng, 3, None))
            for _ in range(6):
                yield Deed(name, listing(rng, self._chain, self._chain.state.final, key_of(name), None))
            yield Deed(name, TraceCommission(GTIN, ("a", "b", "c", "d"), None, HASH, 1))

    def draw(self, rng: random.Random, view: StateView, operation: str | None = None) -> Deed | None:
        """Return what somebody does next; None: nobody can do what was drawn.

        Args:
            rng: of the world.
            view: the state on which it is done.
            operation: one of `OPERATIONS`; None: it is drawn, too.
        """
        return OPERATIONS[operation or rng.choice(_DRAWN)][1](self, rng, view)

    # --- reading ---

    def _campaign_of(self, owner: PublicKey, view: StateView) -> bytes | None:
        for identifier in reversed(self._chain.ids(CAMPAIGN)):
            found = self._chain.get(CAMPAIGN, identifier, view)
            if found is not None and found.owner == owner:
                return identifier
        return None

    def _order(
        self, rng: random.Random, view: StateView, *wanted: OrderStatus, is_late: bool = False
    ) -> tuple[TransactionId, Order] | None:
        """Return an open order, one that is wanted if there is one."""
        others, ids = None, self._chain.ids(ORDER)
        rng.shuffle(ids)
        ledger = Ledger(view, {})
        for identifier in ids:
            found = self._chain.get(ORDER, identifier, view)
            if found is None:
                continue
            if found.status in wanted and settles(ledger, found) == is_late:
                return identifier, found
            others = others or (identifier, found)
        return others if not rng.randrange(4) else None

    # --- orders ---

    def place(self, rng: random.Random, view: StateView) -> Deed | None:
        """Order something, now and then at somebody else's cost."""
        buyer, store = rng.choice(_BUYERS), rng.choice(STORES)
        payload = order(rng, self._chain, view, key_of(store), key_of(buyer))
        if payload is None or len(self._chain.ids(ORDER)) >= _OPEN_MAX:
            return None
        kind = rng.randrange(6)
        if kind > 1 or buyer == "friend":
            return Deed(buyer, payload)
        return Deed(buyer, payload, sponsor="friend", pays=bool(kind))

    def ship(self, rng: random.Random, view: StateView) -> Deed | None:
        """Ship an order."""
        drawn = self._order(rng, view, OrderStatus.PLACED)
        if drawn is None:
            return None
        identifier, found = drawn
        items = matching(self._chain, view, found)
        name = rng.choice((self.name_of(found.store), self.name_of(found.store), "helper"))
        return Deed(self._anyone(rng, name), OrderShip(identifier, items if rng.randrange(20) else items[1:]))

    def _as_buyer(
        self, rng: random.Random, view: StateView, body: Callable[[TransactionId], Body], *wanted: OrderStatus
    ) -> Deed | None:
        drawn = self._order(rng, view, *wanted)
        return None if drawn is None else Deed(self._anyone(rng, self.name_of(drawn[1].buyer)), body(drawn[0]))

    def confirm(self, rng: random.Random, view: StateView) -> Deed | None:
        """Confirm an order."""
        return self._as_buyer(rng, view, OrderConfirm, OrderStatus.SHIPPED, OrderStatus.DISPUTED)

    def cancel(self, rng: random.Random, view: StateView) -> Deed | None:
        """Cancel an order."""
        return self._as_buyer(rng, view, OrderCancel, OrderStatus.PLACED)

    def dispute(self, rng: random.Random, view: StateView) -> Deed | None:
        """Dispute an order."""
        drawn = self._order(rng, view, OrderStatus.SHIPPED)
        if drawn is None or (drawn[1].arbiter is None and rng.randrange(6)):
            return None
        return Deed(self._anyone(rng, self.name_of(drawn[1].buyer)), OrderDispute(drawn[0], HASH))

    def resolve(self, rng: random.Random, view: StateView) -> Deed | None:
        """Rule on a dispute."""
        drawn = self._order(rng, view, OrderStatus.DISPUTED)
        bps = rng.choice((0, 1, 3_333, 9_999, 10_000, 10_000))
        return None if drawn is None else Deed(self._anyone(rng, "judge"), OrderResolve(drawn[0], bps))

    def refund(self, rng: random.Random, view: StateView) -> Deed | None:
        """Give an order back, or a part of it."""
        drawn = self._order(rng, view, rng.choice((OrderStatus.PLACED, OrderStatus.SHIPPED, OrderStatus.DISPUTED)))
        if drawn is None:
            return None
        escrow_minor = drawn[1].escrow_minor
        amount_minor = rng.choice((0, 0, 1, escrow_minor // 2, escrow_minor - 1, escrow_minor))
        name = rng.choice((self.name_of(drawn[1].store),) * 3 + ("helper",))
        return Deed(self._anyone(rng, name), OrderRefund(drawn[0], amount_minor))

    def settle(self, rng: random.Random, view: StateView) -> Deed | None:
        """Settle what is late."""
        if rng.randrange(3):
            drawn = self._order(rng, view, OrderStatus.PLACED, OrderStatus.SHIPPED, OrderStatus.DISPUTED, is_late=True)
            return None if drawn is None else Deed(rng.choice(PEOPLE), OrderSettle(drawn[0]))
        return Deed(rng.choice(PEOPLE), OrderSettle(some(rng, self._chain.ids(DONE_ORDER))))

    def review(self, rng: random.Random, view: StateView) -> Deed | None:
        """Review a finished order."""
        identifier = some(rng, self._chain.ids(DONE_ORDER)[-8:])
        done = self._chain.get(DONE_ORDER, identifier, view)
        name = "buyer" if done is None else self.name_of(done.buyer)
        return Deed(self._anyone(rng, name), ReviewPost(identifier, rng.randint(1, 5)))

    # --- stores and rewards ---

    def list(self, rng: random.Random, view: StateView) -> Deed | None:
        """Change a listing."""
        store = rng.choice(STORES)
        if not rng.randrange(5):
            return Deed("helper", listing(rng, self._chain, view, key_of(store), key_of(store)))
        return Deed(store, listing(rng, self._chain, view, key_of(store), None))

    def set_terms(self, rng: random.Random, view: StateView) -> Deed | None:
        """Set terms, most of which exist."""
        store = rng.choice(STORES)
        campaign = self._campaign_of(key_of(rng.choice(STORES)), view) if rng.randrange(2) else None
        return Deed(store, terms(rng, rng.randint(3, 6), campaign))

    def campaign(self, rng: random.Random, view: StateView) -> Deed | None:
        """Open, top up or settle a campaign."""
        store, now_ms = rng.choice(STORES), Ledger(view, {}).now_ms
        identifier = some(rng, self._chain.ids(CAMPAIGN))
        found = self._chain.get(CAMPAIGN, identifier, view)
        kind = rng.randrange(3)
        if kind == 0 and len(self._chain.ids(CAMPAIGN)) < 6:
            end_ms = now_ms + rng.randint(1, 60_000)
            return Deed(store, CampaignSet(None, rng.choice((*PRICES_MINOR, 10**7)), now_ms, end_ms))
        if kind == 1 and found is not None:
            name = self._anyone(rng, self.name_of(found.owner))
            return Deed(name, CampaignSet(identifier, rng.choice(PRICES_MINOR), found.start_ms, found.end_ms))
        return Deed(rng.choice(PEOPLE), CampaignSettle(identifier))

    def points(self, rng: random.Random, view: StateView) -> Deed | None:
        """Grant or pass on points."""
        issuer, to = rng.choice(STORES), key_of(rng.choice((*PEOPLE, "sharer")))
        if rng.randrange(2):
            return Deed(issuer, PointsGrant(to, rng.choice((1, 5, 100))))
        return Deed(rng.choice(PEOPLE), PointsTransfer(key_of(issuer), to, rng.choice((1, 3, 100))))

    def describe(self, rng: random.Random, view: StateView) -> Deed | None:
        """Change a store or its product, or try to open points again."""
        store = rng.choice(STORES)
        kind = rng.randrange(8)
        if kind == 0:
            return Deed(store, PointsOpen(5))
        if kind < 3:
            return Deed(
                *rng.choice(((store, ProductSet(GTIN, HASH)), ("helper", ProductSet(GTIN, HASH, "", key_of(store)))))
            )
        operators = (Operator(key_of("helper"), rng.choice((7, 7, 7, 2))),) if rng.randrange(8) else ()
        return Deed(store, StoreSet(rng.choice(("A", "B")), HASH, HASH, "", operators))

    # --- money, keys, stake, certificates ---

    def transfer(self, rng: random.Random, view: StateView) -> Deed | None:
        """Pay somebody, who may have no account."""
        to = rng.choice((*PEOPLE, "new1", "new2", "new3"))
        return Deed(rng.choice(PEOPLE), Transfer(key_of(to), rng.choice((1, 700, 10**6, 10**12))))

    def set_key(self, rng: random.Random, view: StateView) -> Deed | None:
        """Change an active key; whoever sponsors keeps its own."""
        name = rng.choice(("buyer", "rival", "helper"))
        return Deed(name, KeySet(rng.choice((None, key_of(f"{name}/0"), key_of(f"{name}/1")))))

    def stake(self, rng: random.Random, view: StateView) -> Deed | None:
        """Bond, unbond or withdraw; once in a while the validator is reported."""
        name, validator = rng.choice(PEOPLE), PublicKey(some(rng, self._chain.ids(VALIDATOR)))
        kind = rng.randrange(10)
        if kind < 5:
            return Deed(name, Bond(validator, rng.choice((1, 10**6, 3_333_333))))
        if kind < 7:
            return Deed(name, Unbond(validator, rng.choice((0, 1, 10**6))))
        if kind < 9 or rng.randrange(200):
            return Deed(name, Withdraw(validator))
        evidence = b"evidence %d" % rng.randrange(3)
        self._chain.offences[evidence] = Offence(key_of(VALIDATOR_NAME), 0, "E1")
        return Deed(name, SubmitEvidence(evidence))

    def register(self, rng: random.Random, view: StateView) -> Deed | None:
        """Become a validator, or change its terms."""
        bond_minor = rng.choice((0, 1, 10**6, 3_333_333))
        return Deed(rng.choice(("judge", "buyer")), RegisterValidator(rng.choice((0, 500, 1_000)), bond_minor))

    def attest(self, rng: random.Random, view: StateView) -> Deed | None:
        """Certify a store, let somebody observe goods, or take a certificate back."""
        ids = self._chain.ids(ATTESTATION)
        if ids and not rng.randrange(3):
            identifier = some(rng, ids)
            found = self._chain.get(ATTESTATION, identifier, view)
            name = STORES[0] if found is None else self.name_of(found.issuer)
            return Deed(self._anyone(rng, name), AttestRevoke(identifier))
        if not rng.randrange(3):
            observer = Subject(SubjectKind.ACCOUNT, key_of(ARBITER_NAME))
            return Deed(rng.choice(STORES), AttestIssue(observer, OBSERVE, HASH, Ledger(view, {}).now_ms + 9_000))
        subject = Subject(SubjectKind.STORE, key_of(rng.choice((*STORES, "buyer"))))
        return Deed(rng.choice(PEOPLE), AttestIssue(subject, "organic", HASH, Ledger(view, {}).now_ms + 9_000))


_Draw = Callable[[Traders, random.Random, StateView], Deed | None]
OPERATIONS: Final[Mapping[str, tuple[int, _Draw]]] = {
    "place": (22, Traders.place),
    "ship": (16, Traders.ship),
    "confirm": (9, Traders.confirm),
    "cancel": (2, Traders.cancel),
    "dispute": (6, Traders.dispute),
    "resolve": (4, Traders.resolve),
    "refund": (4, Traders.refund),
    "settle": (7, Traders.settle),
    "review": (5, Traders.review),
    "list": (8, Traders.list),
    "set_terms": (1, Traders.set_terms),
    "campaign": (3, Traders.campaign),
    "points": (5, Traders.points),
    "describe": (1, Traders.describe),
    "transfer": (2, Traders.transfer),
    "set_key": (1, Traders.set_key),
    "stake": (2, Traders.stake),
    "attest": (1, Traders.attest),
    "register": (1, Traders.register),
    "commission": (4, Traders.commission),
    "send": (3, Traders.send),
    "receive": (3, Traders.receive),
    "reject": (1, Traders.reject),
    "observe": (2, Traders.observe),
    "pack": (2, Traders.pack),
    "unpack": (2, Traders.unpack),
    "split": (1, Traders.split),
    "transform": (1, Traders.transform),
    "decommission": (1, Traders.decommission),
}
"""Name -> weight, and who draws it."""
_DRAWN: Final = tuple(name for name, (weight, _) in OPERATIONS.items() for _ in range(weight))
