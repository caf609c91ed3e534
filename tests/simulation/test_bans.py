"""A ban outlives the node that spoke it."""

from p2pcommerce.simulation.cluster import Cluster

BANNED = bytes([7]) * 32


def test_a_ban_stands_over_a_crash_of_the_node():
    with Cluster(4) as cluster:
        cluster.run_for(3)
        host = cluster.world.hosts[0]
        scores = host.node._board.router.scores
        score = scores.on_connected(BANNED, host.now)
        scores.ban(score, host.now)
        scores.on_disconnected(BANNED, host.now)
        host.node._board.discovery.save_soon(host.now)
        cluster.run_for(90)
        cluster.crash(0)
        cluster.run_for(1)
        cluster.restart(0)
        cluster.run_for(1)
        router = host.node._board.router
        assert router.scores is not scores
        assert router.is_banned(BANNED, host.now)
        assert not router.is_banned(BANNED, host.now + 600_000_000)
