"""A campaign of twins: all scenarios of a space, or a sample of them, in chunks that a sweep can resume.

Source: the sweeps of the simulator specification; Bano et al., *Twins* (arXiv 2004.10617).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.simulation.campaign import OtherProgramError
from p2pcommerce.simulation.program import program_digest
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.sweep import Workers
from p2pcommerce.simulation.twins.chunk import Chunk, ChunkFile, ChunkResult, Failure, run_chunk
from p2pcommerce.simulation.twins.network import STEPS_PER_DELAY
from p2pcommerce.simulation.twins.rounds import Space, SpaceError

__all__ = ["CHUNK_SCENARIOS", "FAILURES_MAX", "TwinsCampaign", "TwinsTally", "run_twins"]

CHUNK_SCENARIOS: Final = 200
"""Scenarios of one chunk: a few seconds of work, and some thousand lines for a million scenarios."""
FAILURES_MAX: Final = 20
"""Failures that a tally keeps."""


@dataclass(frozen=True)
class TwinsCampaign:
    """Which scenarios are run.

    Attributes:
        space: all there are.
        numbers: those that are run.
    """

    space: Space
    numbers: Sequence[int]

    @classmethod
    def of(cls, space: Space, sample: int | None = None, seed: int = 1) -> TwinsCampaign:
        """Take all scenarios, or a sample without repetition that the seed decides.

        Raises:
            SpaceError: there are not so many.
        """
        if sample is None or sample == len(space):
            return cls(space, range(len(space)))
        if not 1 <= sample <= len(space):
            raise SpaceError(f"a sample of {sample} of {len(space):,} scenarios; choose 1 to {len(space):,}")
        return cls(space, Streams(seed).of("twins").sample(range(len(space)), sample))

    def chunks(self) -> Iterator[Chunk]:
        """Yield the work."""
        space = self.space
        for start in range(0, len(self.numbers), CHUNK_SCENARIOS):
            numbers = self.numbers[start : start + CHUNK_SCENARIOS]
            yield Chunk(space.validators, space.rounds, space.groups_max, space.leaders, numbers)


@dataclass
class TwinsTally:
    """The sum of chunks, in their order.

    Attributes:
        scenarios: run.
        oracles: what was broken first -> in how many scenarios.
        failures: the first `FAILURES_MAX` of these.
        equivocal: scenarios in which the twinned validator contradicted itself.
        progress: blocks final when the last round ended -> how many scenarios.
        convictions: rule of an offence -> evidence found by honest instances.
        events: messages that arrived.
    """

    scenarios: int = 0
    oracles: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    equivocal: int = 0
    progress: Counter[int] = field(default_factory=Counter)
    convictions: Counter[str] = field(default_factory=Counter)
    events: int = 0
    _steps: Counter[int] = field(default_factory=Counter)
    _hashes: list[str] = field(default_factory=list)

    def add(self, result: ChunkResult) -> None:
        """Add a chunk."""
        self.scenarios += result.scenarios
        self.oracles.update(result.oracles)
        self.failures = [*self.failures, *result.failures][:FAILURES_MAX]
        self.equivocal += result.equivocal
        self.progress.update(result.progress)
        self.convictions.update(result.convictions)
        self.events += result.events
        self._steps.update(result.steps)
        self._hashes.append(result.trace_hash)

    @property
    def failed(self) -> int:
        """Scenarios in which something was broken."""
        return self.oracles.total()

    @property
    def trace_hash(self) -> str:
        """One hash over all that came of all scenarios."""
        return hashlib.blake2b("".join(self._hashes).encode(), digest_size=32).hexdigest()

    def recovery_delays(self, share_bps: int) -> float | None:
        """Return a quantile of the time from the last round to a new final block everywhere, in D0.

        Args:
            share_bps: of the scenarios that recovered, in 1/10,000.
        """
        wanted = -(-self._steps.total() * share_bps // 10_000)
        seen = 0
        for steps, count in sorted(self._steps.items()):
            seen += count
            if seen >= wanted:
                return steps / STEPS_PER_DELAY
        return None


def run_twins(
    campaign: TwinsCampaign, workers: Workers, file: ChunkFile | None = None
) -> Generator[tuple[ChunkResult, bool], None, None]:
    """Yield the result of each chunk in order, and whether it was run now; what the file has is not run again.

    Raises:
        OtherProgramError: a worker ran other sources.
        WorkerLostError: a worker died.
    """
    known = {} if file is None else file.known
    missing = (chunk for chunk in campaign.chunks() if chunk.key not in known)
    with closing(workers.map(run_chunk, missing)) as results:
        for chunk in campaign.chunks():
            old = known.get(chunk.key)
            if old is not None:
                yield old, False
                continue
            result = next(results)
            if result.program != program_digest():
                raise OtherProgramError("a worker has other sources: install the same everywhere")
            if file is not None:
                file.add(result)
            yield result, True
