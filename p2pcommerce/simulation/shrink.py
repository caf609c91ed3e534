"""Shrinking: from a world that fails to a small one that fails in the same way.

Parts are left out as long as what is left still violates the same oracle: adversaries, kinds of faults, load, nodes,
time; then what must stay is made weaker. Every random stream has a name of its own, so that most of what is left stays
as it was. A smaller network is another world, though: some seeds are tried for each size.

Each step is tried in a fixed order and taken when it fails in the same way; there is no randomness, and the same
failure shrinks to the same scenario.

Source: shrinking of the simulator specification; delta debugging (Zeller and Hildebrandt, TSE 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.outcome import STALLED, failure_of
from p2pcommerce.simulation.result import Result
from p2pcommerce.simulation.scenario import Adversary, Scenario

__all__ = ["RUNS_MAX", "NothingToShrinkError", "Shrunk", "shrink"]

RUNS_MAX: Final = 400
"""Worlds run at most."""
_SEEDS_TRIED: Final = 6
"""Seeds tried for each smaller network."""
_INTENSITY_MIN: Final = 0.001
_INTENSITY_DIGITS: Final = 3
_SHORTER: Final = ((1, 2), (3, 4))
"""Shares of the time under faults that are tried for a stall, which shows at the horizon only."""
_SLACK_US: Final = 500_000


class NothingToShrinkError(UsageError):
    """The world does not fail."""

    code = "NOTHING_TO_SHRINK"


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What is left.

    Attributes:
        scenario: the small world.
        oracle: that it violates, as the big one did; or `STALLED`.
        detail: one line about it.
        runs: worlds that were run.
    """

    scenario: Scenario
    oracle: str
    detail: str
    runs: int


def shrink(
    scenario: Scenario,
    run: Callable[[Scenario], Result],
    *,
    on_run: Callable[[int, Scenario], None] | None = None,
    runs_max: int = RUNS_MAX,
) -> Shrunk:
    """Make a failing world small.

    Args:
        scenario: a world that fails.
        run: runs a world.
        on_run: hears, after each run, how many there were and the smallest world so far.
        runs_max: worlds run at most.

    Raises:
        NothingToShrinkError: the world does not fail.
    """
    search = _Search(scenario, run, on_run, runs_max)
    is_smaller = True
    while is_smaller:
        before = search.best
        for step in _STEPS:
            if step is not _with_less_time or search.oracle == STALLED:
                search.take(step)
        is_smaller = search.best != before
    return Shrunk(search.best, search.oracle, search.detail, search.runs)


