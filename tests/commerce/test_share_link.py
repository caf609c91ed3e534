"""Share links as strings."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce import ShareLink, ShareLinkError, read_share_link, write_share_link
from tests.commerce.world import key

LINK = ShareLink(key("chain"), key("shop"), 7, key("sharer"))
TEXT = write_share_link(LINK)
KEYS = st.binary(min_size=32, max_size=32)


@settings(max_examples=100, deadline=None)
@given(chain=KEYS, store=KEYS, listing=st.integers(0, 2**32 - 1), referrer=st.none() | KEYS.filter(any))
def test_a_link_round_trips_in_184_characters(chain, store, listing, referrer):
    link = ShareLink(chain, store, listing, referrer)
    text = write_share_link(link)
    assert len(text) == 184
    assert read_share_link(text) == read_share_link(text.upper()) == link


def test_the_form_of_a_link_is_pinned():
    assert TEXT[:36] == "p2pcommerce:ah7464abbfoaie4ove45sxjo"
    assert TEXT.lower() == TEXT


def test_a_link_that_a_messenger_broke_into_lines_is_read():
    assert read_share_link(f"  {TEXT[:60]}\r\n{TEXT[60:]}\n") == LINK


@settings(max_examples=300, deadline=None)
@given(place=st.integers(12, 183), letter=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_any_changed_character_is_noticed(place, letter):
    changed = TEXT[:place] + letter + TEXT[place + 1 :]
    if changed == TEXT:
        return
    with pytest.raises(ShareLinkError, match="checksum"):
        read_share_link(changed)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "begins with"),
        ("https://example.org", "begins with"),
        (TEXT[:-1], "172 characters follow"),
        (TEXT + "a", "172 characters follow"),
        (TEXT[:-1] + "1", "letters a to z"),
        (TEXT[:-1] + "ß", "letters a to z"),
        (" " * 600, "has 184 characters, this has 600"),
    ],
)
def test_what_is_no_link_is_refused_with_the_reason(text, sentence):
    with pytest.raises(ShareLinkError, match=sentence):
        read_share_link(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300) | st.text(min_size=172, max_size=172).map("p2pcommerce:".__add__))
def test_any_text_is_read_or_refused(text):
    with pytest.raises(ShareLinkError):
        read_share_link(text)


@pytest.mark.parametrize(
    "link",
    [
        ShareLink(key("chain"), key("shop"), -1),
        ShareLink(key("chain"), key("shop"), 2**32),
        ShareLink(b"short", key("shop"), 1),
        ShareLink(key("chain"), key("shop"), 1, b"short"),
    ],
)
def test_a_field_out_of_range_is_refused(link):
    with pytest.raises(ShareLinkError, match="listing from 0"):
        write_share_link(link)
