"""The log, the engine's questions, and what becomes final: over restarts, rewrites and conflicts."""

import pytest

from p2pcommerce.commerce import Commerce
from p2pcommerce.finality import Solo
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.ledger.application import InvalidTransactionError
from p2pcommerce.ledger.block import decode_block
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.node import chain as chain_room
from p2pcommerce.node import effects as out
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError, RejectionCode

from .cluster import KEYED, START_US, Cluster, make_genesis, replace, seed_of, transfer

GENESIS = make_genesis()
CALM = make_genesis(parameters=replace(ChainParameters.local(), heartbeat_ms=86_400_000))


def final(cluster, host, *nonces, name="ann"):
    for nonce in nonces:
        host.submit(transfer(cluster.genesis, name, nonce, to="cid"))
        cluster.run(0.2)
    cluster.settle()


def test_the_log_holds_blocks_and_engine_records_and_brings_the_node_back():
    cluster = Cluster(genesis=GENESIS).start()
    host = cluster.validators[0]
    final(cluster, host, 0, 1)
    kinds = [record[:1] for record in host.disk.log]
    assert kinds.count(b"\x01") >= host.height, "whole blocks"
    assert kinds.count(b"\x00") > 0, "the engine's own"
    logged = [decode_block(record[1:]) for record in host.disk.log if record[:1] == b"\x01"]
    assert {each.block.hash for each in host.disk.blocks} <= {block.hash for block in logged}
    view = host.node.engine_status().view
    host.crash()
    host.start()
    assert host.node.engine_status().view >= view
    assert host.node.height == host.height
    final(cluster, host, 2)


def test_a_block_that_was_logged_but_not_committed_is_committed_after_a_restart():
    cluster = Cluster(genesis=GENESIS).start()
    host = cluster.validators[0]
    final(cluster, host, 0, 1)
    lost = host.disk.blocks.pop()
    host.crash()
    for other in cluster.validators[1:]:
        other.crash()
    host.start()
    assert host.disk.blocks[-1].block == lost.block
    assert host.disk.blocks[-1].changes == lost.changes


def test_a_block_is_durable_before_its_vote_is_signed_and_a_vote_before_it_is_sent():
    """In every list of effects, in order: the block, the ballot, and only then the question to sign it."""
    cluster = Cluster(genesis=GENESIS)
    lists = []
    give = type(cluster.hosts[0]).give

    def spy(host, call):
        def listen(now):
            effects = call(now)
            lists.append([effect for effect in effects if isinstance(effect, out.Append | out.SignRequest)])
            return effects

        give(host, listen)

    for host in cluster.hosts:
        host.give = lambda call, host=host: spy(host, call)
    cluster.start()
    final(cluster, cluster.hosts[0], 0)
    signing = [each for each in lists if any(isinstance(effect, out.SignRequest) for effect in each)]
    assert len(signing) >= len(cluster.hosts)
    for effects in signing:
        for position, effect in enumerate(effects):
            if isinstance(effect, out.SignRequest) and effect.kind != "vrf":
                assert any(
                    isinstance(before, out.Append) and effect.data in before.record for before in effects[:position]
                )


def test_a_log_of_an_unknown_kind_is_refused():
    cluster = Cluster(genesis=GENESIS)
    cluster.hosts[0].disk.log = [b"\x07what"]
    with pytest.raises(CodecError, match="unknown kind 07"):
        cluster.hosts[0].start()


def test_the_log_is_rewritten_and_stays_small(monkeypatch):
    usual = SimplexParameters.of
    monkeypatch.setattr(SimplexParameters, "of", lambda chain: replace(usual(chain), rewrite_records=40))
    cluster = Cluster(genesis=GENESIS).start()
    cluster.run(200)
    host = cluster.validators[0]
    assert host.height > 35
    assert len(host.disk.log) < 80
    for each in cluster.validators:
        each.crash()
    for each in cluster.validators:
        each.start()
    final(cluster, host, 0)
    cluster.check_healthy()


