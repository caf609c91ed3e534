"""What a deliberate bug is: texts in named sources, each replaced by another, and the campaign that must find it.

A text must stand in its source exactly once. When it does not, the catalogue is older than the sources: `StaleError`
says which entry to look at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

SECOND_US = 1_000_000


class StaleError(Exception):
    """A text of the catalogue that its source does not hold exactly once."""


@dataclass(frozen=True)
class Edit:
    """One replacement.

    Attributes:
        file: source, from the package's folder on.
        old: what stands there, exactly once.
        new: what is put in its place.
    """

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Plan:
    """Which worlds look for a bug.

    Attributes:
        name: of the campaign.
        stack: `finality` or `network`.
        faults: as `sim --faults` takes them.
        cast: strategy -> the nodes that follow it, in every world.
        seconds, liveness: length of a world, and of its last part without faults, seconds.
        nodes, validators: how many.
        draws_stakes: each world draws its own stakes; else all are equal.
        rate: transactions per second.
        delay_ms: base delay of the engine.
        pool_count_max: transactions in a pool at most; None: the default.
    """

    name: str
    stack: str = "finality"
    faults: str = "none"
    cast: dict[str, tuple[int, ...]] = field(default_factory=dict)
    seconds: int = 20
    liveness: int = 8
    nodes: int = 4
    validators: int = 4
    rate: int = 2
    delay_ms: int = 500
    pool_count_max: int | None = None
    draws_stakes: bool = False


@dataclass(frozen=True)
class Mutant:
    """One deliberate bug.

    Attributes:
        name: on the command line.
        breaks: the rule that it breaks, for people.
        plan: the campaign that must find it.
        edits: what is planted.
    """

    name: str
    breaks: str
    plan: Plan
    edits: tuple[Edit, ...]


def planted(mutant: Mutant, package: Path) -> dict[str, str]:
    """Return the changed sources of a package by name.

    Raises:
        StaleError: a text does not stand exactly once where it should.
    """
    sources: dict[str, str] = {}
    for edit in mutant.edits:
        path = package / edit.file
        if edit.file not in sources and not path.is_file():
            raise StaleError(f"{mutant.name}: there is no {edit.file}; the catalogue is stale")
        source = sources.get(edit.file) or path.read_text(encoding="utf-8")
        count = source.count(edit.old)
        if count != 1:
            raise StaleError(f"{mutant.name}: {edit.file} holds {edit.old!r} {count} times; the catalogue is stale")
        sources[edit.file] = source.replace(edit.old, edit.new)
    return sources
