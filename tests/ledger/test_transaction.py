import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.ledger.transaction import (
    TRANSACTION_BYTES_MAX,
    UnsignedTransaction,
    decode_transaction,
    sign_transaction,
    transaction_id,
)
from p2pcommerce.primitives.codec import DEPTH_MAX, pack, unpack
from p2pcommerce.primitives.crypto import ED25519, blake2b_256
from p2pcommerce.primitives.errors import CodecError
from tests.ledger.samples import GENESIS, PLAIN, SPONSORED, key_of, seed_of, unsigned

NAMES = [
    "version",
    *(field.name for field in dataclasses.fields(UnsignedTransaction)),
    "signature",
    "sponsor_signature",
]


def changed(transaction, **values):
    fields = list(unpack(transaction.raw, TRANSACTION_BYTES_MAX))
    for name, value in values.items():
        fields[NAMES.index(name)] = value
    return pack(tuple(fields))


def test_it_is_an_array_of_13_fields_in_the_order_of_the_specification():
    assert unpack(PLAIN.raw, TRANSACTION_BYTES_MAX) == (
        1,
        GENESIS.hash,
        "token.transfer",
        key_of(9),
        0,
        400,
        100,
        (key_of(8), 12_500, "Grüße"),
        None,
        None,
        False,
        PLAIN.signature,
        None,
    )


def test_a_signed_transaction_is_read_back_and_verifies():
    for transaction in (PLAIN, SPONSORED):
        read = decode_transaction(transaction.raw)
        assert read == transaction
        assert hash(read) == hash(transaction)
        assert read.raw == transaction.raw
        assert read.verify(ED25519)


def test_the_id_is_over_all_bytes_signatures_included():
    assert PLAIN.id == transaction_id(PLAIN.raw) == blake2b_256(PLAIN.raw)
    other = decode_transaction(changed(PLAIN, signature=bytes(64)))
    assert other.id != PLAIN.id
    assert other != PLAIN


def test_what_is_signed_is_all_fields_before_the_signatures_as_they_stand():
    for transaction in (PLAIN, SPONSORED):
        fields = unpack(transaction.raw, TRANSACTION_BYTES_MAX)[:11]
        assert transaction.message == b"".join(pack(field) for field in fields)


def test_signer_and_payer():
    assert (PLAIN.signer, PLAIN.payer) == (key_of(9), key_of(9))
    assert (SPONSORED.signer, SPONSORED.payer) == (key_of(7), key_of(8))


@pytest.mark.parametrize("transaction", [PLAIN, SPONSORED], ids=["plain", "sponsored"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chain_id", bytes(32)),
        ("type", "token.burn"),
        ("sender", key_of(1)),
        ("nonce", 5),
        ("fee", 1),
        ("expires_height", 101),
        ("body", (1,)),
        ("key", key_of(1)),
        ("signature", bytes(64)),
    ],
)
def test_every_field_is_signed(transaction, name, value):
    assert not decode_transaction(changed(transaction, **{name: value})).verify(ED25519)


def test_the_sponsor_must_have_signed():
    own = SPONSORED.signature
    assert not decode_transaction(changed(SPONSORED, sponsor_signature=own)).verify(ED25519)
    assert not decode_transaction(changed(SPONSORED, sponsor_pays=False)).verify(ED25519)
    assert not decode_transaction(changed(SPONSORED, sponsor=key_of(1))).verify(ED25519)


