"""What is kept of one seed of a sweep: one JSON line, small enough for 20,000 of them.

`run_seed` is what a worker does, in this process, in another or on another machine. Distributions are kept as counts of
quantized values, which add up over seeds; the words of the last events are kept for a seed that failed, only.

Source: the sweeps of the simulator specification; `sim finality` and `sim network` of the interface specification.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Final

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.program import program_digest
from p2pcommerce.simulation.result import Result
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.world import run_scenario

__all__ = [
    "DELAY_STEPS",
    "SETTLE_STEP_MS",
    "STACKS",
    "STALLED",
    "Outcome",
    "OutcomeError",
    "SeedTask",
    "failure_of",
    "options_of",
    "run_seed",
]

STACKS: Final = ("finality", "network")
"""How much of a node is driven: `finality` hands messages over as objects and moves tokens; `network` drives real
sessions, encryption included, and the life of orders."""
STALLED: Final = "stalled"
"""In the place of an oracle's name: finality did not resume."""
DELAY_STEPS: Final = 20
"""Times to finality are counted in steps of one part in so many of the message delay."""
SETTLE_STEP_MS: Final = 10
"""Times from submission to finality, and gaps between epochs, are counted in steps of so many milliseconds."""
TAIL_EVENTS: Final = 40
"""Events in words that are kept of a seed that failed."""
_KEY_BYTES: Final = 8


class OutcomeError(UsageError):
    """A line that is no outcome of a seed."""

    code = "OUTCOME"


@dataclass(frozen=True, slots=True)
class SeedTask:
    """What a worker is given.

    Attributes:
        scenario: the world, its seed included.
        stack: one of `STACKS`.
    """

    scenario: Scenario
    stack: str

    @property
    def key(self) -> str:
        """16 hexadecimal digits that stand for the world and for the program that runs it."""
        text = f"{program_digest()}/{self.stack}/{self.scenario.to_json()}"
        return hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one seed.

    Attributes:
        key: of its task.
        program: digest of the sources that the worker ran.
        seed: of the world.
        trace_hash: 64 hexadecimal digits.
        events: worked off.
        oracle: the one that was violated first, or `STALLED`; empty: all is well.
        detail: one line about it.
        fired: how often each kind of fault struck.
        delays: times to finality: steps of 1 / `DELAY_STEPS` message delays -> how many.
        settled: times from submission to finality: steps of `SETTLE_STEP_MS` -> how many.
        recovery_us: from the end of the faults until a new block was final somewhere; None: never.
        silent_bps: stake of validators that stopped for good or are adversaries, in 1/10,000.
        boundaries, boundaries_struck: gaps between epochs, of quiet boundaries and of others: steps of `SETTLE_STEP_MS`
            -> how many.
        height: the highest final one.
        submitted, finalized, failed, refused: transactions of the load; `finalized` includes `failed` ones.
        forks: heights at which two blocks were final.
        adversary_acts: what adversaries did, by kind.
        convictions: validators accused and punished, and how often nodes found each rule broken.
        tail: the last events in words, of a seed that failed.
    """

    key: str
    program: str
    seed: int
    trace_hash: str
    events: int
    oracle: str
    detail: str
    fired: Mapping[str, int]
    delays: Mapping[int, int]
    settled: Mapping[int, int]
    recovery_us: int | None
    height: int
    submitted: int
    finalized: int
    failed: int
    refused: int
    forks: int
    adversary_acts: Mapping[str, int]
    convictions: Mapping[str, int] = field(default_factory=dict)
    silent_bps: int = 0
    boundaries: Mapping[int, int] = field(default_factory=dict)
    boundaries_struck: Mapping[int, int] = field(default_factory=dict)
    tail: tuple[str, ...]

    @classmethod
    def of(cls, task: SeedTask, result: Result) -> Outcome:
        """Keep of a result what a sweep needs."""
        oracle, detail = failure_of(result)
        return cls(
            key=task.key,
            program=program_digest(),
            seed=task.scenario.seed,
            trace_hash=result.trace_hash,
            events=result.events,
            oracle=oracle,
            detail=detail,
            fired=dict(result.fired),
            delays=_counts(result.finality_us, result.delay_us / DELAY_STEPS),
            settled=_counts(result.submit_to_final_us, SETTLE_STEP_MS * 1_000),
            recovery_us=result.recovery_us,
            height=max(result.heights, default=0),
            submitted=result.submitted,
            finalized=result.finalized,
            failed=result.failed,
            refused=result.refused,
            forks=result.forks,
            adversary_acts=dict(sorted(result.adversary_acts.items())),
            convictions=dict(result.convictions),
            silent_bps=result.silent_bps,
            boundaries=_counts(result.boundaries_us, SETTLE_STEP_MS * 1_000),
            boundaries_struck=_counts(result.boundaries_struck_us, SETTLE_STEP_MS * 1_000),
            tail=tuple(result.tail[-TAIL_EVENTS:]) if oracle else (),
        )

    def to_line(self) -> str:
        """Return it as one line of JSON, without the end of the line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Outcome:
        """Read a line.

        Raises:
            OutcomeError: it is none.
        """
        try:
            row = json.loads(line)
            if set(row) != {field.name for field in fields(cls)}:
                raise OutcomeError("members are missing or unknown")
            for name in ("delays", "settled", "boundaries", "boundaries_struck"):
                row[name] = {int(step): int(count) for step, count in row[name].items()}
            row["tail"] = tuple(row["tail"])
            return cls(**row)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise OutcomeError(f"not readable: {error}") from error


def _counts(values: Sequence[int], step: float) -> dict[int, int]:
    """Count values rounded to whole steps."""
    if not step:
        return {}
    return dict(sorted(Counter(round(value / step) for value in values).items()))


def failure_of(result: Result) -> tuple[str, str]:
    """Return the oracle that was violated first, or `STALLED`, and a line about it; two empty texts: all is well."""
    if result.violations:
        first = result.violations[0]
        return first.oracle, first.words
    return (STALLED, f"{STALLED}: {result.stalled}") if result.stalled else ("", "")


def options_of(stack: str) -> WorldOptions:
    """Return what a world of a stack drives; see `STACKS`."""
    is_full = stack == "network"
    return WorldOptions(orders=is_full, sessions=is_full)


def run_seed(task: SeedTask) -> Outcome:
    """Run one world and keep what a sweep needs of it."""
    return Outcome.of(task, run_scenario(task.scenario, options_of(task.stack)))
