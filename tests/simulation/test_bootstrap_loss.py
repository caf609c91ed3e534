"""Whole nodes whose bootstrap nodes vanish after the first contact: nothing stops, and everybody comes back."""

from __future__ import annotations

from p2pcommerce.commerce import Transfer
from p2pcommerce.simulation.cluster import Cluster

VALIDATORS = 4
NODES = 9
BOOTSTRAP = (7, 8)
SAVED_S = 75
"""The book is saved a minute after the first change."""


def make():
    cluster = Cluster(NODES, validators=VALIDATORS, accounts=("ann", "bob"))
    cluster.world.bootstrap = tuple(cluster.world.hosts[node].address for node in BOOTSTRAP)
    return cluster


def pay(cluster, node):
    tx_id = cluster.submit(Transfer(cluster.account("bob"), 7), sender="ann", node=node)
    cluster.run_until_final(tx_id)


def peers_of(cluster, node):
    return dict(cluster.world.hosts[node].node.statistics()["discovery"])


def test_every_bootstrap_node_may_vanish_after_the_first_contact():
    with make() as cluster:
        cluster.run_for(SAVED_S)
        for node in BOOTSTRAP:
            cluster.crash(node)
        pay(cluster, 5)
        left = range(NODES - len(BOOTSTRAP))
        for node in left:
            cluster.crash(node)
            cluster.run_for(2)
            cluster.restart(node)
            cluster.run_for(20)
            found = peers_of(cluster, node)
            assert found["outbound"] + found["inbound"] >= 2, (node, found)
        pay(cluster, 6)
        cluster.assert_agreement()


def test_a_whole_network_comes_back_from_its_books_when_the_bootstrap_nodes_are_gone():
    with make() as cluster:
        cluster.run_for(SAVED_S)
        for node in range(NODES):
            cluster.crash(node)
        cluster.run_for(5)
        left = range(NODES - len(BOOTSTRAP))
        for node in left:
            cluster.restart(node)
        cluster.run_for(30)
        for node in left:
            found = peers_of(cluster, node)
            assert found["outbound"] + found["inbound"] == len(left) - 1, (node, found)
        pay(cluster, 6)


def test_without_a_book_and_without_bootstrap_nodes_a_node_finds_nobody_by_itself():
    with make() as cluster:
        for node in BOOTSTRAP:
            cluster.crash(node)
        cluster.run_for(30)
        assert all(peers_of(cluster, node)["outbound"] == 0 for node in range(NODES - len(BOOTSTRAP)))
