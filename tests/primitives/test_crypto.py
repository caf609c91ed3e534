import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.crypto import (
    AEAD_TAG_BYTES,
    ED25519,
    aead_open,
    aead_seal,
    blake2b_256,
    domain_prefix,
    ed25519_keypair,
    ed25519_sign,
    key_from_passphrase,
    keyed_hash,
    secretbox_open,
    secretbox_seal,
    signed_bytes,
    x25519,
    x25519_public,
)
from p2pcommerce.primitives.errors import CryptoError, RemoteProtocolError

h = bytes.fromhex

# RFC 8032, section 7.1, tests 1 to 3.
ED25519_VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
]
SEED, PUBLIC, _, _ = map(h, ED25519_VECTORS[0])
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("seed", "public", "message", "signature"), ED25519_VECTORS)
def test_ed25519_gives_the_signatures_of_rfc_8032(seed, public, message, signature):
    assert ED25519.public_key(h(seed)) == h(public)
    assert ED25519.sign(h(seed), h(message)) == h(signature)
    assert ed25519_sign(ed25519_keypair(h(seed))[1], h(message)) == h(signature)
    assert ED25519.verify(h(public), h(message), h(signature))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=50), st.integers(0, 511))
def test_a_signature_with_a_changed_bit_is_refused(message, bit):
    signature = bytearray(ED25519.sign(SEED, message))
    assert ED25519.verify(PUBLIC, message, bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    assert not ED25519.verify(PUBLIC, message, bytes(signature))


def test_a_signature_is_of_its_message_and_key_alone():
    signature = ED25519.sign(SEED, b"message")
    assert not ED25519.verify(PUBLIC, b"massage", signature)
    assert not ED25519.verify(ED25519.public_key(bytes(32)), b"message", signature)


@pytest.mark.parametrize(("key_bytes", "signature_bytes"), [(0, 64), (31, 64), (33, 64), (32, 0), (32, 63), (32, 65)])
def test_wrong_lengths_do_not_verify(key_bytes, signature_bytes):
    assert not ED25519.verify(bytes(key_bytes), b"message", bytes(signature_bytes))


def test_a_malleated_signature_is_refused():
    """RFC 8032, section 5.1.7: S must be below the group order."""
    signature = ED25519.sign(SEED, b"message")
    raised = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    assert not ED25519.verify(PUBLIC, b"message", signature[:32] + raised.to_bytes(32, "little"))


SMALL_ORDER = [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"]


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_key_of_small_order_verifies_nothing(point):
    assert not ED25519.verify(point, b"message", point + bytes(32))


# RFC 7748, sections 5.2 and 6.1.
ALICE = h("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
ALICE_PUBLIC = h("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
BOB = h("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
BOB_PUBLIC = h("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")


def test_x25519_gives_the_results_of_rfc_7748():
    scalar = h("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = h("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    assert x25519(scalar, point).hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert (x25519_public(ALICE), x25519_public(BOB)) == (ALICE_PUBLIC, BOB_PUBLIC)
    shared = h("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    assert x25519(ALICE, BOB_PUBLIC) == x25519(BOB, ALICE_PUBLIC) == shared


@pytest.mark.parametrize("point", [*SMALL_ORDER, b"", bytes(31), bytes(range(33))])
def test_a_key_share_of_small_order_or_wrong_length_is_refused(point):
    with pytest.raises(CryptoError, match="key share"):
        x25519(ALICE, point)


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(33)])
def test_an_own_secret_of_wrong_length_is_a_defect_of_the_caller(secret):
    with pytest.raises(ValueError, match="32 bytes"):
        x25519(secret, BOB_PUBLIC)
    with pytest.raises(ValueError, match="32 bytes"):
        x25519_public(secret)
    with pytest.raises(ValueError, match="seed"):
        ED25519.sign(secret, b"message")


# RFC 8439, section 2.8.2.
AEAD_KEY = bytes(range(0x80, 0xA0))
AEAD_NONCE = h("070000004041424344454647")
AEAD_DATA = h("50515253c0c1c2c3c4c5c6c7")
PLAINTEXT = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it."
)
CIPHERTEXT = h(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
    "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
    "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"
)


def test_the_aead_gives_the_ciphertext_of_rfc_8439():
    assert aead_seal(AEAD_KEY, AEAD_NONCE, AEAD_DATA, PLAINTEXT) == CIPHERTEXT
    assert aead_open(AEAD_KEY, AEAD_NONCE, AEAD_DATA, CIPHERTEXT) == PLAINTEXT
    assert len(CIPHERTEXT) == len(PLAINTEXT) + AEAD_TAG_BYTES


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(CIPHERTEXT) * 8 - 1))
def test_a_ciphertext_with_a_changed_bit_is_refused(bit):
    damaged = bytearray(CIPHERTEXT)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CryptoError, match="authenticate"):
        aead_open(AEAD_KEY, AEAD_NONCE, AEAD_DATA, bytes(damaged))


@pytest.mark.parametrize(
    ("key", "nonce", "data"),
    [(bytes(32), AEAD_NONCE, AEAD_DATA), (AEAD_KEY, bytes(12), AEAD_DATA), (AEAD_KEY, AEAD_NONCE, b"")],
)
def test_a_ciphertext_opens_only_under_its_key_nonce_and_associated_data(key, nonce, data):
    with pytest.raises(CryptoError):
        aead_open(key, nonce, data, CIPHERTEXT)


@pytest.mark.parametrize("size", [0, 1, AEAD_TAG_BYTES - 1])
def test_a_ciphertext_shorter_than_its_tag_is_refused(size):
    with pytest.raises(CryptoError, match="shorter"):
        aead_open(AEAD_KEY, AEAD_NONCE, AEAD_DATA, CIPHERTEXT[:size])


def test_blake2b_gives_the_published_hashes():
    """RFC 7693, appendix A (64 bytes); the first keyed answer of the reference implementation's list; 32 bytes."""
    assert keyed_hash(b"", b"abc", 64).hex() == (
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc95"
        "18d38aa8dbf1925ab92386edd4009923"
    )
    assert keyed_hash(bytes(range(64)), b"", 64).hex() == (
        "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786b5e996e8f0f4eb981fc214b005f42d2f"
        "f4233499391653df7aefcbc13fc51568"
    )
    assert blake2b_256(b"abc").hex() == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"


@pytest.mark.parametrize("size", [8, 16, 32])
def test_a_keyed_hash_depends_on_its_key_and_has_its_size(size):
    first, second = keyed_hash(b"one", b"data", size), keyed_hash(b"two", b"data", size)
    assert len(first) == len(second) == size
    assert first != second


def test_signed_bytes_bind_kind_and_network():
    network, other = blake2b_256(b"one"), blake2b_256(b"two")
    assert signed_bytes("vote", network, b"m") == b"p2pcommerce/1/vote\x00" + network + b"m"
    assert domain_prefix("vote", network) == b"p2pcommerce/1/vote\x00" + network
    covered = {signed_bytes(kind, chain, b"m") for kind in ("vote", "proposal") for chain in (network, other)}
    assert len(covered) == 4


SALT = bytes(range(16))
CHEAP = (1, 8_192)


def test_a_passphrase_gives_one_key_per_salt_and_cost():
    key = key_from_passphrase("pass phrase ü", SALT, *CHEAP)
    assert len(key) == 32
    assert key == key_from_passphrase("pass phrase ü", SALT, *CHEAP)
    others = [("other", SALT, *CHEAP), ("pass phrase ü", bytes(16), *CHEAP), ("pass phrase ü", SALT, 2, 8_192)]
    assert len({key, *(key_from_passphrase(*other) for other in others)}) == 4


def test_the_key_of_a_passphrase_is_pinned():
    assert key_from_passphrase("correct horse", SALT, 2, 16_384).hex() == ARGON2ID


@pytest.mark.parametrize(
    ("salt", "operations", "memory_bytes"),
    [(bytes(15), *CHEAP), (bytes(17), *CHEAP), (SALT, 0, 8_192), (SALT, 1, 1_024), (SALT, 1, 2**45)],
)
def test_parameters_out_of_range_are_refused(salt, operations, memory_bytes):
    with pytest.raises(CryptoError, match="these parameters"):
        key_from_passphrase("pass", salt, operations, memory_bytes)


def test_the_secretbox_opens_what_it_sealed():
    sealed = secretbox_seal(bytes(32), bytes(24), b"a secret")
    assert secretbox_open(bytes(32), bytes(24), sealed) == b"a secret"
    assert len(sealed) == len(b"a secret") + 16


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 24 * 8 - 1))
def test_a_sealed_secret_with_a_changed_bit_is_refused(bit):
    damaged = bytearray(secretbox_seal(bytes(32), bytes(24), b"a secret"))
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CryptoError, match="do not open"):
        secretbox_open(bytes(32), bytes(24), bytes(damaged))


@pytest.mark.parametrize(
    ("key", "sealed"), [(b"\x01" * 32, None), (bytes(32), b""), (bytes(32), bytes(15)), (b"", None)]
)
def test_a_wrong_key_or_a_cut_secret_is_refused(key, sealed):
    box = secretbox_seal(bytes(32), bytes(24), b"a secret") if sealed is None else sealed
    with pytest.raises(CryptoError):
        secretbox_open(key, bytes(24), box)


def test_a_crypto_error_is_the_peers_fault():
    assert issubclass(CryptoError, RemoteProtocolError)


ARGON2ID = "3226ba6af239f1237bddfc82b53ea2e2f9efaee7ecf61415c48a89edf6bd5d33"
