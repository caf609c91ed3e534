"""The order's state machine is one table, and the documentation shows it."""

import itertools
import sys
from pathlib import Path

import pytest

from p2pcommerce.commerce import BODIES, TRANSITIONS
from p2pcommerce.commerce.order import OrderStatus
from p2pcommerce.commerce.order_machine import Effect, When, Who

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import order_machine as DRAW  # noqa: E402, N812 - a tool beside the tests
import order_picture  # noqa: E402

sys.path.pop(0)


def test_the_page_shows_the_table():
    assert DRAW.main(["--check"]) == 0
    page = DRAW.PAGE.read_text()
    assert all(row.type in page and row.effect.value in page for row in TRANSITIONS)


def test_a_page_that_shows_something_else_is_noticed(tmp_path, monkeypatch, capsys):
    page = tmp_path / "orders.md"
    page.write_text(DRAW.PAGE.read_text().replace("now > deadline", "now >= deadline"))
    monkeypatch.setattr(DRAW, "PAGE", page)
    monkeypatch.setattr(DRAW, "PICTURE", tmp_path / "orders.svg")
    assert DRAW.main(["--check"]) == 1
    assert "run tools/order_machine.py" in capsys.readouterr().err
    assert DRAW.main([]) == 0
    assert DRAW.main(["--check"]) == 0


def test_every_transition_is_in_the_picture_and_an_arrow_without_a_way_is_an_error():
    seen = DRAW.PICTURE.read_text(encoding="utf-8")
    assert all(f">{row.type}" in seen for row in TRANSITIONS)
    with pytest.raises(KeyError, match="give these arrows a way"):
        order_picture.picture({**DRAW.arrows(), ("DONE", "PLACED"): ["order.again"]})


def test_each_row_stands_once_and_is_of_a_type():
    keys = [(row.type, row.variant, row.source) for row in TRANSITIONS]
    assert len(set(keys)) == len(keys)
    assert {row.type for row in TRANSITIONS} <= set(BODIES)
    assert {name for name in BODIES if name.startswith("order.")} <= {row.type for row in TRANSITIONS}


@pytest.mark.parametrize("status", list(OrderStatus))
def test_anyone_gets_every_state_closed_when_it_is_late(status):
    rows = [row for row in TRANSITIONS if row.source == status and row.who is Who.ANYONE]
    assert [(row.type, row.when) for row in rows] == [("order.settle", When.LATE)]
    assert rows[0].target in {None, OrderStatus.DONE}


def test_whoever_is_not_anyone_acts_in_time_but_for_confirming():
    others = [row for row in TRANSITIONS if row.who is not Who.ANYONE and row.source is not None]
    at_any_time = {row.type for row in others if row.when is When.ANY}
    assert at_any_time == {"order.confirm"}
    assert all(row.when is not When.LATE for row in others)


def test_every_state_is_reached_and_every_effect_happens():
    targets = {row.target for row in TRANSITIONS}
    assert targets == {*OrderStatus, None}
    assert {row.effect for row in TRANSITIONS} == set(Effect)


def test_no_state_is_left_towards_an_earlier_one():
    order = [None, *OrderStatus]
    for row in TRANSITIONS:
        if row.target is not None:
            assert order.index(row.source) <= order.index(row.target)
    assert all(first < second for first, second in itertools.pairwise(OrderStatus))
