import dataclasses
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives import merkle_leaves, sparse_merkle
from p2pcommerce.primitives.codec import decode, encode
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import ZERO_HASH
from p2pcommerce.primitives.sparse_merkle import STATE_PROOF, SparseMerkleTree, StateProof, verify_state

PROOF_BYTES_MAX = 16_384


def bits(path):
    return f"{int.from_bytes(path, 'big'):0256b}"


def naive_root(pairs):
    """The definition, word by word, over a dict of all pairs."""
    leaves = {}
    for key, value in pairs.items():
        path = blake2b_256(key)
        leaves[bits(path)] = blake2b_256(b"\x00" + path + blake2b_256(value))

    def subtree(prefix, inside):
        if not inside:
            return ZERO_HASH
        if len(inside) == 1:
            return leaves[inside[0]]
        left = [path for path in inside if path[len(prefix)] == "0"]
        right = [path for path in inside if path[len(prefix)] == "1"]
        return blake2b_256(b"\x01" + subtree(prefix + "0", left) + subtree(prefix + "1", right))

    return subtree("", sorted(leaves))


def close_keys(count, shared_bits, seed=1):
    """Keys whose paths begin with the same bits, so that deep chains of lone children appear."""
    rng = random.Random(seed)
    found = []
    while len(found) < count:
        key = rng.randbytes(8)
        if int.from_bytes(blake2b_256(key)[:4], "big") >> (32 - shared_bits) == 0:
            found.append(key)
    return found


CLOSE = close_keys(9, 11)
KEYS = st.one_of(st.integers(0, 60).map(lambda i: b"key %d" % i), st.sampled_from(CLOSE))
VALUES = st.one_of(st.none(), st.binary(max_size=3))
BATCHES = st.lists(st.dictionaries(KEYS, VALUES, max_size=25), max_size=6)


def apply(model, batch):
    for key, value in batch.items():
        if value is None:
            model.pop(key, None)
        else:
            model[key] = value


@settings(max_examples=150, deadline=None)
@given(BATCHES)
def test_root_after_any_batches_is_that_of_the_definition(batches):
    tree, model = SparseMerkleTree.EMPTY, {}
    for batch in batches:
        tree = tree.update(batch)
        apply(model, batch)
        assert tree.root == naive_root(model)


@settings(max_examples=60, deadline=None)
@given(BATCHES, st.randoms(use_true_random=False))
def test_root_does_not_depend_on_order_or_history(batches, rng):
    tree, model = SparseMerkleTree.EMPTY, {}
    for batch in batches:
        tree = tree.update(batch)
        apply(model, batch)
    pairs = list(model.items())
    rng.shuffle(pairs)
    one_by_one = SparseMerkleTree.EMPTY
    for key, value in pairs:
        one_by_one = one_by_one.update({key: value})
    assert one_by_one.root == tree.root == SparseMerkleTree.EMPTY.update(dict(pairs)).root
    assert tree.update(dict.fromkeys(model)).root == ZERO_HASH


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_an_update_leaves_the_old_tree_as_it_was(batches):
    trees, models = [SparseMerkleTree.EMPTY], [{}]
    for batch in batches:
        trees.append(trees[-1].update(batch))
        models.append(dict(models[-1]))
        apply(models[-1], batch)
    assert [tree.root for tree in trees] == [naive_root(model) for model in models]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, st.binary(max_size=3), max_size=50), KEYS)
def test_presence_and_absence_are_provable_and_nothing_else_is(pairs, key):
    tree = SparseMerkleTree.EMPTY.update(pairs)
    proof = decode(STATE_PROOF, encode(STATE_PROOF, tree.prove(key)), PROOF_BYTES_MAX)
    value = pairs.get(key)
    assert verify_state(tree.root, key, value, proof)
    assert not verify_state(tree.root, key, b"another value", proof)
    assert not verify_state(tree.root, b"another key", value, proof) or (value is None and b"another key" not in pairs)
    if value is not None:
        assert not verify_state(tree.root, key, None, proof)


