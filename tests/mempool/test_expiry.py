"""Rules of the pool's index by expiry height."""

from random import Random

from p2pcommerce.mempool.entry import Entry
from p2pcommerce.mempool.expiry import Expiry


def entered(expiry, pooled, tx_id, height):
    pooled[tx_id] = entry = Entry.__new__(Entry)
    expiry.put(tx_id, height)
    return entry


def test_what_expires_comes_by_height_then_in_order_of_admission_and_once():
    pooled = {}
    expiry = Expiry(pooled)
    late, first, second = (
        entered(expiry, pooled, tx_id, height) for tx_id, height in ((b"a", 9), (b"b", 5), (b"c", 5))
    )
    assert expiry.take(4) == []
    assert expiry.take(5) == [first, second]
    assert expiry.take(5) == []
    assert expiry.take(100) == [late]
    assert len(expiry) == 0


def test_what_left_the_pool_does_not_expire_and_what_came_again_expires_once():
    pooled = {}
    expiry = Expiry(pooled)
    entered(expiry, pooled, b"a", 5)
    entered(expiry, pooled, b"b", 5)
    del pooled[b"a"], pooled[b"b"]
    again = entered(expiry, pooled, b"b", 5)
    assert expiry.take(5) == [again]


def test_ids_that_are_left_over_are_bounded_by_what_is_in_the_pool():
    rng = Random(4)
    pooled = {}
    expiry = Expiry(pooled)
    living = []
    for number in range(20_000):
        tx_id = number.to_bytes(32, "big")
        living.append((tx_id, entered(expiry, pooled, tx_id, rng.randrange(50, 90))))
        if len(living) > 100:
            del pooled[living.pop(0)[0]]
        assert len(expiry) <= 2 * (len(pooled) + 1) + 1_024
    assert {id(entry) for entry in expiry.take(90)} == {id(entry) for _, entry in living}
