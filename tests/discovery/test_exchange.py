import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery import CloseOne, Discovery, DiscoveryParameters, SendTo, Source
from p2pcommerce.discovery.exchange import Exchange
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.wire.messages import GetPeers, Peers
from tests.discovery.people import DAY, GENESIS_HASH, SECOND, START, key_of, record_of, where

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


# --- honest nodes ---

PEOPLE = [record_of(number, now=START + 5 * DAY) for number in range(100)]


class Pair:
    """Two honest cores that do nothing but what cores want, at any times, over any number of connections."""

    def __init__(self, seed, records):
        self.now = START
        self.cores = [
            Discovery(DiscoveryParameters(), key_of(200 + n), GENESIS_HASH, (), ED25519, random.Random(seed + n))
            for n in (0, 1)
        ]
        for core in self.cores:
            core.on_found([each.raw for each in PEOPLE[:records]], Source.of_name("dns seed.example"), START)
        self.is_up = False

    def connect(self, dialler):
        if self.is_up:
            self.disconnect()
        self.is_up = True
        for own in (dialler, 1 - dialler):
            outbound = own == dialler
            address = where(201 - own)
            self.act(
                own,
                self.cores[own].on_connected(
                    key_of(201 - own), address if outbound else None, outbound, self.now, "tcp://9.9.9.9:1"
                ),
            )

    def disconnect(self):
        if self.is_up:
            self.is_up = False
            for own in (0, 1):
                self.cores[own].on_disconnected(key_of(201 - own), self.now)

    def restart(self, own, seed):
        saved = self.cores[own].dump()
        self.disconnect()
        self.cores[own] = Discovery(
            DiscoveryParameters(), key_of(200 + own), GENESIS_HASH, (), ED25519, random.Random(seed)
        )
        self.cores[own].load(saved, self.now)

    def learn(self, own, number):
        self.cores[own].on_found([PEOPLE[number].raw], Source.of_name(f"dns {number}"), self.now)

    def tick(self):
        for own in (0, 1):
            self.act(own, self.cores[own].on_deadline(self.now))

    def act(self, own, effects):
        for effect in effects:
            assert not (isinstance(effect, CloseOne) and effect.fault)
            if isinstance(effect, SendTo) and self.is_up and effect.peer == key_of(201 - own):
                other, sender = self.cores[1 - own], key_of(200 + own)
                if isinstance(effect.message, GetPeers):
                    self.act(1 - own, other.on_get_peers(sender, effect.message.count, self.now))
                elif isinstance(effect.message, Peers):
                    self.act(1 - own, other.on_peers(sender, effect.message.records, self.now))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1_000),
    st.integers(0, 80),
    st.lists(
        st.tuples(
            st.sampled_from(["connect", "disconnect", "restart", "learn", "tick", "tick"]),
            st.integers(0, 1),
            st.integers(0, 99),
            st.one_of(st.integers(0, 20), st.integers(0, 2 * 86_400)),
        ),
        max_size=60,
    ),
)
def test_no_history_of_honest_asking_and_answering_is_ever_punished_or_meets_the_allowance(seed, records, steps):
    pair = Pair(seed, records)
    restarts = 0
    for step, own, number, seconds in steps:
        pair.now += seconds * SECOND
        match step:
            case "connect":
                pair.connect(own)
            case "disconnect":
                pair.disconnect()
            case "restart":
                restarts += 1
                pair.restart(own, seed + restarts)
            case "learn":
                pair.learn(own, number)
            case "tick":
                pair.tick()
    for core in pair.cores:
        told = core.statistics()
        assert "RECORDS_OVER_ALLOWANCE" not in told
        assert "RECORDS_UNASKED" not in told
        if not restarts:
            assert "ASKED_TOO_OFTEN" not in told