def test_a_rewritten_log_keeps_the_blocks_that_are_not_final():
    cluster = Cluster(genesis=CALM).start()
    cluster.run(1)
    host = cluster.validators[0]
    host.submit(transfer(CALM, "ann", 0))
    assert cluster.run_until(lambda: bool(host.node.chain._blocks), 5)
    ((block_hash, block),) = host.node.chain._blocks.items()
    effects = host.node._board.agreement._work([seam.Rewrite((b"record",), (block_hash, bytes(32)))], cluster.now)
    assert effects == [out.Rewrite((b"\x01" + block.raw, b"\x00record"))]


def test_room_for_unfinal_blocks_does_not_hold_up_catching_up(monkeypatch):
    cluster = Cluster(genesis=GENESIS, followers=1)
    for host in cluster.validators:
        host.start()
    for nonce in range(4):
        final(cluster, cluster.validators[0], nonce)
    monkeypatch.setattr(chain_room, "UNFINAL_BLOCKS_MAX", 0)
    cluster.followers[0].start()
    assert cluster.run_until(lambda: cluster.followers[0].height >= 4, 20)


def test_another_final_chain_halts_the_node():
    """One validator key, two chains: whoever followed the one stops at the sight of the other."""
    genesis = make_genesis(1)
    one = Cluster(1, genesis=genesis, followers=1, make_engine=Solo).start()
    final(one, one.hosts[0], 0, 1)
    other = Cluster(2, genesis=genesis, followers=1, make_engine=Solo)
    follower = other.followers[0]
    follower.disk = one.followers[0].disk
    height = follower.height
    other.finals.clear()
    other.validators[0].start()
    for nonce in range(3, 15):
        other.validators[0].submit(transfer(genesis, "bob", nonce - 3, to="dan"))
        other.run(0.3)
    follower.start()
    assert other.run_until(lambda: bool(follower.halted), 20)
    assert "another chain is final" in follower.halted[0]
    assert follower.height == height


class Divergent(Commerce):
    """Loses count in the block that holds a certain account's transfer."""

    def audit(self, genesis, view, changes):
        if any(key.endswith(KEYED.public_key(seed_of("dan"))) for key in changes):
            raise LocalProtocolError("one unit is missing")


def test_a_final_block_that_is_wrong_here_halts_the_node_after_what_was_good_is_stored():
    made = iter([Commerce(), Commerce(), Commerce(), Commerce(), Divergent()])
    cluster = Cluster(genesis=GENESIS, followers=1, make_application=lambda: next(made))
    for host in cluster.validators:
        host.start()
    for nonce in range(10):
        cluster.validators[0].submit(transfer(GENESIS, "ann", nonce, to="cid"))
        cluster.run(0.3)
    cluster.validators[0].submit(transfer(GENESIS, "ann", 10, to="dan"))
    cluster.run(1)
    (follower,) = cluster.followers
    follower.start()
    assert cluster.run_until(lambda: bool(follower.halted), 20)
    assert "one unit is missing" in follower.halted[0]
    assert follower.height >= 9, "what came before is good, and stored"
    assert follower.height < cluster.validators[0].height


