import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery import (
    AddressError,
    BookError,
    CloseOne,
    Dial,
    Discovery,
    DiscoveryParameters,
    SaveBook,
    SendTo,
    Source,
    TakeGuest,
    Which,
)
from p2pcommerce.discovery.guests import GUEST_US
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.wire.messages import GetPeers, Observed, Peers
from tests.discovery.people import DAY, GENESIS_HASH, SECOND, START, key_of, record_of, where

RECORDS = [record_of(number) for number in range(80)]
RAWS = tuple(record.raw for record in RECORDS)


def address_of(number):
    return where(number)


def new(own=0, bootstrap=(), seed=1, **parameters):
    return Discovery(
        DiscoveryParameters(**parameters), key_of(own), GENESIS_HASH, bootstrap, ED25519, random.Random(seed)
    )


def dials(effects):
    return [effect for effect in effects if isinstance(effect, Dial)]


def tick(core, now=START):
    return core.on_deadline(now)


def tell(core, raws, now=START):
    """Let somebody nearby tell of peers."""
    core.on_found(raws, Source.of_name("beacon", is_local=True), now)


def filled(count, **options):
    core = new(**options)
    tell(core, RAWS[1 : count + 1])
    assert len(core.book) == count
    return core


def connect(core, number, *, outbound=True, now=START, address=None):
    return core.on_connected(key_of(number), (address or address_of(number)) if outbound else None, outbound, now)


# --- bootstrap and wanted peers ---


def test_bootstrap_addresses_are_dialled_at_once():
    core = new(bootstrap=("tcp://SEED.example:7400", "memory://seed"))
    assert core.deadline <= START
    assert dials(tick(core)) == [Dial("tcp://seed.example:7400", None), Dial("memory://seed", None)]
    assert tick(core) == []


def test_a_malformed_bootstrap_address_is_refused():
    with pytest.raises(AddressError):
        new(bootstrap=("seed.example:7400",))


def test_a_bootstrap_address_is_redialled_for_ever_at_least_each_15_s():
    core = new(bootstrap=("memory://seed",), feeler_us=0)
    now, count, pauses = START, 0, []
    while count < 60:
        assert dials(tick(core, now)) == [Dial("memory://seed", None)]
        core.on_dial_failed("memory://seed", now)
        assert dials(tick(core, now)) == []
        pauses.append(core.deadline - now)
        now = core.deadline
        count += 1
    assert 500_000 <= pauses[0] <= SECOND
    assert max(pauses) <= 15 * SECOND
    assert min(pauses[10:]) >= 7 * SECOND


def test_a_bootstrap_peer_that_is_connected_is_not_dialled():
    core = new(bootstrap=("memory://seed",))
    tick(core)
    connect(core, 5, address="memory://seed")
    assert dials(tick(core, START + DAY)) == []
    core.on_disconnected(key_of(5), START + DAY)
    tick(core, START + DAY)
    assert dials(tick(core, core.deadline)) == [Dial("memory://seed", None)]


def test_validators_are_dialled_as_soon_as_their_record_is_known_and_for_ever():
    core = new(outbound_target=0)
    core.set_wanted([key_of(3), key_of(0)])
    assert dials(tick(core)) == []
    assert core.on_record(RAWS[3], key_of(3), START)
    tries, now = [], START
    while len(tries) < 50:
        for effect in dials(tick(core, now)):
            assert effect == Dial(address_of(3), key_of(3))
            core.on_dial_failed(address_of(3), now)
            tries.append(now)
            tick(core, now)
        now = core.deadline
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert max(pauses) <= 15 * SECOND
    assert min(pauses[10:]) >= 7 * SECOND
    assert key_of(3) in core.book
    assert core.statistics()["wanted"] == 1


def test_a_validator_with_two_addresses_is_dialled_at_one_of_them_after_the_other():
    core = new(outbound_target=0)
    core.set_wanted([key_of(3)])
    core.on_record(record_of(3, addresses=("memory://a", "memory://b")).raw, key_of(3), START)
    assert dials(tick(core)) == [Dial("memory://a", key_of(3))]
    assert dials(tick(core)) == []
    core.on_dial_failed("memory://a", START)
    assert dials(tick(core)) == [Dial("memory://b", key_of(3))]


