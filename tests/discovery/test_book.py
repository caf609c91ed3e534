import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2pcommerce.discovery import Book, BookError, DiscoveryParameters, Source
from p2pcommerce.discovery.book import Book as BookRoom
from p2pcommerce.discovery.contests import CONTESTS_MAX
from p2pcommerce.discovery.group import group_of
from p2pcommerce.primitives.codec import pack, unpack
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import UsageError
from tests.discovery.people import DAY, GENESIS_HASH, SECOND, START, key_of, record_of, where

RECORDS = [record_of(number) for number in range(60)]
SOURCES = [Source.of_peer(key_of(1_000 + number), f"tcp://{number + 1}.77.1.1:5000") for number in range(12)]
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def new_book(genesis_hash=GENESIS_HASH, seed=1, **parameters):
    return Book(genesis_hash, DiscoveryParameters(**parameters), random.Random(seed))


def filled(count=20, **parameters):
    book = new_book(**parameters)
    for number, record in enumerate(RECORDS[:count]):
        book.add(record, SOURCES[number % len(SOURCES)], START)
    return book


def reach(book, number, now=START):
    book.on_reached(key_of(number), where(number), now)


def everybody(_):
    return True


# --- records ---


def test_a_newer_record_replaces_an_older_one_of_its_peer():
    book = filled(3)
    assert not book.is_news(record_of(1, sequence=1))
    newer = record_of(1, sequence=2)
    assert book.is_news(newer)
    book.on_failed(key_of(1), START)
    book.add(newer, SOURCES[0], START)
    assert book.get(key_of(1)).record == newer
    assert book.get(key_of(1)).failures == 0
    assert len(book) == 3


def test_a_record_without_addresses_removes_its_peer():
    book = filled(3)
    book.add(record_of(1, sequence=2, addresses=()), SOURCES[0], START)
    assert key_of(1) not in book
    book.add(record_of(9, addresses=()), SOURCES[0], START)
    assert len(book) == 2


def test_a_newer_record_that_lacks_the_address_where_its_peer_was_reached_sends_it_back_to_the_new_ones():
    book = filled(3)
    reach(book, 1)
    book.add(record_of(1, sequence=2, addresses=("tcp://elsewhere.net:1",)), SOURCES[0], START)
    assert book.get(key_of(1)).tried is None
    assert book.get(key_of(1)).new


def test_expired_records_are_neither_told_nor_kept():
    book = filled(5)
    book.add(record_of(50, life_us=SECOND), SOURCES[0], START)
    later = START + 2 * SECOND
    assert len(book.sample(100, everybody, later)) == 5
    book.forget_expired(later)
    assert len(book) == 5


def test_who_was_reached_is_kept_for_a_month_though_its_record_has_expired_and_nobody_is_told_of_it():
    book = filled(2)
    reach(book, 1)
    later = START + 20 * DAY
    book.forget_expired(later)
    assert [entry.peer for entry in book] == [key_of(1)]
    assert book.sample(100, everybody, later) == []
    book.forget_expired(START + 31 * DAY)
    assert len(book) == 0


def test_a_sample_has_nobody_who_is_left_out_no_record_twice_and_nobody_whom_nobody_reaches():
    book = filled(20)
    told = book.sample(100, lambda entry: entry.peer != key_of(3), START)
    assert len(told) == len(set(told)) == 19
    assert RECORDS[3].raw not in told
    assert len(book.sample(4, everybody, START)) == 4
    for turn in range(3):
        reach(book, 5, START + turn * MINUTE)
        book.on_failed(key_of(4), START + turn * MINUTE)
    assert RECORDS[4].raw not in book.sample(100, everybody, START)


# --- buckets ---


def test_what_one_group_of_sources_tells_reaches_64_buckets_at_most():
    book = new_book()
    flooder = SOURCES[0]
    for number in range(600):
        entry = record_of(number, addresses=(f"tcp://{20 + number % 60}.{number // 60}.1.1:7400",))
        book.add(entry, flooder, START)
    buckets = {bucket for bucket, _ in book._new}
    assert len(buckets) <= 64


