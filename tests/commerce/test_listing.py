"""Listings: revisions, stock, removal."""

import pytest

from p2pcommerce.commerce import ListingSet, ProductId, Team, TermsSet, read_body
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.listing import LISTING, LISTING_BYTES, STOCK_MAX, Listing
from p2pcommerce.commerce.terms import numbered
from tests.commerce.world import GTIN, HASH, OTHER_GTIN, PRICE, World, key


@pytest.fixture
def world():
    world = World("shop", "buyer")
    world.product = world.open_shop()
    return world


def listing(world, **fields):
    given = {"number": 1, "product": world.product, "price_minor": PRICE, "stock_delta": 0, "traced": False, "terms": 1}
    return ListingSet(**{**given, **fields})


def test_the_revision_is_the_transaction_that_made_it(world):
    tx_id = world.do("shop", listing(world, number=2))
    assert world.revision(2) == tx_id


def test_a_change_of_stock_alone_keeps_the_revision(world):
    before = world.revision()
    world.do("shop", listing(world, stock_delta=3))
    assert (world.revision(), world.stock()) == (before, 13)
    world.do("shop", listing(world, stock_delta=-13))
    assert (world.revision(), world.stock()) == (before, 0)


@pytest.mark.parametrize("change", [{"price_minor": PRICE + 1}, {"product": None}, {"traced": True}, {"terms": 2}])
def test_any_other_change_makes_a_new_revision(world, change):
    world.do("shop", TermsSet(number=2, ship_s=1, confirm_s=1, dispute_s=1, cancel_s=1))
    tx_id = world.do("shop", listing(world, **change))
    assert world.revision() == tx_id


def test_stock_below_zero_fails_with_no_stock(world):
    world.refused("NO_STOCK", "shop", listing(world, stock_delta=-11))
    world.refused("NO_STOCK", "shop", listing(world, number=2, stock_delta=-1))


def test_stock_has_a_limit(world):
    world.refused("LIMIT", "shop", listing(world, stock_delta=STOCK_MAX - 9))
    world.do("shop", listing(world, stock_delta=STOCK_MAX - 10))


def test_price_zero_takes_the_listing_away_and_returns_its_deposit(world):
    before = world.balance("shop")
    world.do("shop", listing(world, price_minor=0), fee=10_000)
    assert world.query("listing", store=key("shop"), number=1) is None
    assert world.balance("shop") == before - 10_000 + 10 * LISTING_BYTES


def test_taking_away_what_is_not_there_fails_with_not_found(world):
    world.refused("NOT_FOUND", "shop", listing(world, number=2, price_minor=0))


def test_a_listing_needs_a_store_terms_and_its_product(world):
    world.refused("NOT_FOUND", "buyer", listing(world))
    world.refused("NOT_FOUND", "shop", listing(world, terms=9))
    world.refused("NOT_FOUND", "shop", listing(world, product=ProductId(key("shop"), OTHER_GTIN)))
    world.refused("NOT_FOUND", "shop", listing(world, product=ProductId(key("buyer"), GTIN)))


def test_a_traced_listing_needs_a_product(world):
    with pytest.raises(FormatError, match="needs a product"):
        listing(world, traced=True, product=None).check(None)


@pytest.mark.parametrize("team", [Team(1, 1, 60), Team(10_001, 1, 60), Team(3, 1, 0), Team(3, 1, 61 * 86_400)])
def test_a_team_has_its_limits(world, team):
    assert "team" in world.refused("LIMIT", "shop", listing(world, team=team))


def test_a_price_for_teams_makes_a_new_revision(world):
    tx_id = world.do("shop", listing(world, team=Team(3, PRICE // 2, 60)))
    assert world.revision() == tx_id
    offer = world.query("listing", store=key("shop"), number=1)["team"]
    assert offer == {"size": 3, "price_minor": PRICE // 2, "window_s": 60}


@pytest.mark.parametrize(
    "change", [{"price_minor": -1}, {"price_minor": 2**63}, {"stock_delta": 2**63}, {"number": -1}]
)
def test_a_body_over_its_limits_cannot_be_read(world, change):
    with pytest.raises(FormatError):
        read_body("listing.set", listing(world, **change).to_body())


def test_the_largest_listing_fits_its_size():
    most = 2**32 - 1
    record = Listing(ProductId(HASH, GTIN), 2**63 - 1, 2**63 - 1, True, most, Team(most, 2**63 - 1, most), HASH)
    assert len(LISTING.key(numbered(HASH, most))) + len(LISTING.write(record)) <= LISTING_BYTES
