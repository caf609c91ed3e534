"""Base45: the RFC's examples, and one text for all bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.base45 import base45_decode, base45_encode
from p2pcommerce.primitives.errors import CodecError


@pytest.mark.parametrize(
    ("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"", "")]
)
def test_the_examples_of_the_rfc(data, text):
    assert base45_encode(data) == text
    assert base45_decode(text) == data


def test_the_rfcs_example_of_decoding():
    assert base45_decode("QED8WEX0") == b"ietf!"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64))
def test_bytes_come_back(data):
    assert base45_decode(base45_encode(data)) == data


@settings(max_examples=300, deadline=None)
@given(st.text("0129AZ $%*+-./:abé", max_size=12))
def test_a_text_is_refused_or_the_only_one_of_its_bytes(text):
    try:
        data = base45_decode(text)
    except CodecError:
        return
    assert base45_encode(data) == text


@pytest.mark.parametrize("text", ["A", "AAAA", "GGW", ":::", "::", "bb8", "B\n8", "BBé"])
def test_a_text_that_stands_for_no_bytes_is_refused(text):
    with pytest.raises(CodecError, match="base45"):
        base45_decode(text)
