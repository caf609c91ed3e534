import pytest

from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.vrf import VRF_OUTPUT_BYTES, VRF_PROOF_BYTES
from p2pcommerce.simulation.scheme import REAL_SHARE, STAND_IN, scheme_for

SEED = bytes(range(32))


def test_the_stand_in_has_the_sizes_of_ed25519():
    assert (len(STAND_IN.public_key(SEED)), len(STAND_IN.sign(SEED, b"message"))) == (32, 64)


def test_a_signature_verifies_and_is_deterministic():
    signature = STAND_IN.sign(SEED, b"message")
    assert STAND_IN.verify(STAND_IN.public_key(SEED), b"message", signature)
    assert STAND_IN.sign(SEED, b"message") == signature


def test_anything_else_does_not_verify():
    key, signature = STAND_IN.public_key(SEED), STAND_IN.sign(SEED, b"message")
    assert not STAND_IN.verify(key, b"another", signature)
    assert not STAND_IN.verify(STAND_IN.public_key(bytes(32)), b"message", signature)
    assert not STAND_IN.verify(key, b"message", bytes([signature[0] ^ 1]) + signature[1:])
    assert not STAND_IN.verify(key, b"message", signature[:63])


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytes(100)])
def test_a_key_of_a_wrong_length_is_simply_false(key):
    assert not STAND_IN.verify(key, b"message", STAND_IN.sign(SEED, b"message"))


def test_the_stand_in_has_random_outputs_of_the_sizes_of_the_real_ones():
    proof = STAND_IN.vrf_prove(SEED, b"input")
    output = STAND_IN.vrf_verify(STAND_IN.public_key(SEED), b"input", proof)
    assert output is not None
    assert (len(proof), len(output)) == (VRF_PROOF_BYTES, VRF_OUTPUT_BYTES)
    assert STAND_IN.vrf_prove(SEED, b"input") == proof


def test_a_changed_proof_input_or_key_shows_no_output():
    key, proof = STAND_IN.public_key(SEED), STAND_IN.vrf_prove(SEED, b"input")
    assert STAND_IN.vrf_verify(key, b"another", proof) is None
    assert STAND_IN.vrf_verify(STAND_IN.public_key(bytes(32)), b"input", proof) is None
    for place in range(len(proof)):
        assert (
            STAND_IN.vrf_verify(key, b"input", proof[:place] + bytes([proof[place] ^ 1]) + proof[place + 1 :]) is None
        )
    assert STAND_IN.vrf_verify(key, b"input", proof[:-1]) is None
    assert STAND_IN.vrf_verify(key[:-1], b"input", proof) is None


def test_one_seed_in_a_hundred_is_real():
    real = sum(scheme_for(seed) is ED25519 for seed in range(10_000))
    assert 60 < real < 150
    assert {scheme_for(seed) for seed in range(1_000)} == {ED25519, STAND_IN}
    assert REAL_SHARE == 100
