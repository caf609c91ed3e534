"""Final blocks are pushed to followers: proven, once, in order; a follower is one message behind whoever pushed."""

from functools import cache

import pytest

from p2pcommerce.finality.certificates import Vote, make_certificate
from p2pcommerce.finality.proof import encode_proof
from p2pcommerce.finality.voting import VOTE_DOMAIN, Ballot, VoteKind
from p2pcommerce.ledger.block import Block
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.node import effects as out
from p2pcommerce.node.final_blocks import AHEAD_MAX, FRESH_US
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import ZERO_HASH
from p2pcommerce.sync.run import FinalityProofError, read_run
from p2pcommerce.wire import messages as wire

from .cluster import KEYED, MS, SECOND, Cluster, make_genesis, replace, seed_of, transfer
from .test_cluster import check_same_state, connected, load
from .test_inbox import closes, meet

GENESIS = make_genesis()
A, B = (KEYED.public_key(seed_of(name)) for name in ("peer a", "peer b"))


@cache
def chain_of(seed):
    """Return the final blocks, with proofs, of a network; other seeds give other chains of the same genesis."""
    cluster = Cluster(seed, genesis=GENESIS).start()
    connected(cluster)
    for nonce in range(AHEAD_MAX + 4):
        cluster.validators[0].submit(transfer(GENESIS, "ann", nonce))
        cluster.run(0.3)
    cluster.settle()
    blocks = [(each.block, each.proof) for each in cluster.validators[0].disk.blocks]
    assert len(blocks) > AHEAD_MAX + 2
    assert all(proof for _, proof in blocks)
    return blocks


def message_of(block, proof):
    return wire.FinalBlock(block.header.raw, proof, block.transaction_ids)


@pytest.fixture
def cluster():
    """A follower alone, to which nobody answers."""
    cluster = Cluster(genesis=GENESIS, followers=1)
    cluster.now = chain_of(1)[-1][0].header.time_ms * MS
    (follower,) = cluster.followers
    follower.start()
    return cluster


@pytest.fixture
def node(cluster):
    """The same, with two peers."""
    node = cluster.followers[0].node
    meet(node, A, 1, cluster.now)
    meet(node, B, 2, cluster.now)
    return node


def hear(cluster, node, number, peer=A, seed=1, **changes):
    """Push a block of a chain, by its place in it, and return what the node does."""
    message = replace(message_of(*chain_of(seed)[number]), **changes)
    effects = node.on_message(peer, message, cluster.now)
    asked = [each.message for each in effects if isinstance(each, out.Transmit)]
    for request in asked:
        if isinstance(request, wire.GetTransactions):
            block = next(block for block, _ in chain_of(seed) if block.hash == request.block_hash)
            effects += node.on_message(
                peer, wire.BlockTransactions(request.block_hash, block.transactions), cluster.now
            )
    return effects


def decided_by(cluster, header):
    """Return a proof of finality by the validators of the genesis, whatever the epoch."""
    validators = cluster.genesis.validators
    seeds = {host.key: seed_of(f"validator {number}") for number, host in enumerate(cluster.validators)}
    ballot = Ballot(header.epoch, 9_999, VoteKind.FINALIZE, header.hash)
    message = signed_bytes(VOTE_DOMAIN, header.genesis_hash, ballot.data)
    votes = [Vote(ballot, n, KEYED.sign(seeds[key], message)) for n, key in enumerate(validators.keys)]
    return encode_proof(make_certificate(votes, validators), ())


def committed(effects):
    return [each.block.header.height for effect in effects if isinstance(effect, out.Commit) for each in effect.blocks]


def test_a_follower_takes_what_is_pushed_and_asks_for_nothing_else():
    cluster = Cluster(followers=3).start()
    connected(cluster)
    load(cluster, range(6), pause_s=0.3)
    cluster.settle()
    check_same_state(cluster)
    cluster.check_healthy()
    counts = [host.node.statistics() for host in cluster.followers]
    assert all(each["blocks"]["final_blocks_taken"] > 0 for each in counts)
    assert sum(each["blocks"]["final_bodies_from_pool"] for each in counts) > 0
    assert cluster.messages["GetBlocks"] <= 3  # of the first moments, when nobody had chosen anybody


