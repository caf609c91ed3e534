"""What is sent again: after a wait with jitter, and to each peer so often and no oftener."""

from __future__ import annotations

import random

from p2pcommerce.finality.resend import Allowance, Repeat
from p2pcommerce.primitives.ids import PeerId

ANN, BOB = PeerId(b"a" * 32), PeerId(b"b" * 32)


def test_a_repeat_waits_each_time_for_the_wait_and_at_most_a_quarter_more() -> None:
    repeat = Repeat(1_000, random.Random(1))
    assert repeat.at is None
    assert not repeat.is_due(0)
    now = 0
    for _ in range(50):
        assert repeat.at is not None
        assert now + 1_000 <= repeat.at <= now + 1_250
        assert not repeat.is_due(repeat.at - 1)
        now = repeat.at
        assert repeat.is_due(now)


def test_a_repeat_that_was_stopped_begins_anew() -> None:
    repeat = Repeat(1_000, random.Random(1))
    repeat.is_due(0)
    repeat.stop()
    assert repeat.at is None
    assert not repeat.is_due(5_000)
    assert repeat.at is not None
    assert repeat.at >= 6_000


def test_a_peer_gets_one_answer_of_each_kind_in_a_while() -> None:
    allowance = Allowance([ANN], 100)
    assert allowance.take(ANN, "help", 0)
    assert allowance.take(ANN, "status", 0)
    assert not allowance.take(ANN, "help", 99)
    assert allowance.take(ANN, "help", 100)
    assert not allowance.take(BOB, "help", 0), "a stranger"
    assert BOB not in allowance


def test_a_peer_that_connected_anew_is_answered_at_once() -> None:
    allowance = Allowance([ANN], 100)
    assert allowance.take(ANN, "help", 0)
    allowance.renew(ANN)
    allowance.renew(BOB)
    assert allowance.take(ANN, "help", 1)
    assert allowance.peers == [ANN]
