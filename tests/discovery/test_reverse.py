"""Reaching a node that nobody can dial, through a peer of both; and that nobody is made a weapon by it."""

import random
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from p2pcommerce.discovery import Dial, SendTo
from p2pcommerce.discovery.call_request import CallSignatureError, sign_call
from p2pcommerce.discovery.record import RecordOwnerError, check_record, decode_record
from p2pcommerce.discovery.reverse import _KEYS_MAX, AGAIN_US, ASKED_MAX, SILENT_US, TARGETS_MAX, WAVE, WAVE_US
from p2pcommerce.primitives.buckets import Buckets
from p2pcommerce.primitives.codec import CodecError
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.wire.messages import CallBack, TakesCalls
from tests.discovery.people import GENESIS_HASH, SECOND, START, key_of, record_of, seed_of
from tests.discovery.test_discovery import dials, new

REQUESTER, RELAY, TARGET = 1, 2, 3
LATER = START + SILENT_US
MINUTE = 60 * SECOND
VICTIM = "tcp://99.1.2.3:22"


def ip(number, port=7400):
    """Return the address of a node: each is in an address group of its own."""
    return f"tcp://{11 + number // 256}.{number % 256}.1.1:{port}"


def record(number, *addresses):
    return record_of(number, addresses=addresses or (ip(number),))


