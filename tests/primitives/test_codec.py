import dataclasses
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.codec import (
    ANY,
    BOOL,
    DEPTH_MAX,
    HASH,
    I64,
    KEY,
    SIGNATURE,
    U8,
    U16,
    U32,
    U64,
    array,
    blob,
    decode,
    encode,
    maybe,
    pack,
    pair,
    raw,
    record,
    record_of,
    text,
    uint,
    unpack,
    without_controls,
)
from p2pcommerce.primitives.errors import CodecError, RemoteProtocolError

LIMIT = 10_000


def nested(depth):
    value = ()
    for _ in range(depth - 1):
        value = (value,)
    return value


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5).map(tuple),
    max_leaves=20,
)


# --- bytes ---


@settings(max_examples=300, deadline=None)
@given(plain_values)
def test_every_plain_value_round_trips(value):
    data = pack(value)
    read = unpack(data, len(data))
    assert read == value
    assert pack(read) == data


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_the_one_encoding_of_a_value_or_a_codec_error(data):
    try:
        value = unpack(data, LIMIT)
    except CodecError:
        return
    assert pack(value) == data


def test_the_encoding_is_pinned():
    assert pack((1, -1, 300, 2**64 - 1, b"ab", "é", True, None, (False,))).hex() == (
        "9901ffcd012ccfffffffffffffffffc4026162a2c3a9c3c091c2"
    )


def test_a_message_over_its_cap_is_refused_before_it_is_read():
    data = pack(bytes(100))
    assert unpack(data, len(data)) == bytes(100)
    with pytest.raises(CodecError, match=r"102 bytes, at most 101 allowed") as caught:
        unpack(data, 101)
    assert caught.value.code == "OVERSIZED"
    with pytest.raises(CodecError, match="at most 10 allowed"):
        unpack(b"\xc1" * 11, 10)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("nothing", ""),
        ("a byte that is no msgpack", "c1"),
        ("trailing bytes", "0101"),
        ("cut array", "9201"),
        ("cut bytes", "c40561"),
        ("bytes that promise 4 GiB", "c6ffffffff"),
        ("text that promises 4 GiB", "dbffffffff"),
        ("an array that promises 4 G items", "ddffffffff"),
        ("a map that promises 4 G items", "dfffffffff"),
        ("a map", "810102"),
        ("an empty map", "80"),
        ("an empty map inside", "9180"),
        ("an extension", "d40500"),
        ("an empty extension", "c70005"),
        ("a timestamp", "d6ff00000000"),
        ("text that is no UTF-8", "a1ff"),
        ("a surrogate", "a3eda080"),
        ("nesting of 5,000", "91" * 5_000 + "c0"),
    ],
)
def test_malformed_bytes_are_refused(name, data):
    with pytest.raises(CodecError, match=r"is not valid msgpack: .+") as caught:
        unpack(bytes.fromhex(data), LIMIT)
    assert caught.value.code == "MALFORMED", name


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a small integer in two bytes", "cc01"),
        ("a small integer in nine bytes", "cf0000000000000001"),
        ("a small negative integer in two bytes", "d0ff"),
        ("a positive integer as signed", "d07f"),
        ("bytes with a long length", "c5000161"),
        ("text with a long length", "d90161"),
        ("an array with a long length", "dc000101"),
        ("inside an array", "9201cc01"),
        ("a float in four bytes", "ca3f800000"),
    ],
)
def test_a_longer_form_of_a_value_is_refused(name, data):
    with pytest.raises(CodecError, match="canonical") as caught:
        unpack(bytes.fromhex(data), LIMIT)
    assert caught.value.code == "NOT_CANONICAL", name


@pytest.mark.parametrize("value", [object(), 2**64, -(2**63) - 1, "\ud800", {1, 2}, (1, (2, 1j))])
def test_what_the_wire_does_not_carry_is_not_encoded(value):
    with pytest.raises(CodecError, match="cannot be encoded"):
        pack(value)
    assert pack((1, 2)) == b"\x92\x01\x02"


def test_packing_from_several_threads_mixes_nothing_up():
    values = [tuple((number, bytes([number]) * 500) for _ in range(50)) for number in range(8)]
    expected = [pack(value) for value in values]
    right = [0] * 8

    def work(number):
        right[number] = sum(pack(values[number]) == expected[number] for _ in range(200))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [200] * 8


def test_a_codec_error_is_the_peers_fault():
    assert issubclass(CodecError, RemoteProtocolError)


# --- shapes ---


@pytest.mark.parametrize(
    ("shape", "low", "high"),
    [
        (U8, 0, 2**8 - 1),
        (U16, 0, 2**16 - 1),
        (U32, 0, 2**32 - 1),
        (U64, 0, 2**64 - 1),
        (I64, -(2**63), 2**63 - 1),
        (uint(9, 3), 3, 9),
    ],
)
def test_integers_keep_their_range(shape, low, high):
    for value in (low, high):
        assert decode(shape, encode(shape, value), LIMIT) == value
    for value in (low - 1, high + 1):
        with pytest.raises(CodecError, match=f"integer from {low} to {high}"):
            shape.read(value)


@pytest.mark.parametrize("value", [True, False, 1.0, "1", b"1", None, ()])
def test_only_an_integer_is_an_integer(value):
    with pytest.raises(CodecError, match="must be an integer"):
        U8.read(value)


@pytest.mark.parametrize("value", [0, 1, None, "true"])
def test_only_a_boolean_is_a_boolean(value):
    assert BOOL.read(True) is True
    with pytest.raises(CodecError, match="true or false"):
        BOOL.read(value)


