"""Sealed messages: who can open them, what their length says, and that a change is noticed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox

from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.sealed import CONTENT_BYTES_MAX, box_secret, open_address, seal_address
from p2pcommerce.primitives.crypto import blake2b_256, box_open, box_seal, x25519_public
from p2pcommerce.primitives.errors import CryptoError

SECRET = box_secret(bytes(32))
KEY = x25519_public(SECRET)
EXPIRY = 1_700_000_000_000


def seal(content=b"1 High St", seed=1):
    return seal_address(KEY, content, EXPIRY, random.Random(seed))


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=CONTENT_BYTES_MAX), st.integers(0, 100))
def test_what_is_sealed_opens_and_is_padded_to_512(content, seed):
    sealed = seal(content, seed)
    assert open_address(SECRET, sealed, sealed.address_hash) == content
    assert (len(sealed.sealed) - 48) % 512 == 0
    assert len(sealed.sealed) - 48 - 512 < 12 + len(content) <= len(sealed.sealed) - 48


def test_the_largest_content_fits_one_message_and_no_more_is_sealed():
    assert len(seal(bytes(CONTENT_BYTES_MAX)).sealed) <= 16 * 1024
    with pytest.raises(FormatError, match="at most"):
        seal(bytes(CONTENT_BYTES_MAX + 1))


def test_the_hash_is_that_of_salt_and_sealed_bytes():
    sealed = seal()
    assert sealed.address_hash == blake2b_256(sealed.salt + sealed.sealed)
    with pytest.raises(CryptoError, match="the order carries"):
        open_address(SECRET, sealed, bytes(32))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 559), st.integers(1, 255))
def test_any_changed_byte_is_noticed(place, change):
    sealed = seal()
    changed = bytearray(sealed.sealed)
    changed[place] ^= change
    with pytest.raises(CryptoError):
        open_address(SECRET, replace(sealed, sealed=bytes(changed)))


def test_another_expiry_than_the_one_inside_is_refused():
    with pytest.raises(CryptoError, match="another expiry"):
        open_address(SECRET, replace(seal(), expires_ms=EXPIRY + 1))


def test_another_key_opens_nothing():
    with pytest.raises(CryptoError, match="do not open"):
        open_address(box_secret(b"1" * 32), seal())


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        EXPIRY.to_bytes(8, "big") + (600).to_bytes(4, "big") + bytes(500),
        EXPIRY.to_bytes(8, "big") + (1).to_bytes(4, "big") + bytes(499) + b"x",
        EXPIRY.to_bytes(8, "big") + (1).to_bytes(4, "big") + bytes(1_012),
    ],
    ids=["empty", "too long", "not zeros", "too much padding"],
)
def test_a_plaintext_of_another_form_is_refused(plaintext):
    box = box_seal(KEY, bytes(range(32)), plaintext)
    with pytest.raises(CryptoError):
        open_address(SECRET, replace(seal(), sealed=box))


def test_boxes_are_those_of_libsodium():
    private = PrivateKey(SECRET)
    assert SealedBox(private).decrypt(box_seal(KEY, bytes(range(32)), b"text")) == b"text"
    assert box_open(SECRET, SealedBox(private.public_key).encrypt(b"text")) == b"text"


@pytest.mark.parametrize("key", [bytes(32), bytes(31), b""], ids=["zeros", "short", "none"])
def test_a_box_key_that_is_none_is_refused(key):
    with pytest.raises(CryptoError):
        seal_address(key, b"x", EXPIRY, random.Random(1))


@pytest.mark.parametrize("size", [0, 47])
def test_sealed_bytes_that_are_too_short_are_refused(size):
    with pytest.raises(CryptoError, match="shorter"):
        box_open(SECRET, bytes(size))
