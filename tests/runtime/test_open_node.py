"""`open_node` as an embedding application uses it: one node, a memory transport, a clock that jumps."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.finality import Solo
from tests.runtime.nodes import (
    RICH,
    SHOP,
    Note,
    config_of,
    genesis_of,
    identity,
    open_files,
    open_memory,
    open_notes,
    pay,
    signed,
    until,
)

ROOT = Path(__file__).parents[2]


# --- what an application does ---


async def test_a_payment_is_submitted_final_queried_and_proven(tmp_path, jumping_clock):
    config = config_of(tmp_path)
    async with open_memory(config) as node:
        receipt = await node.wait_finalized(await node.submit(pay(5_000_000)))
        assert (receipt.code, receipt.index) == (p2p.RejectionCode.OK, 0)
        answer = await node.query("account", account=SHOP)
        assert answer.height >= receipt.height > 0
        assert answer.value["balance_minor"] // 1_000 == 4_999  # less the deposit of a new account
        proof = await node.prove("account", account=SHOP.hex())
        proven = p2p.verify_proof(proof.raw, p2p.TrustAnchor.of(config.genesis))
        assert receipt.height <= proven.height
        with trio.fail_after(30):
            await node.wait_height(proven.height)  # the proof is of the state in memory, the store follows
        assert node.listen_addresses == ("memory://n0",)


async def test_a_node_signs_for_an_account_whose_active_key_it_has(tmp_path, jumping_clock):
    config, cold = config_of(tmp_path), identity(5)
    async with open_memory(config) as node:
        with pytest.raises(p2p.TransactionRejectedError) as caught:
            await node.submit(pay(5_000_000), account=cold.public_key)
        assert caught.value.rejection is p2p.RejectionCode.BAD_SIGNATURE
        hand_over = p2p.commerce.KeySet(config.identity.public_key)
        sent = p2p.commerce.build_transaction(hand_over, config.genesis, cold.seed, 0, 1_000)
        await node.wait_finalized(await node.submit(sent))
        paid = [await node.submit(pay(5_000_000), account=cold.public_key) for _ in range(2)]
        own = await node.submit(pay(1_000_000))
        for tx_id in (*paid, own):
            assert (await node.wait_finalized(tx_id)).ok
        left = (await node.query("account", account=cold.public_key)).value
        assert left["nonce"] == 3
        assert RICH - 11_000_000 < left["balance_minor"] < RICH - 10_000_000


async def test_a_proof_leads_from_the_genesis_through_the_epochs_and_a_restart(tmp_path, jumping_clock):
    genesis = genesis_of(engine="simplex")
    genesis = replace(genesis, parameters=replace(genesis.parameters, epoch_blocks=2))
    config = config_of(tmp_path, genesis=genesis, engine="simplex")
    trust = p2p.TrustAnchor.of(genesis)
    for height in (7, 14):
        async with open_memory(config) as node:
            while node.height < height:
                await node.wait_finalized(await node.submit(pay(5_000_000)))
            proof = await node.prove("account", account=SHOP.hex())
            assert p2p.verify_proof(proof.raw, trust).height >= height
            short = await node.prove("account", account=SHOP.hex(), since_epoch=2)
            assert len(short.raw) < len(proof.raw)
            with pytest.raises(p2p.ProofError, match="epoch 0"):
                p2p.verify_proof(short.raw, trust)


async def test_questions_that_do_not_exist_are_refused(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path)) as node:
        with pytest.raises(p2p.QueryError, match="no query of that name"):
            await node.query("nonsense")
        with pytest.raises(p2p.UsageError):
            await node.prove("nonsense")


async def test_statistics_say_where_the_node_stands(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path)) as node:
        await node.wait_finalized(await node.submit(pay(5_000_000)))
        told = node.statistics()
        assert told["height"] == node.height > 0
        assert (told["engine"], told["mempool"], told["peers"]) == ("solo", 0, 0)
        assert len(told["state_root"]) == len(told["head"]) == 64
        assert told["rooms"]["mempool"]["admitted"] == 1
        assert node.peers() == ()


async def test_a_payload_that_is_refused_leaves_no_gap_in_the_nonces(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path)) as node:
        with pytest.raises(p2p.TransactionRejectedError) as caught:
            await node.submit(pay(10 * RICH))
        assert caught.value.rejection is p2p.RejectionCode.NO_FUNDS
        assert caught.value.detail
        await node.wait_finalized(await node.submit(pay(5_000_000)))
        assert (await node.query("account", account=identity(0).public_key)).value["nonce"] == 1


async def test_payloads_submitted_at_once_get_consecutive_nonces(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path)) as node:
        receipts = []

        async def one(amount_minor):
            receipts.append(await node.wait_finalized(await node.submit(pay(1_000_000 + amount_minor))))

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(one, 1 + number)
        assert {receipt.code for receipt in receipts} == {p2p.RejectionCode.OK}
        assert (await node.query("account", account=identity(0).public_key)).value["nonce"] == 40
        assert (await node.query("account", account=SHOP)).value["balance_minor"] // 1_000_000 == 40


async def test_a_submission_that_is_cancelled_leaves_no_gap_in_the_nonces(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path)) as node:
        with trio.CancelScope() as before:
            before.cancel()
            await node.submit(pay(2_000_000))
        with trio.CancelScope() as within:
            hand_over = node._core.on_submit

            def on_submit(*arguments, **options):
                within.cancel()
                return hand_over(*arguments, **options)

            node._core.on_submit = on_submit
            await node.submit(pay(5_000_000))
        assert before.cancelled_caught
        assert within.cancelled_caught
        await node.wait_finalized(await node.submit(pay(7_000_000)))
        # What was in the pool's hands already is a payment like another; what was not does not exist.
        assert (await node.query("account", account=SHOP)).value["balance_minor"] // 1_000_000 == 11


async def test_a_signed_transaction_is_submitted_as_it_is_and_its_nonce_counts(tmp_path, jumping_clock):
    config = config_of(tmp_path)
    async with open_notes(config) as node:
        first = signed(config.genesis, 0, 0)
        assert await node.submit(first) == first.id
        await node.wait_finalized(await node.submit(Note(b"b", b"2")))
        with pytest.raises(p2p.TransactionRejectedError) as caught:
            await node.submit(signed(config.genesis, 0, 0, body=(b"c", b"3")))
        assert caught.value.rejection is p2p.RejectionCode.BAD_NONCE
        assert (await node.query("note", key="a")).value == "1"


async def test_a_duplicate_is_refused_and_frees_no_nonce(tmp_path, jumping_clock):
    config = config_of(tmp_path)
    async with open_notes(config) as node:
        second = signed(config.genesis, 0, 1)  # it waits for nonce 0
        await node.submit(second)
        with pytest.raises(p2p.TransactionRejectedError) as caught:
            await node.submit(second)
        assert caught.value.rejection is p2p.RejectionCode.DUPLICATE
        for _ in range(2):
            await node.wait_finalized(await node.submit(Note(b"b", b"2")))
        await node.wait_finalized(second.id)
        assert node._core.chain.state.final.get(b"nonce:" + identity(0).public_key)[-1] == 3


async def test_waiting_for_a_transaction_that_expires_ends_with_an_error(tmp_path, jumping_clock):
    config = config_of(tmp_path)
    async with open_notes(config) as node:
        late = signed(config.genesis, 1, 3, expires_height=2)  # nonces 0 to 2 never come
        await node.submit(late)
        with pytest.raises(p2p.TransactionExpiredError, match="height 2"):
            await node.wait_finalized(late.id)
        # Whoever asks after it was dropped hears the same, at once.
        with pytest.raises(p2p.TransactionExpiredError, match="height 2"):
            await node.wait_finalized(late.id)


async def test_a_receipt_can_be_had_long_after(tmp_path, jumping_clock):
    async with open_notes(config_of(tmp_path)) as node:
        tx_id = await node.submit(Note(b"a", b"1"))
        first = await node.wait_finalized(tx_id)
        await node.wait_height(first.height + 2)
        assert await node.wait_finalized(tx_id) == first


async def test_an_application_of_ones_own_runs(tmp_path, jumping_clock):
    async with open_notes(config_of(tmp_path)) as node:
        assert node.application.name == "notes"
        assert (await node.query("note", key="first")).value == "hello"
        receipt = await node.wait_finalized(await node.submit(Note(b"x", b"y")))
        assert receipt.events[0].name == "note.x"
        assert (await node.query("note", key="x")).value == "y"
        with pytest.raises(p2p.TransactionRejectedError) as caught:
            await node.submit(Note(b"x", b"forbidden"))
        assert caught.value.rejection is p2p.RejectionCode.FORBIDDEN


async def test_an_engine_of_ones_own_decides(tmp_path, jumping_clock):
    engine = Solo()
    async with open_memory(config_of(tmp_path, engine="solo"), engine=engine) as node:
        await node.wait_finalized(await node.submit(pay(5_000_000)))
        assert engine.status().delivered > 0


async def test_another_engine_than_the_genesis_names_is_refused(tmp_path, jumping_clock):
    with pytest.raises(p2p.ConfigError, match="runs simplex, not solo; open it with that"):
        async with open_memory(config_of(tmp_path, engine="simplex"), engine=Solo()):
            pass
    unknown = config_of(tmp_path, genesis=genesis_of(engine="authority"))
    with pytest.raises(p2p.ConfigError, match="names authority, and there are simplex, ffg, solo; hand the engine to"):
        async with open_memory(unknown):
            pass


async def test_a_single_validator_decides_by_simplex(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path, engine="simplex")) as node:
        receipt = await node.wait_finalized(await node.submit(pay(5_000_000)))
        assert receipt.code is p2p.RejectionCode.OK


# --- events ---


async def test_a_subscriber_sees_each_block_once_from_the_store_and_live(tmp_path, jumping_clock):
    async with open_notes(config_of(tmp_path)) as node:
        for number in range(5):
            await node.wait_finalized(await node.submit(Note(b"a", str(number).encode())))
        heights = []
        async with node.subscribe(since_height=1) as events:
            async for block in events:
                heights.append(block.height)
                if len(heights) < 6:
                    await node.submit(Note(b"b", str(len(heights)).encode()))
                if len(heights) == 9:
                    break
        assert heights == list(range(2, 11))


async def test_a_block_is_stored_before_its_event(tmp_path, jumping_clock):
    async with open_notes(config_of(tmp_path)) as node, node.subscribe() as events:
        tx_id = await node.submit(Note(b"a", b"1"))
        block = await anext(events)
        stored = node._assembly.store.receipt(tx_id)
        assert stored == block.receipts[0]
        assert node._assembly.store.head()[0] >= block.height


async def test_subscribers_choose_kinds(tmp_path, jumping_clock):
    async with open_notes(config_of(tmp_path)) as node, node.subscribe("note.wanted") as events:
        receipts = [
            await node.wait_finalized(await node.submit(Note(key, b"1")))
            for key in (b"other", b"wanted", b"other", b"wanted")
        ]
        blocks = [await anext(events), await anext(events)]
        assert [block.height for block in blocks] == [receipts[1].height, receipts[3].height]
        assert {event.name for block in blocks for item in block.receipts for event in item.events} == {"note.wanted"}


async def test_a_slow_subscriber_is_told_and_the_chain_goes_on(tmp_path, jumping_clock):
    async with open_notes(config_of(tmp_path)) as node, node.subscribe(capacity=2) as events:
        await node.wait_height(5)
        assert [(await anext(events)).height, (await anext(events)).height] == [1, 2]
        with pytest.raises(p2p.SubscriberLaggedError, match="since_height=2"):
            await anext(events)
        await node.wait_height(7)
        async with node.subscribe(since_height=2) as again:
            assert [(await anext(again)).height for _ in range(5)] == [3, 4, 5, 6, 7]


# --- the end ---


async def test_leaving_stops_everything_within_a_second(tmp_path, jumping_clock):
    files, tasks = open_files(), trio.lowlevel.current_statistics().tasks_living
    async with (
        p2p.open_node(config_of(tmp_path, listen=("tcp://127.0.0.1:0",), control=True, log_file=True)) as node,
        p2p.open_node(config_of(tmp_path, 1, listen=("tcp://127.0.0.1:0",), bootstrap=node.listen_addresses)) as other,
    ):
        await other.wait_peers(1)
        await node.wait_finalized(await node.submit(pay(5_000_000)))
        begun = trio.current_time()
    assert trio.current_time() - begun < 1
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    assert open_files() == files


async def test_a_node_that_has_stopped_says_so(tmp_path, jumping_clock):
    async with open_notes(config_of(tmp_path)) as node, trio.open_nursery() as nursery:
        pass
    for call in (
        partial(node.submit, Note(b"a", b"1")),
        partial(node.wait_finalized, bytes(32)),
        partial(node.wait_height, 100),
        partial(node.wait_peers, 1),
        partial(node.prove, "state", key="aa"),
    ):
        with pytest.raises(trio.ClosedResourceError, match="stopped"):
            await call()
    assert not nursery.child_tasks


async def test_whoever_waits_outside_is_told_when_the_node_stops(tmp_path, jumping_clock):
    told = []

    async def wait(call):
        try:
            await call()
        except (trio.ClosedResourceError, StopAsyncIteration) as error:
            told.append(type(error))

    async def follow(node):
        async with node.subscribe() as events:
            async for _ in events:
                pass
        told.append(StopAsyncIteration)

    async with trio.open_nursery() as nursery:
        async with open_notes(config_of(tmp_path)) as node:
            nursery.start_soon(wait, partial(node.wait_finalized, bytes(32)))
            nursery.start_soon(wait, partial(node.wait_height, 100))
            nursery.start_soon(wait, partial(node.wait_peers, 1))
            nursery.start_soon(follow, node)
            await trio.testing.wait_all_tasks_blocked(0.05)
        with trio.fail_after(1):
            await until(lambda: len(told) == 4)
    assert sorted(kind.__name__ for kind in told) == ["ClosedResourceError"] * 3 + ["StopAsyncIteration"]


@pytest.mark.parametrize(
    "raised", [ValueError("mine"), ExceptionGroup("mine", [ValueError("one")]), KeyboardInterrupt()]
)
async def test_an_error_of_the_application_comes_out_unchanged(tmp_path, jumping_clock, raised):
    cause = RuntimeError("why")

    async def live():
        async with open_notes(config_of(tmp_path)) as node:
            await node.wait_height(1)
            raise raised from cause

    with pytest.raises(type(raised)) as caught:
        await live()
    assert caught.value is raised
    assert caught.value.__cause__ is cause


async def test_cancelling_the_application_stops_the_node(tmp_path, jumping_clock):
    with trio.move_on_after(3) as scope:
        async with open_notes(config_of(tmp_path)):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    async with open_notes(config_of(tmp_path)) as node:
        assert node.height > 0 or await node.query("note", key="first")
