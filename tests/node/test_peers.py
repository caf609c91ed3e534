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
    assert effects == [out.Attach(key(42), 42)]  # it may ask for records, and is no peer
    assert key(42) not in node._board.links


@pytest.fixture
def full_node():
    """One validator of four that takes no callers, and knows somebody."""
    cluster = Cluster(genesis=GENESIS)
    cluster.hosts[0].start()
    node = cluster.hosts[0].node
    for number in range(1, 41):
        meet(node, number, NOW + number, remote=f"tcp://9.9.1.{number}:5000")
    return node


def test_a_guest_gets_records_and_nothing_else_and_its_link_is_closed(full_node):
    assert meet(full_node, 50, remote="tcp://9.9.8.8:5000") == [out.Attach(key(50), 50)]
    others = (
        wire.Ping(7),
        wire.Choose(),
        wire.Status(9, bytes(32)),
        wire.Transactions((b"x",)),
        wire.GetBlock(bytes(32)),
    )
    assert not any(full_node.on_message(key(50), message, NOW) for message in others)
    (answer,) = full_node.on_message(key(50), wire.GetPeers(1_000), NOW)
    assert (answer.peer, type(answer.message)) == (key(50), wire.Peers)
    closed = [effect for effect in full_node.on_deadline(NOW + SECOND) if isinstance(effect, out.Close)]
    assert [(each.link, each.code) for each in closed] == [(50, "INBOUND_FULL")]
    assert not full_node.on_message(key(50), wire.GetPeers(1_000), NOW + 2 * SECOND)


def test_a_guest_whose_link_ends_is_forgotten_by_all(full_node):
    meet(full_node, 50, remote="tcp://9.9.8.8:5000")
    full_node.on_disconnected(key(50), 49, NOW)  # another link
    assert full_node.statistics()["discovery"]["guests"] == 1
    full_node.on_disconnected(key(50), 50, NOW)
    assert full_node.statistics()["discovery"]["guests"] == 0
    assert not len(full_node._board.guests)


def test_a_guest_that_calls_again_has_its_older_link_closed(full_node):
    meet(full_node, 50, remote="tcp://9.9.8.8:5000")
    peer, again = key(50), Connected(
        peer=key(50), link=51, outbound=False, address=None, own_key=bytes(16), peer_key=bytes(16), peer_record=b"",
        remote="tcp://9.9.8.8:5001",
    )  # fmt: skip
    effects = full_node.on_connected(again, NOW)
    assert [(each.link, each.code) for each in effects if isinstance(each, out.Close)] == [(50, "DUPLICATE")]
    assert effects[-1] == out.Attach(peer, 51)
    full_node.discovery.set_wanted([peer])
    effects = meet(full_node, 50, remote="tcp://9.9.8.8:5002")
    assert [(each.link, each.code) for each in effects if isinstance(each, out.Close)] == [(51, "DUPLICATE")]
    assert peer in full_node._board.links


def test_nine_guests_are_eight_links(full_node):
    closed = []
    for number in range(50, 59):
        effects = meet(full_node, number, remote=f"tcp://9.9.8.{number}:5000")
        closed += [each.link for each in effects if isinstance(each, out.Close)]
    assert closed == [50]
    assert len(full_node._board.guests) == 8


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