def test_a_validator_that_is_connected_is_not_dialled():
    core = filled(3, outbound_target=0)
    core.set_wanted([key_of(3)])
    connect(core, 3, outbound=False)
    assert dials(tick(core)) == []
    assert core.statistics()["wanted_connected"] == 1


def test_this_node_is_never_dialled():
    core = new(own=5, bootstrap=("memory://me", "memory://other"))
    core.set_own_addresses(["memory://other"])
    tell(core, (RAWS[5],))
    assert key_of(5) not in core.book
    assert dials(tick(core)) == [Dial("memory://me", None)]
    assert core.on_connected(key_of(5), "memory://me", True, START) == [CloseOne(key_of(5), Which.NEW, "SELF")]
    assert dials(tick(core, START + DAY)) == []
    assert core.statistics()["outbound"] == 0


def test_a_dial_that_the_handshake_finds_to_be_our_own_is_not_repeated():
    core = new(bootstrap=("memory://me",))
    tick(core)
    core.on_self_dialled("memory://me")
    assert tick(core, START + DAY) == []
    assert core.statistics()["SELF"] == 1


# --- outbound ---


def test_eight_ordinary_peers_are_dialled_from_the_book():
    core = filled(40)
    first = dials(tick(core))
    assert len({effect.peer for effect in first}) == 8
    assert all(effect.address == address_of([key_of(n) for n in range(80)].index(effect.peer)) for effect in first)
    for effect in first:
        core.on_connected(effect.peer, effect.address, True, START)
    assert dials(tick(core)) == []
    assert core.statistics()["outbound"] == 8


def test_a_lost_outbound_peer_is_replaced():
    core = filled(40)
    for effect in dials(tick(core)):
        core.on_connected(effect.peer, effect.address, True, START)
    core.on_disconnected(effect.peer, START + SECOND)
    again = dials(tick(core, START + SECOND))
    assert len(again) == 1
    assert again[0].peer != effect.peer


def test_a_failed_dial_is_followed_by_another_peer_and_repeated_after_its_pause():
    core = filled(1)
    now = START
    for pause in (1, 2, 4, 8):
        assert dials(tick(core, now)) == [Dial(address_of(1), key_of(1))]
        core.on_dial_failed(address_of(1), now)
        tick(core, now)
        assert pause * SECOND // 2 <= core.deadline - now <= pause * SECOND
        now = core.deadline


def fail_ten_times(core, *, reaches_others):
    now = START
    for turn in range(10):
        assert key_of(1) in core.book
        if reaches_others:
            connect(core, 20 + turn, now=now)
        tick(core, now)
        core.on_dial_failed(address_of(1), now)
        now += 600 * SECOND


def test_a_peer_never_reached_that_fails_ten_times_while_others_answer_is_forgotten():
    core = filled(1, outbound_target=20)
    fail_ten_times(core, reaches_others=True)
    assert key_of(1) not in core.book


def test_whose_own_network_is_down_forgets_nobody():
    core = filled(1)
    fail_ten_times(core, reaches_others=False)
    assert core.book.get(key_of(1)).failures == 1


def test_a_dial_without_a_report_is_given_up():
    core = filled(1)
    assert len(dials(tick(core))) == 1
    later = START + DiscoveryParameters().dial_timeout_us
    assert core.deadline <= later
    tick(core, later)
    assert core.statistics()["DIAL_TIMEOUT"] == 1
    assert core.statistics()["dialling"] == 0


def test_dials_under_way_are_capped():
    core = new(bootstrap=[f"memory://seed{number}" for number in range(50)])
    assert len(dials(tick(core))) == 32
    core.on_dial_failed("memory://seed0", START)
    assert len(dials(tick(core))) == 1
    core = filled(60, outbound_target=30)
    assert len(dials(tick(core))) == 8


