"""Scenarios in chunks: what a worker is given, and the line that is kept of it.

Source: the sweeps of the simulator specification.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final

from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.line_file import LineFile
from p2pcommerce.simulation.program import program_digest
from p2pcommerce.simulation.twins.network import run_arrangement
from p2pcommerce.simulation.twins.rounds import Space, words_of

__all__ = ["FAILURES_KEPT", "Chunk", "ChunkError", "ChunkFile", "ChunkResult", "Failure", "run_chunk"]

FAILURES_KEPT: Final = 5
"""Failed scenarios of one chunk that are kept in words."""
_KEY_BYTES: Final = 8


class ChunkError(UsageError):
    """A line that is no result of a chunk."""

    code = "TWINS_CHUNK"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some scenarios of a space.

    Attributes:
        validators, rounds, groups_max, leaders: of the space.
        numbers: of the scenarios.
    """

    validators: int
    rounds: int
    groups_max: int
    leaders: str
    numbers: Sequence[int]

    @property
    def space(self) -> Space:
        """The space."""
        return Space(self.validators, self.rounds, self.groups_max, self.leaders)

    @property
    def key(self) -> str:
        """16 hexadecimal digits that stand for the scenarios and for the program that runs them."""
        place = f"{self.validators}/{self.rounds}/{self.groups_max}/{self.leaders}"
        text = f"{program_digest()}/twins/{place}/{','.join(map(str, self.numbers))}"
        return hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).hexdigest()


@dataclass(frozen=True, slots=True)
class Failure:
    """A scenario in which something was broken.

    Attributes:
        number: of the scenario in its space.
        scenario: in words.
        oracle: what was broken.
        detail: one line about it.
    """

    number: int
    scenario: str
    oracle: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkResult:
    """What came of a chunk.

    Attributes:
        key: of the chunk.
        program: digest of the sources.
        scenarios: run.
        oracles: what was broken first -> in how many scenarios.
        failures: the first `FAILURES_KEPT` of these.
        steps: steps from the last round to a new final block everywhere -> how many scenarios.
        progress: blocks final when the last round ended -> how many scenarios.
        equivocal: scenarios in which the twinned validator contradicted itself.
        convictions: rule of an offence -> evidence found by honest instances.
        events: messages that arrived.
        trace_hash: over all that came of each scenario, 64 hexadecimal digits.
    """

    key: str
    program: str
    scenarios: int
    oracles: Mapping[str, int]
    failures: tuple[Failure, ...]
    steps: Mapping[int, int]
    progress: Mapping[int, int]
    equivocal: int
    convictions: Mapping[str, int]
    events: int
    trace_hash: str

    def to_line(self) -> str:
        """Return it as one line of JSON, without the end of the line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> ChunkResult:
        """Read a line.

        Raises:
            ChunkError: it is none.
        """
        try:
            row = json.loads(line)
            if set(row) != {field.name for field in fields(cls)}:
                raise ChunkError("members are missing or unknown")
            for name in ("steps", "progress"):
                row[name] = {int(step): int(count) for step, count in row[name].items()}
            row["failures"] = tuple(Failure(**each) for each in row["failures"])
            return cls(**row)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ChunkError(f"not readable: {error}") from error


class ChunkFile(LineFile[ChunkResult]):
    """A file of results, JSON lines."""

    @override
    def read_row(self, text: str, number: int) -> ChunkResult:
        """Read a line; see `LineFile`."""
        return ChunkResult.from_line(text)

    @override
    def write_row(self, row: ChunkResult) -> str:
        """Return a line; see `LineFile`."""
        return row.to_line()


def run_chunk(chunk: Chunk) -> ChunkResult:
    """Run its scenarios, one after the other."""
    space = chunk.space
    oracles: Counter[str] = Counter()
    steps: Counter[int] = Counter()
    progress: Counter[int] = Counter()
    convictions: Counter[str] = Counter()
    failures: list[Failure] = []
    events = equivocal = 0
    digest = hashlib.blake2b(digest_size=32)
    for number in chunk.numbers:
        arrangement = space[number]
        ran = run_arrangement(arrangement)
        digest.update(f"{number} {ran}\n".encode())
        events += ran.events
        equivocal += ran.is_equivocal
        progress[ran.heights[0]] += 1
        convictions.update(ran.convictions)
        if ran.oracle:
            oracles[ran.oracle] += 1
            failures.append(Failure(number, words_of(arrangement), ran.oracle, ran.detail))
        else:
            steps[ran.steps] += 1
    return ChunkResult(
        key=chunk.key,
        program=program_digest(),
        scenarios=len(chunk.numbers),
        oracles=dict(sorted(oracles.items())),
        failures=tuple(failures[:FAILURES_KEPT]),
        steps=dict(sorted(steps.items())),
        progress=dict(sorted(progress.items())),
        equivocal=equivocal,
        convictions=dict(sorted(convictions.items())),
        events=events,
        trace_hash=digest.hexdigest(),
    )
