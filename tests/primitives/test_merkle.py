import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives import merkle
from p2pcommerce.primitives.codec import decode, encode
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import ZERO_HASH
from p2pcommerce.primitives.merkle import INCLUSION_PROOF, InclusionProof, prove, root, verify_inclusion


def leaves_of(count):
    return [blake2b_256(b"leaf %d" % i) for i in range(count)]


def naive_top(leaves):
    """RFC 6962's recursive definition: split at the largest power of two below the count."""
    if len(leaves) == 1:
        return blake2b_256(b"\x00" + leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return blake2b_256(b"\x01" + naive_top(leaves[:split]) + naive_top(leaves[split:]))


def test_root_of_no_leaves_is_zero():
    assert root([]) == ZERO_HASH


@pytest.mark.parametrize("count", range(1, 40))
def test_root_has_the_shape_of_rfc_6962_and_binds_the_count(count):
    leaves = leaves_of(count)
    assert root(leaves) == blake2b_256(b"\x02" + count.to_bytes(4, "big") + naive_top(leaves))


def test_roots_are_pinned():
    assert root(leaves_of(1)).hex() == PINNED[1]
    assert root(leaves_of(2)).hex() == PINNED[2]
    assert root(leaves_of(7)).hex() == PINNED[7]
    assert encode(INCLUSION_PROOF, prove(leaves_of(3), 2)).hex() == PINNED_PROOF


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1))))
def test_every_leaf_has_a_proof_that_survives_its_encoding(place):
    count, index = place
    leaves = leaves_of(count)
    proof = decode(INCLUSION_PROOF, encode(INCLUSION_PROOF, prove(leaves, index)), 2_000)
    assert verify_inclusion(root(leaves), leaves[index], proof)


def test_proof_of_another_leaf_index_or_count_is_refused():
    leaves = leaves_of(13)
    top = root(leaves)
    for index in range(13):
        proof = prove(leaves, index)
        for other in range(13):
            assert verify_inclusion(top, leaves[other], proof) == (other == index)
        for claimed in range(20):
            assert verify_inclusion(top, leaves[index], dataclasses.replace(proof, index=claimed)) == (claimed == index)
            assert verify_inclusion(top, leaves[index], dataclasses.replace(proof, count=claimed)) == (claimed == 13)


def test_every_changed_byte_of_a_proof_is_refused():
    leaves = leaves_of(11)
    top = root(leaves)
    encoded = encode(INCLUSION_PROOF, prove(leaves, 9))
    for place in range(len(encoded)):
        for bit in (0x01, 0x80):
            changed = encoded[:place] + bytes([encoded[place] ^ bit]) + encoded[place + 1 :]
            try:
                proof = decode(INCLUSION_PROOF, changed, 2_000)
            except CodecError:
                continue
            assert not verify_inclusion(top, leaves[9], proof)


def test_too_few_or_too_many_siblings_are_refused():
    leaves = leaves_of(8)
    proof = prove(leaves, 3)
    for siblings in (proof.siblings[:-1], (*proof.siblings, ZERO_HASH), ()):
        assert not verify_inclusion(root(leaves), leaves[3], dataclasses.replace(proof, siblings=siblings))


def test_a_node_cannot_pass_for_a_leaf():
    leaves = leaves_of(2)
    inner = blake2b_256(b"\x00" + leaves[0]) + blake2b_256(b"\x00" + leaves[1])
    assert not verify_inclusion(root(leaves), inner, InclusionProof(0, 1, ()))


def test_negative_index_and_empty_tree_are_refused():
    assert not verify_inclusion(ZERO_HASH, ZERO_HASH, InclusionProof(0, 0, ()))
    assert not verify_inclusion(ZERO_HASH, ZERO_HASH, InclusionProof(-1, 1, ()))


@pytest.mark.parametrize("index", [-1, 3])
def test_proving_a_leaf_that_is_not_there_fails(index):
    with pytest.raises(IndexError, match="no leaf"):
        prove(leaves_of(3), index)


def test_proof_of_more_levels_than_the_largest_tree_is_not_decoded():
    too_long = InclusionProof(0, 1, (ZERO_HASH,) * 33)
    with pytest.raises(CodecError, match="siblings"):
        decode(INCLUSION_PROOF, encode(INCLUSION_PROOF, too_long), 2_000)
    assert merkle.LEAVES_MAX == 2**32 - 1


PINNED = {
    1: "f363c67ac99da4cbef37afef72d12a274e3ced8199f4d3bff327de4abf7eb5ce",
    2: "3e89a08312269d02fdbac0424cf670c5636843a2940a980833eb63c74b9cd46d",
    7: "79bdfcd06bba0569383612bcd2d879feb52b2fa143dcb410eebd1bbaab327c6a",
}
PINNED_PROOF = "93020391c4209052ab9014a4214611021a3bd06cf830ac39bc1c2f00d9117880eafa2707064a"
