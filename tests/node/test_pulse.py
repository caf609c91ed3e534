"""Pings: the round trip is measured, and a peer that does not answer is found out."""

import random

from p2pcommerce.node.pulse import PING_INTERVAL_US, PING_TIMEOUT_US, Pulse

A, B = bytes([1]) * 32, bytes([2]) * 32


def test_a_new_peer_is_pinged_and_its_answer_measured():
    pulse = Pulse(random.Random(1))
    assert pulse.deadline is None
    ping = pulse.on_connected(A, 100)
    assert pulse.deadline == 100 + PING_TIMEOUT_US
    assert pulse.rtt_us(A) is None
    assert pulse.on_pong(A, ping.nonce + 1, 150) is None, "an answer to another question"
    assert pulse.on_pong(B, ping.nonce, 150) is None, "nobody asked this one"
    assert pulse.on_pong(A, ping.nonce, 150) == 50
    assert pulse.on_pong(A, ping.nonce, 160) is None, "an answer counts once"
    assert pulse.rtt_us(A) == 50


def test_a_peer_that_answered_is_pinged_again_after_a_while():
    pulse = Pulse(random.Random(1))
    pulse.on_pong(A, pulse.on_connected(A, 0).nonce, 10)
    due = pulse.deadline
    assert 10 + PING_INTERVAL_US <= due < 10 + PING_INTERVAL_US * 5 // 4
    assert pulse.on_deadline(due - 1) == ([], [])
    ((peer, _),), silent = pulse.on_deadline(due)
    assert (peer, silent) == (A, [])


def test_a_silent_peer_is_named_once_its_time_is_over():
    pulse = Pulse(random.Random(1))
    pulse.on_connected(A, 0)
    pulse.on_pong(B, pulse.on_connected(B, 0).nonce, 10)
    assert pulse.on_deadline(PING_TIMEOUT_US - 1) == ([], [])
    assert pulse.on_deadline(PING_TIMEOUT_US)[1] == [A]
    assert pulse.deadline > PING_TIMEOUT_US
    pulse.on_disconnected(A)
    assert pulse.rtt_us(A) is None
    assert pulse.on_deadline(10 * PING_TIMEOUT_US)[1] == []
