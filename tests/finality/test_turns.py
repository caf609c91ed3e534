"""Turns: a flood delays others by a bound, and displaces nobody."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.finality.simplex.turns import WAITS_MAX, Turns
from p2pcommerce.primitives.ids import PeerId

PLACES, PEERS_MAX = 2, 5


def peer(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def test_of_one_peer_a_few_items_wait() -> None:
    turns: Turns[int] = Turns(PLACES, PEERS_MAX)
    assert [turns.join(peer(1), number) for number in range(WAITS_MAX + 2)] == [True] * WAITS_MAX + [False] * 2
    assert turns.waiting == WAITS_MAX


def test_peers_beyond_the_bound_are_refused() -> None:
    turns: Turns[int] = Turns(PLACES, PEERS_MAX)
    assert [turns.join(peer(number), 0) for number in range(PEERS_MAX + 1)] == [True] * PEERS_MAX + [False]
    assert turns.take() == 0
    assert turns.join(peer(PEERS_MAX), 1), "one line is empty again"


def test_places_are_taken_by_one_peer_after_the_other() -> None:
    turns: Turns[str] = Turns(1, PEERS_MAX)
    for item in ("a1", "a2", "a3"):
        turns.join(peer(1), item)
    for item in ("b1", "b2"):
        turns.join(peer(2), item)
    order = []
    while (item := turns.take()) is not None:
        order.append(item)
        assert turns.take() is None, "the only place is taken"
        turns.leave()
    assert order == ["a1", "b1", "a2", "b2", "a3"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 7), st.sampled_from(["take", "leave"])), max_size=80))
def test_nobody_waits_longer_than_one_turn_of_each_other_and_nothing_is_lost(steps: list[int | str]) -> None:
    turns: Turns[tuple[int, int]] = Turns(PLACES, PEERS_MAX)
    joined: list[tuple[int, int]] = []
    taken: list[tuple[int, int]] = []
    since: dict[int, int] = {}  # who waits -> turns of others since it came or had its last one
    for number, step in enumerate(steps):
        if isinstance(step, int):
            if turns.join(peer(step), (step, number)):
                joined.append((step, number))
                since.setdefault(step, 0)
        elif step == "leave" and turns.taken:
            turns.leave()
        elif step == "take" and (item := turns.take()) is not None:
            taken.append(item)
            for other in since:
                since[other] += 1
            since[item[0]] = 0
            if all(each[0] != item[0] or each in taken for each in joined):
                del since[item[0]]
        assert turns.taken <= PLACES
        assert turns.waiting == len(joined) - len(taken) <= PEERS_MAX * WAITS_MAX
        assert max(since.values(), default=0) < PEERS_MAX
    assert len(set(taken)) == len(taken)
    for each in range(8):
        own = [item for item in joined if item[0] == each]
        assert own[: sum(item[0] == each for item in taken)] == [item for item in taken if item[0] == each]
