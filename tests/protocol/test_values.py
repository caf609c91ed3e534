"""docs/protocol/encoding.md, against its vectors."""

import pytest

from tests.vector_files import as_json, load

from . import curve, document, plain

CODEC = load("codec")


@pytest.mark.parametrize("vector", CODEC["values"], ids=lambda vector: vector["bytes"][:16])
def test_a_value_has_these_bytes(vector):
    data = bytes.fromhex(vector["bytes"])
    value = plain.decode(data)
    assert as_json(value) == vector["value"]
    assert plain.encode(value) == data


@pytest.mark.parametrize("name", CODEC["refused"])
def test_other_bytes_are_refused(name):
    with pytest.raises(plain.RefusedError):
        plain.Types().read("any", bytes.fromhex(CODEC["refused"][name]))


@pytest.mark.parametrize("name", load("signatures"))
def test_a_signature_is_taken_or_refused(name):
    case = load("signatures")[name]
    key, message, signature = (bytes.fromhex(case[each]) for each in ("public_key", "message", "signature"))
    assert curve.verify(key, message, signature) is case["is_good"]


def test_random_outputs():
    pinned = load("vrf")
    key = curve.public_key(bytes.fromhex(pinned["seed"]))
    assert key.hex() == pinned["public_key"]
    for each in pinned["outputs"]:
        alpha, proof = bytes.fromhex(each["input"]), bytes.fromhex(each["proof"])
        assert curve.vrf_output(key, alpha, proof).hex() == each["output"]
        assert curve.vrf_output(key, alpha + b"!", proof) is None
        assert curve.vrf_output(key, alpha, proof[:-1] + bytes([proof[-1] ^ 1])) is None


@pytest.mark.parametrize(
    ("notation", "taken", "refused"),
    [
        ("u8", 255, 256),
        ("i64", -1, 2**63),
        ("int 1..3", 3, 0),
        ("bytes 2", b"ab", b"a"),
        ("text 0..2", "é", "éa"),
        ("text 0..9", "a", "a\u202e"),
        ("bool", False, 0),
        ("u8", 1, True),
        ("nil or bytes 1", None, b""),
        ("array 1..2 of u8 or text 0..1", (1, "a"), ((),)),
        ("packed 1..2 of 8", bytes(16), bytes(12)),
        ("[one: u8, two: [a: bool]]", (1, (True,)), (1,)),
        ("nil or array 0..1 of bytes 1 or u8", (3,), ("x",)),
    ],
)
def test_the_notation_of_types(notation, taken, refused):
    types = plain.Types()
    types.check(notation, taken)
    with pytest.raises(plain.RefusedError):
        types.check(notation, refused)


def test_every_type_of_the_pages_can_be_read():
    notations = [*document.NAMED.values(), *document.BODIES.values(), *document.STATE.values()]
    notations += [
        each["fields"] for kinds in (document.MESSAGES, document.SIMPLEX, document.FFG) for each in kinds.values()
    ]
    for notation in notations:
        with pytest.raises(plain.RefusedError):
            document.TYPES.check(notation, "no value of any of these types" * 10)