def test_one_group_told_by_one_group_fills_one_bucket():
    book = new_book()
    for number in range(200):
        book.add(record_of(number, addresses=(f"tcp://9.9.1.1:{1 + number}",)), SOURCES[0], START)
    assert len({bucket for bucket, _ in book._new}) == 1
    assert len(book) == 64


def test_peers_reached_in_one_group_fill_8_buckets_at_most():
    book = new_book()
    for number in range(300):
        address = f"tcp://9.9.{number // 200}.{number % 200 + 1}:7400"
        book.add(record_of(number, addresses=(address,)), SOURCES[number % 12], START)
        book.on_reached(key_of(number), address, START)
    assert len({bucket for bucket, _ in book._tried}) <= 8


def test_two_identities_at_one_address_have_one_place_among_those_reached():
    book = new_book()
    address = "tcp://9.9.9.9:7400"
    for number in (1, 2):
        book.add(record_of(number, addresses=(address,)), SOURCES[number], START)
        book.on_reached(key_of(number), address, START)
    assert book.tried_count == 1
    assert book.contests == 1


def test_a_small_network_loses_nobody_to_a_taken_place():
    book = new_book()
    for number in range(60):
        book.add(record_of(number, addresses=(f"tcp://9.9.1.1:{1 + number}",)), SOURCES[0], START)
    assert len(book) == 60


def test_a_full_bucket_keeps_out_newcomers_until_somebody_there_is_good_for_nothing():
    book = new_book(bucket_places=2)
    for number in range(2):
        book.add(record_of(number, addresses=(f"tcp://9.9.1.1:{1 + number}",)), SOURCES[0], START)
    book.add(record_of(2, addresses=("tcp://9.9.1.1:3",)), SOURCES[0], START)
    assert key_of(2) not in book
    book.add(record_of(10), SOURCES[5], START)
    for turn in range(3):
        reach(book, 10, START + turn * MINUTE)
        for number in (0, 1):
            book.on_failed(key_of(number), START + turn * MINUTE)
    book.add(record_of(2, addresses=("tcp://9.9.1.1:3",)), SOURCES[0], START)
    assert key_of(2) in book


def test_hearing_of_a_peer_again_by_other_sources_gives_it_up_to_eight_places_with_falling_odds():
    book = filled(1)
    heard = 0
    while len(book.get(key_of(0)).new) < 8 and heard < 20_000:
        heard += 1
        source = Source.of_peer(key_of(1), f"tcp://{heard % 80 + 1}.{heard % 200}.1.1:1")
        book.hear_again(RECORDS[0], source, START)
    assert len(book.get(key_of(0)).new) == 8
    assert heard > 50
    for number in range(500):
        book.hear_again(RECORDS[0], Source.of_name(f"dns {number}"), START)
    assert len(book.get(key_of(0)).new) == 8


def test_hearing_of_another_record_under_one_sequence_number_gives_no_place():
    book = filled(1)
    twin = record_of(0, addresses=("tcp://elsewhere.net:1",))
    for number in range(50):
        book.hear_again(twin, Source.of_name(f"dns {number}"), START)
    assert len(book.get(key_of(0)).new) == 1


def test_the_secret_decides_the_places():
    def places(seed):
        book = new_book(seed=seed)
        for record in RECORDS[:10]:
            book.add(record, SOURCES[0], START)
        return [entry.new for entry in book]

    assert places(1) == places(1)
    assert places(1) != places(2)


def test_a_validator_s_record_is_kept_however_full_the_tables_are():
    book = new_book(new_buckets=1, new_buckets_per_source=1, bucket_places=2)
    book.set_kept([key_of(30)])
    for record in RECORDS[:40]:
        book.add(record, SOURCES[0], START)
    assert key_of(30) in book
    assert len(book) == 3
    book.set_kept([])
    assert key_of(30) not in book
    assert len(book) == 2