def test_validators_never_wait_behind_ordinary_dials():
    core = filled(40)
    assert len(dials(tick(core))) == 8
    wanted = [key_of(number) for number in range(41, 50)]
    tell(core, RAWS[41:50])
    core.set_wanted(wanted)
    assert {effect.peer for effect in dials(tick(core))} == set(wanted)


# --- inbound and duplicates ---


def call(core, number, remote, now=START):
    """Let a peer call from an address; return the connections that are closed for it."""
    effects = core.on_connected(key_of(number), None, False, now, remote)
    return [effect for effect in effects if isinstance(effect, CloseOne)]


def test_forty_inbound_peers_are_accepted_and_one_more_of_the_same_group_has_no_place():
    core = new()
    for number in range(1, 41):
        assert call(core, number, f"tcp://9.9.9.{number}:5000") == []
    effects = core.on_connected(key_of(41), None, False, START, "tcp://9.9.8.1:5000")
    assert effects == [TakeGuest(key_of(41))]
    assert CloseOne(key_of(41), Which.NEW, "INBOUND_FULL") in tick(core, START + GUEST_US)
    assert core.statistics()["inbound"] == 40
    core.on_disconnected(key_of(1), START)
    assert call(core, 41, "tcp://9.9.8.1:5000") == []


def test_a_caller_of_another_group_takes_the_place_of_the_last_of_a_crowd():
    core = new()
    for number in range(1, 41):
        call(core, number, f"tcp://9.9.9.{number}:5000", START + number)
    assert call(core, 41, "tcp://8.8.8.8:5000", START + 50) == [CloseOne(key_of(40), Which.NEW, "EVICTED")]
    assert core.statistics()["inbound"] == 40
    assert core.statistics()["EVICTED"] == 1


def test_of_connections_to_one_address_group_the_second_is_closed_though_a_name_led_there():
    core = new()
    connect(core, 1, address="tcp://9.9.1.1:7400")
    effects = core.on_connected(key_of(2), "tcp://seed.example:7400", True, START, "tcp://9.9.2.2:7400")
    assert effects == [CloseOne(key_of(2), Which.NEW, "GROUP_FULL")]
    assert core.statistics()["outbound"] == 1


def test_validators_and_configured_peers_need_no_group_of_their_own():
    core = new(bootstrap=("tcp://9.9.1.9:7400",))
    core.set_wanted([key_of(3)])
    connect(core, 1, address="tcp://9.9.1.1:7400")
    for number, address in ((3, "tcp://9.9.1.3:7400"), (9, "tcp://9.9.1.9:7400")):
        assert not any(isinstance(each, CloseOne) for each in connect(core, number, address=address))
    assert core.statistics()["outbound"] == 3


def test_two_peers_of_one_address_group_are_not_dialled_together():
    core = new()
    tell(core, [record_of(n, addresses=(f"tcp://9.9.{n}.1:7400",)).raw for n in range(1, 20)])
    assert len(dials(tick(core))) == 1


def test_on_one_machine_no_two_addresses_are_of_one_group():
    core = new()
    tell(core, [record_of(n, addresses=(f"tcp://127.0.0.1:{7400 + n}",)).raw for n in range(1, 20)])
    assert len(dials(tick(core))) == 8


def test_local_addresses_are_believed_of_local_sources_alone():
    core = new()
    lan = record_of(1, addresses=("tcp://192.168.0.7:7400",))
    both = record_of(2, addresses=("tcp://192.168.0.8:7400", "tcp://9.9.9.9:7400"))
    core.on_found([lan.raw, both.raw], Source.of_name("dns seed.example"), START)
    assert key_of(1) not in core.book
    assert core.book.get(key_of(2)).addresses == ("tcp://9.9.9.9:7400",)
    core.on_found([lan.raw], Source.of_name("beacon", is_local=True), START)
    assert key_of(1) in core.book


# --- feelers, anchors, hints ---


def full(count=40, **parameters):
    """Return a core whose ordinary places are taken, with the rest of its peers in the book, and who took them."""
    core = filled(count, **parameters)
    first = dials(tick(core))
    for effect in first:
        core.on_connected(effect.peer, effect.address, True, START)
    return core, [effect.peer for effect in first]


