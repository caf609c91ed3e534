"""Reaching a node that nobody can dial, through a peer of both."""

from dataclasses import replace
from functools import partial

import pytest

from p2pcommerce.discovery import Dial, SendTo
from p2pcommerce.discovery.call_request import CallSignatureError
from p2pcommerce.discovery.record import RecordOwnerError
from p2pcommerce.discovery.reverse import SILENT_US
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.wire.messages import CallBack, TakesCalls
from tests.discovery.people import SECOND, START, key_of, record_of, seed_of, where
from tests.discovery.test_discovery import connect, new

REQUESTER, RELAY, TARGET = 1, 2, 3
LATER = START + SILENT_US


def sent(effects, kind):
    return [
        (each.peer, each.message) for each in effects if isinstance(each, SendTo) and isinstance(each.message, kind)
    ]


def requester():
    core = new(own=REQUESTER)
    core.calls.set_caller(record_of(REQUESTER).raw, partial(ED25519.sign, seed_of(REQUESTER)))
    core.set_wanted([key_of(TARGET)])
    connect(core, RELAY, now=LATER)
    return core


def relay():
    core = new(own=RELAY)
    connect(core, REQUESTER, outbound=False, now=LATER)
    connect(core, TARGET, outbound=False, now=LATER)
    core.calls.on_takes_calls(key_of(TARGET), is_willing=True)
    return core


def target():
    core = new(own=TARGET)
    connect(core, RELAY, now=START)
    return core


@pytest.fixture
def call():
    """The request as its relay gets it."""
    ((peer, call),) = sent(requester().on_deadline(LATER), CallBack)
    assert peer == key_of(RELAY)
    return call


def test_a_request_goes_by_a_relay_and_the_target_dials(call):
    assert relay().calls.on_call(key_of(REQUESTER), call, LATER) == [SendTo(key_of(TARGET), call)]
    core = target()
    assert core.calls.on_call(key_of(RELAY), call, LATER) == [Dial(where(REQUESTER), key_of(REQUESTER))]
    core.on_connected(key_of(REQUESTER), where(REQUESTER), True, LATER)
    assert not core.connections[key_of(REQUESTER)].outbound  # it takes the place of a caller
    assert core.statistics()["CALLS_DIALLED"] == 1


def test_who_calls_because_it_was_asked_counts_as_chosen():
    core = requester()
    core.on_deadline(LATER)
    connect(core, TARGET, outbound=False, now=LATER)
    assert core.connections[key_of(TARGET)].outbound


def test_who_dials_others_and_is_called_by_nobody_takes_calls_until_somebody_calls():
    core = target()
    assert not sent(core.on_deadline(START), TakesCalls)
    assert core.deadline <= LATER
    assert sent(core.on_deadline(LATER), TakesCalls) == [(key_of(RELAY), TakesCalls(True))]
    assert not sent(core.on_deadline(LATER + 1), TakesCalls)
    core.on_connected(key_of(5), None, False, LATER, "tcp://8.8.4.4:5000")
    assert (key_of(RELAY), TakesCalls(False)) in sent(core.on_deadline(LATER + 2), TakesCalls)


def test_a_relay_passes_nothing_on_to_who_does_not_take_calls(call):
    core = relay()
    core.calls.on_takes_calls(key_of(TARGET), is_willing=False)
    assert core.calls.on_call(key_of(REQUESTER), call, LATER) == []


def test_a_relay_takes_a_request_from_its_signer_alone(call):
    core = relay()
    connect(core, 6, outbound=False, now=LATER)
    with pytest.raises(RecordOwnerError):
        core.calls.on_call(key_of(6), call, LATER)


def test_a_changed_request_is_refused(call):
    changed = replace(call, issued_ms=call.issued_ms + 1)
    for core, peer in ((relay(), REQUESTER), (target(), RELAY)):
        with pytest.raises(CallSignatureError):
            core.calls.on_call(key_of(peer), changed, LATER)


def test_a_request_is_followed_once_and_not_when_it_is_old(call):
    core = target()
    assert core.calls.on_call(key_of(RELAY), call, LATER)
    core.on_dial_failed(where(REQUESTER), LATER)
    assert not core.calls.on_call(key_of(RELAY), call, LATER + SECOND)
    assert not target().calls.on_call(key_of(RELAY), call, LATER + 61 * SECOND)


def test_a_dial_at_anothers_wish_that_fails_teaches_nothing_of_the_address(call):
    core = target()
    core.calls.on_call(key_of(RELAY), call, LATER)
    core.on_dial_failed(where(REQUESTER), LATER)
    assert core._dialling.failures(where(REQUESTER)) == 0


def test_a_relay_takes_eight_requests_at_once_of_one_peer(call):
    core = relay()
    core.calls.on_takes_calls(key_of(TARGET), is_willing=False)
    for _ in range(9):
        core.calls.on_call(key_of(REQUESTER), call, LATER)
    assert core.statistics()["CALLS_OVER_RATE"] == 1
