"""Whole nodes: what a partition kept from a node comes by set reconciliation, where nothing else would bring it."""

from p2pcommerce.commerce import Transfer
from p2pcommerce.gossip import GossipParameters
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.simulation.cluster import Cluster

NAMES = ("ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal")
CUT_OFF = 5
FOR_EVER_US = 10**15
ROUND_S = 75
"""An interval and its jitter."""


def waiting_transfers(cluster):
    """Submit transactions that wait in every pool: the one before each of them never comes."""
    ids = []
    for name in NAMES:
        cluster._purse._nonces[cluster.account(name)] = 1
        ids.append(cluster.submit(Transfer(cluster.account("ann"), 5), sender=name))
    return ids


def pools(cluster, ids):
    return [sum(tx_id in host.node.mempool for tx_id in ids) for host in cluster.world.hosts]


def test_a_node_that_was_cut_off_for_60_s_gets_what_it_missed_within_one_round():
    parameters = NodeParameters(gossip=GossipParameters(reoffer_us=FOR_EVER_US))
    with Cluster(6, validators=4, accounts=NAMES, parameters=parameters) as cluster:
        cluster.run_for(5)
        cluster.partition([[CUT_OFF]])
        ids = waiting_transfers(cluster)
        cluster.run_for(60)
        assert pools(cluster, ids) == [len(ids)] * CUT_OFF + [0]
        cluster.heal()
        cluster.run_until(lambda: pools(cluster, ids)[CUT_OFF] == len(ids), within_s=ROUND_S)
        gossip = cluster.world.hosts[CUT_OFF].node.statistics()["gossip"]
        assert gossip["reconcile_found"] >= len(ids)
        assert gossip["received"] == len(ids)
        assert gossip["duplicates"] == 0


def test_a_node_that_starts_late_gets_what_waits_in_the_pools_of_others():
    parameters = NodeParameters(gossip=GossipParameters(reoffer_us=FOR_EVER_US))
    with Cluster(6, validators=4, accounts=NAMES, parameters=parameters, sessions=True) as cluster:
        cluster.run_for(3)
        cluster.crash(CUT_OFF)
        ids = waiting_transfers(cluster)
        cluster.run_for(5)
        cluster.restart(CUT_OFF)
        cluster.run_until(lambda: pools(cluster, ids)[CUT_OFF] == len(ids), within_s=ROUND_S)