def test_a_feeler_goes_out_every_two_minutes_and_its_peer_counts_as_reached():
    core, _ = full()
    now, felt = START, []
    while now < START + 3_600 * SECOND:
        for effect in dials(tick(core, now)):
            felt.append(now)
            assert core.on_connected(effect.peer, effect.address, True, now) == [
                CloseOne(effect.peer, Which.NEW, "FEELER")
            ]
            assert core.book.get(effect.peer).tried is not None
        now = core.deadline
    assert 25 <= len(felt) <= 36
    assert all(100 * SECOND <= later - earlier <= 141 * SECOND for earlier, later in itertools.pairwise(felt))
    assert core.statistics()["outbound"] == 8


def test_no_feeler_goes_out_while_places_are_free():
    core = filled(4)
    for effect in dials(tick(core)):
        core.on_connected(effect.peer, effect.address, True, START)
    tell(core, [record_of(50, addresses=()).raw])
    for minute in range(30):
        assert dials(tick(core, START + minute * 60 * SECOND)) == []


def test_the_two_peers_connected_longest_are_dialled_first_after_a_restart():
    core, peers = full()
    saved = core.dump()
    for seed in range(5):
        again = new(seed=seed + 100)
        again.load(saved, START)
        assert [effect.peer for effect in dials(tick(again))][:2] == peers[:2]


def test_an_anchor_that_does_not_answer_is_replaced():
    core, peers = full()
    again = new(seed=9)
    again.load(core.dump(), START)
    for effect in dials(tick(again)):
        if effect.peer in peers[:2]:
            again.on_dial_failed(effect.address, START)
        else:
            again.on_connected(effect.peer, effect.address, True, START)
    more = dials(tick(again))
    assert len(more) == 2
    assert not {effect.peer for effect in more} & set(peers[:2])


def test_at_most_half_of_the_places_go_to_peers_never_reached_while_others_are_there():
    core = filled(60)
    for number in range(1, 21):
        core.book.on_reached(key_of(number), address_of(number), START)
    for seed in range(20):
        again = new(seed=seed)
        again.load(core.dump(), START)
        fresh = [each for each in dials(tick(again)) if not core.book.get(each.peer).reached_ms]
        assert len(fresh) <= 4


def test_a_hint_is_dialled_while_nobody_is_connected_and_only_once():
    core = new()
    core.on_hints(["tcp://9.9.9.9:7400"])
    assert dials(tick(core)) == [Dial("tcp://9.9.9.9:7400", None)]
    core.on_dial_failed("tcp://9.9.9.9:7400", START)
    assert dials(tick(core, START + DAY)) == []
    core.on_hints([f"tcp://9.9.9.{number % 200}:{7400 + number}" for number in range(1_000)])
    assert len(core._plan.hints) == 64


# --- the address that others see, and whether they reach this node ---


def observe(core, number, host, remote):
    core.on_connected(key_of(number), remote, True, START)
    return core.on_observed(key_of(number), f"tcp://{host}:50000", START)


def test_a_majority_of_three_groups_decides_at_which_address_others_see_this_node():
    core = new()
    for number in (1, 2):
        observe(core, number, "5.6.7.8", f"tcp://{number + 10}.9.1.1:7400")
    assert core.observed_host is None
    observe(core, 3, "66.6.6.6", "tcp://13.9.1.1:7400")
    assert core.observed_host == "5.6.7.8"
    observe(core, 4, "66.6.6.6", "tcp://14.9.1.1:7400")
    assert core.observed_host is None
    core.on_disconnected(key_of(4), START)
    assert core.observed_host == "5.6.7.8"


def test_liars_of_one_group_or_that_call_by_themselves_have_no_say():
    core = new(outbound_per_group_max=9)
    for number in (1, 2, 3):
        observe(core, number, "5.6.7.8", f"tcp://{number + 10}.9.1.1:7400")
    for number in range(4, 9):
        observe(core, number, "66.6.6.6", f"tcp://66.6.1.{number}:7400")
    for number in range(20, 40):
        call(core, number, f"tcp://{number}.1.1.1:7400")
        core.on_observed(key_of(number), "tcp://66.6.6.6:50000", START)
    assert core.observed_host == "5.6.7.8"


