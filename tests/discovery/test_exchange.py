import random

from p2pcommerce.discovery import DiscoveryParameters
from p2pcommerce.discovery.exchange import Exchange
from tests.discovery.people import DAY, SECOND, START, key_of

PARAMETERS = DiscoveryParameters()
ALL = [b"record %d" % number for number in range(10_000)]
ASKER = key_of(1)


RNG = random.Random(1)


def draw_from(records):
    return lambda count: RNG.sample(records, min(count, len(records)))


def ask(exchange, peer=ASKER, count=1_000, records=ALL, now=START):
    return exchange.answer(peer, count, len(records), draw_from(records), now)


def test_an_answer_holds_at_most_23_percent_of_the_book():
    assert len(ask(Exchange(PARAMETERS), records=ALL[:1_000])) == 230


def test_an_answer_holds_at_most_1000_records():
    assert len(ask(Exchange(PARAMETERS), count=65_535)) == 1_000


def test_an_answer_holds_no_more_than_was_asked_for():
    assert len(ask(Exchange(PARAMETERS), count=7)) == 7


def test_an_answer_fits_its_message():
    large = [bytes([number % 256]) * 1_024 for number in range(4_000)]
    told = ask(Exchange(PARAMETERS), records=large)
    assert sum(map(len, told)) <= PARAMETERS.answer_bytes_max
    assert len(told) == PARAMETERS.answer_bytes_max // 1_024


def test_the_same_asker_gets_the_same_answer_for_a_day():
    exchange = Exchange(PARAMETERS)
    first = ask(exchange, count=50)
    rest = ask(exchange, now=START + DAY - 1)
    assert rest[:50] == first
    assert len(rest) == 1_000
    assert set(ask(exchange, now=START + DAY + 20 * SECOND)) != set(rest)


def test_a_small_book_is_told_whole_and_afresh():
    exchange = Exchange(PARAMETERS)
    assert set(ask(exchange, records=ALL[:3])) == set(ALL[:3])
    assert set(ask(exchange, records=ALL[:16], now=START + 60 * SECOND)) == set(ALL[:16])
    assert len(ask(exchange, records=ALL[:17], now=START + 120 * SECOND)) == 3


def test_an_asker_is_answered_once_in_ten_seconds():
    exchange = Exchange(PARAMETERS)
    assert ask(exchange) is not None
    assert ask(exchange, now=START + 9_999_999) is None
    assert ask(exchange, now=START + 10_000_000) is not None


def test_an_honest_asker_never_meets_that_limit():
    assert PARAMETERS.ask_interval_us > PARAMETERS.answer_interval_us


def test_a_burst_of_1000_records_is_accepted_and_then_one_in_ten_seconds():
    exchange = Exchange(PARAMETERS)
    assert sum(exchange.accept(ASKER, START) for _ in range(1_500)) == 1_000
    accepted = [exchange.accept(ASKER, START + second * SECOND) for second in range(1, 101)]
    assert sum(accepted) == 10
    assert sum(exchange.accept(key_of(2), START) for _ in range(1_500)) == 1_000


def test_the_allowance_never_exceeds_its_burst():
    exchange = Exchange(PARAMETERS)
    assert exchange.accept(ASKER, START)
    assert sum(exchange.accept(ASKER, START + 300 * DAY) for _ in range(1_500)) == 1_000


def test_a_whole_answer_of_an_honest_peer_is_accepted():
    exchange = Exchange(PARAMETERS)
    assert PARAMETERS.answer_records_max <= PARAMETERS.accept_burst
    told = ask(exchange)
    assert all(exchange.accept(key_of(2), START) for _ in told)


def test_the_memory_of_askers_is_bounded_and_forgets_the_longest_silent():
    exchange = Exchange(DiscoveryParameters(askers_max=3))
    for number in (1, 2, 3):
        ask(exchange, peer=key_of(number))
    ask(exchange, peer=key_of(1), now=START + 20 * SECOND)
    ask(exchange, peer=key_of(4))
    assert len(exchange) == 3
    assert ask(exchange, peer=key_of(1), now=START + 21 * SECOND) is None
    assert ask(exchange, peer=key_of(2), now=START) is not None
