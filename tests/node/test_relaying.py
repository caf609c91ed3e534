"""Beyond so many validators, each is connected with some of the others, and finality messages are relayed."""

import random
from dataclasses import replace

import pytest

from p2pcommerce.discovery import DiscoveryParameters
from p2pcommerce.finality import FFG
from p2pcommerce.finality.simplex.messages import Cast, Certificates, Proposal, Status, decode_message
from p2pcommerce.gossip import GossipParameters
from p2pcommerce.gossip.relay import Relay
from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.gossip.score import Scores
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.node.relaying import Relaying
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.wire import messages as wire

from .cluster import KEYED, Cluster, make_genesis, seed_of
from .test_cluster import check_same_state, load

VALIDATORS = 10
NEIGHBOURS = 3


def wide(seed=1, *, validators=VALIDATORS, epoch_blocks=7_200, followers=0, **numbers):
    """Return a network in which five validators are the most that tell each other everything straight."""
    given = {"direct_max": 5, "neighbours": NEIGHBOURS, **numbers}
    cluster = Cluster(
        seed,
        genesis=make_genesis(validators, parameters=replace(ChainParameters.local(), epoch_blocks=epoch_blocks)),
        followers=followers,
        parameters=NodeParameters(relay=RelayParameters(**given), discovery=DiscoveryParameters(outbound_target=1)),
    )
    cluster.bootstrap = cluster.bootstrap[:1]
    return cluster


def relaying(host):
    return host.node.statistics()["gossip"]


def total(cluster, room, name):
    return sum(host.node.statistics()[room].get(name, 0) for host in cluster.validators if host.core is not None)


@pytest.mark.parametrize("seed", range(2))
def test_validators_that_know_few_of_the_others_make_transfers_final(seed):
    cluster = wide(seed, followers=2).start()
    load(cluster, range(5), pause_s=0.4)
    cluster.settle()
    check_same_state(cluster)
    assert not any(host.halted or host.refused_to_sign or host.warnings for host in cluster.hosts)
    degrees = [relaying(host)["relay_peers"] for host in cluster.validators]
    assert sum(degrees) < VALIDATORS * (VALIDATORS - 1) * 9 // 10, degrees
    assert all(relaying(host)["relay_senders"] >= 2 for host in cluster.validators)
    assert total(cluster, "gossip", "relayed_reject") == 0
    assert total(cluster, "gossip", "relayed_accept") > 0
    assert all(host.node.statistics()["blocks"]["final_blocks_taken"] for host in cluster.followers)
    assert not any(relaying(host)["relay_peers"] for host in cluster.followers)


def test_what_may_be_relayed_goes_straight_to_nobody_and_the_rest_does():
    cluster = wide().start()
    straight = []
    carry = cluster.carry

    def watch(sender, number, data):
        message = wire.decode_message(data)
        if isinstance(message, wire.Engine):
            straight.append(type(decode_message(message.data)))
        carry(sender, number, data)

    cluster.carry = watch
    load(cluster, range(4), pause_s=0.4)
    cluster.settle()
    assert Cast not in straight
    assert Proposal not in straight
    assert Status in straight
    assert straight.count(Certificates) < cluster.validators[0].height  # rule 8, of few


def test_up_to_the_limit_everybody_tells_everybody_straight():
    cluster = wide(validators=5).start()
    load(cluster, range(2))
    cluster.settle()
    assert not {"Relayed", "RelayIds", "RelayRole"} & set(cluster.messages)
    assert all(len(host.attached) == 4 for host in cluster.validators)


def test_an_engine_that_believes_no_hearsay_is_told_straight_however_many_there_are():
    cluster = wide()
    cluster.make_engine = FFG
    cluster.start()
    cluster.run(3)
    assert not {"Relayed", "RelayIds", "RelayRole"} & set(cluster.messages)
    assert all(len(host.attached) == VALIDATORS - 1 for host in cluster.validators)


def test_a_validator_that_starts_again_finds_a_quorum_and_lets_go_of_it():
    cluster = wide().start()
    load(cluster, range(3), pause_s=0.4)
    cluster.run_until(lambda: all(host.disk.book for host in cluster.hosts), 60)
    cluster.settle()
    host = cluster.validators[4]
    host.crash()
    load(cluster, range(3, 6), hosts=cluster.validators[:3], pause_s=0.4)
    host.start()
    load(cluster, range(6, 9), hosts=cluster.validators[:3], pause_s=0.4)
    cluster.settle()
    check_same_state(cluster)
    assert host.node.statistics()["finality"]["recovering"] == 0
    assert host.node.statistics()["discovery"]["wanted"] == NEIGHBOURS
    assert "SURPLUS" in {code for code, _ in host.closed}
    assert len(host.attached) < VALIDATORS - 1


@pytest.mark.parametrize("seed", range(1))
def test_a_third_less_one_that_is_down_stops_nothing(seed):
    cluster = wide(seed).start()
    load(cluster, range(2), pause_s=0.4)
    cluster.settle()
    for host in cluster.validators[7:]:
        host.crash()
    load(cluster, range(2, 8), hosts=cluster.validators[:3], pause_s=0.4)
    cluster.settle(60)
    assert len({host.head for host in cluster.validators[:7]}) == 1


