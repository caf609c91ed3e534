"""Values, signatures, random outputs and trees, pinned: what every implementation must make, take and refuse alike.

`python -m tests.primitives.test_vectors` writes the files anew.
"""

import pytest

from p2pcommerce.primitives import merkle
from p2pcommerce.primitives.codec import ANY, decode, pack
from p2pcommerce.primitives.crypto import ED25519, blake2b_256
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.sparse_merkle import SparseMerkleTree, verify_state
from tests.protocol import curve
from tests.vector_files import as_json, load, save

SEED = bytes(range(32))


def nested(depth, innermost):
    return (nested(depth - 1, innermost),) if depth else innermost


VALUES = (
    0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1,
    -1, -32, -33, -128, -129, -32_768, -32_769, -(2**31), -(2**31) - 1, -(2**63),
    False, True, None, "", "abc", "é" * 15, "é" * 16, "a" * 256, b"", b"\x00", bytes(255), bytes(256),
    (), (1, (2, (3,))), tuple(range(15)), tuple(range(16)), nested(15, None), nested(15, ()),
)  # fmt: skip
REFUSED = {
    "an integer longer than it must be": "cc7f",
    "a negative integer longer than it must be": "d0ff",
    "a positive integer written as a signed one": "d17fff",
    "bytes with a longer length": "c5000100",
    "text with a longer length": "d90161",
    "an array with a longer count": "dc000101",
    "a map": "80",
    "a float": "ca3f800000",
    "an extension": "d40000",
    "no value": "",
    "a value that is cut off": "92c0",
    "a value with something behind it": "c0c0",
    "text that is not UTF-8": "a1ff",
    "half of a surrogate pair": "a3eda080",
    "the byte that means nothing": "c1",
    "a claim of more items than there are bytes": "ddffffffff",
    "seventeen layers of arrays": "91" * 16 + "90",
    "a number in the seventeenth layer": "91" * 16 + "00",
}


def codec():
    return {
        "values": [{"value": as_json(value), "bytes": pack(value).hex()} for value in VALUES],
        "refused": REFUSED,
    }


ORDER_2, ORDER_8 = (0, curve.P - 1), curve.decompress(
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
)  # fmt: skip


def signatures():
    """Return one good signature, and those of the edges at which implementations differ."""
    scalar, _ = curve.secret_of(SEED)
    key, message = curve.public_key(SEED), b"p2pcommerce/1/vote\x00" + bytes(32) + b"message"
    good = curve.sign(SEED, message)
    cases = {"good": (key, message, good)}
    response = int.from_bytes(good[32:], "little")
    cases["S above the group order"] = key, message, good[:32] + (response + curve.ORDER).to_bytes(32, "little")
    for name, torsion in (("2", ORDER_2), ("8", ORDER_8)):
        shared = curve.compress(curve.add(curve.multiply(12_345, curve.BASE), torsion))
        challenge = curve.sha512_number(shared + key + message) % curve.ORDER
        answer = (12_345 + challenge * scalar) % curve.ORDER
        cases[f"R with a part of order {name}"] = key, message, shared + answer.to_bytes(32, "little")
    small = curve.compress(ORDER_2)
    cases["a key of small order"] = (
        small,
        message,
        curve.compress(curve.multiply(9, curve.BASE)) + (9).to_bytes(32, "little"),
    )
    neutral = curve.compress(curve.NEUTRAL)
    challenge = curve.sha512_number(neutral + key + message) % curve.ORDER
    cases["R of small order"] = key, message, neutral + (challenge * scalar % curve.ORDER).to_bytes(32, "little")
    cases["a key that is not canonical"] = (curve.P + 1).to_bytes(32, "little"), message, good
    cases["another message"] = key, message + b"!", good
    return {
        name: {
            "public_key": key.hex(),
            "message": message.hex(),
            "signature": signature.hex(),
            "is_good": ED25519.verify(key, message, signature),
        }
        for name, (key, message, signature) in cases.items()
    }


def vrf():
    """Return the random output of a key for two inputs."""
    public, found = ED25519.public_key(SEED), []
    for view in (1, 2**40):
        alpha = blake2b_256(b"seed") + view.to_bytes(8, "big")
        proof = ED25519.vrf_prove(SEED, alpha)
        found.append(
            {"input": alpha.hex(), "proof": proof.hex(), "output": ED25519.vrf_verify(public, alpha, proof).hex()}
        )
    return {"seed": SEED.hex(), "public_key": public.hex(), "outputs": found}


def trees():
    """Return roots and proofs of rows of leaves, and of a state."""
    rows = []
    for count in (0, 1, 2, 3, 5, 8, 13):
        leaves = [blake2b_256(bytes([number])) for number in range(count)]
        proofs = [merkle.prove(leaves, index) for index in range(count)]
        rows.append(
            {
                "leaves": [leaf.hex() for leaf in leaves],
                "root": merkle.root(leaves).hex(),
                "proofs": [[each.index, each.count, as_json(each.siblings)] for each in proofs],
            }
        )
    states = []
    for count in (0, 1, 2, 20):
        pairs = {b"key %d" % number: b"value %d" % number for number in range(count)}
        tree = SparseMerkleTree.EMPTY.update(pairs)
        asked = [*list(pairs)[:3], b"absent", b"another", b"a third"]
        states.append(
            {
                "pairs": [[key.hex(), value.hex()] for key, value in pairs.items()],
                "root": tree.root.hex(),
                "proofs": [
                    {
                        "key": key.hex(),
                        "value": as_json(pairs.get(key)),
                        "siblings": as_json(tree.prove(key).siblings),
                        "other": as_json(tree.prove(key).other),
                    }
                    for key in asked
                ],
            }
        )
    return {"rows": rows, "states": states}


FILES = {"codec": codec, "signatures": signatures, "vrf": vrf, "trees": trees}


@pytest.mark.parametrize("name", FILES)
def test_the_bytes_are_those_of_the_file(name):
    assert FILES[name]() == load(name)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_a_value_is_read_back(value):
    assert decode(ANY, pack(value), 2**17) == value


@pytest.mark.parametrize("name", REFUSED)
def test_bytes_of_another_form_are_refused(name):
    with pytest.raises(CodecError):
        decode(ANY, bytes.fromhex(REFUSED[name]), 2**17)


def test_of_the_edges_of_ed25519_only_the_good_one_is_taken():
    assert [name for name, case in load("signatures").items() if case["is_good"]] == ["good"]


def test_the_pinned_proofs_of_presence_and_absence_hold():
    for state in load("trees")["states"]:
        tree = SparseMerkleTree.EMPTY.update(
            {bytes.fromhex(key): bytes.fromhex(value) for key, value in state["pairs"]}
        )
        for proof in state["proofs"]:
            key = bytes.fromhex(proof["key"])
            value = None if proof["value"] is None else bytes.fromhex(proof["value"])
            assert verify_state(bytes.fromhex(state["root"]), key, value, tree.prove(key))


if __name__ == "__main__":
    for file, make in FILES.items():
        save(file, make())
