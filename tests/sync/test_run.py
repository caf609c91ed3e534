import dataclasses

import pytest

from p2pcommerce.ledger.block import Block
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.sync import (
    ANSWER_BLOCKS_MAX,
    ANSWER_BYTES_MAX,
    AnswerTooLargeError,
    BlockBodyError,
    BlockHeightError,
    BlockNetworkError,
    BlocksError,
    BrokenChainError,
    FinalityProofError,
)
from p2pcommerce.sync.buffer import RunBuffer
from p2pcommerce.sync.run import Run, read_run
from p2pcommerce.wire.messages import Blocks
from tests.sync.chain import GENESIS_HASH, make_chain, message_of, proof_of, verify

CHAIN = make_chain(10)


def read(message):
    return read_run(message, GENESIS_HASH, verify)


def test_a_true_answer_gives_its_blocks():
    run = read(message_of(CHAIN[2:7]))
    assert run.blocks == tuple(CHAIN[2:7])
    assert (run.first, run.last) == (3, 7)
    assert run.size == sum(len(block.raw) for block in CHAIN[2:7])
    assert run.above(5) == tuple(CHAIN[5:7])
    assert run.above(0) == run.blocks


@pytest.mark.parametrize(
    "blocks", [(), (b"x",) * (ANSWER_BLOCKS_MAX + 1), (bytes(ANSWER_BYTES_MAX), b"x")], ids=["none", "many", "large"]
)
def test_an_answer_over_its_caps_is_refused_before_anything_is_decoded(blocks):
    with pytest.raises(AnswerTooLargeError, match="allowed"):
        read(Blocks(1, blocks, b""))


def test_a_proof_that_does_not_hold_is_refused():
    with pytest.raises(FinalityProofError, match="block 10"):
        read(dataclasses.replace(message_of(CHAIN), proof=proof_of(CHAIN[8].header)))


def test_a_block_at_a_wrong_height_is_refused():
    with pytest.raises(BlockHeightError, match="height 10 at the place of height 9"):
        read(dataclasses.replace(message_of(CHAIN[8:]), from_height=8))


def test_a_chain_with_a_foreign_block_is_refused():
    other = make_chain(10, salt=b"other")
    message = message_of(CHAIN)
    blocks = (*message.blocks[:4], other[4].raw, *message.blocks[5:])
    with pytest.raises(BrokenChainError, match="block 5"):
        read(dataclasses.replace(message, blocks=blocks))


def test_a_body_that_the_header_does_not_commit_to_is_refused():
    message = message_of(CHAIN)
    forged = Block(CHAIN[3].header, (b"another transaction",))
    with pytest.raises(BlockBodyError, match="block 4"):
        read(dataclasses.replace(message, blocks=(*message.blocks[:3], forged.raw, *message.blocks[4:])))


def test_a_block_of_another_network_is_refused():
    with pytest.raises(BlockNetworkError):
        read_run(message_of(CHAIN), bytes(32), verify)


def test_malformed_blocks_are_refused():
    with pytest.raises(CodecError):
        read(Blocks(1, (b"\xc1",), b""))


def test_each_rule_has_its_own_code():
    rules = BlocksError.__subclasses__()
    assert len({rule.code for rule in rules}) == len(rules) == 6


def run_of(first, last):
    blocks = CHAIN[first - 1 : last]
    return Run(tuple(blocks), proof_of(blocks[-1].header), 100 * len(blocks))


def test_the_buffer_counts_bytes_and_covers_overlapping_runs():
    buffer = RunBuffer()
    buffer.add(run_of(5, 7))
    buffer.add(run_of(2, 5))
    assert (len(buffer), buffer.size, buffer.block_count) == (2, 700, 7)
    assert buffer.intervals == [(2, 5), (5, 7)]
    assert buffer.covers(2, 7)
    assert buffer.covers(3, 6)
    assert not buffer.covers(1, 3)
    assert not buffer.covers(6, 8)


def test_the_buffer_gives_the_longest_run_above_a_height_and_drops_what_is_below():
    buffer = RunBuffer()
    for run in (run_of(1, 2), run_of(2, 4), run_of(3, 6), run_of(8, 9)):
        buffer.add(run)
    assert buffer.take(2) == run_of(3, 6)
    assert buffer.intervals == [(2, 4), (8, 9)]
    assert buffer.take(6) is None
    assert buffer.size == 200
    buffer.clear()
    assert (len(buffer), buffer.size) == (0, 0)