@pytest.mark.parametrize(
    ("key", "value"), [(b"key 3", b"v3"), (b"absent 1", None), (b"absent 2", None), (b"absent 3", None)]
)
def test_every_changed_byte_of_a_proof_is_refused(key, value):
    tree = SparseMerkleTree.EMPTY.update({b"key %d" % i: b"v%d" % i for i in range(30)})
    encoded = encode(STATE_PROOF, tree.prove(key))
    assert verify_state(tree.root, key, value, decode(STATE_PROOF, encoded, PROOF_BYTES_MAX))
    for place in range(len(encoded)):
        for bit in (0x01, 0x80):
            changed = encoded[:place] + bytes([encoded[place] ^ bit]) + encoded[place + 1 :]
            try:
                proof = decode(STATE_PROOF, changed, PROOF_BYTES_MAX)
            except CodecError:
                continue
            assert not verify_state(tree.root, key, value, proof)


def test_absence_is_shown_by_an_empty_subtree_or_by_another_leaf():
    tree = SparseMerkleTree.EMPTY.update({b"key %d" % i: b"v" for i in range(30)})
    kinds = {tree.prove(b"absent %d" % i).other is None for i in range(50)}
    assert kinds == {True, False}
    assert SparseMerkleTree.EMPTY.prove(b"any") == StateProof((), None)
    assert verify_state(ZERO_HASH, b"any", None, StateProof((), None))


def test_another_leaf_that_does_not_share_the_prefix_shows_nothing():
    tree = SparseMerkleTree.EMPTY.update({b"a": b"1", b"b": b"2"})
    path_a, path_b = blake2b_256(b"a"), blake2b_256(b"b")
    depth = len(tree.prove(b"a").siblings)
    assert bits(path_a)[depth - 1] != bits(path_b)[depth - 1]
    forged = dataclasses.replace(tree.prove(b"a"), other=(path_b, blake2b_256(b"2")))
    assert not verify_state(tree.root, b"a", None, forged)
    own_leaf = dataclasses.replace(tree.prove(b"a"), other=(path_a, blake2b_256(b"1")))
    assert not verify_state(tree.root, b"a", None, own_leaf)


def test_a_present_value_beside_another_leaf_is_refused():
    tree = SparseMerkleTree.EMPTY.update({b"a": b"1"})
    assert not verify_state(tree.root, b"a", b"1", StateProof((), (bytes(32), bytes(32))))


def test_proofs_deeper_than_a_path_are_refused():
    too_deep = StateProof((ZERO_HASH,) * 257, None)
    assert not verify_state(ZERO_HASH, b"a", None, too_deep)
    with pytest.raises(CodecError, match="siblings"):
        decode(STATE_PROOF, encode(STATE_PROOF, too_deep), PROOF_BYTES_MAX)


def test_paths_that_differ_only_in_the_last_bit_reach_the_full_depth():
    twins = [merkle_leaves.make_leaf(bytes(31) + bytes([last]), b"k", b"v") for last in (0, 1)]
    node = sparse_merkle._update(merkle_leaves.EMPTY_BUCKET, 0, twins, 0, 2)
    expected = blake2b_256(b"\x01" + twins[0][32:64] + twins[1][32:64])
    for _ in range(255):
        expected = blake2b_256(b"\x01" + expected + ZERO_HASH)
    assert node[:32] == expected


def test_an_empty_value_is_a_value():
    tree = SparseMerkleTree.EMPTY.update({b"a": b""})
    assert tree.root != ZERO_HASH
    assert verify_state(tree.root, b"a", b"", tree.prove(b"a"))
    assert not verify_state(tree.root, b"a", None, tree.prove(b"a"))


def test_untouched_subtrees_are_shared():
    tree = SparseMerkleTree.EMPTY.update({b"key %d" % i: b"v" for i in range(2_000)})
    changed = tree.update({b"key 7": b"w"})

    def nodes(node):
        found = {id(node): node}
        if isinstance(node, tuple):
            found |= nodes(node[1]) | nodes(node[2])
        return found

    old, new = nodes(tree._node), nodes(changed._node)
    assert len(new.keys() - old.keys()) <= 20
    assert tree.update({}) is tree


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, st.binary(max_size=3), max_size=60), st.randoms(use_true_random=False))
def test_a_tree_built_at_once_is_the_one_that_grew(pairs, rng):
    shuffled = list(pairs.items())
    rng.shuffle(shuffled)
    built = SparseMerkleTree.of(shuffled)
    assert built.root == naive_root(pairs)
    for key in [*pairs, b"absent"]:
        assert built.prove(key) == SparseMerkleTree.EMPTY.update(pairs).prove(key)
    batch = dict.fromkeys(list(pairs)[::2])
    assert built.update(batch).root == naive_root({key: pairs[key] for key in pairs if key not in batch})


