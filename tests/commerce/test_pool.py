"""Pools of stake: rounding is for those who stay, and a share is never worth more than it was."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce.errors import LimitError
from p2pcommerce.commerce.pool import EMPTY_POOL, SHARES_MAX, Pool

minors = st.integers(0, 2**62)
pools = st.builds(lambda minor, more: Pool(minor, minor + more), minors, st.integers(0, 2**62))


def worth(pool):
    return Fraction(pool.minor, pool.shares) if pool.shares else Fraction(0)


def test_a_share_begins_at_one_minor_unit():
    assert EMPTY_POOL.put(700) == (Pool(700, 700), 700)


def test_a_slash_takes_from_all_shares_alike_rounded_for_the_holders():
    assert Pool(1_005, 2_000).slashed(1_000) == Pool(905, 2_000)
    assert Pool(9, 9).slashed(1_000) == Pool(9, 9)
    assert Pool(9, 9).slashed(10_000) == Pool(0, 9)


@settings(max_examples=300, deadline=None)
@given(pool=pools, minor=minors)
def test_putting_in_changes_no_worth_but_by_rounding_up_for_the_others(pool, minor):
    try:
        after, shares = pool.put(minor)
    except LimitError:
        assert pool.shares + (minor * pool.shares // pool.minor if pool.minor else 0) > SHARES_MAX or not pool.minor
        return
    assert after.minor == pool.minor + minor
    assert after.shares == pool.shares + shares
    assert after.minor <= after.shares
    assert worth(after) >= worth(pool)
    assert minor - 2 <= after.value(shares) <= minor or worth(pool) < Fraction(1, 2)
    assert after.value(shares) <= minor


@settings(max_examples=300, deadline=None)
@given(pool=pools, part=st.fractions(0, 1))
def test_taking_out_leaves_the_rest_to_those_who_stay(pool, part):
    shares = int(pool.shares * part)
    amount = pool.value(shares)
    assert amount <= shares * worth(pool) < amount + 1
    after = pool.take(amount, shares)
    assert after.minor <= after.shares
    assert after.shares == 0 or worth(after) >= worth(pool)
    assert after.shares > 0 or after.minor == 0


@settings(max_examples=300, deadline=None)
@given(pool=pools, part=st.fractions(0, 1))
def test_the_price_of_an_amount_is_the_least_number_of_shares_worth_it(pool, part):
    amount = int(pool.minor * part)
    price = pool.price(amount)
    assert price <= pool.shares
    assert pool.value(price) >= amount
    assert price == 0 or pool.value(price - 1) < amount


def test_a_worthless_pool_takes_nothing():
    assert Pool(0, 5).put(0) == (Pool(0, 5), 0)
    assert (Pool(0, 5).value(5), Pool(0, 5).price(0)) == (0, 0)
    with pytest.raises(LimitError, match="worth nothing"):
        Pool(0, 5).put(1)


def test_more_shares_than_can_be_counted_are_refused():
    assert Pool(1, SHARES_MAX - 1).put(0)[0].shares == SHARES_MAX - 1
    with pytest.raises(LimitError, match="so many shares"):
        Pool(1, SHARES_MAX // 2).put(2)
