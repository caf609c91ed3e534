"""Terms of trade."""

import dataclasses

import pytest

from p2pcommerce.commerce import Arbiter, StoreSet, TermsSet
from p2pcommerce.commerce.terms import TERMS, TERMS_BYTES, Terms, numbered
from p2pcommerce.ledger.application import InvalidTransactionError
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.state import State
from tests.commerce.world import HASH, World, key

GOOD = TermsSet(number=7, ship_s=100, confirm_s=200, dispute_s=300, cancel_s=50, terms_hash=HASH)


@pytest.fixture
def world():
    world = World("shop", "other")
    world.do("shop", StoreSet("Shop", HASH, HASH))
    return world


def test_terms_are_set_once_and_never_change(world):
    world.do("shop", GOOD)
    world.refused("EXISTS", "shop", GOOD)
    world.refused("EXISTS", "shop", dataclasses.replace(GOOD, ship_s=99))
    assert world.query("terms", store=key("shop"), number=7)["ship_s"] == 100


def test_terms_need_a_store(world):
    world.refused("NOT_FOUND", "other", GOOD)


@pytest.mark.parametrize(("name", "least"), [("ship_s", 10), ("confirm_s", 70), ("dispute_s", 70)])
def test_deadlines_are_within_the_limits_of_the_chain(name, least):
    parameters = dataclasses.replace(ChainParameters.local(), term_s_min=10, confirm_s_min=70, term_s_max=1_000)
    world = World("shop", parameters=parameters)
    world.do("shop", StoreSet("Shop", HASH, HASH))
    for wrong in (least - 1, 1_001):
        said = world.refused("LIMIT", "shop", dataclasses.replace(GOOD, cancel_s=0, **{name: wrong}))
        assert f"{name} must be from {least} to 1000 seconds" in said
    for number, right in enumerate((least, 1_000)):
        world.do("shop", dataclasses.replace(GOOD, number=number, cancel_s=0, **{name: right}))


def test_a_wide_network_has_the_limits_of_the_specification():
    world = World("shop", parameters=ChainParameters())
    world.do("shop", StoreSet("Shop", HASH, HASH))
    hour, day = 3_600, 86_400
    shortest = dataclasses.replace(GOOD, ship_s=hour, confirm_s=day, dispute_s=day, cancel_s=hour)
    longest = dataclasses.replace(GOOD, number=8, ship_s=60 * day, confirm_s=60 * day, dispute_s=60 * day)
    for terms in (shortest, longest):
        for name in ("ship_s", "confirm_s", "dispute_s"):
            step = -1 if terms is shortest else 1
            beyond = dataclasses.replace(terms, cancel_s=0, **{name: getattr(terms, name) + step})
            assert name in world.refused("LIMIT", "shop", beyond)
        world.do("shop", terms)


def test_cancel_is_not_above_ship(world):
    world.refused("LIMIT", "shop", dataclasses.replace(GOOD, cancel_s=101))
    world.do("shop", dataclasses.replace(GOOD, cancel_s=100))


def test_all_rates_with_the_dearest_arbiter_are_at_most_5000(world):
    arbiters = (Arbiter(b"a" * 32, 10), Arbiter(b"b" * 32, 1_001))
    world.refused("LIMIT", "shop", dataclasses.replace(GOOD, referral_bps=4_000, arbiters=arbiters))
    world.do("shop", dataclasses.replace(GOOD, referral_bps=3_999, arbiters=arbiters))


def test_arbiters_are_strictly_increasing(world):
    transaction = world.build("shop", dataclasses.replace(GOOD, arbiters=(Arbiter(HASH, 1), Arbiter(HASH, 1))))
    with pytest.raises(InvalidTransactionError, match="strictly increasing"):
        world.app.apply(transaction, State(world.chain.final), world.context())


def test_the_largest_terms_fit_their_size():
    most = 2**32 - 1
    terms = Terms(most, most, most, most, 10_000, 10_000, (), HASH, 10_000, 10_000, HASH)
    assert len(TERMS.key(numbered(HASH, most))) + len(TERMS.write(terms)) <= TERMS_BYTES
    arbiters = tuple(Arbiter(bytes([i]) * 32, 10_000) for i in range(4))
    full = dataclasses.replace(terms, arbiters=arbiters)
    assert len(TERMS.key(numbered(HASH, most))) + len(TERMS.write(full)) <= TERMS.size(full)