def test_an_observed_address_that_is_none_closes_its_teller_and_a_local_one_says_nothing():
    core = new()
    for number in (1, 2, 3):
        assert observe(core, number, "127.0.0.1", f"tcp://{number + 10}.9.1.1:7400") == []
    assert core.observed_host is None
    (closing,) = core.on_observed(key_of(1), "no address", START)
    assert (closing.peer, closing.fault) == (key_of(1), True)


def test_a_caller_is_told_at_which_address_it_is_seen():
    core = new()
    assert core.on_connected(key_of(1), None, False, START, "tcp://9.9.9.9:5000") == [
        SendTo(key_of(1), Observed("tcp://9.9.9.9:5000"))
    ]


def test_a_node_that_nobody_calls_within_ten_minutes_says_so_until_somebody_does():
    core = new()
    connect(core, 1, address="tcp://9.9.9.9:7400")
    tick(core, START + 599 * SECOND)
    assert core.statistics()["unreachable"] == 0
    tick(core, START + 600 * SECOND)
    assert core.statistics()["unreachable"] == 1
    call(core, 2, "tcp://192.168.0.1:5000", START + 601 * SECOND)
    assert core.is_unreachable
    call(core, 3, "tcp://8.8.8.8:5000", START + 602 * SECOND)
    assert core.statistics()["unreachable"] == 0


def test_validators_and_bootstrap_peers_have_inbound_places_of_their_own():
    core = new(bootstrap=("memory://seed",))
    core.set_wanted([key_of(50)])
    tick(core)
    connect(core, 51, address="memory://seed")
    core.on_disconnected(key_of(51), START)
    for number in range(1, 41):
        connect(core, number, outbound=False)
    assert connect(core, 50, outbound=False) == []
    assert connect(core, 51, outbound=False) == []


def test_two_nodes_that_dial_each_other_at_once_keep_the_same_connection():
    low, high = sorted([1, 2], key=key_of)
    for low_first, high_first in itertools.product((True, False), repeat=2):
        kept = {}
        for own, peer, own_first in ((low, high, low_first), (high, low, high_first)):
            core = new(own=own)
            connect(core, peer, outbound=own_first)
            (effect,) = [
                effect for effect in connect(core, peer, outbound=not own_first) if isinstance(effect, CloseOne)
            ]
            keeps_old = effect.which is Which.NEW
            keeps_own_dial = own_first if keeps_old else not own_first
            kept[own] = own if keeps_own_dial else peer
            statistics = core.statistics()
            assert (statistics["outbound"], statistics["inbound"]) == (int(keeps_own_dial), int(not keeps_own_dial))
        assert kept == {low: low, high: low}


def test_a_reconnection_replaces_a_connection_whose_end_was_missed():
    for own, peer in ((1, 2), (2, 1)):
        core = new(own=own)
        connect(core, peer, outbound=False)
        assert connect(core, peer, outbound=False, now=START + SECOND) == [
            CloseOne(key_of(peer), Which.OLD, "DUPLICATE")
        ]
        assert connect(core, peer, outbound=True, now=START + DAY) == [CloseOne(key_of(peer), Which.OLD, "DUPLICATE")]
        assert core.statistics()["outbound"] == 1


# --- records and exchange ---


def test_a_handshake_record_is_taken_if_it_is_the_peers_own():
    core = new()
    assert core.on_record(RAWS[1], key_of(1), START)
    assert core.on_record(b"", key_of(2), START)
    assert not core.on_record(RAWS[2], key_of(1), START)
    assert not core.on_record(b"junk", key_of(1), START)
    assert len(core.book) == 1
    assert core.statistics()["PEER_RECORD_OWNER"] == 1
    assert core.statistics()["MALFORMED"] == 1


def test_a_record_of_another_network_is_refused():
    core = new()
    stranger = record_of(1, genesis_hash=bytes(32))
    assert not core.on_record(stranger.raw, key_of(1), START)
    assert core.statistics()["PEER_RECORD_NETWORK"] == 1


