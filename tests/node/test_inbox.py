"""Messages of peers: each to its room; a peer that breaks a rule is closed, and the breach is counted."""

import pytest

from p2pcommerce.finality.engine import Fetch
from p2pcommerce.ledger.block import Block
from p2pcommerce.node import effects as out
from p2pcommerce.node.inbox import Inbox
from p2pcommerce.node.node import Connected
from p2pcommerce.node.pulse import PING_TIMEOUT_US
from p2pcommerce.wire import messages as wire

from .cluster import KEYED, SECOND, START_US, Cluster, make_genesis, replace, seed_of, transfer

GENESIS = make_genesis()
A, B = (KEYED.public_key(seed_of(name)) for name in ("peer a", "peer b"))
NOW = START_US


def meet(node, peer, link, now=NOW, **fields):
    given = {"outbound": False, "address": None, "own_key": bytes(16), "peer_key": bytes(16), "peer_record": b""}
    return node.on_connected(Connected(peer=peer, link=link, **{**given, **fields}), now)


@pytest.fixture
def cluster():
    """One validator of four, started."""
    cluster = Cluster(genesis=GENESIS)
    cluster.hosts[0].start()
    return cluster


@pytest.fixture
def node(cluster):
    """The same, with peer A over link 1."""
    node = cluster.hosts[0].node
    meet(node, A, 1)
    return node


def closes(effects):
    return [(effect.link, effect.code) for effect in effects if isinstance(effect, out.Close)]


def test_every_kind_of_message_has_a_room(node):
    handlers = Inbox(node._board)._handlers
    assert set(handlers) == set(wire.MESSAGES.values())


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (wire.BlockBody(b"\x00"), "MALFORMED"),
        (wire.Engine(b"\xff\x00"), "ENGINE"),
        (wire.Blocks(1, (b"\x00",), b""), "SYNC_UNASKED"),
        (wire.Peers((b"\x00",)), "MALFORMED"),
    ],
)
def test_malformed_bytes_close_the_peer_with_a_code_and_are_counted(node, message, code):
    effects = node.on_message(A, message, NOW)
    ((link, said),) = closes(effects)
    assert link == 1
    assert said == code
    assert node.statistics()["node"][f"closed.{said}"] == 1
    assert node.on_message(A, wire.Ping(1), NOW) == [], "it is not attached any more"
    assert node.on_disconnected(A, 1, NOW) == []


def test_messages_of_unknown_peers_are_dropped(node):
    assert node.on_message(B, wire.Ping(7), NOW) == []
    assert node.on_message(B, wire.BlockBody(b"\x00"), NOW) == []
    assert node.on_disconnected(B, 5, NOW) == []
    assert node.statistics()["node"] == {"connected": 1}


def test_a_ping_is_answered_and_a_pong_measured(node):
    ping = next(effect.message for effect in meet(node, B, 2) if isinstance(effect, out.Transmit))
    assert node.on_message(A, wire.Ping(7), NOW) == [out.Transmit(A, wire.Pong(7))]
    node.on_message(B, wire.Pong(ping.nonce), NOW + 500)
    assert node.rtt_us(B) == 500
    assert node.rtt_us(A) is None


def test_a_body_that_its_header_does_not_commit_to_closes_the_peer_and_the_block_is_asked_of_another(cluster):
    for host in cluster.hosts[1:]:
        host.start()
    cluster.run(1)
    cluster.hosts[0].submit(transfer(GENESIS, "ann", 0))
    cluster.run(1)
    host = cluster.hosts[0]
    node, block = host.node, host.disk.blocks[-1].block
    wanted = replace(block.header, height=99)
    peers = list(host.attached)
    asked = node._board.bodies.want(Fetch(wanted.hash, None, None, tuple(peers)), cluster.now)
    assert asked == [out.Transmit(peers[0], wire.GetBlock(wanted.hash))]
    lie = Block(wanted, (b"what nobody committed to",))
    effects = node.on_message(peers[0], wire.BlockBody(lie.raw), cluster.now)
    assert [code for _, code in closes(effects)] == ["BAD_BODY"]
    assert node._board.bodies.deadline == cluster.now, "asked elsewhere at once"
    again = [effect for effect in node.on_deadline(cluster.now) if isinstance(effect, out.Transmit)]
    assert [effect.peer for effect in again if isinstance(effect.message, wire.GetBlock)] == [peers[1]]


def test_a_peer_that_does_not_answer_pings_is_closed(node):
    effects = []
    now = NOW
    while node.deadline <= NOW + PING_TIMEOUT_US:
        now = max(now, node.deadline)
        effects += node.on_deadline(now)
    assert now == NOW + PING_TIMEOUT_US
    assert closes(effects) == [(1, "SILENT")]
    assert node.statistics()["node"]["closed.SILENT"] == 1


def test_a_second_connection_with_a_peer_leaves_one(node):
    effects = meet(node, A, 2, now=NOW + 60 * SECOND)
    assert closes(effects) == [(1, "DUPLICATE")]
    assert any(effect == out.Attach(A, 2) for effect in effects)
    assert node.on_disconnected(A, 1, NOW) == [], "the end of the old one is not news"
    assert node.on_message(A, wire.Ping(1), NOW) == [out.Transmit(A, wire.Pong(1))]
    assert node.on_disconnected(A, 2, NOW + 61 * SECOND) == []
    assert node.on_message(A, wire.Ping(1), NOW) == []


def test_a_connection_with_itself_or_a_bad_record_is_closed(node):
    assert closes(meet(node, node.public_key, 3, outbound=True, address="tcp://10.0.0.9:1")) == [(3, "SELF")]
    assert closes(meet(node, B, 4, peer_record=b"\x00")) == [(4, "BAD_RECORD")]
    assert closes(meet(node, B, 5, peer_record=b"\x00", outbound=True, address="tcp://10.0.0.8:1")) == [
        (5, "BAD_RECORD")
    ]


def test_a_peer_that_sends_invalid_transactions_is_banned(node):
    effects, now, number = [], NOW, 0
    while not closes(effects):
        number += 1
        assert number < 1_000, "it is never closed"
        effects = node.on_message(A, wire.Transactions((b"junk %d" % number,)), now)
        while node.deadline <= now:
            effects += node.on_deadline(now)
    assert closes(effects) == [(1, "GOSSIP")]
    assert closes(meet(node, A, 2, now=now)) == [(2, "BANNED")]
    assert closes(meet(node, A, 3, now=now, outbound=True, address="tcp://10.0.0.7:1")) == [(3, "BANNED")]


def test_a_dial_that_fails_is_tried_again_later(cluster):
    host = cluster.hosts[0]
    cluster.run(10)
    assert host.node.statistics()["discovery"]["wanted_connected"] == 0
    cluster.hosts[1].start()
    assert cluster.run_until(lambda: cluster.hosts[1].key in host.attached, 30)