class _Search:
    def __init__(
        self,
        scenario: Scenario,
        run: Callable[[Scenario], Result],
        on_run: Callable[[int, Scenario], None] | None,
        runs_max: int,
    ) -> None:
        self._run = run
        self._on_run = on_run
        self._runs_max = runs_max
        self._tried = {scenario.to_json()}
        self._horizon_us = scenario.horizon_us
        self.runs = 1
        result = run(scenario)
        self.oracle, self.detail = failure_of(result)
        if not self.oracle:
            raise NothingToShrinkError(f"seed {scenario.seed} does not fail: there is nothing to shrink")
        self.best = self._cut(scenario, result)

    def take(self, step: Callable[[Scenario], Iterator[Scenario]]) -> None:
        """Take of a step what works, again from the start after each success."""
        while any(self._fails(candidate) for candidate in step(self.best)):
            pass

    def _fails(self, candidate: Scenario) -> bool:
        candidate = self._stretched(candidate)
        text = candidate.to_json()
        if text in self._tried or self.runs >= self._runs_max:
            return False
        self._tried.add(text)
        self.runs += 1
        result = self._run(candidate)
        oracle, detail = failure_of(result)
        is_same = oracle == self.oracle
        if is_same:
            self.best, self.detail = self._cut(candidate, result), detail
        if self._on_run is not None:
            self._on_run(self.runs, self.best)
        return is_same

    def _cut(self, scenario: Scenario, result: Result) -> Scenario:
        """End the world right after the violation, which stays as it is: nothing that comes later can matter."""
        if self.oracle == STALLED or not result.violations:
            return scenario
        end_us = result.violations[0].world_us + 1
        if end_us >= scenario.horizon_us:
            return scenario
        return scenario.with_(horizon_us=end_us, liveness_us=max(0, end_us - scenario.healed_us))

    def _stretched(self, candidate: Scenario) -> Scenario:
        """Give a world that was cut some time again: with a part left out, the violation may come a little later."""
        if self.oracle == STALLED:
            return candidate
        longer_us = min(self._horizon_us, candidate.horizon_us * 3 // 2 + _SLACK_US)
        more_us = max(0, longer_us - candidate.horizon_us)
        liveness_us = candidate.liveness_us + more_us if candidate.liveness_us else 0
        return candidate.with_(horizon_us=candidate.horizon_us + more_us, liveness_us=liveness_us)


# --- steps: each yields smaller worlds, the smallest first ---


def _without_adversaries(scenario: Scenario) -> Iterator[Scenario]:
    for index, entry in enumerate(scenario.adversaries):
        rest = scenario.adversaries[:index] + scenario.adversaries[index + 1 :]
        yield scenario.with_(adversaries=rest)
        if len(entry.nodes) > 1:
            fewer = replace(entry, nodes=entry.nodes[:-1])
            yield scenario.with_(adversaries=(*rest[:index], fewer, *rest[index:]))


def _without_faults(scenario: Scenario) -> Iterator[Scenario]:
    if len(scenario.faults) > 1:
        yield scenario.with_(faults={})
        kinds = list(scenario.faults)
        half = len(kinds) // 2
        for part in (kinds[:half], kinds[half:]):
            yield scenario.with_(faults={kind: scenario.faults[kind] for kind in part})
    for kind in scenario.faults:
        yield scenario.with_(faults={name: value for name, value in scenario.faults.items() if name != kind})


def _with_less_load(scenario: Scenario) -> Iterator[Scenario]:
    if scenario.load_tps:
        yield scenario.with_(load_tps=0)
        yield scenario.with_(load_tps=scenario.load_tps // 2)


def _with_fewer_nodes(scenario: Scenario) -> Iterator[Scenario]:
    sizes = [(1, 1), (scenario.validators, scenario.validators), (scenario.nodes - 1, scenario.validators)]
    if scenario.nodes == scenario.validators:
        sizes.append((scenario.nodes - 1, scenario.nodes - 1))
    for nodes, validators in sizes:
        if not 1 <= validators <= nodes < scenario.nodes:
            continue
        adversaries = tuple(
            Adversary(entry.strategy, kept)
            for entry in scenario.adversaries
            if (kept := tuple(node for node in entry.nodes if node < nodes))
        )
        smaller = scenario.with_(nodes=nodes, stakes=scenario.stakes[:validators], adversaries=adversaries)
        for offset in range(_SEEDS_TRIED):
            yield smaller.with_(seed=scenario.seed + offset)


def _with_less_time(scenario: Scenario) -> Iterator[Scenario]:
    """Shorten the time under faults of a stall; the time after a violation is cut in any case."""
    for over, under in _SHORTER:
        healed_us = scenario.healed_us * over // under
        yield scenario.with_(horizon_us=max(1, healed_us + scenario.liveness_us))


def _with_weaker_faults(scenario: Scenario) -> Iterator[Scenario]:
    for kind, intensity in scenario.faults.items():
        for weaker in (intensity / 4, intensity / 2):
            rounded = float(f"{weaker:.{_INTENSITY_DIGITS}g}")
            if rounded >= _INTENSITY_MIN:
                yield scenario.with_(faults={**scenario.faults, kind: rounded})


_STEPS: Final = (
    _without_adversaries,
    _without_faults,
    _with_less_load,
    _with_fewer_nodes,
    _with_less_time,
    _with_weaker_faults,
)
