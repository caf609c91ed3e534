"""The bodies that traders draw: terms, listings, orders, items, with lucky and unlucky choices of each field."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from p2pcommerce.commerce import (
    NEW_TEAM,
    Arbiter,
    ListingSet,
    OrderLine,
    OrderPlace,
    PointsSpent,
    ProductId,
    Team,
    TermsSet,
)
from p2pcommerce.commerce.item import ITEM, ItemStatus, item_product
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.listing import LISTING
from p2pcommerce.commerce.order import Order
from p2pcommerce.commerce.points import POINTS_HELD
from p2pcommerce.commerce.team import TEAM
from p2pcommerce.commerce.terms import TERMS, numbered
from p2pcommerce.ledger.state import StateView
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.simulation.trade.chain import TradeChain, key_of

__all__ = [
    "ARBITER_NAME",
    "GTIN",
    "HASH",
    "HELPER",
    "PEOPLE",
    "PRICES_MINOR",
    "STORES",
    "STRANGER",
    "listing",
    "matching",
    "order",
    "some",
    "terms",
]

GTIN: Final = "09520001000010"
HASH: Final = TransactionId(bytes(range(32)))
LISTINGS: Final = (1, 2, 3, 4)
PRICES_MINOR: Final = (1, 199, 200, 777, 50_000, 123_457, 999_999)
ARBITER_NAME: Final = "judge"
HELPER: Final = "helper"
"""Operator of both stores, most of the time with all rights."""
STORES: Final = ("shop", "rival")
PEOPLE: Final = (*STORES, "buyer", "friend", HELPER, ARBITER_NAME)
STRANGER: Final = "stranger"
"""Does nothing until the last day."""


def terms(rng: random.Random, number: int, campaign: bytes | None) -> TermsSet:
    """Return terms of some seconds, with or without everything."""
    rates = [0, 0, 50, 333, 1_000]
    arbiters = (Arbiter(key_of(ARBITER_NAME), rng.choice((0, 77, 1_000))),) if rng.randrange(4) else ()
    cashback_bps, bonus_bps = (rng.choice((0, 123, 800)), rng.choice((1, 45, 800))) if campaign else (0, 0)
    ship_s = rng.randint(2, 6)
    return TermsSet(
        number=number,
        ship_s=ship_s,
        confirm_s=rng.randint(2, 5),
        dispute_s=rng.randint(1, 3),
        cancel_s=rng.randint(0, min(2, ship_s)),
        referral_bps=rng.choice(rates),
        points_bps=rng.choice(rates),
        arbiters=arbiters,
        campaign=campaign,
        cashback_bps=cashback_bps,
        bonus_bps=bonus_bps,
    )


def listing(
    rng: random.Random, chain: TradeChain, view: StateView, store: PublicKey, owner: PublicKey | None
) -> ListingSet:
    """Return a change of a listing: mostly of its stock alone."""
    number = rng.choice(LISTINGS)
    found = chain.get(LISTING, numbered(store, number), view)
    delta = rng.choice((-3, 5, 20, 40))
    if found is not None and rng.randrange(6):
        return ListingSet(number, found.product, found.price_minor, delta, found.traced, found.terms, found.team, owner)
    is_traced = not rng.randrange(3)
    team = Team(rng.randint(2, 3), rng.choice(PRICES_MINOR), rng.randint(1, 3)) if rng.randrange(2) else None
    price_minor = rng.choice(PRICES_MINOR) if rng.randrange(8) else 0
    product = ProductId(store, GTIN) if is_traced else None
    return ListingSet(number, product, price_minor, delta, is_traced, rng.randint(1, 4), team, owner)


def order(
    rng: random.Random, chain: TradeChain, view: StateView, store: PublicKey, buyer: PublicKey
) -> OrderPlace | None:
    """Return an order of one store; None if it sells nothing."""
    lines = []
    for number in LISTINGS:
        found = chain.get(LISTING, numbered(store, number), view)
        if found is not None and rng.randrange(2):
            revision = found.revision if rng.randrange(16) else HASH
            lines.append((OrderLine(number, revision, rng.randint(1, 3)), found))
    if not lines:
        return None
    first = lines[0][1]
    kept = [line for line, each in lines if each.terms == first.terms or not rng.randrange(16)]
    team = _team(rng, chain, view, store, kept[0].listing) if first.team is not None and rng.randrange(4) else None
    kept = kept if team is None else kept[:1]
    unit_minor = first.price_minor if team is None or first.team is None else first.team.price_minor
    price_minor = sum(
        (unit_minor if team else each.price_minor) * line.quantity for line, each in lines if line in kept
    )
    agreed = chain.get(TERMS, numbered(store, first.terms), view)
    arbiter = agreed.arbiters[0].account if agreed is not None and agreed.arbiters and rng.randrange(4) else None
    return OrderPlace(
        store,
        tuple(kept),
        referrer=_referrer(rng, buyer),
        team=team,
        points=_points(rng, chain, view, buyer, price_minor),
        arbiter=arbiter if rng.randrange(40) else key_of("friend"),
    )


def _referrer(rng: random.Random, buyer: PublicKey) -> PublicKey | None:
    """Return who recommended an order, if anybody: mostly no party to it, now and then one without an account."""
    found = key_of(rng.choice(("sharer", "judge", "helper", "helper", "friend")))
    return None if not rng.randrange(2) or (found == buyer and rng.randrange(8)) else found


def _team(rng: random.Random, chain: TradeChain, view: StateView, store: PublicKey, number: int) -> bytes:
    """Return a team to join, if there is one, or the sign that opens one."""
    for identifier in reversed(chain.ids(TEAM)):
        found = chain.get(TEAM, identifier, view)
        if found is not None and (found.store, found.listing, found.full_ms) == (store, number, 0):
            now_ms = Ledger(view, {}).now_ms
            if now_ms <= found.closes_ms or not rng.randrange(8):
                return identifier
    return NEW_TEAM


def _points(
    rng: random.Random, chain: TradeChain, view: StateView, buyer: PublicKey, price_minor: int
) -> tuple[PointsSpent, ...]:
    spent = []
    for issuer in sorted(key_of(name) for name in ("shop", "rival")):
        held = chain.get(POINTS_HELD, issuer + buyer, view)
        if held is not None and rng.randrange(3):
            most = max(1, min(held.count, price_minor // 2_000))
            spent.append(PointsSpent(issuer, rng.choice((1, most, most, most, most, held.count))))
    return tuple(spent)


def matching(chain: TradeChain, view: StateView, found: Order) -> tuple[bytes, ...]:
    """Return items that match an order's traced lines, as far as the store has them."""
    wanted = sum(line.quantity for line in found.lines if line.product is not None)
    chosen: list[bytes] = []
    for identifier in chain.ids(ITEM) if wanted else ():
        item = chain.get(ITEM, identifier, view)
        if (
            item is not None
            and item.owner == item.custodian == found.store
            and item.status == ItemStatus.RESTING
            and item.quantity <= wanted
            and item_product(identifier, item) == found.store + GTIN.encode()
        ):
            wanted -= item.quantity
            chosen.append(identifier)
    return tuple(sorted(chosen))


def some(rng: random.Random, ids: Sequence[TransactionId]) -> TransactionId:
    """Return one of some ids; where there is none, one that nothing has."""
    return rng.choice(ids) if ids else HASH