def test_an_outbound_peer_is_asked_for_records_and_an_inbound_one_only_for_want_of_peers():
    core = new()
    assert connect(core, 1) == [SendTo(key_of(1), GetPeers(1_000))]
    assert connect(core, 2, outbound=False) == []
    assert tick(core) == []
    core.on_disconnected(key_of(1), START)
    assert SendTo(key_of(2), GetPeers(1_000)) in tick(core)


def test_a_peer_that_is_dialled_again_within_a_minute_is_not_asked_again():
    core = new()
    assert connect(core, 1) == [SendTo(key_of(1), GetPeers(1_000))]
    core.on_disconnected(key_of(1), START)
    assert connect(core, 1, now=START + 59 * SECOND) == []
    core.on_disconnected(key_of(1), START)
    assert connect(core, 1, now=START + 60 * SECOND) == [SendTo(key_of(1), GetPeers(1_000))]


def test_of_records_that_nobody_asked_for_only_the_first_is_looked_into():
    core = new()
    connect(core, 9, outbound=False)
    assert core.on_peers(key_of(9), RAWS[20:30], START) == []
    assert [entry.record for entry in core.book] == [RECORDS[20]]
    assert core.statistics()["RECORDS_UNASKED"] == 1
    connect(core, 8)
    core.on_peers(key_of(8), RAWS[30:35], START)
    core.on_peers(key_of(8), RAWS[40:45], START)
    assert len(core.book) == 1 + 5 + 1


def test_a_peer_is_asked_at_most_once_a_minute_and_nobody_once_there_are_enough():
    core = new(outbound_target=2, feeler_us=0)
    connect(core, 1)
    asked, now = [], START
    while now < START + 600 * SECOND:
        effects = tick(core, now)
        asked += [now for each in effects if isinstance(each, SendTo) and isinstance(each.message, GetPeers)]
        now = core.deadline
    assert len(asked) == 9
    assert min(later - earlier for earlier, later in itertools.pairwise(asked)) >= 60 * SECOND
    connect(core, 2)
    effects = tick(core, now + DAY)
    assert not [each for each in effects if isinstance(each, SendTo) and isinstance(each.message, GetPeers)]
    assert core.deadline is None


def test_answers_hold_records_of_others():
    core = filled(10)
    (effect,) = core.on_get_peers(key_of(3), 1_000, START)
    assert effect.peer == key_of(3)
    assert set(effect.message.records) == set(RAWS[1:11]) - {RAWS[3]}
    assert core.on_get_peers(key_of(3), 1_000, START) == []
    assert core.statistics()["ASKED_TOO_OFTEN"] == 1


def test_answers_of_a_large_book_are_a_share_of_it():
    core = filled(60)
    (effect,) = core.on_get_peers(key_of(70), 1_000, START)
    assert len(effect.message.records) == 60 * 23 // 100


def test_records_beyond_the_allowance_are_left_aside_without_fault():
    core = new(accept_burst=5)
    connect(core, 70)
    assert core.on_peers(key_of(70), RAWS[1:20], START) == []
    assert len(core.book) == 5
    assert core.statistics()["RECORDS_OVER_ALLOWANCE"] == 14
    tick(core, START + 70 * SECOND)
    core.on_peers(key_of(70), RAWS[20:40], START + 70 * SECOND)
    assert len(core.book) == 10


def test_records_that_are_known_cost_no_allowance():
    core = new(accept_burst=5)
    connect(core, 70)
    core.on_peers(key_of(70), RAWS[1:4], START)
    for minute in range(1, 6):
        now = START + minute * 61 * SECOND
        tick(core, now)
        core.on_peers(key_of(70), RAWS[1:4], now)
    assert "RECORDS_OVER_ALLOWANCE" not in core.statistics()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xc1", "MALFORMED"),
        (bytes(2_000), "OVERSIZED"),
        (RAWS[1][:-1] + bytes([RAWS[1][-1] ^ 1]), "PEER_RECORD_SIGNATURE"),
        (record_of(1, genesis_hash=bytes(32)).raw, "PEER_RECORD_NETWORK"),
        (record_of(1, life_us=100 * DAY).raw, "PEER_RECORD_LIFE"),
    ],
)
def test_who_passes_on_bad_records_is_closed(raw, code):
    core = new()
    connect(core, 9)
    assert core.on_peers(key_of(9), (RAWS[2], raw, RAWS[3]), START) == [
        CloseOne(key_of(9), Which.NEW, code, fault=True)
    ]
    assert [entry.record for entry in core.book] == [RECORDS[2]]
    assert core.statistics()[code] == 1
    assert core.statistics()["outbound"] == 0