def test_of_two_values_of_a_key_the_last_counts():
    assert SparseMerkleTree.of([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]).root == naive_root({b"a": b"3", b"b": b"2"})


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_every_tree_gives_the_values_that_it_holds(batches):
    tree, model = SparseMerkleTree.EMPTY, {}
    for batch in batches:
        tree = tree.update(batch)
        apply(model, batch)
        assert {key: tree.get(key) for key in batch} == {key: model.get(key) for key in batch}
    assert dict(tree) == model
    assert [blake2b_256(key) for key, _ in tree] == sorted(blake2b_256(key) for key in model)
    assert tree.get(b"absent") is None


def test_a_key_that_another_begins_with_or_a_value_holds_is_not_taken_for_it():
    tree = SparseMerkleTree.of([(b"ab", b"1"), (b"abc", b"ab"), (b"c", b"")])
    assert [tree.get(key) for key in (b"ab", b"abc", b"c", b"a", b"")] == [b"1", b"ab", b"", None, None]


@given(
    pairs=st.dictionaries(
        st.binary(max_size=3).map(lambda key: bytes(byte % 3 for byte in key)),
        st.binary(max_size=6).map(lambda value: bytes(byte % 3 for byte in value)),
        max_size=4,
    ),
    key=st.binary(max_size=3).map(lambda key: bytes(byte % 3 for byte in key)),
)
def test_no_bytes_of_a_packed_subtree_are_taken_for_a_key_but_its_keys(pairs, key):
    leaves = sorted(merkle_leaves.make_leaf(blake2b_256(each), each, value) for each, value in pairs.items())
    bucket = merkle_leaves.pack_bucket(leaves, 0, 0, len(leaves))
    for each in (key, *pairs):
        assert merkle_leaves.find_value(bucket, each) == pairs.get(each)


def test_keys_and_values_of_all_lengths_are_kept():
    pairs = {b"k" * merkle_leaves.KEY_BYTES_MAX: b"v" * 300_000, b"": b"x"}
    tree = SparseMerkleTree.of(pairs.items())
    assert dict(tree) == pairs
    assert tree.root == naive_root(pairs)
    with pytest.raises(struct.error):
        tree.update({b"k" * (merkle_leaves.KEY_BYTES_MAX + 1): b""})


def test_two_million_records_fit_the_memory_target():
    """A record takes 170 bytes beside its value, and building a tree takes little more: 1 GB is 500 bytes for each."""
    tracemalloc = pytest.importorskip("tracemalloc")
    count, value = 20_000, bytes(100)
    tracemalloc.start()
    try:
        tree = SparseMerkleTree.of((blake2b_256(b"%d" % i), value) for i in range(count))
        size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tree.root != ZERO_HASH
    assert size / count < 300
    assert peak / count < 360


def test_roots_and_a_proof_are_pinned():
    tree = SparseMerkleTree.EMPTY.update({b"key %d" % i: b"value %d" % i for i in range(10)})
    assert SparseMerkleTree.EMPTY.update({b"a": b"1"}).root.hex() == PINNED_ONE
    assert tree.root.hex() == PINNED_TEN
    assert blake2b_256(encode(STATE_PROOF, tree.prove(b"absent 1"))).hex() == PINNED_ABSENCE
    assert blake2b_256(encode(STATE_PROOF, tree.prove(b"key 3"))).hex() == PINNED_PRESENCE


PINNED_ONE = "695eba2999e40fa30c05a057fcbb46480dbc806ff8edce9bfb46c5718fd66e4a"
PINNED_TEN = "fb5404f3dd38fc1d89498b1b9ecae85183374c6ba269a2b5cc1df1b22eeaf809"
PINNED_ABSENCE = "2e6269e8db8e91dd0413b534e6034bcb5302d5da5fbda5c8506275f304e8b62f"
PINNED_PRESENCE = "b67d4b640c739dc2af38b5d8e02f9697150ebe5ea56e4e2c75e7bd49fc546843"
