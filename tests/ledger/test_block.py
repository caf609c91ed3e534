import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.ledger.block import (
    BLOCK_BYTES_MAX,
    BLOCK_TRANSACTIONS_MAX,
    ENGINE_DATA_BYTES_MAX,
    HEADER_BYTES_MAX,
    Block,
    Header,
    decode_block,
    decode_header,
    tx_root,
)
from p2pcommerce.ledger.transaction import TRANSACTION_BYTES_MAX, transaction_id
from p2pcommerce.primitives import merkle
from p2pcommerce.primitives.codec import pack
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import ZERO_HASH
from tests.ledger.samples import BLOCK, PLAIN, SPONSORED, header

hashes = st.binary(min_size=32, max_size=32)


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Header,
        version=st.just(1),
        genesis_hash=hashes,
        epoch=st.integers(0, 2**32 - 1),
        height=st.integers(0, 2**32 - 1),
        parent_hash=hashes,
        proposer=hashes,
        time_ms=st.integers(0, 2**64 - 1),
        tx_root=hashes,
        receipts_root=hashes,
        state_root=hashes,
        validators_hash=hashes,
        next_validators_hash=hashes,
        engine_data=st.binary(max_size=ENGINE_DATA_BYTES_MAX),
    )
)
def test_any_header_round_trips_within_its_cap(value):
    assert decode_header(value.raw) == value
    assert decode_header(value.raw).hash == value.hash == blake2b_256(value.raw)
    assert len(value.raw) <= HEADER_BYTES_MAX


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Header) if field.name != "version"])
def test_the_hash_commits_to_every_field(name):
    value = getattr(header(), name)
    other = value + 1 if isinstance(value, int) else blake2b_256(value)
    assert header(**{name: other}).hash != header().hash


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 0),
        ("version", 2),
        ("height", 2**32),
        ("height", -1),
        ("epoch", True),
        ("time_ms", 1.0),
        ("parent_hash", bytes(31)),
        ("proposer", "x" * 32),
        ("engine_data", bytes(ENGINE_DATA_BYTES_MAX + 1)),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(CodecError, match=f"^{name} must be"):
        decode_header(header(**{name: value}).raw)


def test_a_header_over_its_cap_is_refused_before_it_is_read():
    with pytest.raises(CodecError) as caught:
        decode_header(bytes(HEADER_BYTES_MAX + 1))
    assert caught.value.code == "OVERSIZED"


def test_a_block_round_trips():
    read = decode_block(BLOCK.raw)
    assert read == BLOCK
    assert read.hash == BLOCK.hash == BLOCK.header.hash
    assert read.transaction_ids == (PLAIN.id, SPONSORED.id)
    assert read.body_is_committed


@pytest.mark.parametrize(
    "transactions",
    [
        (),
        (PLAIN.raw,),
        (SPONSORED.raw, PLAIN.raw),
        (PLAIN.raw, SPONSORED.raw, SPONSORED.raw),
        (PLAIN.raw, SPONSORED.raw[:-1] + b"\x00"),
    ],
    ids=["none", "one less", "another order", "one twice", "a changed byte"],
)
def test_the_header_commits_to_the_body(transactions):
    assert not Block(BLOCK.header, transactions).body_is_committed


def test_the_root_of_no_transactions_is_zero():
    assert tx_root(()) == ZERO_HASH
    assert Block(header(tx_root=ZERO_HASH), ()).body_is_committed


def test_the_root_is_the_merkle_root_of_the_ids():
    ids = tuple(transaction_id(bytes([number])) for number in range(9))
    assert tx_root(ids) == merkle.root(ids)


def test_a_block_has_at_most_1500_transactions():
    most = Block(header(), (b"x",) * BLOCK_TRANSACTIONS_MAX)
    assert decode_block(most.raw) == most
    with pytest.raises(CodecError, match="transactions must be an array of 0 to 1500"):
        decode_block(Block(header(), (b"x",) * (BLOCK_TRANSACTIONS_MAX + 1)).raw)


def test_a_transaction_in_a_block_has_at_most_16_kib():
    with pytest.raises(CodecError, match="transactions must be 0 to 16384 bytes"):
        decode_block(Block(header(), (bytes(TRANSACTION_BYTES_MAX + 1),)).raw)


def test_a_block_with_1_mb_of_transactions_fits_its_cap():
    sizes = [667] * (BLOCK_TRANSACTIONS_MAX - 1)
    sizes.append(1_000_000 - sum(sizes))
    full = Block(header(engine_data=bytes(ENGINE_DATA_BYTES_MAX)), tuple(bytes(size) for size in sizes))
    assert sum(map(len, full.transactions)) == 1_000_000
    assert len(full.raw) <= BLOCK_BYTES_MAX
    assert decode_block(full.raw) == full
    with pytest.raises(CodecError) as caught:
        decode_block(bytes(BLOCK_BYTES_MAX + 1))
    assert caught.value.code == "OVERSIZED"


@pytest.mark.parametrize("value", [(), (1,), ((), ()), 5, None])
def test_what_is_no_block_is_refused(value):
    with pytest.raises(CodecError, match="must be"):
        decode_block(pack(value))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place, flip):
    raw = bytearray(BLOCK.raw)
    raw[place % len(raw)] ^= flip
    try:
        read = decode_block(bytes(raw))
    except CodecError:
        return
    assert read.hash != BLOCK.hash or not read.body_is_committed
