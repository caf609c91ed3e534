"""Answers to other nodes: what is held, within what one message and one peer may have."""

from p2pcommerce.ledger.block import Block
from p2pcommerce.node import serving as room
from p2pcommerce.node.effects import LoadBlocks, Transmit
from p2pcommerce.node.serving import ANSWER_BYTES_MAX, LOADS_PER_PEER_MAX, RECENT_BLOCKS_MAX, Serving
from p2pcommerce.wire.messages import (
    BLOCK_BYTES_MAX,
    GET_TRANSACTIONS_IDS_MAX,
    BlockBody,
    Blocks,
    BlockTransactions,
    GetBlock,
    GetBlocks,
    GetTransactions,
    NoBlock,
    encode_message,
)

from .cluster import replace
from .parts import Site

A, B = bytes([1]) * 32, bytes([2]) * 32
HASH = bytes([9]) * 32


def serve(pool=None):
    site = Site()
    return site, Serving(site.chain, (pool or {}).get)


def test_transactions_come_from_unfinal_blocks_recent_blocks_and_the_pool():
    site, serving = serve({HASH: b"pooled"})
    first = site.build(*site.transfers("ann", 0, 1))
    ids = (first.transaction_ids[1], HASH, bytes(32))
    expected = [Transmit(A, BlockTransactions(first.hash, (first.transactions[1], b"pooled")))]
    assert serving.on_get_transactions(A, GetTransactions(first.hash, ids)) == expected
    site.chain.finalize(first.hash, b"")
    assert serving.on_get_block(A, GetBlock(first.hash)) == [Transmit(A, NoBlock(first.hash))]
    serving.on_final(first)
    assert serving.on_get_transactions(A, GetTransactions(first.hash, ids)) == expected
    assert serving.on_get_block(A, GetBlock(first.hash)) == [Transmit(A, BlockBody(first.raw))]


def test_a_peer_is_told_of_what_is_not_here():
    _, serving = serve()
    assert serving.on_get_transactions(A, GetTransactions(HASH, (HASH,))) == [Transmit(A, NoBlock(HASH))]
    assert serving.on_get_block(A, GetBlock(HASH)) == [Transmit(A, NoBlock(HASH))]


def test_an_answer_with_transactions_is_never_larger_than_a_message_may_be():
    ids = tuple(number.to_bytes(32, "big") for number in range(GET_TRANSACTIONS_IDS_MAX))
    for size in (16 * 1024, 600, 1):
        _, serving = serve(dict.fromkeys(ids, bytes(size)))
        (effect,) = serving.on_get_transactions(A, GetTransactions(HASH, ids))
        assert sum(map(len, effect.message.items)) <= ANSWER_BYTES_MAX
        assert len(effect.message.items) == min(len(ids), ANSWER_BYTES_MAX // size)
        encode_message(effect.message)


def test_an_id_asked_for_many_times_is_answered_once():
    _, serving = serve({HASH: b"pooled"})
    (effect,) = serving.on_get_transactions(A, GetTransactions(HASH, (HASH,) * 2_000))
    assert effect.message.items == (b"pooled",)


def test_recent_blocks_are_bounded_in_count_and_bytes(monkeypatch):
    site, serving = serve()
    block = site.build()
    blocks = [Block(replace(block.header, time_ms=number), ()) for number in range(RECENT_BLOCKS_MAX + 1)]
    for each in blocks:
        serving.on_final(each)
    assert isinstance(serving.on_get_block(A, GetBlock(blocks[0].hash))[0].message, NoBlock)
    assert isinstance(serving.on_get_block(A, GetBlock(blocks[1].hash))[0].message, BlockBody)
    monkeypatch.setattr(room, "RECENT_BYTES_MAX", len(blocks[0].raw) * 3 - 1)
    serving.on_final(Block(replace(block.header, time_ms=10**6), ()))
    held = [isinstance(serving.on_get_block(A, GetBlock(each.hash))[0].message, BlockBody) for each in blocks]
    assert sum(held) == 1


def test_ranges_are_read_from_the_store():
    site, serving = serve()
    first = site.build()
    (load,) = serving.on_get_blocks(A, GetBlocks(1, 10))
    assert isinstance(load, LoadBlocks)
    assert load.from_height == 1
    assert serving.on_loaded(load.request, [(first.raw, b"proof")]) == [Transmit(A, Blocks(1, (first.raw,), b"proof"))]
    assert serving.on_loaded(load.request, [(first.raw, b"proof")]) == [], "each is answered once"
    (load,) = serving.on_get_blocks(A, GetBlocks(7, 10))
    assert serving.on_loaded(load.request, []) == [Transmit(A, Blocks(7, (), b""))]


def test_blocks_that_are_final_and_not_stored_yet_are_answered_with_the_heads_proof():
    site, serving = serve()
    first = site.build()
    second = site.build(on=first)
    for block, proof in ((first, b""), (second, b"of the second")):
        site.chain.finalize(block.hash, proof)
        serving.on_final(block)
    (load,) = serving.on_get_blocks(A, GetBlocks(1, 1))
    expected = Blocks(1, (first.raw, second.raw), b"of the second")
    assert serving.on_loaded(load.request, []) == [Transmit(A, expected)]
    (load,) = serving.on_get_blocks(A, GetBlocks(2, 1))
    assert serving.on_loaded(load.request, []) == [Transmit(A, Blocks(2, (second.raw,), b"of the second"))]
    (load,) = serving.on_get_blocks(A, GetBlocks(3, 1))
    assert serving.on_loaded(load.request, []) == [Transmit(A, Blocks(3, (), b""))]


def test_an_answer_with_blocks_is_never_larger_than_a_message_may_be():
    _, serving = serve()
    (load,) = serving.on_get_blocks(A, GetBlocks(1, 2**16 - 1))
    rows = [(bytes(BLOCK_BYTES_MAX // 4), b"proof")] * 128
    (effect,) = serving.on_loaded(load.request, rows)
    assert len(effect.message.blocks) == 3
    encode_message(effect.message)


def test_reads_under_way_are_bounded_per_peer():
    _, serving = serve()
    loads = [serving.on_get_blocks(A, GetBlocks(1, 1)) for _ in range(LOADS_PER_PEER_MAX + 2)]
    assert [len(each) for each in loads] == [1] * LOADS_PER_PEER_MAX + [0, 0]
    assert serving.counters["requests_refused"] == 2
    assert serving.on_get_blocks(B, GetBlocks(1, 1)), "another peer has its own share"
    serving.on_loaded(loads[0][0].request, [])
    assert serving.on_get_blocks(A, GetBlocks(1, 1))


def test_a_peer_that_comes_back_does_not_get_a_second_share():
    _, serving = serve()
    loads = [serving.on_get_blocks(A, GetBlocks(1, 1))[0] for _ in range(LOADS_PER_PEER_MAX)]
    serving.on_disconnected(A)
    assert serving.on_get_blocks(A, GetBlocks(1, 1)) == []
    assert serving.on_loaded(loads[0].request, []) == [], "that connection has ended"
    (load,) = serving.on_get_blocks(A, GetBlocks(1, 1))
    assert serving.on_loaded(load.request, []) == [Transmit(A, Blocks(1, (), b""))]
