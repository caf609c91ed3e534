"""What people see in a terminal: the live table."""

from __future__ import annotations

import io

import pytest

from tests.cli.test_demo_views import SNAPSHOT

console_room = pytest.importorskip("rich.console", reason="the live table needs the extra tui")
table_room = pytest.importorskip("p2pcommerce.cli.demo.table")


def test_the_table_shows_every_figure():
    console = console_room.Console(file=io.StringIO(), record=True, width=110)
    console.print(table_room.draw(SNAPSHOT))
    text = console.export_text()
    for figure in ("1,234", "131 ms", "640 ms", "50", "880", "17", "d51fa001", "catching up", "down", "43 MiB", "-34"):
        assert figure in text
    assert "12 of 60 s" in text
    assert "orders 6 x [red]lantern[/] for 15.30" in text


def test_a_sparkline_is_as_high_as_its_highest_value():
    assert table_room.sparkline((0.0, 1.0, 4.0, 8.0)) == " ▁▄█"
    assert table_room.sparkline(()) == table_room.sparkline((0.0, 0.0)) == ""
    assert len(table_room.sparkline((1.0,) * 500, 48)) == 48
