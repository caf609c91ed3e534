"""Completing blocks: from the pool, by ids, whole; from others where a peer has nothing, too little or a lie."""

import random

import pytest

from p2pcommerce.finality.engine import Fetch
from p2pcommerce.ledger.block import Block
from p2pcommerce.node.bodies import BY_IDS_TRIES, TRIES_MAX, WANTS_MAX, Bodies
from p2pcommerce.node.effects import Transmit
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.wire.messages import BlockBody, BlockTransactions, GetBlock, GetTransactions, NoBlock

from .parts import Site, with_body

A, B, C = (bytes([number]) * 32 for number in (1, 2, 3))
TIMEOUT_US = 1_000


def block_of(*nonces, seal=b""):
    site = Site()
    return site.build(*site.transfers("ann", *nonces), seal=seal)


def fetch_of(block, *peers, ids=True):
    if not ids:
        return Fetch(block.hash, None, None, peers)
    return Fetch(block.hash, block.header, block.transaction_ids, peers)


def room(pool=(), peers=(A, B, C)):
    held = {tx_id: raw for block in pool for tx_id, raw in zip(block.transaction_ids, block.transactions, strict=True)}
    bodies = Bodies(held.get, TIMEOUT_US, random.Random(1))
    for peer in peers:
        bodies.on_connected(peer)
    return bodies, held


def hashes(bodies):
    return [block.hash for block in bodies.take_ready()]


def asked(effects):
    assert all(isinstance(effect, Transmit) for effect in effects)
    return [(effect.peer, type(effect.message)) for effect in effects]


def test_a_block_whose_bodies_are_in_the_pool_is_ready_at_once():
    block = block_of(0, 1)
    bodies, _ = room([block])
    assert bodies.want(fetch_of(block, A), 0) == []
    (ready,) = bodies.take_ready()
    assert ready == block
    assert bodies.take_ready() == []
    assert bodies.deadline is None
    assert bodies.counters["bodies_from_pool"] == 2


def test_an_empty_block_is_ready_at_once():
    block = block_of()
    bodies, _ = room()
    bodies.want(fetch_of(block), 0)
    assert hashes(bodies) == [block.hash]


def test_what_is_missing_is_asked_by_ids_of_who_should_have_it():
    block = block_of(0, 1, 2)
    bodies, held = room([block])
    del held[block.transaction_ids[1]]
    effects = bodies.want(fetch_of(block, B, A), 0)
    assert effects == [Transmit(B, GetTransactions(block.hash, (block.transaction_ids[1],)))]
    assert bodies.on_transactions(B, BlockTransactions(block.hash, (block.transactions[1],)), 5) == []
    assert hashes(bodies) == [block.hash]
    assert bodies.counters["bodies_pulled"] == 1


def test_a_transaction_that_came_by_gossip_meanwhile_is_taken_from_the_pool():
    block = block_of(0)
    bodies, held = room()
    bodies.want(fetch_of(block, A), 0)
    held[block.transaction_ids[0]] = block.transactions[0]
    assert bodies.on_deadline(TIMEOUT_US) == []
    assert hashes(bodies) == [block.hash]


def test_a_block_whose_ids_are_unknown_is_asked_for_whole():
    block = block_of(0)
    bodies, _ = room()
    assert bodies.want(fetch_of(block, C, ids=False), 0) == [Transmit(C, GetBlock(block.hash))]
    assert bodies.on_body(BlockBody(block.raw)) == []
    assert hashes(bodies) == [block.hash]


def test_ids_that_the_header_does_not_commit_to_are_not_believed():
    block, other = block_of(0), block_of(0, 1)
    bodies, _ = room([other])
    effects = bodies.want(Fetch(block.hash, block.header, other.transaction_ids, (A,)), 0)
    assert asked(effects) == [(A, GetBlock)]
    assert bodies.take_ready() == []


def test_ids_learned_later_serve_a_block_that_was_wanted_before():
    block = block_of(0)
    bodies, _ = room([block])
    bodies.want(fetch_of(block, A, ids=False), 0)
    assert bodies.want(fetch_of(block, B), 1) == []
    assert hashes(bodies) == [block.hash]
    bodies.want(fetch_of(block_of(1), A, ids=False), 0)
    assert bodies.want(fetch_of(block_of(1), B, ids=False), 0) == [], "asking twice asks nobody twice"