def call_of(number, *addresses, target=TARGET, at=LATER):
    """Return a request that a node signs itself, whatever it says."""
    sign = partial(ED25519.sign, seed_of(number))
    return sign_call(sign, GENESIS_HASH, key_of(target), at // 1_000, record(number, *addresses).raw)


def sent(effects, kind):
    return [
        (each.peer, each.message) for each in effects if isinstance(each, SendTo) and isinstance(each.message, kind)
    ]


def link(core, number, *, outbound=True, now=LATER, remote=None):
    """Let a connection stand, with a peer at its own address."""
    where = remote or ip(number, 7400 if outbound else 50_000)
    return core.on_connected(key_of(number), where if outbound else None, outbound, now, where)


def requester(*addresses, wanted=(TARGET,), relays=(RELAY,)):
    core = new(own=REQUESTER, feeler_us=0)
    sign = partial(ED25519.sign, seed_of(REQUESTER))
    core.calls.set_caller(record(REQUESTER, *addresses).raw, sign)
    core.set_wanted([key_of(number) for number in wanted])
    for number in relays:
        link(core, number, outbound=False)
    return core


def relay(*askers, targets=(TARGET,)):
    core = new(own=RELAY)
    for number in askers or (REQUESTER,):
        link(core, number, outbound=False)
    for number in targets:
        link(core, number, outbound=False)
        core.calls.on_takes_calls(key_of(number), is_willing=True)
    return core


def target(*relays, remote=None):
    core = new(own=TARGET, outbound_target=max(8, len(relays)))
    for number in relays or (RELAY,):
        link(core, number, now=START, remote=remote)
    return core


def passed_on(core, number, call, now=LATER):
    return core.calls.on_call(key_of(number), call, now)


@pytest.fixture
def call():
    """The request as its relay gets it."""
    ((peer, call),) = sent(requester().on_deadline(LATER), CallBack)
    assert peer == key_of(RELAY)
    return call


def test_a_request_goes_by_a_relay_and_the_target_dials(call):
    assert passed_on(relay(), REQUESTER, call) == [SendTo(key_of(TARGET), call)]
    core = target()
    assert passed_on(core, RELAY, call) == [Dial(ip(REQUESTER), key_of(REQUESTER))]
    core.on_connected(key_of(REQUESTER), ip(REQUESTER), True, LATER)
    assert not core.connections[key_of(REQUESTER)].outbound  # it takes the place of a caller
    assert core.statistics()["CALLS_DIALLED"] == 1


def test_who_calls_because_it_was_asked_counts_as_chosen():
    core = requester()
    core.on_deadline(LATER)
    link(core, TARGET, outbound=False)
    assert core.connections[key_of(TARGET)].outbound


def test_who_dials_others_and_is_called_by_nobody_takes_calls_until_somebody_calls():
    core = target()
    assert not sent(core.on_deadline(START), TakesCalls)
    assert core.deadline <= LATER
    assert sent(core.on_deadline(LATER), TakesCalls) == [(key_of(RELAY), TakesCalls(True))]
    assert not sent(core.on_deadline(LATER + 1), TakesCalls)
    link(core, 5, outbound=False)
    assert (key_of(RELAY), TakesCalls(False)) in sent(core.on_deadline(LATER + 2), TakesCalls)


def test_who_can_be_dialled_is_not_asked_for():
    core = requester()
    core.on_record(record(TARGET).raw, key_of(TARGET), LATER)
    for turn in range(2):
        (found,) = dials(core.on_deadline(LATER + turn * 10 * SECOND))
        assert found == Dial(ip(TARGET), key_of(TARGET))
        assert core.statistics().get("CALLS_ASKED", 0) == 0
        core.on_dial_failed(ip(TARGET), LATER + turn * 10 * SECOND)
    assert sent(core.on_deadline(LATER + 10 * SECOND), CallBack)


# --- what a relay checks ---


def test_a_relay_passes_nothing_on_to_who_does_not_take_calls(call):
    core = relay()
    core.calls.on_takes_calls(key_of(TARGET), is_willing=False)
    assert passed_on(core, REQUESTER, call) == []
    assert core.statistics()["CALLS_NOT_HERE"] == 1


def test_a_relay_forgets_a_target_with_its_connection(call):
    core = relay()
    core.on_disconnected(key_of(TARGET), LATER)
    core.on_deadline(LATER)
    link(core, TARGET, outbound=False)
    assert passed_on(core, REQUESTER, call) == []


def test_who_is_not_connected_is_no_target_and_no_asker(call):
    core = new(own=RELAY)
    core.calls.on_takes_calls(key_of(TARGET), is_willing=True)
    link(core, REQUESTER, outbound=False)
    assert passed_on(core, REQUESTER, call) == []
    assert passed_on(relay(7), REQUESTER, call) == []


def test_a_relay_takes_a_request_from_its_signer_alone(call):
    core = relay(REQUESTER, 6)
    with pytest.raises(RecordOwnerError):
        passed_on(core, 6, call)


@pytest.mark.parametrize(
    "addresses",
    [
        (VICTIM,),
        (ip(REQUESTER), VICTIM),
        (VICTIM, ip(REQUESTER)),
        ("tcp://192.168.0.1:80", ip(REQUESTER)),
        ("tcp://127.0.0.1:6379",),
        ("tcp://victim.example:22", ip(REQUESTER)),
        ("tcp://[2a00:1450::1]:22", ip(REQUESTER)),
    ],
)
def test_a_relay_passes_on_no_address_outside_the_group_from_which_the_signer_speaks(addresses):
    core = relay()
    assert passed_on(core, REQUESTER, call_of(REQUESTER, *addresses)) == []
    assert core.statistics()["CALLS_FROM_ELSEWHERE"] == 1


def test_a_relay_passes_on_no_request_without_an_address():
    empty = record_of(REQUESTER, addresses=())
    sign = partial(ED25519.sign, seed_of(REQUESTER))
    call = sign_call(sign, GENESIS_HASH, key_of(TARGET), LATER // 1_000, empty.raw)
    core = relay()
    assert passed_on(core, REQUESTER, call) == []
    assert core.statistics()["CALLS_FROM_ELSEWHERE"] == 1
    assert passed_on(target(), RELAY, call) == []


def test_a_neighbour_may_ask_for_local_addresses_and_its_own():
    core = new(own=RELAY)
    link(core, REQUESTER, outbound=False, remote="tcp://192.168.0.7:50000")
    link(core, TARGET, outbound=False)
    core.calls.on_takes_calls(key_of(TARGET), is_willing=True)
    call = call_of(REQUESTER, "tcp://192.168.0.7:7400", ip(REQUESTER))
    assert passed_on(core, REQUESTER, call) == [SendTo(key_of(TARGET), call)]


def test_a_changed_request_is_refused(call):
    changed = replace(call, issued_ms=call.issued_ms + 1)
    for core, peer in ((relay(), REQUESTER), (target(), RELAY)):
        with pytest.raises(CallSignatureError):
            passed_on(core, peer, changed)


def test_a_record_that_is_no_record_is_refused(call):
    broken = replace(call, peer_record=b"\x90")
    for core, peer in ((relay(), REQUESTER), (target(), RELAY)):
        with pytest.raises(CodecError):
            passed_on(core, peer, broken)


# --- what a target checks ---


def test_a_request_is_followed_once_and_not_when_it_is_old(call):
    core = target()
    assert passed_on(core, RELAY, call)
    core.on_dial_failed(ip(REQUESTER), LATER)
    assert not passed_on(core, RELAY, call, LATER + SECOND)
    assert core.statistics()["CALLS_REPEATED"] == 1
    assert not passed_on(target(), RELAY, call, LATER + 61 * SECOND)


def test_an_older_request_after_a_newer_one_is_left_aside():
    core = target()
    assert passed_on(core, RELAY, call_of(REQUESTER, at=LATER + SECOND), LATER + SECOND)
    core.on_dial_failed(ip(REQUESTER), LATER + SECOND)
    assert not passed_on(core, RELAY, call_of(REQUESTER), LATER + SECOND)


@pytest.mark.parametrize("seconds", [-61, 61])
def test_a_request_of_another_time_is_left_aside_by_all(seconds):
    call = call_of(REQUESTER, at=LATER + seconds * SECOND)
    for core, peer in ((relay(), REQUESTER), (target(), RELAY)):
        assert not passed_on(core, peer, call)
        assert core.statistics()["CALLS_EXPIRED"] == 1


def test_a_request_with_a_record_that_has_expired_is_nobody_s_fault():
    old = record_of(REQUESTER, addresses=(ip(REQUESTER),), life_us=SECOND)
    sign = partial(ED25519.sign, seed_of(REQUESTER))
    call = sign_call(sign, GENESIS_HASH, key_of(TARGET), LATER // 1_000, old.raw)
    for core, peer in ((relay(), REQUESTER), (target(), RELAY)):
        assert not passed_on(core, peer, call)
        assert core.statistics()["CALLS_EXPIRED"] == 1


def test_who_is_called_by_others_follows_no_request(call):
    core = target()
    link(core, 5, outbound=False)
    assert not passed_on(core, RELAY, call)
    assert not passed_on(target(), 9, call)  # not of a peer that is not connected


def test_whoever_is_connected_or_being_dialled_is_not_dialled_again():
    core = target()
    assert passed_on(core, RELAY, call_of(REQUESTER))
    assert not passed_on(core, RELAY, call_of(REQUESTER, at=LATER + SECOND), LATER + SECOND)
    link(core, REQUESTER)
    assert not passed_on(core, RELAY, call_of(REQUESTER, at=LATER + 2 * SECOND), LATER + 2 * SECOND)
    assert core.statistics()["CALLS_NEEDLESS"] == 2


def test_a_dial_at_anothers_wish_that_fails_teaches_nothing_of_the_address(call):
    core = target()
    passed_on(core, RELAY, call)
    core.on_dial_failed(ip(REQUESTER), LATER)
    assert core._dialling.failures(ip(REQUESTER)) == 0
    assert key_of(REQUESTER) not in core.book


@pytest.mark.parametrize("local", ["tcp://192.168.0.1:80", "tcp://127.0.0.1:6379", "tcp://localhost:80", "memory://a"])
def test_a_local_address_is_dialled_for_a_local_relay_alone(local):
    call = call_of(REQUESTER, local)
    core = target()
    assert not passed_on(core, RELAY, call)
    assert core.statistics()["CALLS_WITHOUT_PLACE"] == 1
    near = target(remote="tcp://192.168.0.2:7400")
    assert passed_on(near, RELAY, call) == [Dial(local, key_of(REQUESTER))]


def test_a_name_is_never_dialled_at_anothers_wish():
    core = target()
    assert not passed_on(core, RELAY, call_of(REQUESTER, "tcp://victim.example:22"))
    assert core.statistics()["CALLS_WITHOUT_PLACE"] == 1
    both = call_of(REQUESTER, "tcp://victim.example:22", ip(REQUESTER), at=LATER + SECOND)
    assert passed_on(core, RELAY, both, LATER + SECOND) == [Dial(ip(REQUESTER), key_of(REQUESTER))]


def test_an_own_or_configured_address_is_not_dialled_at_anothers_wish():
    core = new(own=TARGET, bootstrap=(ip(8),))
    core.set_own_addresses([ip(9)])
    link(core, RELAY, now=START)
    assert not passed_on(core, RELAY, call_of(REQUESTER, ip(8), ip(9)))
    assert core.statistics()["CALLS_WITHOUT_PLACE"] == 1


# --- what a requester tells to whom ---


def test_a_relay_is_told_those_addresses_alone_for_which_it_can_vouch():
    four, six, near, name = (
        ip(REQUESTER),
        "tcp://[2a00:1450::1]:7400",
        "tcp://192.168.0.7:7400",
        "tcp://me.example:7400",
    )
    core = requester(six, name, four, near, relays=())
    link(core, 4)
    link(core, 5, remote="tcp://[2a00:1451::1]:7400")
    link(core, 6, remote="tcp://192.168.0.9:7400")
    told = {}
    for peer, call in sent(core.on_deadline(LATER), CallBack):
        parsed = decode_record(call.peer_record)
        check_record(parsed, ED25519, GENESIS_HASH, LATER)
        told[peer] = parsed.addresses
    assert told == {key_of(4): (four,), key_of(5): (six,), key_of(6): (six, name, four, near)}


def test_who_has_no_address_that_a_relay_can_vouch_for_does_not_ask_it():
    core = requester("tcp://me.example:7400")
    assert not sent(core.on_deadline(LATER), CallBack)
    assert core.deadline > LATER
    silent = requester()
    sign = partial(ED25519.sign, seed_of(REQUESTER))
    silent.calls.set_caller(record_of(REQUESTER, addresses=()).raw, sign)
    assert not sent(silent.on_deadline(LATER), CallBack)


def test_what_a_node_asks_for_its_relay_passes_on():
    """The requester's record for a relay passes the relay's check, whatever else the record holds."""
    core = requester(ip(REQUESTER), "tcp://me.example:7400", "tcp://10.0.0.4:7400", "tcp://[2a00:1450::1]:7400")
    ((_, call),) = sent(core.on_deadline(LATER), CallBack)
    assert passed_on(relay(), REQUESTER, call) == [SendTo(key_of(TARGET), call)]


# --- caps and rates ---


def test_a_relay_takes_eight_requests_at_once_of_one_peer_and_then_one_in_5_s(call):
    core = relay()
    core.calls.on_takes_calls(key_of(TARGET), is_willing=False)
    for _ in range(9):
        passed_on(core, REQUESTER, call)
    assert core.statistics()["CALLS_OVER_RATE"] == 1
    passed_on(core, REQUESTER, call, LATER + 5 * SECOND)
    assert core.statistics()["CALLS_OVER_RATE"] == 1


def test_a_relay_passes_on_four_requests_at_once_to_one_target_and_then_one_in_10_s():
    askers = range(10, 16)
    core = relay(*askers)
    assert [len(passed_on(core, number, call_of(number))) for number in askers] == [1, 1, 1, 1, 0, 0]
    assert core.statistics()["CALLS_OVER_RATE"] == 2
    later = LATER + 10 * SECOND
    again = [len(passed_on(core, number, call_of(number, at=later), later)) for number in askers]
    assert sum(again) == 1


def test_a_relay_passes_on_32_requests_at_once_in_all_and_then_four_a_second():
    askers, targets = range(10, 50), range(60, 100)
    core = new(own=RELAY, inbound_max=100)
    for number in (*askers, *targets):
        link(core, number, outbound=False)
        core.calls.on_takes_calls(key_of(number), is_willing=number in targets)
    pairs = list(zip(askers, targets, strict=True))
    passed = [passed_on(core, asker, call_of(asker, target=other)) for asker, other in pairs]
    assert sum(map(len, passed)) == 32
    later = LATER + SECOND
    passed = [passed_on(core, asker, call_of(asker, target=other, at=later), later) for asker, other in pairs]
    assert sum(map(len, passed)) == 4


def test_a_target_looks_into_eight_requests_at_once_of_one_relay():
    core = target(RELAY, 4)
    for number in range(10, 18):
        passed_on(core, RELAY, call_of(number, target=TARGET))
    before = core.calls._last_ms.copy()
    passed_on(core, RELAY, call_of(18))
    assert len(before) == 8
    assert core.calls._last_ms == before, "the ninth was looked into"


def test_a_target_dials_twice_at_once_through_relays_of_one_group_and_then_once_in_30_s():
    places = {number: f"tcp://99.1.2.{number}:7400" for number in (100, 101)}
    core, times = new(own=TARGET, bootstrap=list(places.values())), []
    for number, place in places.items():
        link(core, number, now=START, remote=place)
    for second in range(120):
        now = LATER + second * SECOND
        for effect in passed_on(core, 100 + second % 2, call_of(300 + second, at=now), now):
            times.append(second)
            core.on_dial_failed(effect.address, now)
    assert times == [0, 1, 30, 60, 90]


def test_a_hostile_relay_leaves_an_honest_one_its_dials():
    core = target(RELAY, 100)
    for second in range(600):
        now = LATER + second * SECOND
        for effect in passed_on(core, RELAY, call_of(1_000 + second, at=now), now):
            core.on_dial_failed(effect.address, now)
    assert passed_on(core, 100, call_of(REQUESTER, at=now), now) == [Dial(ip(REQUESTER), key_of(REQUESTER))]


def test_a_target_dials_16_times_at_once_over_all_relays_and_then_once_in_4_s():
    relays = range(100, 110)
    core = target(*relays)
    for number in range(20):
        for effect in passed_on(core, relays[number % 10], call_of(20 + number)):
            core.on_dial_failed(effect.address, LATER)
    assert core.statistics()["CALLS_DIALLED"] == 16
    assert core.statistics()["CALLS_OVER_RATE"] == 4
    core.calls._through = Buckets(100, SECOND, 100)
    later = LATER + 4 * SECOND
    for number in relays:
        passed_on(core, number, call_of(number + 200, at=later), later)
    assert core.statistics()["CALLS_DIALLED"] == 17


def test_a_target_dials_one_requester_twice_at_once_and_then_once_in_30_s():
    core, times = target(*range(100, 110)), []
    for second in range(120):
        now = LATER + second * SECOND
        if passed_on(core, 100 + second % 10, call_of(REQUESTER, ip(second), at=now), now):
            times.append(second)
            core.on_dial_failed(ip(second), now)
    assert times == [0, 1, 30, 60, 90]


@pytest.mark.parametrize("victim", ["99.1.{}.{}", "[2a00:1450:{}::{}]"])
def test_a_target_dials_one_address_group_twice_at_once_and_then_once_in_30_s(victim):
    core, times = target(*range(100, 110)), []
    for second in range(120):
        now, place = LATER + second * SECOND, f"tcp://{victim.format(second, second + 1)}:{second + 1}"
        if passed_on(core, 100 + second % 10, call_of(300 + second, place, at=now), now):
            times.append(second)
            core.on_dial_failed(place, now)
    assert times == [0, 1, 30, 60, 90]


def test_a_neighbour_s_ports_are_no_groups_of_their_own():
    core = target(remote="tcp://192.168.0.2:7400")
    tried = [passed_on(core, RELAY, call_of(30 + n, f"tcp://192.168.0.1:{80 + n}")) for n in range(6)]
    assert sum(map(len, tried)) == 2


def test_dials_at_others_wish_leave_room_for_the_node_s_own():
    """Nobody answers for 30 s: what is under way at others' wish is far below all that may be."""
    core, most = target(*range(100, 110)), 0
    for second in range(300):
        now = LATER + second * SECOND
        core.on_deadline(now)
        number = 300 + second
        passed_on(core, 100 + second % 10, call_of(number, ip(number), at=now), now)
        most = max(most, core.statistics()["dialling"])
    assert 16 <= most <= 16 + 30 // 4
    assert core.statistics()["CALLS_DIALLED"] <= 16 + 300 // 4


def test_a_target_with_all_dials_under_way_follows_no_request(call):
    core = new(own=TARGET, bootstrap=[ip(number) for number in range(120, 160)])
    link(core, RELAY, now=START)
    core.on_deadline(LATER)
    assert core.statistics()["dialling"] == 32
    assert not passed_on(core, RELAY, call)
    assert core.statistics()["CALLS_WITHOUT_PLACE"] == 1


def test_a_target_remembers_the_last_requests_of_so_many_and_forgets_the_oldest():
    relays = range(2_000, 2_000 + _KEYS_MAX // 8 + 2)
    core = target(*relays)
    for number in range(_KEYS_MAX + 1):
        passed_on(core, relays[number // 8], call_of(4_000 + number))
        assert len(core.calls._last_ms) <= _KEYS_MAX
    assert len(core.calls._last_ms) == _KEYS_MAX
    assert key_of(4_000) not in core.calls._last_ms


def test_others_are_asked_for_32_targets_at_a_time_and_for_the_rest_in_turn():
    wanted = range(200, 200 + TARGETS_MAX + 8)
    core, asked, now = requester(wanted=wanted, relays=range(100, 140)), set(), LATER
    while now < LATER + 3 * MINUTE:
        found = {call.target for _, call in sent(core.on_deadline(now), CallBack)}
        assert len(core.calls._next_us) == TARGETS_MAX
        asked |= found
        now += SECOND
    assert asked == {key_of(number) for number in wanted}


def test_so_many_questions_are_remembered_and_no_more_are_asked():
    relays = range(1_000, 1_400)
    core, now = new(own=REQUESTER, inbound_max=len(relays)), LATER
    core.calls.set_caller(record(REQUESTER).raw, partial(ED25519.sign, seed_of(REQUESTER)))
    core.set_wanted([key_of(number) for number in range(200, 200 + TARGETS_MAX)])
    for number in relays:
        link(core, number, outbound=False)
    asked, full = 0, False
    while now < LATER + AGAIN_US - SECOND:
        asked += len(sent(core.on_deadline(now), CallBack))
        assert len(core.calls._asked_us) == asked <= ASKED_MAX
        full = full or asked > ASKED_MAX - WAVE
        now += SECOND
    assert full
    assert sent(core.on_deadline(now + AGAIN_US), CallBack)


def test_a_requester_asks_one_peer_half_as_often_as_a_relay_takes_it():
    core, now, times = requester(wanted=range(200, 232)), LATER, []
    while now < LATER + 3 * MINUTE:
        times += [now for _ in sent(core.on_deadline(now), CallBack)]
        now += SECOND
    assert 18 <= len(times) <= 4 + 180 // 10
    asking = relay(targets=())
    for at in times:
        passed_on(asking, REQUESTER, call_of(REQUESTER, at=at), at)
    assert "CALLS_OVER_RATE" not in asking.statistics()


# --- attackers ---


def test_relays_that_pass_nothing_on_delay_a_call_by_two_seconds_for_three_of_them():
    relays = range(100, 110)
    core = requester(relays=relays)
    times = [LATER + wave * WAVE_US for wave in range(5)]
    waves = [[peer for peer, _ in sent(core.on_deadline(now), CallBack)] for now in times]
    asked = [peer for wave in waves for peer in wave]
    assert [len(wave) for wave in waves] == [WAVE, WAVE, WAVE, 1, 0]
    assert sorted(asked) == sorted(key_of(number) for number in relays)  # whichever of them is honest


def test_a_target_that_never_calls_costs_each_peer_one_request_a_minute():
    relays, now = range(100, 112), LATER
    core, asked = requester(relays=relays), Counter()
    wakes = 0
    while now < LATER + 10 * MINUTE:
        asked.update(peer for peer, _ in sent(core.on_deadline(now), CallBack))
        assert core.deadline > now
        now, wakes = max(core.deadline, now + 1), wakes + 1
    assert len(asked) == len(relays)
    assert all(8 <= count <= 10 for count in asked.values())
    assert wakes < 300
    assert core.statistics()["CALLS_ASKED"] == sum(asked.values())


def test_who_speaks_from_elsewhere_has_no_victim_dialled_through_honest_relays():
    """A hundred names, each with records of the victim in every mix, ask ten honest relays for ten minutes."""
    rng, passed, tried = random.Random(5), 0, 0
    relays = [relay(*range(20, 55)) for _ in range(10)]
    for minute in range(10):
        now = LATER + minute * MINUTE
        for number in range(20, 55):
            own = [ip(number), f"tcp://{11}.{number}.9.9:22", "tcp://10.0.0.1:80"]
            places = [f"tcp://99.1.{rng.randrange(256)}.3:{rng.randrange(1, 65536)}", *rng.sample(own, 2)]
            rng.shuffle(places)
            for core in relays:
                passed += len(passed_on(core, number, call_of(number, *places, at=now), now))
                tried += 1
    assert (passed, tried) == (0, 3_500)
    assert sum(core.statistics()["CALLS_FROM_ELSEWHERE"] for core in relays) == tried


@pytest.mark.parametrize("spread", ["ports", "hosts", "mixed records"])
def test_a_flood_of_requests_through_hostile_relays_hits_a_victim_twice_a_minute(spread):
    """All peers of a target are hostile and pass on what nobody should; dials of the victim are counted by minute."""
    relays = range(100, 108)
    core, at_victim, at_all = target(*relays), Counter(), Counter()
    for tenth in range(10 * 300):
        now = LATER + tenth * SECOND // 10
        core.on_deadline(now)
        number = 1_000 + tenth % 700
        host = tenth % 250 if spread == "hosts" else 3
        places = [f"tcp://99.1.2.{host}:{1 + tenth}"]
        if spread == "mixed records":
            places += [f"tcp://98.{tenth % 256}.1.1:22", "tcp://99.1.2.4:25"]
        for effect in passed_on(core, relays[tenth % 8], call_of(number, *places, at=now), now):
            at_all[tenth // 600] += 1
            at_victim[tenth // 600] += effect.address.startswith("tcp://99.1.")
            core.on_dial_failed(effect.address, now)
    assert at_victim[0] <= 4
    assert all(at_victim[minute] <= 2 for minute in range(1, 5))
    assert sum(at_victim.values()) >= 8  # the rule was reached
    assert at_all[0] <= 31
    assert all(at_all[minute] <= 16 for minute in range(1, 5))


def test_a_flood_leaves_the_dials_that_a_node_plans_itself_alone():
    relays = range(100, 104)
    core = target(*relays)
    core.set_wanted([key_of(50)])
    for tenth in range(600):
        now = LATER + tenth * SECOND // 10
        core.on_deadline(now)
        number = 1_000 + tenth
        passed_on(core, relays[tenth % 4], call_of(number, ip(number), at=now), now)
    assert core.statistics()["CALLS_DIALLED"] >= 12
    core.on_record(record(50).raw, key_of(50), now)
    assert Dial(ip(50), key_of(50)) in core.on_deadline(now)
