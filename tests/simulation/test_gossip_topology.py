"""The graph of connections."""

import random

from p2pcommerce.simulation.gossip.topology import Topology


def anybody(_caller, _callee):
    return True


def filled(nodes, outbound=8, inbound_max=40):
    topology = Topology(nodes, outbound=outbound, inbound_max=inbound_max, rng=random.Random(1))
    for node in range(nodes):
        topology.fill(node, anybody)
    return topology


def test_everybody_dials_as_many_as_wanted():
    topology = filled(100)
    assert all(sum(neighbours.values()) == 8 for neighbours in topology.neighbours)


def test_a_connection_has_two_ends_one_of_which_dialled():
    topology = filled(60)
    for node, neighbours in enumerate(topology.neighbours):
        assert node not in neighbours
        for peer, dialled in neighbours.items():
            assert topology.neighbours[peer][node] is not dialled


def test_nobody_takes_more_calls_than_the_bound():
    topology = filled(100, outbound=8, inbound_max=9)
    assert max(sum(not dialled for dialled in neighbours.values()) for neighbours in topology.neighbours) == 9


def test_a_small_network_is_fully_connected_and_no_more():
    topology = filled(4)
    assert [len(neighbours) for neighbours in topology.neighbours] == [3, 3, 3, 3]


def test_who_may_not_be_called_is_not():
    topology = Topology(30, outbound=8, inbound_max=40, rng=random.Random(1))
    assert 7 not in topology.fill(0, lambda _, callee: callee != 7)
    assert topology.fill(1, lambda _caller, _callee: False) == []


def test_a_lost_connection_can_be_replaced():
    topology = filled(60)
    lost = next(peer for peer, dialled in topology.neighbours[5].items() if dialled)
    topology.cut(5, lost)
    assert len(topology.fill(5, lambda _, callee: callee != lost)) == 1
    assert sum(topology.neighbours[5].values()) == 8