def test_a_draw_takes_groups_evenly_however_many_peers_one_has():
    book = new_book()
    for number in range(40):
        address = f"tcp://9.9.1.{number + 1}:7400" if number else "tcp://5.5.5.5:7400"
        book.add(record_of(number, addresses=(address,)), SOURCES[number % 12], START)
        book.on_reached(key_of(number), address, START)
    lonely = sum(book.draw(tried=True).peer == key_of(0) for _ in range(1_000))
    assert 400 < lonely < 600


def test_nothing_is_drawn_from_an_empty_table():
    book = new_book()
    assert book.draw(tried=True) is None
    assert book.draw(tried=False) is None


# --- test before evict ---


def crowded():
    """Return a book in which peers 0 and 1 belong at one place among those reached, and 0 lies there."""
    book = filled(60, tried_buckets=1, tried_buckets_per_group=1, bucket_places=1, new_buckets=1_024)
    reach(book, 0)
    reach(book, 1, START + 5 * HOUR)
    assert (book.tried_count, book.contests) == (1, 1)
    assert book.get(key_of(0)).tried is not None
    assert book.get(key_of(1)).new
    return book


def test_whoever_lies_there_is_tested_and_stays_if_it_answers():
    book = crowded()
    now = START + 5 * HOUR + MINUTE
    assert book.to_test(now).peer == key_of(0)
    reach(book, 0, now)
    assert book.to_test(now) is None
    book.settle_contests(now)
    assert book.contests == 0
    assert book.get(key_of(0)).tried is not None


def test_it_yields_if_it_does_not_answer_and_is_kept_among_the_new_ones():
    book = crowded()
    now = START + 5 * HOUR + MINUTE
    book.on_failed(key_of(0), now)
    book.settle_contests(now)
    assert book.get(key_of(1)).tried is not None
    assert book.get(key_of(0)).tried is None
    assert book.get(key_of(0)).new


def test_it_yields_if_it_was_not_to_be_tested_for_40_minutes():
    book = crowded()
    book.settle_contests(START + 5 * HOUR + 40 * MINUTE)
    assert book.get(key_of(1)).tried is None
    book.settle_contests(START + 5 * HOUR + 41 * MINUTE)
    assert book.get(key_of(1)).tried is not None


def test_who_was_reached_within_four_hours_stays_without_a_test():
    book = filled(3, tried_buckets=1, tried_buckets_per_group=1, bucket_places=1, new_buckets=1_024)
    reach(book, 0)
    reach(book, 1, START + 3 * HOUR)
    assert book.to_test(START + 3 * HOUR) is None
    book.settle_contests(START + 3 * HOUR)
    assert book.contests == 0
    assert book.get(key_of(0)).tried is not None


def test_newcomers_that_wait_are_bounded():
    book = filled(60, tried_buckets=1, tried_buckets_per_group=1, bucket_places=1, new_buckets=1_024)
    for number in range(60):
        reach(book, number, START + 5 * HOUR)
    assert book.contests == CONTESTS_MAX


# --- dials ---


def test_a_failure_counts_only_after_somebody_was_reached_since_the_last_one():
    book = filled(3)
    for _ in range(20):
        book.on_failed(key_of(1), START)
    assert book.get(key_of(1)).failures == 1
    reach(book, 2, START + MINUTE)
    book.on_failed(key_of(1), START + MINUTE)
    assert book.get(key_of(1)).failures == 2


def test_who_was_never_reached_is_forgotten_after_ten_failures_and_who_was_is_not():
    book = filled(3)
    reach(book, 1)
    for turn in range(1, 12):
        reach(book, 2, START + turn * MINUTE)
        book.on_failed(key_of(0), START + turn * MINUTE)
        book.on_failed(key_of(1), START + turn * MINUTE)
    assert key_of(0) not in book
    assert book.get(key_of(1)).failures == 11
    assert book.get(key_of(1)).chance < 0.04


