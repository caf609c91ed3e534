from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.sync import ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX, Row, answer
from p2pcommerce.wire.messages import Blocks, GetBlocks, decode_message, encode_message
from tests.sync.chain import make_chain, rows_of

CHAIN = make_chain(200)
ROWS = rows_of(CHAIN)


def without_proof(rows, heights):
    return [row if row.height not in heights else row._replace(proof=b"") for row in rows]


def test_as_many_blocks_as_asked_with_the_proof_of_the_last():
    told = answer(GetBlocks(5, 3), ROWS[4:])
    assert told == Blocks(5, tuple(row.block for row in ROWS[4:7]), ROWS[6].proof)


def test_nothing_when_nothing_is_stored_there():
    assert answer(GetBlocks(500, 3), []) == Blocks(500, (), b"")


def test_nothing_when_the_rows_begin_elsewhere():
    assert answer(GetBlocks(5, 3), ROWS[7:]) == Blocks(5, (), b"")


def test_at_most_the_cap_of_blocks_whatever_is_asked():
    assert len(answer(GetBlocks(1, 65_535), ROWS).blocks) == ANSWER_BLOCKS_MAX


def test_at_most_the_cap_of_bytes_but_always_a_first_block():
    large = rows_of(make_chain(5, transactions=60, size=16_000))
    assert [row.height for row in large] == [1, 2, 3, 4, 5]
    assert len(answer(GetBlocks(1, 5), large).blocks) == 1
    assert len(large[0].block) * 2 > ANSWER_BYTES_MAX
    assert len(encode_message(answer(GetBlocks(1, 5), large))) < 2 * 2**20


def test_it_ends_at_the_last_proof_within_what_was_asked():
    rows = without_proof(ROWS, {8, 9, 10})
    assert len(answer(GetBlocks(5, 6), rows[4:]).blocks) == 3


def test_it_goes_on_to_the_first_proof_if_there_is_none_within():
    rows = without_proof(ROWS, set(range(1, 64)))
    told = answer(GetBlocks(1, 10), rows)
    assert len(told.blocks) == 64
    assert told.proof == ROWS[63].proof


def test_nothing_when_no_proof_is_within_the_caps():
    rows = without_proof(ROWS, set(range(1, ANSWER_BLOCKS_MAX + 1)))
    assert answer(GetBlocks(1, 10), rows) == Blocks(1, (), b"")


def test_rows_are_read_no_further_than_needed():
    read = []

    def cursor():
        for row in ROWS:
            read.append(row.height)
            yield row

    answer(GetBlocks(1, 7), cursor())
    assert read == list(range(1, 8))


def test_the_largest_answer_fits_its_message():
    blocks = tuple(bytes(ANSWER_BYTES_MAX // ANSWER_BLOCKS_MAX) for _ in range(ANSWER_BLOCKS_MAX))
    rows = [Row(height, raw, bytes(200_000)) for height, raw in enumerate(blocks, 1)]
    told = answer(GetBlocks(1, ANSWER_BLOCKS_MAX), rows)
    assert len(told.blocks) == ANSWER_BLOCKS_MAX
    assert decode_message(encode_message(told)) == told


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_whoever_caught_up_by_answers_can_serve_every_height(data):
    """Groups as they come from answers: only the last block of each has its proof."""
    rows, height = [], 0
    while height < len(ROWS):
        count = data.draw(st.integers(1, ANSWER_BLOCKS_MAX))
        group = ROWS[height : height + count]
        rows += [row._replace(proof=b"") for row in group[:-1]] + [group[-1]]
        height += len(group)
    start = data.draw(st.integers(1, len(rows)))
    told = answer(GetBlocks(start, data.draw(st.integers(1, 200))), rows[start - 1 :])
    assert told.blocks
    assert told.proof == ROWS[start + len(told.blocks) - 2].proof
