"""The back end without coverage: changes kept inputs at random, structure by structure, and keeps what is new.

New is an input that the product accepts where all before it of its outline were refused, or a message of an error that
was not heard before: what can be told without measuring coverage. It needs nothing but the library.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fuzz.findings import Finding
from fuzz.mutation import mutated
from fuzz.target import Target

__all__ = ["Result", "look"]

SLOW_S: Final = 2.0
"""Processor time of one input above which it is a finding."""
FINDINGS_MAX: Final = 20
_POOL_MAX: Final = 512


@dataclass
class Result:
    """What came of looking at one target.

    Attributes:
        target: its name.
        backend: `plain` or `guided`.
        runs: inputs tried.
        accepted: of them, how many the product took.
        cpu_s: processor time, seconds.
        findings: one for each way in which it broke.
        fresh: inputs to keep in a grown corpus.
    """

    target: str
    backend: str
    runs: int = 0
    accepted: int = 0
    cpu_s: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    fresh: list[bytes] = field(default_factory=list)


class _Looker:
    """Runs inputs and writes down what comes of them."""

    def __init__(self, target: Target, clock: Callable[[], float]) -> None:
        self.result = Result(target.name, "plain")
        self._target = target
        self._clock = clock
        self._known: set[tuple[str, str]] = set()

    def run(self, data: bytes) -> bool:
        """Run one input; tell whether it was accepted."""
        began = self._clock()
        accepted = False
        try:
            accepted = self._target.take(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever escapes is what is looked for
            self._note(Finding.of(self._target.name, error, data))
        took = self._clock() - began
        if took > SLOW_S:
            self._note(Finding(self._target.name, f"SlowInput: {took:.1f} s of processor time", "time", data))
        self.result.runs += 1
        self.result.accepted += accepted
        return accepted

    def _note(self, finding: Finding) -> None:
        if finding.key not in self._known and len(self.result.findings) < FINDINGS_MAX:
            self._known.add(finding.key)
            self.result.findings.append(finding)


def look(
    target: Target,
    inputs: list[bytes],
    rng: random.Random,
    *,
    seconds: float | None = None,
    runs: int | None = None,
    clock: Callable[[], float] = time.process_time,
) -> Result:
    """Run all inputs, then changed ones, for some processor time or some runs.

    Args:
        target: what to look at.
        inputs: to begin with.
        rng: draws the changes.
        seconds: of processor time.
        runs: changed inputs; one of the two is given.
        clock: processor time, seconds.
    """
    looker = _Looker(target, clock)
    began = clock()
    for data in inputs:
        looker.run(data)
    pool = list(inputs) or [b""]
    outlines = {_outline(data) for data in inputs}
    count = 0
    while (runs is not None and count < runs) or (seconds is not None and clock() - began < seconds):
        data = mutated(rng.choice(pool), pool, target.form, rng)
        count += 1
        if looker.run(data) and (outline := _outline(data)) not in outlines and len(pool) < _POOL_MAX:
            outlines.add(outline)
            pool.append(data)
            looker.result.fresh.append(data)
    looker.result.cpu_s = clock() - began
    return looker.result


def _outline(data: bytes) -> tuple[bytes, int]:
    """What two inputs of one kind have in common."""
    return data[:3], len(data).bit_length()
