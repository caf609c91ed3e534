"""Columns of announcements: one form, and nothing else is read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.codec import pack
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.wire import Announce
from p2pcommerce.wire.messages import ANNOUNCE_ENTRIES_MAX, decode_message, encode_message

ID = bytes(range(8))
ENTRY = st.tuples(st.binary(min_size=8, max_size=8), st.integers(1, 16_384), st.integers(0, 2**64 - 1))


def message_of(*columns):
    return b"\x11" + pack((columns,))


@given(st.lists(ENTRY, min_size=1, max_size=60))
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_again(entries):
    message = Announce(tuple(entries))
    assert decode_message(encode_message(message)) == message


def test_all_fees_have_the_width_of_the_greatest():
    encoded = encode_message(Announce(((ID, 300, 10), (ID, 16_384, 70_000))))
    assert encoded == message_of(ID + ID, bytes.fromhex("012c4000"), bytes.fromhex("00000a011170"))


def test_the_largest_message_is_within_its_cap():
    assert len(encode_message(Announce(((ID, 16_384, 2**64 - 1),) * ANNOUNCE_ENTRIES_MAX))) <= Announce.BYTES_MAX


def test_a_transaction_takes_12_bytes_beside_what_the_message_takes():
    one, many = (len(encode_message(Announce(((ID, 250, 1_000),) * count))) for count in (40, 100))
    assert (many - one) / 60 == 12


@pytest.mark.parametrize(
    "columns",
    [
        (b"", b"", b""),
        (ID[:7], b"\0\1", b"\1"),
        (ID + b"x", b"\0\1", b"\1"),
        (ID, b"\1", b"\1"),
        (ID, b"\0\1\0\1", b"\1"),
        (ID, b"\0\0", b"\1"),
        (ID, b"\x40\x01", b"\1"),
        (ID, b"\0\1", b""),
        (ID, b"\0\1", b"\1" * 9),
        (ID, b"\0\1", b"\0\1"),
        (ID + ID, b"\0\1\0\1", b"\1" * 3),
        (ID + ID, b"\0\1\0\1", b"\0\1\0\2"),
        (ID, b"\0\1"),
        (ID, b"\0\1", b"\1", b"\1"),
        (ID, b"\0\1", 1),
        (ID, "01", b"\1"),
        ((ID,), b"\0\1", b"\1"),
        (ID * 1_025, b"\0\1" * 1_025, b"\1" * 1_025),
    ],
)
def test_columns_of_another_form_are_refused(columns):
    with pytest.raises(CodecError, match=r"^entries "):
        decode_message(message_of(*columns))


@pytest.mark.parametrize("entry", [(ID[:7], 1, 1), (ID, 0, 1), (ID, 16_385, 1), (ID, 1, -1), (ID, 1, 2**64)])
def test_what_cannot_be_written_is_not(entry):
    with pytest.raises(CodecError):
        encode_message(Announce((entry,)))
