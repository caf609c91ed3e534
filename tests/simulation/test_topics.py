"""Whole simulated nodes: a post reaches all that listen, nobody else, and a flood of posts harms nothing."""

from p2pcommerce.commerce import Transfer
from p2pcommerce.gossip import sign_post
from p2pcommerce.simulation.cluster import Cluster


def publish(cluster, number, data, *, sequence, topic="news"):
    """Publish at a node, as its runtime would, but for the runtime's pushing back."""
    host = cluster.world.hosts[number]
    genesis_hash = cluster.world.genesis.hash
    expires_ms = host.now // 1_000 + 60_000
    post = sign_post(cluster.world.scheme, host.seed, genesis_hash, topic, data, sequence, expires_ms)
    host.give(lambda now: host.node.on_publish(post, now))


def listen(cluster, numbers, topic="news"):
    for number in numbers:
        host = cluster.world.hosts[number]
        host.give(lambda now, node=host.node: node.on_listen(topic, None, now)[1])


def heard(cluster, number):
    return [effect.post.data for effect in cluster.world.hosts[number].posts]


def gossip(cluster, number):
    return cluster.world.hosts[number].node.statistics()["gossip"]


def test_a_post_reaches_every_listener_once_and_nobody_else():
    with Cluster(12, validators=4) as cluster:
        cluster.run_for(3)
        listen(cluster, range(8))
        cluster.run_for(1)
        for sequence in range(20):
            publish(cluster, 0, bytes([sequence]), sequence=sequence)
            cluster.run_for(0.05)
        cluster.run_for(2)
        assert all(sorted(heard(cluster, number)) == [bytes([n]) for n in range(20)] for number in range(1, 8))
        assert all(not heard(cluster, number) for number in (0, *range(8, 12)))
        assert sum(gossip(cluster, number).get("posts_unknown_topic", 0) for number in range(8, 12)) == 0
        received = sum(gossip(cluster, number)["posts_received"] for number in range(1, 8))
        duplicates = sum(gossip(cluster, number).get("posts_duplicates", 0) for number in range(8))
        assert received == 140
        assert duplicates <= 6 * received


def test_a_flood_of_posts_is_cut_at_the_origin_s_budget_and_payments_go_on():
    with Cluster(6, validators=4) as cluster:
        cluster.run_for(3)
        listen(cluster, range(6))
        cluster.run_for(1)
        for sequence in range(3_000):
            publish(cluster, 5, sequence.to_bytes(2, "big"), sequence=sequence)
        paid = cluster.submit(Transfer(cluster.key(0), 5), node=3)
        cluster.run_until_final(paid)
        cluster.run_for(1)
        for number in range(5):
            assert 400 <= len(heard(cluster, number)) <= 400 + 100 * 10
            assert gossip(cluster, number).get("banned", 0) == 0
        cluster.assert_agreement()
        cluster.check()
