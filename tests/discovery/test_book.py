import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery import Book, BookError
from p2pcommerce.primitives.codec import pack, unpack
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import UsageError
from tests.discovery.people import DAY, GENESIS_HASH, SECOND, START, key_of, record_of

RECORDS = [record_of(number) for number in range(60)]
SOURCE = key_of(1_000)


def new_book(size=100, genesis_hash=GENESIS_HASH):
    return Book(genesis_hash, size, random.Random(1))


def filled(count=20, size=100):
    book = new_book(size)
    for record in RECORDS[:count]:
        book.add(record, SOURCE, START)
    return book


def peers_of(book):
    return [entry.record.public_key for entry in book]


def test_a_newer_record_replaces_an_older_one_of_its_peer():
    book = filled(3)
    assert not book.is_news(record_of(1, sequence=1))
    newer = record_of(1, sequence=2)
    assert book.is_news(newer)
    book.on_failed(key_of(1), 10)
    book.add(newer, SOURCE, START)
    assert book.get(key_of(1)).record == newer
    assert book.get(key_of(1)).failures == 0
    assert len(book) == 3


def test_a_record_without_addresses_removes_its_peer():
    book = filled(3)
    book.add(record_of(1, sequence=2, addresses=()), SOURCE, START)
    assert key_of(1) not in book
    book.add(record_of(9, addresses=()), SOURCE, START)
    assert len(book) == 2


def test_the_book_is_bounded():
    book = filled(60, size=50)
    assert len(book) == 50


def test_a_flooder_evicts_its_own_records_first():
    book = new_book(30)
    flooder = key_of(2_000)
    for record in RECORDS[:10]:
        book.add(record, SOURCE, START)
    for record in RECORDS[10:60]:
        book.add(record, flooder, START)
    assert set(peers_of(book)) >= {key_of(number) for number in range(10)}


def test_peers_that_were_reached_are_given_up_last_and_the_oldest_first():
    book = new_book(10)
    for number in range(10):
        book.add(RECORDS[number], SOURCE, START)
        book.on_reached(key_of(number), START + (50 - number) * SECOND)
    book.add(RECORDS[10], SOURCE, START)
    assert key_of(9) not in book
    book.add(RECORDS[11], SOURCE, START)
    assert key_of(10) not in book
    assert key_of(11) in book


def test_a_peer_that_failed_too_often_is_forgotten():
    book = filled(2)
    for _ in range(9):
        book.on_failed(key_of(1), 10)
    assert key_of(1) in book
    book.on_reached(key_of(1), START)
    for _ in range(10):
        book.on_failed(key_of(1), 10)
    assert key_of(1) not in book
    book.on_failed(key_of(1), 10)
    book.on_reached(key_of(1), START)


def test_expired_records_are_neither_told_nor_kept():
    book = filled(5)
    book.add(record_of(50, life_us=SECOND), SOURCE, START)
    later = START + 2 * SECOND
    assert len(book.sample(100, SOURCE, later)) == 5
    book.forget_expired(later)
    assert len(book) == 5


def test_a_sample_has_no_record_of_the_asker_and_no_record_twice():
    book = filled(20)
    told = book.sample(100, key_of(3), START)
    assert len(told) == len(set(told)) == 19
    assert RECORDS[3].raw not in told
    assert len(book.sample(4, key_of(3), START)) == 4


def test_a_saved_book_is_loaded_back():
    book = filled(20)
    book.on_reached(key_of(2), START)
    book.on_failed(key_of(3), 10)
    other = new_book()
    assert other.load(book.dump(), START) == 20
    assert other.dump() == book.dump()
    assert other.get(key_of(2)).reached_ms == START // 1_000
    assert other.get(key_of(3)).failures == 1


def test_an_empty_book_is_saved_and_loaded():
    assert new_book().load(new_book().dump(), START) == 0


def test_loading_leaves_expired_records_and_newer_knowledge_alone():
    saved = filled(3)
    saved.add(record_of(40, life_us=SECOND), SOURCE, START)
    book = new_book()
    newer = record_of(1, sequence=5)
    book.add(newer, SOURCE, START)
    assert book.load(saved.dump(), START + 2 * SECOND) == 2
    assert book.get(key_of(1)).record == newer


def test_loading_stops_at_the_bound():
    assert new_book(7).load(filled(20).dump(), START) == 7


@pytest.mark.parametrize("damage", [b"", b"x", bytes(32), bytes(1_000)])
def test_a_file_that_is_no_book_is_refused_by_name(damage):
    with pytest.raises(BookError, match="delete it"):
        new_book().load(damage, START)


def test_a_book_of_another_network_is_refused():
    with pytest.raises(BookError, match="another network"):
        new_book(genesis_hash=bytes(32)).load(filled(2).dump(), START)


def test_a_book_of_a_newer_version_is_refused():
    version, *rest = unpack(filled(2).dump()[:-32], 10_000)
    content = pack((version + 1, *rest))
    with pytest.raises(BookError, match="version"):
        new_book().load(content + blake2b_256(content), START)


def test_a_book_error_is_a_usage_error():
    assert issubclass(BookError, UsageError)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 5_000), st.integers(1, 255))
def test_any_changed_byte_is_noticed_and_nothing_is_loaded(place, flip):
    data = bytearray(filled(5).dump())
    data[place % len(data)] ^= flip
    book = new_book()
    with pytest.raises(BookError):
        book.load(bytes(data), START)
    assert len(book) == 0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "reach", "fail", "remove", "expire"]), st.integers(0, 59), st.integers(0, 3)),
        max_size=150,
    )
)
def test_the_memory_of_sources_agrees_with_the_entries(steps):
    book = new_book(12)
    for step, number, source in steps:
        match step:
            case "add":
                record = RECORDS[number]
                if book.is_news(record):
                    book.add(record, key_of(1_000 + source), START)
            case "reach":
                book.on_reached(key_of(number), START)
            case "fail":
                book.on_failed(key_of(number), 2)
            case "remove":
                book.remove(key_of(number))
            case "expire":
                book.forget_expired(START + DAY)
    assert len(book) <= 12
    told = {peer: source for source, peers in book._unreached.items() for peer in peers}
    assert told == {entry.record.public_key: entry.source for entry in book if not entry.reached_ms}
    assert new_book(12).load(book.dump(), START) == len(book)