@pytest.mark.parametrize("seed", range(2))
def test_what_stood_still_while_the_network_was_parted_goes_on(seed):
    cluster = wide(seed).start()
    load(cluster, range(2), pause_s=0.4)
    cluster.settle()
    height = cluster.validators[0].height
    cluster.partition(cluster.validators[:5], cluster.validators[5:])
    load(cluster, range(2, 6), hosts=cluster.validators[:3], pause_s=0.5)
    assert max(cluster.heights) <= height + 2, "no side has a quorum"
    cluster.heal()
    cluster.settle(60)
    check_same_state(cluster)
    assert not any(host.halted or host.refused_to_sign for host in cluster.hosts)


@pytest.mark.parametrize("seed", range(2))
def test_epochs_are_crossed(seed):
    cluster = wide(seed, epoch_blocks=4).start()
    load(cluster, range(9), pause_s=0.4)
    cluster.settle(60)
    check_same_state(cluster)
    assert min(cluster.heights) > 8
    assert not any(host.halted or host.refused_to_sign for host in cluster.hosts)


class Early:
    """An engine in view 1 to which all is too early until it is in view 2; it stands for the agreement, too."""

    def __init__(self):
        self.position = (0, 1)
        self.judged = []

    def relays(self, data):
        return data != b"straight"

    def on_relayed(self, peer, data, now):
        self.judged.append((peer, data))
        return (Verdict.ACCEPT if self.position == (0, 2) else None), []

    def on_message(self, peer, data, now):
        self.judged.append((peer, data))
        return []


def early(**numbers):
    """Return what stands between an engine and a relay among 20 validators."""
    peers = [KEYED.public_key(seed_of(f"validator {number}")) for number in range(20)]
    scores, parameters, engine = Scores(GossipParameters()), RelayParameters(**numbers), Early()
    relay = Relay(
        parameters, GossipParameters(), scores, random.Random(1), lambda *_: [], lambda _: None, lambda _: None
    )
    relay.set_audience(peers, 1)
    for peer in peers[:10]:
        scores.on_connected(peer, 1)
        relay.on_connected(peer, own_key=bytes(16), peer_key=peer[:16], outbound=True, now=1)
    return Relaying(relay, engine, engine, parameters, lambda effects, now: effects), engine, peers


def test_what_comes_too_early_is_judged_again_when_the_view_has_changed():
    relaying_, engine, peers = early()
    relaying_.on_relayed(peers[0], (b"one", b"two"), 1)
    relaying_.on_relayed(peers[1], (b"one",), 1)
    assert relaying_.statistics()["relayed_early_kept"] == 2
    engine.judged.clear()
    engine.position = (0, 2)
    relaying_.on_relayed(peers[2], (b"three",), 1)
    assert engine.judged == [(peers[2], b"three"), (peers[0], b"one"), (peers[0], b"two")]
    assert relaying_.statistics()["relayed_accept"] == 3
    assert relaying_.statistics()["relayed_early_kept"] == 0


def test_what_comes_too_early_is_bounded_by_count_bytes_and_peer():
    relaying_, _, peers = early(early_max=6, early_bytes_max=100, early_peer_max=4)
    relaying_.on_relayed(peers[0], tuple(b"%d" % number for number in range(9)), 1)
    assert relaying_.statistics()["relayed_early_kept"] == 4
    relaying_.on_relayed(peers[1], tuple(b"+%d" % number for number in range(9)), 1)
    assert relaying_.statistics()["relayed_early_kept"] == 6
    relaying_.on_relayed(peers[2], (bytes(95),), 1)
    assert relaying_.statistics()["relayed_early_kept"] < 4
    relaying_.on_relayed(peers[3], (bytes(101),), 1)
    assert relaying_.statistics()["relayed_early_kept"] == 0


def test_what_is_for_one_peer_or_from_none_of_the_validators_goes_straight_to_the_engine():
    relaying_, engine, peers = early()
    stranger = KEYED.public_key(seed_of("stranger"))
    engine.position = (0, 2)
    relaying_.on_engine(peers[0], b"straight", 1)
    relaying_.on_engine(stranger, b"vote", 1)
    assert relaying_.statistics().get("relayed_accept", 0) == 0
    relaying_.on_engine(peers[0], b"vote", 1)
    assert relaying_.statistics()["relayed_accept"] == 1
    assert len(engine.judged) == 3


def test_a_network_at_rest_relays_what_its_blocks_need_and_nothing_else():
    cluster = wide().start()
    load(cluster, range(2), pause_s=0.4)
    cluster.settle()
    cluster.run(10)
    before, blocks = total(cluster, "gossip", "relayed_own"), cluster.validators[0].height
    cluster.run(20)
    made = cluster.validators[0].height - blocks
    assert total(cluster, "gossip", "relayed_own") - before <= made * (2 * VALIDATORS + 1)
    assert total(cluster, "gossip", "relay_reminders") == 0 or made
    assert total(cluster, "finality", "views_nullified") == 0
