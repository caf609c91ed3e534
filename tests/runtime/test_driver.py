"""Nodes among themselves over memory streams, and how the effects of their cores are done."""

from __future__ import annotations

import pytest
import trio

from p2pcommerce.node.effects import Append, Attach, Close, Commit, Dial, Halt, Log, SaveBook, SignRequest, Transmit
from p2pcommerce.runtime import links as links_room
from p2pcommerce.runtime.driver import NodeHaltedError
from p2pcommerce.runtime.transport.memory import MemoryTransport
from p2pcommerce.wire import Ping, Pong
from tests.runtime.nodes import Caller, Note, counted, dial, end_of, genesis_of, running_node, until

GENESIS = genesis_of()


# --- nodes among themselves ---


async def test_a_transaction_becomes_final_at_a_follower_that_submits_it(tmp_path, network, jumping_clock):
    genesis = genesis_of(0, engine="simplex")
    async with running_node(tmp_path, network, 0, engine="simplex", genesis=genesis) as validator:
        config = {"engine": "simplex", "genesis": genesis, "bootstrap": validator.listen_addresses}
        async with running_node(tmp_path, network, 1, **config) as follower:
            await follower.wait_peers(1)
            receipt = await follower.wait_finalized(await follower.submit(Note(b"a", b"1")))
            await validator.wait_height(receipt.height)
            assert await validator.wait_finalized(receipt.tx_id) == receipt
            assert (await validator.query("note", key="a")).value == "1"
            assert [peer.peer for peer in follower.peers()] == [validator.identity.public_key]
            assert follower.peers()[0].outbound
            assert follower.peers()[0].address == "memory://n0"
            assert not validator.peers()[0].outbound


async def test_four_validators_agree_and_one_that_comes_back_catches_up(tmp_path, network, jumping_clock):
    genesis = genesis_of(0, 1, 2, 3)
    everyone = tuple(f"memory://n{number}" for number in range(4))

    def validator(number):
        return running_node(
            tmp_path, network, number, engine="simplex", genesis=genesis, bootstrap=everyone, outbound_peers=0
        )

    async with validator(0) as first, validator(1) as second, validator(2):
        async with validator(3) as last:
            await last.wait_peers(3)
            await last.wait_finalized(await first.submit(Note(b"a", b"1")))
        tx_id = await second.submit(Note(b"b", b"2"))
        receipt = await first.wait_finalized(tx_id)
        async with validator(3) as last:
            assert await last.wait_finalized(tx_id) == receipt
            await last.wait_height(receipt.height + 1)
            assert (await last.query("note", key="b")).value == "2"


async def test_a_follower_over_tcp_gets_blocks(tmp_path, network, jumping_clock):
    async with running_node(tmp_path, network, 0, engine="simplex", listen=("tcp://127.0.0.1:0",)) as validator:
        receipt = await validator.wait_finalized(await validator.submit(Note(b"a", b"1")))
        config = {"engine": "simplex", "listen": (), "bootstrap": validator.listen_addresses}
        async with running_node(tmp_path, network, 1, **config) as follower:
            await follower.wait_height(receipt.height)
            assert await follower.wait_finalized(receipt.tx_id) == receipt


async def test_a_node_that_dials_itself_closes_and_never_dials_again(tmp_path, network, jumping_clock):
    class Roundabout(MemoryTransport):
        async def dial(self, address):
            return await super().dial(address.replace("alias", "n0"))

    async with running_node(tmp_path, Roundabout(), bootstrap=("memory://alias",)) as node:
        await until(lambda: counted(node).get("closed_self_connection"))
        await trio.sleep(120)
        assert sum(counted(node).values()) == 2  # both ends of one connection
        assert not node.peers()


async def test_an_address_where_nobody_answers_is_counted_and_dialled_again(tmp_path, network, jumping_clock):
    async with running_node(tmp_path, network, bootstrap=("memory://nobody",)) as node:
        await until(lambda: counted(node).get("dial_failed", 0) >= 3)


async def test_a_transport_that_does_not_answer_is_given_up(tmp_path, network, jumping_clock):
    class Mute(MemoryTransport):
        async def dial(self, address):
            await trio.sleep_forever()

    async with running_node(tmp_path, Mute(), bootstrap=("memory://mute",)) as node:
        begun = trio.current_time()
        await until(lambda: counted(node).get("dial_failed"))
        assert trio.current_time() - begun == pytest.approx(links_room.DIAL_S, abs=1)


async def test_of_two_connections_with_one_peer_one_is_closed(node, network, jumping_clock):
    for _ in range(2):
        await Caller(await dial(network), GENESIS).shake()
    await until(lambda: counted(node).get("closed_duplicate"))
    assert len(node.peers()) == 1


# --- effects ---


async def test_what_comes_before_the_first_durable_effect_is_done_at_once(node, monkeypatch, jumping_clock):
    done = []
    first, last = Log("DEBUG", "test", "first"), Log("DEBUG", "test", "last")
    disk = FakeDisk()
    with monkeypatch.context() as patch:
        patch.setattr(node._driver, "perform", done.append)
        patch.setattr(node._driver, "_disk", disk)
        node._driver.give([first, Append(b"record"), last])
    assert done == [first]
    assert disk.given == [[Append(b"record"), last]]


class FakeDisk:
    has_room = True

    def __init__(self):
        self.given = []

    def first_durable(self, effects):
        return next((n for n, effect in enumerate(effects) if isinstance(effect, Append)), len(effects))

    def give(self, effects):
        self.given.append(effects)


async def test_effects_for_connections_that_are_gone_do_nothing(node, network, jumping_clock):
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await until(node.peers)
    (connection,) = node._driver.links.attached.values()
    node._driver.give([Close(connection.link, "TEST", "it is told to")])
    node._driver.give([Transmit(connection.peer, Ping(1)), Attach(connection.peer, connection.link)])
    node._driver.give([Close(connection.link, "TEST", "again")])
    connection.send(Ping(2))
    connection.flush()
    await end_of(caller.stream)
    await until(lambda: counted(node) == {"closed_test": 1})
    assert not node.peers()


async def test_a_dial_by_an_unknown_transport_is_a_failed_dial(node, jumping_clock):
    node._driver.give([Dial("carrier-pigeon://x", None)])
    await until(lambda: counted(node) == {"dial_failed": 1})


@pytest.mark.parametrize("effect", [SignRequest(1, "vote", b""), Commit(())])
async def test_effects_of_the_disk_are_not_done_without_it(node, effect, jumping_clock):
    with pytest.raises(TypeError, match="is the disk's"):
        node._driver.perform(effect)


async def test_a_core_that_halts_ends_the_context_with_that_error(tmp_path, network, jumping_clock):
    async def live():
        async with running_node(tmp_path, network) as node:
            node._disk.give([Append(b"\x00"), SaveBook(b""), Halt("another chain is final; compare versions")])
            await trio.sleep_forever()

    with pytest.raises(NodeHaltedError, match="compare versions"):
        await live()


async def test_peers_wait_while_the_disk_is_behind(node, network, monkeypatch, jumping_clock):
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await until(node.peers)
    room = [False]
    monkeypatch.setattr(type(node._disk), "has_room", property(lambda _: room[0]))
    await caller.say(Ping(1))
    await caller.wait_for(Pong)  # what was read before is answered
    await caller.say(Ping(2))
    with trio.move_on_after(5) as scope:
        await caller.wait_for(Pong)
    assert scope.cancelled_caught
    room[0] = True
    node._driver.wake()
    assert await caller.wait_for(Pong) == Pong(2)
