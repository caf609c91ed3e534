import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.errors import CryptoError, LocalProtocolError
from p2pcommerce.wire.noise import CipherState
from p2pcommerce.wire.records import (
    PLAINTEXT_BYTES_MAX,
    RECORD_OVERHEAD_BYTES,
    REKEY_RECORDS,
    EmptyRecordError,
    RecordReader,
    RecordWriter,
)

KEY = bytes(range(32))


def pair():
    return RecordWriter(CipherState(KEY)), RecordReader(CipherState(KEY))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.lists(st.integers(1, 400), max_size=30))
def test_records_survive_any_cutting_of_the_stream(plaintexts, cuts):
    writer, reader = pair()
    stream = b"".join(writer.seal(plaintext) for plaintext in plaintexts)
    received, place = [], 0
    for cut in [*cuts, len(stream)]:
        received += reader.receive(stream[place : place + cut])
        place += cut
    assert received == plaintexts
    assert reader.pending_bytes == 0
    assert reader.count == writer.count == len(plaintexts)


def test_a_record_byte_by_byte():
    writer, reader = pair()
    stream = writer.seal(b"one") + writer.seal(b"two")
    assert [p for i in range(len(stream)) for p in reader.receive(stream[i : i + 1])] == [b"one", b"two"]


def test_a_record_is_its_length_its_ciphertext_and_a_tag():
    writer, _ = pair()
    record = writer.seal(b"abc")
    assert record[:2] == (3 + 16).to_bytes(2, "big")
    assert record[2:] == CipherState(KEY).seal(b"abc")
    assert len(record) == 3 + RECORD_OVERHEAD_BYTES


def test_the_largest_record_fits_and_a_larger_one_is_refused():
    writer, reader = pair()
    plaintext = bytes(PLAINTEXT_BYTES_MAX)
    record = writer.seal(plaintext)
    assert len(record) == 2 + 65_535
    assert reader.receive(record[:-1]) == []
    assert reader.pending_bytes == len(record) - 1
    assert reader.receive(record[-1:]) == [plaintext]
    with pytest.raises(LocalProtocolError):
        writer.seal(plaintext + b"x")


def test_empty_records_are_neither_written_nor_read():
    writer, reader = pair()
    with pytest.raises(LocalProtocolError):
        writer.seal(b"")
    sealed = CipherState(KEY).seal(b"")
    with pytest.raises(EmptyRecordError):
        reader.receive(len(sealed).to_bytes(2, "big") + sealed)


@pytest.mark.parametrize("size", [0, 15])
def test_a_record_shorter_than_a_tag_is_refused_before_its_content_comes(size):
    _, reader = pair()
    with pytest.raises(EmptyRecordError):
        reader.receive(size.to_bytes(2, "big"))


def test_every_changed_byte_of_a_record_is_refused():
    record = pair()[0].seal(b"some plaintext")
    for place in range(2, len(record)):
        with pytest.raises(CryptoError):
            pair()[1].receive(record[:place] + bytes([record[place] ^ 1]) + record[place + 1 :])


def test_a_record_replayed_or_out_of_order_is_refused():
    writer, reader = pair()
    first, second = writer.seal(b"first"), writer.seal(b"second")
    assert reader.receive(first) == [b"first"]
    with pytest.raises(CryptoError):
        reader.receive(first)
    with pytest.raises(CryptoError):
        pair()[1].receive(second)


def test_both_ends_rekey_after_65536_records():
    sending, receiving = CipherState(KEY), CipherState(KEY)
    sending.nonce = receiving.nonce = REKEY_RECORDS - 2
    writer, reader = RecordWriter(sending), RecordReader(receiving)
    for number in range(4):
        assert reader.receive(writer.seal(b"%d" % number)) == [b"%d" % number]
    assert writer.count == REKEY_RECORDS + 2
    old_key = CipherState(KEY)
    old_key.nonce = REKEY_RECORDS + 2
    fresh_key = CipherState(KEY)
    fresh_key.rekey()
    fresh_key.nonce = REKEY_RECORDS + 2
    record = writer.seal(b"under the second key")
    with pytest.raises(CryptoError):
        old_key.open(record[2:])
    assert fresh_key.open(record[2:]) == b"under the second key"