def test_validators_are_pushed_nothing():
    cluster = Cluster().start()
    load(cluster, range(3))
    cluster.settle()
    assert cluster.messages["FinalBlock"] == 0


def test_a_pushed_block_is_delivered_once_its_missing_transactions_have_come(cluster, node):
    block, proof = chain_of(1)[0]
    effects = node.on_message(A, message_of(block, proof), cluster.now)
    (asked,) = [each for each in effects if isinstance(each, out.Transmit)]
    assert asked == out.Transmit(A, wire.GetTransactions(block.hash, block.transaction_ids))
    effects = node.on_message(A, wire.BlockTransactions(block.hash, block.transactions), cluster.now)
    assert committed(effects) == [1]
    assert node.height == 1


def test_blocks_are_delivered_in_the_order_of_heights(cluster, node):
    assert committed(hear(cluster, node, 1)) == []
    assert committed(hear(cluster, node, 2)) == []
    assert committed(hear(cluster, node, 0, peer=B)) == [1, 2, 3]


def test_a_block_is_passed_on_before_it_is_stored_and_not_to_who_has_it(cluster, node):
    for peer in (A, B):
        node.on_message(peer, wire.Choose(), cluster.now)
    shown = []
    for number, (block, _) in enumerate(chain_of(1)):
        pusher, other = (A, B) if number % 2 else (B, A)
        effects = hear(cluster, node, number, peer=pusher)
        pushes = [each for each in effects if isinstance(each, out.Transmit) and type(each.message) is wire.FinalBlock]
        assert all(each.peer == other for each in pushes)
        if pushes:
            commits = [place for place, each in enumerate(effects) if isinstance(each, out.Commit)]
            assert effects.index(pushes[0]) < commits[0]
        shown += [number] * len(pushes)
        assert (cluster.now - block.header.time_ms * MS <= FRESH_US) == (len(pushes) == 1)
    assert shown


def test_a_body_that_its_pusher_keeps_back_is_asked_of_the_next_who_pushed_it(cluster, node):
    others = [KEYED.public_key(seed_of(f"peer {number}")) for number in range(8)]
    for link, peer in enumerate(others, 3):
        meet(node, peer, link, cluster.now)
    block, proof = chain_of(1)[0]
    node.on_message(A, message_of(block, proof), cluster.now)
    assert node.on_message(B, message_of(block, proof), cluster.now) == []  # A may still answer
    effects = node.on_deadline(node._board.final_blocks.deadline)
    asked = [each for each in effects if isinstance(each, out.Transmit) and type(each.message) is wire.GetTransactions]
    assert asked == [out.Transmit(B, wire.GetTransactions(block.hash, block.transaction_ids))]
    effects = node.on_message(B, wire.BlockTransactions(block.hash, block.transactions), cluster.now)
    assert committed(effects) == [1]


def test_a_body_that_was_given_up_is_asked_for_again_when_the_block_is_pushed_again(cluster, node):
    block, proof = chain_of(1)[0]
    final_blocks = node._board.final_blocks
    final_blocks.on_message(A, message_of(block, proof), cluster.now)
    while (now := final_blocks.deadline) is not None:  # nobody answers
        final_blocks.on_deadline(now)
    assert node.statistics()["blocks"]["final_blocks_held"] == 1
    (asked,) = final_blocks.on_message(B, message_of(block, proof), cluster.now)
    assert asked == out.Transmit(B, wire.GetTransactions(block.hash, block.transaction_ids))


def test_false_ids_of_a_known_block_ask_for_nothing_that_it_does_not_hold(cluster, node):
    block, proof = chain_of(1)[0]
    node.on_message(A, message_of(block, proof), cluster.now)
    assert node.on_message(B, replace(message_of(block, proof), transaction_ids=(bytes(32),)), cluster.now) == []
    effects = node.on_message(A, wire.BlockTransactions(block.hash, block.transactions), cluster.now)
    assert committed(effects) == [1]


def test_a_height_that_is_known_is_left_aside(cluster, node):
    hear(cluster, node, 0)
    assert hear(cluster, node, 0, peer=B) == []
    assert node.statistics()["blocks"]["final_blocks_known"] == 1