def test_a_peer_that_has_nothing_or_stays_silent_is_followed_by_another_and_then_the_whole_block_is_asked_for():
    block = block_of(0)
    bodies, _ = room()
    assert asked(bodies.want(fetch_of(block, A, B), 0)) == [(A, GetTransactions)]
    assert bodies.on_no_block(B, NoBlock(block.hash), 1) == [], "this one was not asked"
    assert asked(bodies.on_no_block(A, NoBlock(block.hash), 1)) == [(B, GetTransactions)]
    assert bodies.deadline == 1 + TIMEOUT_US
    assert bodies.on_deadline(TIMEOUT_US) == []
    ((peer, kind),) = asked(bodies.on_deadline(1 + TIMEOUT_US))
    assert BY_IDS_TRIES == 2
    assert kind is GetBlock
    assert peer != B


def test_a_partial_answer_is_kept_and_the_rest_asked_of_the_next():
    block = block_of(0, 1)
    bodies, _ = room()
    bodies.want(fetch_of(block, A, B), 0)
    effects = bodies.on_transactions(A, BlockTransactions(block.hash, block.transactions[:1]), 1)
    assert effects == [Transmit(B, GetTransactions(block.hash, block.transaction_ids[1:]))]
    late = BlockTransactions(block.hash, block.transactions)
    assert bodies.on_transactions(A, late, 2) == [], "a late answer completes it as well"
    assert hashes(bodies) == [block.hash]
    assert bodies.on_transactions(B, late, 3) == []


def test_a_peer_that_leaves_is_replaced_at_once():
    block = block_of(0)
    bodies, _ = room()
    bodies.want(fetch_of(block, A, B), 0)
    bodies.on_disconnected(A, 7)
    assert bodies.deadline == 7
    assert asked(bodies.on_deadline(7))[0][0] in {B, C}


def test_a_block_wanted_without_peers_is_asked_for_when_one_comes():
    block = block_of(0)
    bodies, _ = room(peers=())
    assert bodies.want(fetch_of(block, A), 0) == []
    bodies.on_connected(B)
    assert asked(bodies.on_deadline(TIMEOUT_US)) == [(B, GetTransactions)]


def test_a_transaction_that_was_never_asked_for_is_refused():
    block, other = block_of(0), block_of(0, 1)
    bodies, _ = room()
    bodies.want(fetch_of(block, A), 0)
    with pytest.raises(CodecError) as caught:
        bodies.on_transactions(A, BlockTransactions(block.hash, other.transactions), 1)
    assert caught.value.code == "BAD_BODY"
    assert bodies.counters["bodies_refused"] == 1
    assert bodies.take_ready() == []


def test_a_body_that_its_header_does_not_commit_to_is_refused_and_the_block_stays_wanted():
    block = block_of(0)
    bodies, _ = room()
    bodies.want(fetch_of(block, A, ids=False), 0)
    with pytest.raises(CodecError) as caught:
        bodies.on_body(BlockBody(Block(block.header, ()).raw))
    assert caught.value.code == "BAD_BODY"
    assert bodies.on_body(BlockBody(with_body(block, ()).raw)) == [], "another block, which nobody wants"
    assert bodies.take_ready() == []
    bodies.on_body(BlockBody(block.raw))
    assert hashes(bodies) == [block.hash]


def test_a_malformed_body_is_refused():
    with pytest.raises(CodecError):
        room()[0].on_body(BlockBody(b"\x00"))


def test_wants_are_bounded_and_the_oldest_gives_way():
    bodies, _ = room()
    blocks = [block_of(0, seal=b"%d" % number) for number in range(WANTS_MAX + 1)]
    for block in blocks:
        bodies.want(fetch_of(block, A), 0)
    assert bodies.counters["wants_given_up"] == 1
    bodies.on_body(BlockBody(blocks[0].raw))
    assert bodies.take_ready() == []
    bodies.on_body(BlockBody(blocks[-1].raw))
    assert hashes(bodies) == [blocks[-1].hash]


def test_a_want_is_given_up_after_many_questions_and_may_be_asked_again():
    block = block_of(0)
    bodies, _ = room()
    questions, now = len(bodies.want(fetch_of(block, A), 0)), 0
    while bodies.deadline is not None:
        now = bodies.deadline
        questions += len(bodies.on_deadline(now))
    assert questions == TRIES_MAX
    assert now == TRIES_MAX * TIMEOUT_US
    assert bodies.counters["wants_given_up"] == 1
    assert asked(bodies.want(fetch_of(block, A), now)) == [(A, GetTransactions)]


def test_a_forgotten_block_is_wanted_no_more():
    block = block_of(0)
    bodies, _ = room()
    bodies.want(fetch_of(block, A), 0)
    bodies.forget(block.hash)
    assert bodies.deadline is None
    assert bodies.on_no_block(A, NoBlock(block.hash), 1) == []
