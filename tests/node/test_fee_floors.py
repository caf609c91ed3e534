"""Fee floors among peers: what a full pool would refuse is not sent to it, and a lie harms nobody but the liar."""

from __future__ import annotations

import pytest

from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.mempool.fee_floor import PRICE_SCALE
from p2pcommerce.node.fee_floors import TELL_US, FeeFloors
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.wire import messages as wire

from .cluster import SECOND, Cluster, make_genesis, transfer

GENESIS = make_genesis()
A, B = b"a" * 32, b"b" * 32


class Pool:
    """A pool whose floor a test sets; it falls by half in a minute."""

    def __init__(self):
        self.raised = 0
        self.prices = {}

    @property
    def has_raised_floor(self):
        return bool(self.raised)

    def raised_floor(self, now, ahead_us):
        return self.raised

    def price(self, tx_id):
        return self.prices.get(tx_id)


@pytest.fixture
def pool():
    return Pool()


def told(effects):
    return [(effect.peer, effect.message.price) for effect in effects]


def test_a_raised_floor_is_told_to_all_and_to_who_comes_later(pool):
    floors = FeeFloors(pool)
    assert floors.on_connected(A) == []
    assert floors.deadline is None
    pool.raised = 1_000
    assert floors.deadline is not None
    assert told(floors.on_deadline([A, B], 10 * SECOND)) == [(A, 1_000), (B, 1_000)]
    assert told(floors.on_connected(b"c" * 32)) == [(b"c" * 32, 1_000)]


def test_it_is_told_again_when_it_has_moved_by_an_eighth_and_at_most_once_in_a_second(pool):
    floors = FeeFloors(pool)
    pool.raised = 1_000
    floors.on_deadline([A], 10 * SECOND)
    assert floors.deadline == 10 * SECOND + TELL_US
    for price, says in ((900, []), (875, [(A, 875)]), (980, []), (990, [(A, 990)])):
        pool.raised = price
        assert told(floors.on_deadline([A], 11 * SECOND)) == says


def test_its_end_is_told(pool):
    floors = FeeFloors(pool)
    pool.raised = 1_000
    floors.on_deadline([A], 10 * SECOND)
    pool.raised = 0
    assert told(floors.on_deadline([A], 11 * SECOND)) == [(A, 0)]
    assert floors.deadline is None


def test_what_pays_less_than_a_peers_floor_is_not_for_it(pool):
    floors = FeeFloors(pool)
    pool.prices = {b"cheap": 10, b"dear": 1_000}
    floors.on_message(A, wire.FeeFloor(100))
    assert floors.unwilling(b"cheap") == (A,)
    assert floors.unwilling(b"dear") == ()
    assert floors.unwilling(b"gone") == ()
    floors.on_message(A, wire.FeeFloor(0))
    assert floors.unwilling(b"cheap") == ()


def test_of_a_peer_one_number_is_kept_until_it_leaves(pool):
    floors = FeeFloors(pool)
    for price in range(1, 1_000):
        floors.on_message(A, wire.FeeFloor(price))
    assert floors.statistics()["floors_of_peers"] == 1
    floors.on_disconnected(A)
    assert floors.statistics()["floors_of_peers"] == 0


# --- among nodes ---


def network(count_max=50_000):
    cluster = Cluster(genesis=GENESIS, parameters=NodeParameters(mempool=MempoolParameters(count_max=count_max)))
    for host in cluster.hosts[:3]:
        host.start()
    hosts = cluster.hosts[:3]
    assert cluster.run_until(lambda: all(len(host.attached) >= 2 for host in hosts), 30)
    for host in hosts:  # nothing becomes final: what fills a pool stays
        host.node._engine.on_deadline = lambda now: []
    return cluster, hosts


def test_a_peer_that_lies_about_its_floor_starves_itself_alone():
    cluster, (host, liar, other) = network()
    huge = wire.FeeFloor(2**64 - 1)
    host.give(lambda now: host.node.on_message(liar.key, huge, now))
    other.give(lambda now: other.node.on_message(liar.key, huge, now))
    transaction = transfer(GENESIS, "ann", 0)
    request = host.submit(transaction)
    assert cluster.run_until(lambda: transaction.id in other.node.mempool, 5)
    assert host.verdicts[request].code is RejectionCode.OK
    assert transaction.id not in liar.node.mempool
    # It is heard as before.
    own = transfer(GENESIS, "bob", 0)
    liar.submit(own)
    assert cluster.run_until(lambda: own.id in host.node.mempool and own.id in other.node.mempool, 5)


def test_a_pool_that_drives_out_tells_its_peers_and_they_spare_it_what_it_would_refuse():
    """The pool of one node is small and full; the other's, of the same network, has room."""
    small = NodeParameters(mempool=MempoolParameters(count_max=4, floor_half_life_us=10 * SECOND))
    cluster = Cluster(genesis=GENESIS, parameters=small)
    host, peer = cluster.hosts[:2]
    host.start()
    cluster.parameters = NodeParameters()
    peer.start()
    assert cluster.run_until(lambda: peer.key in host.attached and host.key in peer.attached, 30)
    first = [transfer(GENESIS, "ann", nonce, fee=2_000_000) for nonce in range(4)]
    message = wire.Transactions(tuple(item.raw for item in first))
    host.give(lambda now: host.node.on_message(peer.key, message, now))
    cluster.run(0.1)
    assert len(host.node.mempool) == 4
    peer.submit(transfer(GENESIS, "bob", 0, fee=5_000_000))
    assert cluster.run_until(lambda: peer.node.statistics()["mempool"]["floors_of_peers"] == 1, 5)
    assert host.node.statistics()["mempool"]["floor_told"] > PRICE_SCALE
    sent = peer.sent["Transactions"]
    poor, rich = transfer(GENESIS, "bob", 1, fee=1_500_000), transfer(GENESIS, "bob", 2, fee=9_000_000)
    requests = [peer.submit(poor)]
    cluster.run(1)
    assert peer.sent["Transactions"] == sent
    requests.append(peer.submit(rich))
    cluster.run(1)
    assert peer.sent["Transactions"] == sent + 1
    assert [peer.verdicts[request].code for request in requests] == [RejectionCode.OK] * 2
    assert cluster.run_until(lambda: peer.node.statistics()["mempool"]["floors_of_peers"] == 0, 600)