@pytest.mark.parametrize(("shape", "size"), [(HASH, 32), (KEY, 32), (SIGNATURE, 64), (raw(5), 5)])
def test_fixed_bytes_have_their_length(shape, size):
    assert shape.read(bytes(size)) == bytes(size)
    for value in (bytes(size - 1), bytes(size + 1), "x" * size, None, bytearray(size)):
        with pytest.raises(CodecError, match=f"must be {size} bytes"):
            shape.read(value)


def test_bytes_keep_their_limits():
    shape = blob(5, 2)
    for size in (2, 5):
        assert shape.read(bytes(size)) == bytes(size)
    for value in (bytes(1), bytes(6), "abc", None):
        with pytest.raises(CodecError, match="must be 2 to 5 bytes"):
            shape.read(value)


def test_text_is_limited_in_bytes_of_utf_8():
    shape = text(4)
    assert shape.read("éé") == "éé"
    for value in ("ééé", "éé.", "abcde"):
        with pytest.raises(CodecError, match="at most 4 bytes of UTF-8"):
            shape.read(value)
    with pytest.raises(CodecError, match="must be text"):
        shape.read(b"abcd")


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\ufeff"])
def test_text_has_no_control_characters(character):
    with pytest.raises(CodecError, match="control"):
        text(40).read(f"a{character}b")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Café",
        "上海",
        "\u0641\u0627\u0631\u0633\u06cc\u200c\u0647\u0627",
        "\U0001f468\u200d\U0001f373",
        "\U0002ebf0",
        "\u00a0",
    ],
)
def test_text_takes_every_script_whatever_the_version_of_python(value):
    """U+2EBF0 came with Unicode 15.1: `isprintable` of Python 3.11 and of 3.13 disagree about it."""
    assert text(40).read(value) == value


def test_arrays_keep_their_limits():
    shape = array(U8, 3, 1)
    for value in ((1,), (1, 2, 3)):
        assert shape.read(value) == value
    for value in ((), (1, 2, 3, 4), [1], 1, None):
        with pytest.raises(CodecError, match="array of 1 to 3 items"):
            shape.read(value)
    with pytest.raises(CodecError, match="integer"):
        shape.read((1, 256))


def test_a_pair_has_two_items():
    shape = pair(U8, BOOL)
    assert decode(shape, encode(shape, (1, True)), LIMIT) == (1, True)
    for value in ((1,), (1, True, 1), 1):
        with pytest.raises(CodecError, match="array of 2 items"):
            shape.read(value)


def test_maybe_takes_nil():
    shape = maybe(U8)
    assert decode(shape, encode(shape, None), LIMIT) is None
    assert decode(shape, encode(shape, 0), LIMIT) == 0
    with pytest.raises(CodecError):
        shape.read(256)


def test_any_takes_nesting_up_to_its_limit():
    assert ANY.read(nested(DEPTH_MAX)) == nested(DEPTH_MAX)
    with pytest.raises(CodecError, match=f"deeper than {DEPTH_MAX}"):
        ANY.read(nested(DEPTH_MAX + 1))
    with pytest.raises(CodecError, match=f"deeper than {DEPTH_MAX}"):
        ANY.read(nested(900))


@pytest.mark.parametrize("value", [1.5, float("nan"), {}, [1]])
@pytest.mark.parametrize("depth", [0, 1, 5])
def test_any_takes_no_floats_maps_or_lists_at_any_depth(value, depth):
    for _ in range(depth):
        value = (value,)
    with pytest.raises(CodecError, match="must hold only"):
        ANY.read(value)


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    label: str | None
    parts: tuple[bytes, ...]
    derived: int = dataclasses.field(init=False, default=7)


POINT = record_of(Point, x=U8, label=maybe(text(5)), parts=array(blob(3), 2))


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 255),
    st.none() | st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=5),
    st.lists(st.binary(max_size=3), max_size=2),
)
def test_records_round_trip(x, label, parts):
    point = Point(x, label, tuple(parts))
    assert decode(POINT, encode(POINT, point), LIMIT) == point


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((1, None), r"array of 3 items \(x, label, parts\)"),
        ((1, None, (), 1), "array of 3 items"),
        (1, "array of 3 items"),
        ((256, None, ()), "x must be an integer"),
        ((1, 5, ()), "label must be text"),
        ((1, None, (b"abcd",)), "parts must be 0 to 3 bytes"),
    ],
)
def test_a_bad_record_names_its_field(value, reason):
    with pytest.raises(CodecError, match=reason):
        decode(POINT, pack(value), LIMIT)


def test_nested_records_name_the_way_to_the_field():
    outer = record(lambda point: point, point=POINT)
    with pytest.raises(CodecError, match="point x must be an integer"):
        outer.read(((True, None, ()),))


def test_a_shape_whose_names_are_not_the_fields_is_refused():
    with pytest.raises(TypeError, match="Point"):
        record_of(Point, x=U8, parts=array(blob(3), 2), label=maybe(text(5)))


@pytest.mark.parametrize("size", [300, 4_096, 65_535, 2**20])
def test_nested_claims_take_no_more_memory_than_the_message(size):
    head = b"\xdd" + (size - 1).to_bytes(4, "big")
    data = (head * 500)[:size].ljust(size, b"\0")
    tracemalloc.start()
    try:
        with pytest.raises(CodecError, match="not valid msgpack"):
            unpack(data, size)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 4 * size + 100_000


def test_text_that_utf8_cannot_write_is_refused():
    with pytest.raises(CodecError, match="UTF-8 can write"):
        text(10).read("a\ud800")


@given(st.text(st.characters()))
def test_text_without_controls_is_text(value):
    kept = without_controls(value)
    assert text(4 * len(value)).read(kept) == kept
    assert without_controls(kept) == kept
