"""Products."""

import pytest

from p2pcommerce.commerce import ProductId, ProductSet, read_body
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.product import PRODUCT, PRODUCT_BYTES
from tests.commerce.world import GTIN, HASH, World, key


@pytest.fixture
def world():
    return World("shop", "other")


def test_a_product_belongs_to_its_issuer_so_that_nobody_squats_a_gtin(world):
    world.do("shop", ProductSet(GTIN, HASH, "mine"))
    world.do("other", ProductSet(GTIN, HASH, "theirs"))
    assert world.query("product", issuer=key("shop"), gtin=GTIN)["uri"] == "mine"
    assert world.query("product", issuer=key("other"), gtin=GTIN)["uri"] == "theirs"


def test_a_product_can_be_changed_at_no_further_deposit(world):
    world.do("shop", ProductSet(GTIN, HASH), fee=10_000)
    before = world.balance("shop")
    world.do("shop", ProductSet(GTIN, bytes(32), "new"), fee=10_000)
    assert world.balance("shop") == before - 10_000


@pytest.mark.parametrize("gtin14", ["", "09520001000012", "9520001000011", "0952000100001x", "٠٩٥٢٠٠٠"])
def test_a_wrong_check_digit_or_length_is_bad_format(gtin14):
    with pytest.raises(FormatError, match="check digit"):
        ProductSet(gtin14, HASH).check(None)


@pytest.mark.parametrize(
    "body", [(GTIN + "0", HASH, "", None), (GTIN, HASH[1:], "", None), (GTIN, HASH, "u" * 129, None)]
)
def test_a_body_over_its_limits_cannot_be_read(body):
    with pytest.raises(FormatError):
        read_body("product.set", body)


def test_the_largest_product_fits_its_size(world):
    world.do("shop", ProductSet(GTIN, HASH, "u" * 128))
    state_key = PRODUCT.key(ProductId(key("shop"), GTIN).key)
    assert len(state_key) + len(world.chain.values[state_key]) <= PRODUCT_BYTES