def test_who_passes_on_an_expired_record_is_not_closed():
    core = new()
    connect(core, 9)
    assert core.on_peers(key_of(9), (record_of(1, life_us=SECOND).raw, RAWS[2]), START + 2 * SECOND) == []
    assert len(core.book) == 1


def test_the_book_is_saved_after_changes_at_most_each_minute():
    core = filled(3, outbound_target=0)
    saves, now = [], START
    for number in range(10, 40):
        now = START + number * 10 * SECOND
        tell(core, (RAWS[number],), now)
        saves += [now for effect in tick(core, now) if isinstance(effect, SaveBook)]
    assert 3 <= len(saves) <= 6
    assert all(later - earlier >= 60 * SECOND for earlier, later in itertools.pairwise(saves))
    while core.deadline is not None:
        now = core.deadline
        tick(core, now)
    assert now <= saves[-1] + 120 * SECOND


def test_a_saved_book_brings_a_node_back_without_bootstrap():
    saved = filled(20).dump()
    core = new()
    assert core.load(saved, START) == 20
    assert len(dials(tick(core))) == 8


def test_a_damaged_book_is_a_named_error_and_the_node_goes_on():
    core = new(bootstrap=("memory://seed",))
    with pytest.raises(BookError):
        core.load(b"damaged", START)
    assert dials(tick(core)) == [Dial("memory://seed", None)]


def test_two_runs_of_one_seed_are_the_same():
    assert tick(filled(40, seed=5)) == tick(filled(40, seed=5))
    assert tick(filled(40, seed=5)) != tick(filled(40, seed=6))


def test_a_network_finds_itself_from_one_bootstrap_node():
    """Nine nodes know node 0's address alone; later node 0 is gone, and a new one gets in by another."""
    network = Network(10, outbound_target=4)
    network.run(180)
    assert all(len(network.neighbours(number)) >= 4 for number in network.cores)
    network.leave(0)
    network.run(60)
    network.join(11, bootstrap=(network.address(5),))
    network.run(180)
    assert len(network.neighbours(11)) >= 4
    for a in network.cores:
        for b in network.neighbours(a):
            assert a in network.neighbours(b)


