"""A link that is cut one way, as a stream meets it."""

import pytest

from p2pcommerce.simulation.cluster import Cluster
from p2pcommerce.simulation.link_faults import LinkFault
from p2pcommerce.simulation.windows import TIMEOUT_US, WINDOW_BYTES, Windows


def test_the_open_way_carries_a_window_and_then_nothing():
    subject = Windows()
    assert subject.is_clear
    assert [subject.send(1, WINDOW_BYTES // 3, is_cut=False) for _ in range(5)] == [True, True, True, False, False]
    assert subject.is_stuck
    assert not subject.send(1, 1, is_cut=False)


def test_the_cut_way_carries_nothing_and_leaves_the_other_alone():
    subject = Windows()
    assert not subject.send(1, 10, is_cut=True)
    assert subject.send(2, 10, is_cut=False)


def test_what_is_acknowledged_makes_room():
    subject = Windows()
    assert subject.send(1, WINDOW_BYTES, is_cut=False)
    subject.clear()
    assert subject.is_clear
    assert subject.send(1, WINDOW_BYTES, is_cut=False)


@pytest.mark.parametrize("sessions", [False, True])
def test_nodes_hear_each_other_one_way_until_the_connection_times_out(sessions):
    heard = {(0, 1): 0, (1, 0): 0}
    with Cluster(nodes=2, latency_ms=5, sessions=sessions) as cluster:
        cluster.run_for(5)
        world = cluster.world
        assert len(world.connections) == 1
        for host in world.hosts:
            other = world.hosts[1 - host.number]

            def note(peer, message, *, host=host, receive=host.receive, link=(other.number, host.number)):
                heard[link] += 1
                receive(peer, message)

            host.receive = note
        world.links.set_fault(LinkFault(kind="one_way", links=frozenset({(0, 1)})))
        cut_s = cluster.now_s
        cluster.run_for(TIMEOUT_US / 1_000_000 - 0.5)
        assert len(world.connections) == 1
        assert heard[0, 1] <= 2  # what was on its way
        assert heard[1, 0] > 0
        cluster.run_for(5)
        assert len(world.connections) == 0  # and no dial works
        assert world.connections.fired["one_way"] > 0
        assert not world.connections.fired["partition"]
        world.links.clear_fault()
        cluster.run_until(lambda: len(world.connections) == 1, within_s=60)
        assert cluster.now_s > cut_s
