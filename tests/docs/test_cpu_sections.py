"""What the benchmarks say of where CPU goes adds up."""

import importlib
import sys
from pathlib import Path

import pytest


@pytest.fixture
def cpu_sections(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    yield importlib.import_module("cpu_sections")
    sys.modules.pop("cpu_sections", None)


class Clock:
    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class Work:
    """An outer part that takes 5 us and twice calls an inner one, of 2 us."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def outer(self) -> str:
        self.clock.now_ns += 4_000
        self.inner()
        self.inner()
        self.clock.now_ns += 1_000
        return "done"

    def inner(self) -> None:
        self.clock.now_ns += 2_000

    def fail(self) -> None:
        self.clock.now_ns += 3_000
        raise KeyError


PARTS = (Work, "outer", "outside"), (Work, "inner", "inside"), (Work, "fail", "failing")


@pytest.fixture
def sections(cpu_sections, monkeypatch):
    monkeypatch.setattr(cpu_sections.gc, "callbacks", [])  # no collection of the tests' own counts
    return cpu_sections.Sections(Clock())


def test_a_part_counts_without_what_it_calls_of_the_others(sections):
    work = Work(sections._clock_ns)
    with sections.watching(PARTS):
        assert work.outer() == "done"
        work.inner()
    assert sections.spent_ns == {"outside": 5_000, "inside": 6_000}


def test_a_part_that_raises_counts_and_leaves_the_others_right(sections):
    work = Work(sections._clock_ns)
    with sections.watching(PARTS):
        with pytest.raises(KeyError):
            work.fail()
        work.outer()
    assert sections.spent_ns == {"failing": 3_000, "outside": 5_000, "inside": 4_000}


def test_methods_are_their_own_again_afterwards(sections, cpu_sections):
    before = dict(vars(Work))
    with pytest.raises(ZeroDivisionError), sections.watching(PARTS):
        raise ZeroDivisionError
    assert dict(vars(Work)) == before
    assert cpu_sections.gc.callbacks == []


def test_the_table_adds_up_to_the_whole_per_delivery(sections, cpu_sections):
    work = Work(sections._clock_ns)
    with sections.watching(PARTS):
        work.outer()
        cpu_sections.gc.callbacks[0]("start", {})
        sections._clock_ns.now_ns += 1_000
        cpu_sections.gc.callbacks[0]("stop", {})
    table = sections.table(20_000, 2)
    within = table.pop(cpu_sections.COLLECTION)
    assert within == 0.5
    assert list(table.values()) == [2.5, 2.0, 5.5]
    assert sum(table.values()) == 10.0
