"""What a node tells discovery of its peers, and what discovery does with links."""

import pytest

from p2pcommerce.node import effects as out
from p2pcommerce.node.node import Connected
from p2pcommerce.wire import messages as wire

from .cluster import KEYED, SECOND, START_US, Cluster, make_genesis, seed_of, transfer

GENESIS = make_genesis()
NOW = START_US


def key(number):
    return KEYED.public_key(seed_of(f"peer {number}"))


def meet(node, number, now=NOW, **fields):
    given = {"outbound": False, "address": None, "own_key": bytes(16), "peer_key": bytes(16), "peer_record": b""}
    return node.on_connected(Connected(peer=key(number), link=number, **{**given, **fields}), now)


@pytest.fixture
def node():
    """One validator of four, started."""
    cluster = Cluster(genesis=GENESIS)
    cluster.hosts[0].start()
    return cluster.hosts[0].node


def connection(node, number):
    return node._board.discovery.connections[key(number)]


def test_a_full_node_lets_a_caller_take_the_place_of_one_whom_it_can_spare(node):
    for number in range(1, 41):
        meet(node, number, NOW + number, remote=f"tcp://9.9.1.{number}:5000")
    effects = meet(node, 41, NOW + 60, remote="tcp://8.8.8.8:5000")
    closed = [(effect.link, effect.code) for effect in effects if isinstance(effect, out.Close)]
    assert closed == [(40, "EVICTED")]
    assert out.Attach(key(41), 41) in effects
    assert key(40) not in node._board.links
    effects = meet(node, 42, NOW + 61, remote="tcp://9.9.9.9:5000")
    assert [(effect.link, effect.code) for effect in effects] == [(42, "INBOUND_FULL")]


def test_a_caller_is_told_at_which_address_it_is_seen(node):
    effects = meet(node, 1, remote="tcp://9.9.9.9:5000")
    assert out.Transmit(key(1), wire.Observed("tcp://9.9.9.9:5000")) in effects


def test_what_a_majority_of_dialled_peers_says_is_this_node_s_address(node):
    for number in (1, 2, 3):
        meet(node, number, outbound=True, address=f"tcp://{number + 10}.1.1.1:7400")
        node.on_message(key(number), wire.Observed("tcp://5.6.7.8:50000"), NOW)
    assert node.observed_host == "5.6.7.8"
    assert node.statistics()["discovery"]["observers"] == 3


def test_an_observed_address_that_is_none_closes_its_teller(node):
    meet(node, 1, outbound=True, address="tcp://9.9.9.9:7400")
    effects = node.on_message(key(1), wire.Observed("nowhere"), NOW)
    assert [effect.code for effect in effects if isinstance(effect, out.Close)] == ["ADDRESS"]


def test_the_answer_to_a_ping_tells_how_near_a_peer_is(node):
    effects = meet(node, 1)
    nonce = next(effect.message.nonce for effect in effects if isinstance(getattr(effect, "message", None), wire.Ping))
    node.on_message(key(1), wire.Pong(nonce), NOW + 30_000)
    assert connection(node, 1).rtt_us == 30_000


def test_who_brings_a_new_and_good_transaction_is_useful_and_who_repeats_it_is_not(node):
    for number in (1, 2):
        meet(node, number)
    raw = transfer(GENESIS, "ann", 0).raw
    for number in (1, 2):
        node.on_message(key(number), wire.Transactions((raw,)), NOW + number * SECOND)
        node.on_deadline(NOW + number * SECOND)
    assert connection(node, 1).transaction_us == NOW + SECOND
    assert connection(node, 2).transaction_us == 0


def test_who_brings_blocks_that_are_needed_is_useful():
    cluster = Cluster(genesis=GENESIS)
    late = cluster.hosts[3]
    for host in cluster.hosts[:3]:
        host.start()
    cluster.run(1)
    for nonce in range(3):
        cluster.hosts[0].submit(transfer(GENESIS, "ann", nonce))
        cluster.run(1)
    assert cluster.hosts[0].node.height >= 3
    late.start()
    assert cluster.run_until(lambda: late.node.height >= 3, 30)
    connections = late.node._board.discovery.connections
    assert any(each.block_us for each in connections.values())