def test_a_signature_is_good_on_one_network_only():
    other = sign_transaction(unsigned(chain_id=bytes(32)), seed_of(9), ED25519)
    moved = decode_transaction(changed(other, chain_id=GENESIS.hash))
    assert not moved.verify(ED25519)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("version", 0, "version"),
        ("version", 2, "version"),
        ("chain_id", bytes(31), "chain_id"),
        ("type", "x" * 33, "type"),
        ("type", "a\tb", "type"),
        ("type", b"token", "type"),
        ("sender", bytes(33), "sender"),
        ("nonce", -1, "nonce"),
        ("nonce", True, "nonce"),
        ("fee", "1", "fee"),
        ("expires_height", 2**32, "expires_height"),
        ("body", 5, "body must be an array"),
        ("body", (1.5,), "body must hold only"),
        ("key", b"", "key"),
        ("sponsor_pays", 1, "sponsor_pays"),
        ("signature", bytes(63), "signature"),
        ("signature", None, "signature"),
        ("sponsor_signature", bytes(64), "go together"),
        ("sponsor", key_of(1), "go together"),
        ("sponsor_pays", True, "needs a sponsor"),
    ],
)
def test_a_field_out_of_range_is_refused(name, value, reason):
    with pytest.raises(CodecError, match=reason):
        decode_transaction(changed(PLAIN, **{name: value}))


def test_a_body_nested_too_deep_is_refused():
    body = ()
    for _ in range(DEPTH_MAX):
        body = (body,)
    with pytest.raises(CodecError, match="deeper"):
        decode_transaction(changed(PLAIN, body=body))


@pytest.mark.parametrize("count", [0, 12, 14])
def test_another_number_of_fields_is_refused(count):
    with pytest.raises(CodecError, match="array of 13 items"):
        decode_transaction(pack((1,) * count))


def test_at_most_16_kib():
    room = TRANSACTION_BYTES_MAX - len(sign_transaction(unsigned(body=(bytes(300),)), seed_of(9), ED25519).raw) + 300
    largest = sign_transaction(unsigned(body=(bytes(room),)), seed_of(9), ED25519)
    assert len(largest.raw) == TRANSACTION_BYTES_MAX
    with pytest.raises(CodecError, match="at most 16384 allowed"):
        sign_transaction(unsigned(body=(bytes(room + 1),)), seed_of(9), ED25519)
    with pytest.raises(CodecError) as caught:
        decode_transaction(bytes(TRANSACTION_BYTES_MAX + 1))
    assert caught.value.code == "OVERSIZED"


def test_signing_refuses_what_nobody_would_read():
    with pytest.raises(CodecError, match="nonce"):
        sign_transaction(unsigned(nonce=-1), seed_of(9), ED25519)
    with pytest.raises(CodecError, match="cannot be encoded"):
        sign_transaction(unsigned(nonce=2**64), seed_of(9), ED25519)
    with pytest.raises(CodecError, match="go together"):
        sign_transaction(unsigned(), seed_of(9), ED25519, seed_of(8))
    with pytest.raises(CodecError, match="go together"):
        sign_transaction(unsigned(sponsor=key_of(8)), seed_of(9), ED25519)


bodies = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=20) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(
    body=st.lists(bodies, max_size=4).map(tuple),
    nonce=st.integers(0, 2**64 - 1),
    fee=st.integers(0, 2**64 - 1),
    expires_height=st.integers(0, 2**32 - 1),
    key=st.booleans(),
    sponsor=st.none() | st.booleans(),
)
def test_any_transaction_round_trips_and_verifies(body, nonce, fee, expires_height, key, sponsor):
    plain = unsigned(
        body=body,
        nonce=nonce,
        fee=fee,
        expires_height=expires_height,
        key=key_of(7) if key else None,
        sponsor=None if sponsor is None else key_of(8),
        sponsor_pays=bool(sponsor),
    )
    signed = sign_transaction(plain, seed_of(7 if key else 9), ED25519, None if sponsor is None else seed_of(8))
    read = decode_transaction(signed.raw)
    assert read == signed
    assert read.verify(ED25519)
    assert all(getattr(read, field.name) == getattr(plain, field.name) for field in dataclasses.fields(plain))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_another_transaction_or_none(place, flip):
    raw = bytearray(SPONSORED.raw)
    raw[place % len(raw)] ^= flip
    try:
        read = decode_transaction(bytes(raw))
    except CodecError:
        return
    assert read.id != SPONSORED.id
    assert not read.verify(ED25519)
