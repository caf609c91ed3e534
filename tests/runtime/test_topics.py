"""Topics over the real runtime: publishing, listening, pushing back, dropping, stopping."""

from __future__ import annotations

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.runtime.topics import SLOW_US, TopicListener
from tests.runtime.nodes import Notes, config_of, genesis_of, until

TCP = ("tcp://127.0.0.1:0",)


def opened(tmp_path, number, network=None, **settings):
    config = config_of(tmp_path, number, genesis=genesis_of(), **settings)
    return p2p.open_node(config, application=Notes(), transports=() if network is None else (network,))


def gossip(node):
    return node.statistics()["rooms"]["gossip"]


async def test_what_is_published_comes_over_tcp_to_a_listener_behind_another(tmp_path):
    async with (
        opened(tmp_path, 0, listen=TCP) as first,
        opened(tmp_path, 1, listen=TCP, bootstrap=first.listen_addresses) as second,
        opened(tmp_path, 2, listen=TCP, bootstrap=second.listen_addresses) as third,
        third.listen("news") as heard,
        second.listen("news"),
    ):
        with trio.fail_after(30):
            await third.wait_peers(1)
            while not await first.publish("news", b"hello"):  # noqa: ASYNC110 - as an application does
                await trio.sleep(0.01)
            post = await anext(heard)
        assert (post.topic, post.data, post.origin) == ("news", b"hello", first.identity.public_key)


async def test_a_publisher_without_listening_peers_is_told_so(tmp_path, network, jumping_clock):
    async with opened(tmp_path, 0, network) as node:
        assert await node.publish("news", b"hello") == 0
        async with node.listen("news") as heard:
            assert await node.publish("news", b"hello") == 0
            assert heard._posts.maxlen is None
            assert not heard._posts


async def test_a_listener_gets_what_its_validator_accepts_in_the_origin_s_order(tmp_path, network, jumping_clock):
    def even(post):
        return p2p.Verdict.ACCEPT if post.data[0] % 2 == 0 else p2p.Verdict.IGNORE

    async with (
        opened(tmp_path, 0, network) as first,
        opened(tmp_path, 1, network, bootstrap=("memory://n0",)) as second,
        second.listen("news", validator=even) as heard,
    ):
        await until(lambda: first._core._board.router.topics._links)
        await until(lambda: any(link.topics for link in first._core._board.router.topics._links.values()))
        for number in range(10):
            assert await first.publish("news", bytes([number])) == 1
        posts = [await anext(heard) for _ in range(5)]
        assert [post.data[0] for post in posts] == [0, 2, 4, 6, 8]
        assert sorted(post.sequence for post in posts) == [post.sequence for post in posts]
        assert gossip(second)["posts_ignored"] == 5


@pytest.mark.parametrize("fails", ["raises", "returns nothing"])
async def test_a_validator_that_fails_on_a_post_ends_neither_node_nor_listener(tmp_path, network, jumping_clock, fails):
    def judge(post):
        if post.data == b"poison":
            return None if fails == "returns nothing" else {}[post.data]
        return p2p.Verdict.ACCEPT

    async with (
        opened(tmp_path, 0, network) as first,
        opened(tmp_path, 1, network, bootstrap=("memory://n0",), log_file=True) as second,
        second.listen("news", validator=judge) as heard,
    ):
        await until(lambda: any(link.topics for link in first._core._board.router.topics._links.values()))
        for data in (b"poison", b"poison", b"good"):
            assert await first.publish("news", data) == 1
        assert (await anext(heard)).data == b"good"
        assert (heard.failed, second.statistics()["topics"]["failed"]) == (2, 2)
        with pytest.raises(p2p.UsageError, match="validator"):
            await second.publish("news", b"poison")
        assert second.statistics()["peers"] == 1
    assert (tmp_path / "1" / "node.log").read_text().count("the post is ignored") == 1


