"""What a DNS seed's TXT records hold, and what is taken of them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery import AddressError
from p2pcommerce.discovery.seed_text import (
    SEED_ADDRESSES_MAX,
    SEED_RECORDS_MAX,
    SEED_TEXT_BYTES_MAX,
    SEED_TEXTS_MAX,
    read_seed_texts,
    source_of_seed,
    text_of_address,
    text_of_record,
)
from p2pcommerce.primitives.ids import GenesisHash

GENESIS = GenesisHash(bytes(range(32)))
OTHER = GenesisHash(bytes(32))
SEED = "seed.example"


def read(*texts, name=SEED):
    return read_seed_texts(texts, GENESIS, name)


def test_an_address_of_this_network_is_taken_in_canonical_form():
    assert text_of_address("tcp://9.9.9.9:07400", GENESIS) == (b"v=p2pc1 n=00010203 a=tcp://9.9.9.9:7400",)
    assert read((b"v=p2pc1 n=00010203 a=tcp://SEED.example:7400",)).addresses == ("tcp://seed.example:7400",)


@pytest.mark.parametrize("size", [1, 2, 3, 200, 1_024])
def test_a_record_of_any_length_fits_in_strings_of_255_bytes(size):
    raw = bytes(at % 251 for at in range(size))
    strings = text_of_record(raw)
    assert all(0 < len(each) <= 255 for each in strings)
    assert sum(map(len, strings)) <= SEED_TEXT_BYTES_MAX
    assert read(strings).records == (raw,)


def test_strings_are_joined_with_nothing_between_them():
    whole = b"".join(text_of_record(b"record"))
    assert read((whole[:3], b"", whole[3:])).records == (b"record",)


def test_an_address_of_another_network_is_left_aside():
    told = read(text_of_address("tcp://9.9.9.9:7400", OTHER))
    assert (told.addresses, told.foreign) == ((), 1)


@pytest.mark.parametrize("text", [b"", b"v=spf1 -all", b"v=p2pc2 r=AAAA", b"V=p2pc1 r=AAAA", b"v=p2pc1"])
def test_what_is_somebody_elses_is_not_counted(text):
    told = read((text,))
    assert (told.addresses, told.records, told.malformed) == ((), (), 0)


@pytest.mark.parametrize(
    "text",
    [
        b"v=p2pc1 ",
        b"v=p2pc1 r=",
        b"v=p2pc1 r=AAA=",
        b"v=p2pc1 r=A",
        b"v=p2pc1 r=AB",  # bits behind the last byte that are not zero: a second form of one record
        b"v=p2pc1 r=AA+/",
        b"v=p2pc1 r=AA AA",
        b"v=p2pc1 r=AAAA n=00010203",
        b"v=p2pc1 r=" + b"A" * 1_367,
        b"v=p2pc1 r=" + base64.urlsafe_b64encode(bytes(1_026)),
        b"v=p2pc1 r=" + b"A" * SEED_TEXT_BYTES_MAX,
        b"v=p2pc1 a=tcp://9.9.9.9:7400",
        b"v=p2pc1 n=0001020 a=tcp://9.9.9.9:7400",
        b"v=p2pc1 n=0001020G a=tcp://9.9.9.9:7400",
        b"v=p2pc1 n=00010203 a=tcp://9.9.9.9",
        b"v=p2pc1 n=00010203 a=tcp://9.9.9.9:0",
        b"v=p2pc1 n=00010203 a=tcp://0.0.0.0:7400",
        b"v=p2pc1 n=00010203 a=tcp://9.9.9.9:99999",
        b"v=p2pc1 n=00010203 a=http://9.9.9.9:80",
        b"v=p2pc1 n=00010203 a=tcp://\xff:7400",
        b"v=p2pc1 n=00010203 a=tcp://" + b"a" * 300 + b":7400",
        b"v=p2pc1 n=00010203  a=tcp://9.9.9.9:7400",
    ],
)
def test_what_is_malformed_is_counted_and_left_aside(text):
    told = read((text,))
    assert (told.addresses, told.records, told.malformed) == ((), (), 1)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:22", "tcp://10.0.0.1:80", "tcp://[fe80::1]:80", "memory://n0"])
def test_a_name_of_the_wide_world_says_nothing_of_places_nearby(address):
    text = text_of_address(address, GENESIS)
    assert read(text).malformed == 1
    assert read(text, name="seed.office.internal").addresses == (address,)
    assert read(text, name="Seed.LOCALHOST.").addresses == (address,)


def test_only_names_of_local_networks_are_local_sources():
    assert not source_of_seed("seed.example").is_local
    assert source_of_seed("local").group != source_of_seed("internal").group
    assert not source_of_seed("notlocal").is_local
    assert source_of_seed("seed.home.arpa").is_local


def test_of_thousands_of_texts_the_first_ones_are_looked_at():
    texts = [text_of_record(at.to_bytes(4, "big")) for at in range(5_000)]
    told = read(*texts)
    assert len(told.records) == SEED_RECORDS_MAX
    assert told.over == 5_000 - SEED_RECORDS_MAX
    assert read(*[(b"x",)] * SEED_TEXTS_MAX, texts[0]).records == ()


def test_of_many_addresses_the_first_ones_are_taken():
    told = read(*(text_of_address(f"tcp://9.9.9.9:{port}", GENESIS) for port in range(1, 101)))
    assert told.addresses == tuple(f"tcp://9.9.9.9:{port}" for port in range(1, SEED_ADDRESSES_MAX + 1))
    assert told.over == 100 - SEED_ADDRESSES_MAX


def test_what_is_said_twice_counts_once():
    told = read(*[text_of_record(b"r")] * 3, *[text_of_address("tcp://9.9.9.9:1", GENESIS)] * 3)
    assert (told.records, told.addresses, told.over) == ((b"r",), ("tcp://9.9.9.9:1",), 0)


def test_a_text_names_no_malformed_address():
    with pytest.raises(AddressError):
        text_of_address("9.9.9.9", GENESIS)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=255), max_size=8), max_size=8))
def test_whatever_comes_is_read_within_the_caps(texts):
    told = read(*[[b"v=p2pc1 ", *text] for text in texts])
    assert len(told.records) <= SEED_RECORDS_MAX
    assert told.malformed + told.foreign + len(told.records) + len(told.addresses) <= len(texts)