# --- the file ---


def test_a_saved_book_is_loaded_back_with_its_places_and_anchors():
    book = filled(20)
    reach(book, 2)
    book.on_failed(key_of(3), START)
    book.anchors = ((key_of(2), where(2)),)
    other = new_book(seed=5)
    assert other.load(book.dump(), START) == 20
    assert other.dump() == book.dump()
    assert other.get(key_of(2)).reached_ms == START // 1_000
    assert other.get(key_of(3)).failures == 1
    assert (other._new, other._tried) == (book._new, book._tried)
    assert other.anchors == book.anchors


def test_an_empty_book_is_saved_and_loaded():
    assert new_book().load(new_book().dump(), START) == 0


def test_loading_leaves_expired_records_and_newer_knowledge_alone():
    saved = filled(3)
    saved.add(record_of(40, life_us=SECOND), SOURCES[0], START)
    book = new_book(seed=2)
    newer = record_of(1, sequence=5)
    book.add(newer, SOURCES[0], START)
    assert book.load(saved.dump(), START + 2 * SECOND) == 2
    assert book.get(key_of(1)).record == newer


def test_loading_into_smaller_tables_keeps_what_fits():
    book = new_book(new_buckets=1, new_buckets_per_source=1, bucket_places=7)
    assert book.load(filled(20).dump(), START) == 7


