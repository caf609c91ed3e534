import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery import (
    AddressError,
    RecordAddressError,
    RecordError,
    RecordExpiredError,
    RecordNetworkError,
    RecordSignatureError,
    RecordTooLargeError,
    RecordTooLongLivedError,
    check_record,
    decode_record,
    sign_record,
)
from p2pcommerce.discovery.record import RECORD_BYTES_MAX, RECORD_LIFE_MS_MAX, RecordOwnerError, check_owner
from p2pcommerce.primitives.codec import pack, unpack
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import CodecError
from tests.discovery.people import DAY, GENESIS_HASH, SECOND, START, key_of, record_of, seed_of, where


def check(record, now=START):
    check_record(decode_record(record.raw), ED25519, GENESIS_HASH, now)


def changed(record, index, value):
    fields = list(unpack(record.raw, RECORD_BYTES_MAX))
    fields[index] = value
    return pack(tuple(fields))


def test_a_signed_record_is_read_back_and_counts():
    record = record_of(1)
    assert decode_record(record.raw) == record
    assert record.public_key == key_of(1)
    assert record.addresses == (where(1),)
    check(record)


def test_the_encoding_is_pinned():
    record = record_of(1, sequence=7, addresses=("tcp://node1.example:7400",))
    assert record.raw.hex() == (
        "9701c420"
        + key_of(1).hex()
        + "c420"
        + GENESIS_HASH.hex()
        + "91b8"
        + b"tcp://node1.example:7400".hex()
        + "07cf0000018bf3f1ec00"
        + "c440"
        + record.signature.hex()
    )


def test_addresses_are_written_in_canonical_form():
    assert record_of(1, addresses=("tcp://NODE.example:07400",)).addresses == ("tcp://node.example:7400",)


def test_eight_addresses_are_allowed_and_nine_are_not():
    eight = tuple(f"tcp://h{i}:1" for i in range(8))
    assert record_of(1, addresses=eight).addresses == eight
    with pytest.raises(CodecError, match="0 to 8 items"):
        record_of(1, addresses=(*eight, "tcp://h8:1"))


def test_an_own_record_over_1024_bytes_is_refused():
    long = tuple(f"tcp://{'a' * 60}.{'b' * 60}.h{i}:7400" for i in range(8))
    with pytest.raises(RecordTooLargeError, match="1024 at most"):
        record_of(1, addresses=long)


def test_a_record_over_1024_bytes_is_refused_before_it_is_decoded():
    with pytest.raises(CodecError) as caught:
        decode_record(bytes(RECORD_BYTES_MAX + 1))
    assert caught.value.code == "OVERSIZED"


@pytest.mark.parametrize("address", ["nonsense", "tcp://HOST:1", "tcp://h:01", "tcp://0.0.0.0:1", "tcp://h:0"])
def test_a_record_with_an_address_that_cannot_be_dialled_is_refused(address):
    with pytest.raises(RecordAddressError):
        decode_record(changed(record_of(1), 3, (address,)))


def test_a_record_that_names_an_address_twice_is_refused():
    with pytest.raises(RecordAddressError, match="twice"):
        record_of(1, addresses=("tcp://h:1", "tcp://H:1"))


def test_signing_a_malformed_address_is_a_usage_error():
    with pytest.raises(AddressError):
        record_of(1, addresses=("h:1",))


def test_another_network_is_refused():
    with pytest.raises(RecordNetworkError):
        check(record_of(1, genesis_hash=bytes(32)))


def test_an_expired_record_is_refused():
    record = record_of(1, life_us=10 * SECOND)
    check(record, START + 10 * SECOND - 1_000)
    with pytest.raises(RecordExpiredError):
        check(record, START + 10 * SECOND)


def test_a_record_that_expires_too_far_ahead_is_refused():
    check(record_of(1, life_us=RECORD_LIFE_MS_MAX * 1_000))
    with pytest.raises(RecordTooLongLivedError):
        check(record_of(1, life_us=(RECORD_LIFE_MS_MAX + 1) * 1_000))


@pytest.mark.parametrize(
    ("index", "value"),
    [(1, key_of(2)), (3, ("tcp://other:1",)), (4, 9), (5, (START + 8 * DAY) // 1_000), (6, bytes(64))],
    ids=["key", "addresses", "sequence", "expiry", "signature"],
)
def test_every_field_is_signed(index, value):
    with pytest.raises(RecordSignatureError):
        check_record(decode_record(changed(record_of(1), index, value)), ED25519, GENESIS_HASH, START)


def test_a_record_of_another_node_is_not_ones_own():
    check_owner(record_of(1), key_of(1))
    check_owner(record_of(1), None)
    with pytest.raises(RecordOwnerError):
        check_owner(record_of(1), key_of(2))


def test_each_rule_has_its_own_code():
    rules = RecordError.__subclasses__()
    assert len({rule.code for rule in rules}) == len(rules) == 7


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_never_counts(place, value):
    raw = record_of(3).raw
    place %= len(raw)
    damaged = raw[:place] + bytes([value]) + raw[place + 1 :]
    if damaged == raw:
        return
    with pytest.raises((CodecError, RecordError)):
        check_record(decode_record(damaged), ED25519, GENESIS_HASH, START)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_a_named_error(raw):
    with pytest.raises((CodecError, RecordError)):
        decode_record(raw)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**64 - 1), st.lists(st.integers(1, 65535), unique=True, max_size=8))
def test_records_round_trip(sequence, ports):
    addresses = tuple(f"tcp://[::1]:{port}" for port in ports)
    record = sign_record(ED25519, seed_of(5), GENESIS_HASH, addresses, sequence, START // 1_000 + 1)
    assert decode_record(record.raw) == record
    assert decode_record(record.raw).raw == record.raw
    check(record)