async def test_a_validator_that_keeps_the_node_waiting_is_counted_and_named_once(tmp_path, network, jumping_clock):
    def judge(post):
        jumping_clock.jump((SLOW_US + post.data[0]) / 1_000_000)
        return p2p.Verdict.ACCEPT

    async with (
        opened(tmp_path, 0, network) as first,
        opened(tmp_path, 1, network, bootstrap=("memory://n0",), log_file=True) as second,
        second.listen("news", validator=judge) as heard,
    ):
        await until(lambda: any(link.topics for link in first._core._board.router.topics._links.values()))
        for late_us in (0, 10, 20):
            await first.publish("news", bytes([late_us]))
        assert [(await anext(heard)).data[0] for _ in range(3)] == [0, 10, 20]
        assert (heard.slow, second.statistics()["topics"]["slow"]) == (2, 2)
    assert (tmp_path / "1" / "node.log").read_text().count('the validator of "news" took 50 ms') == 1


async def test_publishing_waits_for_its_budget_and_loses_nothing(tmp_path, network, jumping_clock):
    count = 600
    async with (
        opened(tmp_path, 0, network) as first,
        opened(tmp_path, 1, network, bootstrap=("memory://n0",)) as second,
        second.listen("news") as heard,
    ):
        await until(lambda: any(link.topics for link in first._core._board.router.topics._links.values()))
        began = trio.current_time()
        for number in range(count):
            await first.publish("news", number.to_bytes(2, "big"))
        assert trio.current_time() - began >= (count - 200) / 50 - 1
        with trio.fail_after(60):
            assert [(await anext(heard)).data for _ in range(count)] == [n.to_bytes(2, "big") for n in range(count)]
        assert gossip(second).get("posts_over_origin_budget", 0) == 0


async def test_a_slow_listener_loses_the_oldest_and_they_are_counted(tmp_path, network, jumping_clock):
    async with (
        opened(tmp_path, 0, network) as first,
        opened(tmp_path, 1, network, bootstrap=("memory://n0",)) as second,
        second.listen("news", capacity=3) as slow,
        second.listen("news") as quick,
    ):
        await until(lambda: any(link.topics for link in first._core._board.router.topics._links.values()))
        for number in range(10):
            await first.publish("news", bytes([number]))
        assert [(await anext(quick)).data[0] for _ in range(10)] == list(range(10))
        assert slow.dropped == 7
        assert [(await anext(slow)).data[0] for _ in range(3)] == [7, 8, 9]
        assert second.statistics()["topics"] == {"listeners": 2, "dropped": 7, "failed": 0, "slow": 0}
    assert second.statistics()["topics"] == {"listeners": 0, "dropped": 7, "failed": 0, "slow": 0}


async def test_a_listener_s_queue_is_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr("p2pcommerce.runtime.topics.QUEUE_BYTES_MAX", 1_000)
    listener = TopicListener("t", 100)
    for number in range(10):
        listener.put(p2p.Post(1, "t", bytes(32), number, 0, b"", b"", bytes(300)))
    assert listener.dropped == 7
    assert (await anext(listener)).sequence == 7


async def test_listeners_end_when_the_node_stops(tmp_path, network, jumping_clock):
    async with trio.open_nursery() as nursery:

        async def read(node, task_status):
            async with node.listen("news") as heard:
                task_status.started()
                assert [post async for post in heard] == []

        async with opened(tmp_path, 0, network) as node:
            await nursery.start(read, node)
    with pytest.raises(trio.ClosedResourceError):
        await node.publish("news", b"late")
    with pytest.raises(trio.ClosedResourceError):
        async with node.listen("news"):
            pass


async def test_wrong_arguments_are_said(tmp_path, network, jumping_clock):
    async with opened(tmp_path, 0, network) as node:
        for topic, data, life_s in (("", b"", 1), ("t", bytes(16_385), 1), ("t", b"", 0), ("t", b"", 601)):
            with pytest.raises(p2p.UsageError):
                await node.publish(topic, data, life_s=life_s)
        with pytest.raises(p2p.UsageError, match="capacity"):
            async with node.listen("t", capacity=0):
                pass
        with pytest.raises(p2p.UsageError):
            async with node.listen("x" * 65):
                pass
        async with node.listen("t", validator=lambda post: p2p.Verdict.REJECT):
            with pytest.raises(p2p.UsageError, match="validator"):
                await node.publish("t", b"")


async def test_listeners_are_bounded(tmp_path, network, jumping_clock, monkeypatch):
    monkeypatch.setattr("p2pcommerce.runtime.topics.LISTENERS_MAX", 1)
    async with opened(tmp_path, 0, network) as node, node.listen("t"):
        with pytest.raises(p2p.UsageError, match="listeners"):
            async with node.listen("t"):
                pass