def test_a_peer_that_repeats_a_height_is_closed(cluster, node):
    hear(cluster, node, 1)
    assert closes(hear(cluster, node, 1)) == [(1, "FINAL_REPEATED")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"proof": b"\x00"}, "FINAL_PROOF"),
        ({"transaction_ids": (bytes(32),)}, "FINAL_FORM"),
        ({"header": b"\x90"}, "MALFORMED"),
    ],
)
def test_what_is_not_final_or_not_the_blocks_closes_who_pushed_it(cluster, node, changes, code):
    assert closes(hear(cluster, node, 0, **changes)) == [(1, code)]
    assert committed(hear(cluster, node, 0, peer=B)) == [1]


def test_the_proof_of_another_block_shows_nothing(cluster, node):
    assert closes(hear(cluster, node, 0, proof=chain_of(1)[3][1])) == [(1, "FINAL_PROOF")]


def test_no_more_than_some_heights_ahead_are_held(cluster, node):
    for number in range(1, len(chain_of(1))):
        hear(cluster, node, number)
    counts = node.statistics()["blocks"]
    assert counts["final_blocks_held"] == AHEAD_MAX - 1
    assert counts["final_blocks_far"] == len(chain_of(1)) - AHEAD_MAX


def test_a_final_block_that_stands_on_another_chain_stops_the_node(cluster, node):
    ours, theirs = chain_of(1), chain_of(2)
    assert ours[0][0].hash != theirs[0][0].hash
    hear(cluster, node, 0)
    effects = hear(cluster, node, 1, peer=B, seed=2)
    effects += node.on_deadline(cluster.now + SECOND)  # after the others have been told
    assert any(isinstance(effect, out.Halt) and "another chain" in effect.reason for effect in effects)


def test_validators_of_an_epoch_that_is_over_have_no_say_above_its_last_block():
    short = make_genesis(parameters=replace(ChainParameters.local(), epoch_blocks=2))
    cluster = Cluster(genesis=short, followers=1).start()
    connected(cluster)
    load(cluster, range(6), pause_s=0.3)
    cluster.settle()
    (follower,) = cluster.followers
    head = follower.node.chain.head
    assert head.epoch > 1
    for epoch, pusher in zip((0, head.epoch - 1, head.epoch + 5), cluster.validators, strict=False):
        forged = replace(head, epoch=epoch, height=head.height + 1, parent_hash=head.hash, tx_root=ZERO_HASH)
        proof = decided_by(cluster, forged)
        assert follower.node._engine.verify(forged, proof, lambda _: short.validators)  # by itself it would hold
        with pytest.raises(RemoteProtocolError, match="does not show it to be final"):
            follower.node._board.final_blocks.on_message(
                pusher.key, wire.FinalBlock(forged.raw, proof, ()), cluster.now
            )
        with pytest.raises(FinalityProofError):
            read_run(
                wire.Blocks(forged.height, (Block(forged, ()).raw,), proof), short.hash, follower.node._board._verify
            )


def test_what_catching_up_brought_first_is_not_held_any_more(cluster, node):
    block, proof = chain_of(1)[0]
    node.on_message(A, message_of(block, proof), cluster.now)  # its transactions are asked for, and do not come
    assert node.statistics()["blocks"]["final_blocks_held"] == 1
    node.on_message(B, wire.Status(1, block.hash), cluster.now)
    asked = [
        each.message
        for _ in range(2)
        for each in node.on_deadline(node.deadline or cluster.now)
        if isinstance(each, out.Transmit)
    ]
    assert wire.GetBlocks(1, 1) in asked
    node.on_message(B, wire.Blocks(1, (block.raw,), proof), cluster.now)
    assert committed(node.on_deadline(cluster.now)) == [1]
    assert node.statistics()["blocks"]["final_blocks_held"] == 0
    assert node._board.final_blocks.deadline is None


def test_an_old_block_is_pushed_to_nobody(cluster, node):
    board = node._board
    block, proof = chain_of(1)[0]
    now = block.header.time_ms * MS + FRESH_US + 1
    assert board.final_blocks.push(block, proof, [A], {}, now) == []
    assert board.final_blocks.push(block, b"", [A], {}, now - 1) == []
    assert len(board.final_blocks.push(block, proof, [A, B], {B: None}, now - 1)) == 1