def test_a_block_larger_than_any_may_be_is_refused_not_held_and_stops_nobody():
    genesis = make_genesis(parameters=replace(ChainParameters.local(), block_transactions_max=2))
    cluster = Cluster(genesis=genesis).start()
    cluster.run(1)
    liar, others = cluster.validators[0], cluster.validators[1:]
    board = liar.node._board
    board.agreement._proposer._parameters = replace(genesis.parameters, block_transactions_max=50)
    board.chain.is_too_large = lambda _block: False
    for nonce in range(24):
        others[nonce % 3].submit(transfer(genesis, ("ann", "bob", "cid")[nonce % 3], nonce // 3, to="dan"))
        cluster.run(0.01)
    cluster.settle(60)
    refused = [host.node.statistics()["blocks"]["blocks_invalid"] for host in others]
    assert all(refused)
    assert all("larger than a block may be" in warning for host in others for warning in host.warnings)
    assert all(len(each.block.transactions) <= 2 for each in others[0].disk.blocks)
    for host in others:
        assert all(len(block.transactions) <= 2 for block in host.node.chain._blocks.values())


class Generous(Commerce):
    """Executes to another state than everybody else."""

    def end_block(self, state, context):
        state.put(b"\x7fgift", b"\xc0")
        return super().end_block(state, context)

    def audit(self, genesis, view, changes):
        """Find nothing wrong."""


def test_blocks_of_a_leader_that_executes_differently_are_refused_and_it_halts_at_the_first_final_one():
    made = iter([Generous(), Commerce(), Commerce(), Commerce()])
    cluster = Cluster(genesis=GENESIS, make_application=lambda: next(made))
    liar, *others = cluster.validators
    cluster.start()
    for nonce in range(8):
        others[0].submit(transfer(GENESIS, "ann", nonce, to="cid"))
        cluster.run(0.5)
    cluster.settle()
    assert liar.halted
    assert liar.height == 0
    assert others[0].height > 0


# --- what cannot be included ---


class Stubborn(Commerce):
    """Lets bob's transfers into the pool, and never into a block."""

    def apply(self, transaction, state, context):
        if transaction.sender == KEYED.public_key(seed_of("bob")):
            raise InvalidTransactionError(RejectionCode.FORBIDDEN, "never")
        return super().apply(transaction, state, context)


def test_what_no_block_can_hold_leaves_the_pool_and_makes_no_endless_blocks():
    cluster = Cluster(genesis=GENESIS, make_application=Stubborn).start()
    cluster.run(1)
    bad = transfer(GENESIS, "bob", 0, to="cid")
    cluster.validators[0].submit(bad)
    assert cluster.run_until(lambda: all(host.dropped for host in cluster.validators), 60), "each finds out as it leads"
    for host in cluster.validators:
        assert [(item.tx_id, item.code) for item in host.dropped] == [(bad.id, RejectionCode.FORBIDDEN)]
        assert len(host.node.mempool) == 0
    final(cluster, cluster.validators[1], 0)
    height = cluster.heights[0]
    cluster.run(20)
    assert cluster.heights[0] <= height + 4, "one block per heartbeat"


def test_an_early_nonce_waits_without_blocks_being_made():
    cluster = Cluster(genesis=CALM).start()
    cluster.run(1)
    cluster.validators[0].submit(transfer(CALM, "ann", 1, to="cid"))
    cluster.run(10)
    assert cluster.heights == [0] * 4
    assert [len(host.node.mempool) for host in cluster.hosts] == [1] * 4
    cluster.validators[2].submit(transfer(CALM, "ann", 0, to="cid"))
    cluster.settle()
    assert len(cluster.finals) <= 3


def test_a_transaction_replaced_after_it_was_proposed_makes_no_endless_blocks():
    cluster = Cluster(genesis=CALM, delay_us=(20_000, 20_000)).start()
    cluster.run(1)
    host = cluster.validators[0]
    first = transfer(CALM, "ann", 0, to="cid")
    for each in cluster.validators:
        each.submit(first)

    def is_proposed():
        return any(each.node.statistics()["blocks"]["blocks_built"] for each in cluster.validators)

    assert cluster.run_until(is_proposed, 5)
    better = transfer(CALM, "ann", 0, to="cid", fee=first.fee * 2)
    for each in cluster.validators:
        each.submit(better)
    cluster.settle()
    assert [tx_id for each in host.disk.blocks for tx_id in each.block.transaction_ids] == [first.id]
    assert host.dropped[-1].tx_id == better.id
    assert host.dropped[-1].code is RejectionCode.BAD_NONCE
    height = cluster.heights[0]
    cluster.run(20)
    assert cluster.heights[0] == height <= 2


def test_one_final_transaction_makes_one_block():
    """The pool knows of a final block before the engine asks for the next: it is not asked for an empty one."""
    cluster = Cluster(genesis=CALM).start()
    cluster.run(1)
    for nonce in range(3):
        cluster.validators[nonce].submit(transfer(CALM, "ann", nonce, to="cid"))
        cluster.settle()
        cluster.run(3)
    blocks = [len(each.block.transactions) for each in cluster.hosts[0].disk.blocks]
    assert blocks == [1, 1, 1]
    assert cluster.hosts[0].disk.blocks[0].block.header.time_ms > START_US // 1_000