class Network:
    """Cores joined by instant handshakes; both ends of every connection are told, in seeded order."""

    def __init__(self, count, **parameters):
        self.parameters = parameters
        self.now = START
        self.rng = random.Random(7)
        self.cores = {}
        self.links = {}
        self.records = {}
        for number in range(count):
            self.join(number, bootstrap=() if number == 0 else (self.address(0),))

    @staticmethod
    def address(number):
        return f"memory://node{number}"

    def join(self, number, bootstrap):
        core = new(own=number, bootstrap=bootstrap, seed=number, **self.parameters)
        core.set_own_addresses([self.address(number)])
        self.records[number] = record_of(number, addresses=(self.address(number),)).raw
        self.cores[number] = core
        self.links[number] = {}

    def leave(self, number):
        for peer in list(self.links[number]):
            self.cut(number, peer)
        del self.cores[number], self.links[number]

    def neighbours(self, number):
        return {peer for peer, links in self.links[number].items() if links}

    def cut(self, a, b, link=None):
        """End one connection (None: all) at both ends; each end hears of it unless it asked for it."""
        for own, peer in ((a, b), (b, a)):
            if own not in self.links:
                continue
            left = [each for each in self.links[own].get(peer, []) if link is not None and each != link]
            had = self.links[own].pop(peer, [])
            if left:
                self.links[own][peer] = left
            elif had and (own != a or link is None):
                self.cores[own].on_disconnected(key_of(peer), self.now)

    def number_of(self, key):
        return next(number for number in [*self.cores, *range(20)] if key_of(number) == key)

    def act(self, number, effects):
        for effect in effects:
            match effect:
                case Dial(address, _):
                    self.dial(number, address)
                case SendTo(peer, GetPeers(count)):
                    other = self.number_of(peer)
                    if other in self.cores:
                        self.act(other, self.cores[other].on_get_peers(key_of(number), count, self.now))
                case SendTo(peer, Peers(records)):
                    other = self.number_of(peer)
                    self.act(other, self.cores[other].on_peers(key_of(number), records, self.now))
                case CloseOne(peer, which, reason):
                    assert reason in {"DUPLICATE", "SELF", "FEELER"}
                    other = self.number_of(peer)
                    links = self.links[number].get(other, [])
                    if links:
                        self.cut(number, other, links[0] if which is Which.OLD else links[-1])

    def dial(self, number, address):
        other = next((each for each in self.cores if self.address(each) == address), None)
        if other is None:
            self.cores[number].on_dial_failed(address, self.now)
            return
        link = object()
        ends = [(number, other, address), (other, number, None)]
        self.rng.shuffle(ends)
        for own, peer, _ in ends:
            self.links[own].setdefault(peer, []).append(link)
        for own, peer, dialled in ends:
            core = self.cores[own]
            assert core.on_record(self.records[peer], key_of(peer), self.now)
            self.act(own, core.on_connected(key_of(peer), dialled, dialled is not None, self.now))

    def run(self, seconds):
        until = self.now + seconds * SECOND
        while True:
            due = [core.deadline for core in self.cores.values() if core.deadline is not None]
            if not due or min(due) > until:
                self.now = until
                return
            self.now = max(self.now, min(due))
            numbers = [n for n, core in self.cores.items() if core.deadline is not None and core.deadline <= self.now]
            for number in numbers:
                self.act(number, self.cores[number].on_deadline(self.now))


class History:
    """One core and the connections that it was told of."""

    def __init__(self, seed):
        self.core = new(seed=seed, bootstrap=(address_of(1), address_of(2)))
        self.core.set_wanted([key_of(3), key_of(4)])
        self.now = START
        self.connected = set()

    def connect(self, number, *, outbound):
        effects = connect(self.core, number, outbound=outbound, now=self.now)
        self.connected.add(number)
        if any(isinstance(effect, CloseOne) and effect.reason != "DUPLICATE" for effect in effects):
            self.connected.discard(number)

    def disconnect(self, number):
        self.core.on_disconnected(key_of(number), self.now)
        self.connected.discard(number)

    def tick(self, _):
        for effect in dials(tick(self.core, self.now)):
            assert effect.peer not in {key_of(each) for each in self.connected}

    def step(self, name, number):
        inputs = {
            "dialled": lambda n: self.connect(n, outbound=True),
            "accepted": lambda n: self.connect(n, outbound=False),
            "disconnected": self.disconnect,
            "failed": lambda n: self.core.on_dial_failed(address_of(n), self.now),
            "peers": lambda n: self.core.on_peers(key_of(n), RAWS[n : n + 5], self.now),
            "record": lambda n: self.core.on_record(RAWS[n], key_of(n), self.now),
            "get_peers": lambda n: self.core.on_get_peers(key_of(n), 10, self.now),
            "tick": self.tick,
        }
        inputs[name](number)


STEPS = ["dialled", "accepted", "disconnected", "failed", "peers", "record", "get_peers", "tick"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 60), st.integers(0, 20)), max_size=120), st.integers())
def test_any_history_keeps_the_limits(steps, seed):
    history = History(seed)
    for name, number, seconds in steps:
        history.now += seconds * SECOND
        history.step(name, number)
        statistics = history.core.statistics()
        assert statistics["dialling"] <= 32
        assert statistics["inbound"] <= 40 + 4
        assert statistics["inbound"] + statistics["outbound"] == len(history.connected)
    history.tick(0)
    assert history.core.deadline is None or history.core.deadline > history.now