def old_file(version=1, genesis_hash=GENESIS_HASH):
    rows = [
        (record.raw, key_of(1_000), START // 1_000 if number < 4 else 0, 2) for number, record in enumerate(RECORDS)
    ]
    content = pack((version, genesis_hash, tuple(rows)))
    return content + blake2b_256(content)


def test_a_book_of_the_version_before_is_taken_over():
    book = new_book()
    assert book.load(old_file(), START) == 60
    assert book.tried_count == 4
    assert book.get(key_of(7)).failures == 2
    again = new_book(seed=3)
    assert again.load(book.dump(), START) == 60


@pytest.mark.parametrize("damage", [b"", b"x", bytes(32), bytes(1_000)])
def test_a_file_that_is_no_book_is_refused_by_name(damage):
    with pytest.raises(BookError, match="delete it"):
        new_book().load(damage, START)


def test_a_book_of_another_network_is_refused():
    for data in (filled(2).dump(), old_file()):
        with pytest.raises(BookError, match="another network"):
            new_book(genesis_hash=bytes(32)).load(data, START)


def test_a_book_of_a_newer_version_is_refused():
    version, *rest = unpack(filled(2).dump()[:-32], 10_000)
    content = pack((version + 1, *rest))
    with pytest.raises(BookError, match=r"it has version 3, this node knows up to 2: a newer version wrote it"):
        new_book().load(content + blake2b_256(content), START)


@pytest.mark.parametrize("field", range(1, 5))
def test_a_book_whose_fields_are_of_wrong_types_is_refused(field):
    plain = list(unpack(filled(2).dump()[:-32], 10_000))
    plain[field] = "x"
    content = pack(tuple(plain))
    with pytest.raises(BookError, match="cannot be read"):
        new_book().load(content + blake2b_256(content), START)


def test_a_book_error_is_a_usage_error():
    assert issubclass(BookError, UsageError)


def test_any_changed_byte_is_noticed_and_nothing_is_loaded():
    saved = filled(5).dump()
    for place in range(0, len(saved), 7):
        data = bytearray(saved)
        data[place] ^= 1 + place % 255
        book = new_book()
        with pytest.raises(BookError):
            book.load(bytes(data), START)
        assert len(book) == 0


class BookMachine(RuleBasedStateMachine):
    """Any history of one book with small tables."""

    def __init__(self):
        super().__init__()
        self.parameters = DiscoveryParameters(
            new_buckets=6, new_buckets_per_source=3, tried_buckets=3, tried_buckets_per_group=2, bucket_places=4
        )
        self.book = BookRoom(GENESIS_HASH, self.parameters, random.Random(4))
        self.now = START
        self.sequences = dict.fromkeys(range(60), 1)

    numbers = st.integers(0, 59)
    sources = st.sampled_from(SOURCES)

    @rule(number=numbers, source=sources)
    def hear(self, number, source):
        record = record_of(number, sequence=self.sequences[number], now=START + 20 * DAY)
        if self.book.is_news(record):
            self.book.add(record, source, self.now)
        else:
            self.book.hear_again(record, source, self.now)

    @rule(
        number=numbers,
        source=sources,
        addresses=st.sampled_from([None, (), ("tcp://5.5.5.5:5",), ("tcp://6.6.6.6:6",)]),
    )
    def renew(self, number, source, addresses):
        self.sequences[number] += 1
        record = record_of(number, sequence=self.sequences[number], addresses=addresses, now=START + 20 * DAY)
        if self.book.is_news(record):
            self.book.add(record, source, self.now)

    @rule(number=numbers)
    def reached(self, number):
        entry = self.book.get(key_of(number))
        if entry is not None:
            self.book.on_reached(key_of(number), entry.addresses[0], self.now)
            assert entry.reached_ms == self.now // 1_000

    @rule(number=numbers)
    def failed(self, number):
        self.book.on_failed(key_of(number), self.now)

    @rule(number=numbers)
    def removed(self, number):
        self.book.remove(key_of(number))
        assert key_of(number) not in self.book

    @rule(kept=st.sets(numbers, max_size=4))
    def keep(self, kept):
        self.book.set_kept([key_of(number) for number in sorted(kept)])

    @rule(minutes=st.integers(0, 600))
    def wait(self, minutes):
        self.now += minutes * MINUTE
        self.book.settle_contests(self.now)

    @rule()
    def forget(self):
        self.book.forget_expired(self.now)

    @rule(tried=st.booleans())
    def draw(self, tried):
        entry = self.book.draw(tried=tried)
        if entry is not None:
            assert (entry.tried is not None) == tried
            assert self.book.get(entry.peer) is entry

    @rule()
    def save_and_load(self):
        other = BookRoom(GENESIS_HASH, self.parameters, random.Random(5))
        kept = list(self.book._kept)
        other.set_kept(kept)
        other.load(self.book.dump(), self.now)
        useful = {entry.peer for entry in self.book if not entry.is_useless(self.now // 1_000)}
        assert {entry.peer for entry in other} == useful
        for peer in useful:
            assert other.get(peer).tried == self.book.get(peer).tried
            assert other.get(peer).reached_ms == self.book.get(peer).reached_ms
        self.book = other

    @invariant()
    def every_place_is_somebody_s_and_everybody_has_one(self):
        book, limits = self.book, self.parameters
        new = {place: entry.peer for entry in book for place in entry.new}
        tried = {entry.tried: entry.peer for entry in book if entry.tried is not None}
        assert new == book._new
        assert tried == book._tried
        assert len(tried) == sum(entry.tried is not None for entry in book)
        for table, buckets in ((new, limits.new_buckets), (tried, limits.tried_buckets)):
            assert all(0 <= b < buckets and 0 <= p < limits.bucket_places for b, p in table)
        for entry in book:
            assert len({bucket for bucket, _ in entry.new}) == len(entry.new) <= limits.new_places_max
            assert not (entry.new and entry.tried)
            assert entry.new or entry.tried or entry.is_kept
            if entry.tried is not None:
                assert entry.tried == book._buckets.tried(group_of(entry.reached_at), entry.reached_at)
        assert book.contests <= CONTESTS_MAX


BookMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestBookMachine = BookMachine.TestCase
