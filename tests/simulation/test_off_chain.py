"""Blobs and messages in worlds of whole nodes: lossy links, crashes, and peers that lie."""

from __future__ import annotations

import random

import pytest

from p2pcommerce.blobs.claims import chunk_hashes, sha256
from p2pcommerce.blobs.mailbox import Letter
from p2pcommerce.node.effects import Transmit
from p2pcommerce.simulation.behaviour import Behaviour
from p2pcommerce.simulation.cluster import Cluster
from p2pcommerce.wire.off_chain_messages import BLOB_CHUNK_BYTES, BlobChunk, GetBlobChunk, HaveBlob, WantBlob

DATA = random.Random(1).randbytes(5 * BLOB_CHUNK_BYTES + 7)
HASH = sha256(DATA)
FALSE = b"?" + DATA[1:]


def put(cluster, node, data=DATA):
    host = cluster.world.hosts[node]
    host.give(lambda now: host.node.off_chain.put(1, data, None, now))
    cluster.run_until(lambda: 1 in host.off_chain.answers)
    assert host.off_chain.answers[1] == sha256(data)


def get(cluster, node, request=2, within_s=60):
    host = cluster.world.hosts[node]
    host.give(lambda now: host.node.off_chain.get(request, HASH, 2**20, now))
    cluster.run_until(lambda: request in host.off_chain.answers, within_s=within_s)
    return host.off_chain.answers[request]


def connected(cluster):
    cluster.run_until(lambda: all(len(host.attached) == len(cluster.heights) - 1 for host in cluster.world.hosts))


class Liar(Behaviour):
    """Says that it has every blob, and serves it by its own rule; otherwise it is honest."""

    def __init__(self, host, rule):
        self._host = host
        self._rule = rule
        self.ignores_guard = False

    def on_started(self):
        pass

    def on_effects(self, effects):
        return effects

    def on_message(self, peer, message):
        content = DATA if self._rule in {"garbage", "mute"} else FALSE
        match message:
            case WantBlob(blob_hash):
                size = 2**32 - 1 if self._rule == "absurd" else len(content)
                self._host.act([Transmit(peer, HaveBlob(blob_hash, size, chunk_hashes(content)))])
            case GetBlobChunk(blob_hash, index) if self._rule != "mute":
                piece = content[index * BLOB_CHUNK_BYTES : (index + 1) * BLOB_CHUNK_BYTES]
                piece = bytes(len(piece)) if self._rule == "garbage" else piece
                self._host.act([Transmit(peer, BlobChunk(blob_hash, index, piece))])
            case GetBlobChunk():
                pass
            case _:
                return message
        return None


@pytest.mark.parametrize("seed", [1, 2])
def test_a_blob_comes_over_lossy_links_and_is_on_both_disks(seed):
    with Cluster(4, seed=seed, faults={"loss": 0.3}) as cluster:
        cluster.run_for(5)
        put(cluster, 0)
        assert get(cluster, 3) == DATA
        cluster.run_for(1)
        assert cluster.world.hosts[3].off_chain.blobs[HASH][1] == DATA


@pytest.mark.parametrize("rule", ["garbage", "false", "absurd", "mute"])
def test_liars_are_named_and_the_blob_comes_all_the_same(rule):
    with Cluster(4, seed=5) as cluster:
        connected(cluster)
        hosts = cluster.world.hosts
        for number in (1, 2):
            hosts[number].behaviour = Liar(hosts[number], rule)
        put(cluster, 0)
        assert get(cluster, 3) == DATA
        counters = hosts[3].node.statistics()["blobs"]
        if rule == "mute":
            assert counters["stalls"] >= 1
            assert "convicted" not in counters
        else:
            assert counters["convicted"] >= 1
            closed = {key: n for key, n in hosts[3].node.statistics()["node"].items() if key.startswith("closed.BLOB")}
            assert sum(closed.values()) == counters["convicted"] <= 2


def test_a_peer_of_a_peer_that_has_it_is_found_and_dialled():
    with Cluster(4, seed=3) as cluster:
        connected(cluster)
        put(cluster, 0)
        one, three = (cluster.world.hosts[number] for number in (0, 3))
        three.give(lambda now: three.node._board.blame(one.key, "TEST", "the test parts them", now))
        assert one.key not in three.attached
        assert get(cluster, 3) == DATA
        assert one.key in three.attached


def test_a_crash_amid_a_put_leaves_the_whole_blob_or_nothing():
    with Cluster(4, seed=4) as cluster:
        connected(cluster)
        host = cluster.world.hosts[0]
        host.give(lambda now: host.node.off_chain.put(1, DATA, None, now))
        cluster.crash(0)
        assert host.off_chain.blobs == {}
        cluster.restart(0)
        cluster.run_for(5)
        assert host.node.statistics()["blobs"]["own"] == 0
        host.off_chain.answers.clear()
        put(cluster, 0)
        cluster.crash(0)
        cluster.restart(0)
        cluster.run_for(10)
        assert get(cluster, 2) == DATA


def test_a_damaged_blob_is_fetched_again_from_a_peer():
    with Cluster(4, seed=6) as cluster:
        connected(cluster)
        put(cluster, 0)
        assert get(cluster, 3) == DATA
        cluster.run_for(1)
        disk = cluster.world.hosts[0].off_chain.blobs
        disk[HASH] = disk[HASH][0], FALSE
        assert get(cluster, 0) == DATA
        cluster.run_for(1)
        assert disk[HASH][1] == DATA


def test_a_message_waits_with_peers_for_a_store_that_was_down_while_its_sender_goes():
    with Cluster(5, seed=7) as cluster:
        connected(cluster)
        buyer, shop = cluster.world.hosts[1], cluster.world.hosts[4]
        cluster.crash(4)
        cluster.run_for(2)
        letter = Letter(shop.key, bytes(32), buyer.now // 1_000 + 3_600_000, b"sealed" * 100, b"")
        buyer.give(lambda now: buyer.node.off_chain.send(1, letter, now))
        cluster.run_for(3)
        cluster.crash(1)
        cluster.restart(4)
        cluster.run_until(lambda: len(shop.off_chain.arrived) == 1)
        cluster.run_for(10)
        found = shop.node.off_chain.mailbox.inbox()
        assert [each.sealed for _, each in found] == [letter.sealed]  # three peers held it, and it came once
        held = [h.node.statistics()["messages"]["box_held"] for h in cluster.world.hosts if h.core is not None]
        assert held == [0] * 4
