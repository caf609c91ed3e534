"""The sum over the seeds of a sweep: counts, quantiles, one hash, and which faults never struck.

Outcomes are added in the order of their seeds; the hash depends on it, and on nothing else than the worlds.

Source: `sim finality --json` of the interface specification; the 5 % rule of the simulator specification.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from p2pcommerce.simulation.outcome import DELAY_STEPS, SETTLE_STEP_MS, STALLED, Outcome

__all__ = [
    "ACTS_JUDGED_MIN",
    "FAILURES_KEPT",
    "FIRES_MIN_BPS",
    "GAPS_JUDGED_MIN",
    "SEEDS_JUDGED_MIN",
    "Tally",
    "quantile_of",
]

FIRES_MIN_BPS: Final = 500
"""Every chosen kind of fault must strike in at least so many of 10,000 seeds ..."""
SEEDS_JUDGED_MIN: Final = 100
"""... of a sweep over at least so many seeds."""
GAPS_JUDGED_MIN: Final = 100
"""Gaps between epochs are judged from so many on."""
ACTS_JUDGED_MIN: Final = 20
"""An adversary that is in every world must act in a sweep over at least so many seeds."""
FAILURES_KEPT: Final = 16
"""Failed seeds of which everything is kept; the others are counted."""
_WHOLE_BPS: Final = 10_000


class Tally:
    """What came of a sweep.

    Attributes:
        seeds: outcomes added.
        events: of all worlds.
        violated: seeds in which an oracle was violated.
        stalled: seeds in which finality did not resume.
        failures: the first failed seeds.
        fired: how often each kind struck; `fired_seeds`: in how many seeds.
        delays, settled: as in an outcome, summed.
        recoveries_us: from the end of the faults until finality resumed, one for each seed in which it did; those of
            seeds with silent validators are in `recoveries_silent_us`, too.
        boundaries, boundaries_struck: as in an outcome, summed.
        submitted, finalized, failed, refused: summed.
        height: the highest of all.
        forks: heights at which two blocks were final, summed; `forked_seeds`: seeds with any.
        least_bps: of the seeds with forks, the least share of the stake that was guilty, and that nodes accused.
        adversary_acts, convictions: summed.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.seeds = 0
        self.events = 0
        self.violated = 0
        self.stalled = 0
        self.failures: list[Outcome] = []
        self.fired: Counter[str] = Counter()
        self.fired_seeds: Counter[str] = Counter()
        self.delays: Counter[int] = Counter()
        self.settled: Counter[int] = Counter()
        self.recoveries_us: list[int] = []
        self.recoveries_silent_us: list[int] = []
        self.boundaries: Counter[int] = Counter()
        self.boundaries_struck: Counter[int] = Counter()
        self.submitted = 0
        self.finalized = 0
        self.failed = 0
        self.refused = 0
        self.height = 0
        self.forks = 0
        self.adversary_acts: Counter[str] = Counter()
        self.convictions: Counter[str] = Counter()
        self.forked_seeds = 0
        self.least_bps: dict[str, int] = {}
        self._digest = hashlib.blake2b(digest_size=32)

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of the next seed."""
        self.seeds += 1
        self.events += outcome.events
        self._digest.update(bytes.fromhex(outcome.trace_hash))
        if outcome.oracle:
            self.stalled += outcome.oracle == STALLED
            self.violated += outcome.oracle != STALLED
            if len(self.failures) < FAILURES_KEPT:
                self.failures.append(outcome)
        self.fired.update(outcome.fired)
        self.fired_seeds.update(kind for kind, times in outcome.fired.items() if times)
        self.delays.update(outcome.delays)
        self.settled.update(outcome.settled)
        if outcome.recovery_us is not None:
            self.recoveries_us.append(outcome.recovery_us)
            if outcome.silent_bps:
                self.recoveries_silent_us.append(outcome.recovery_us)
        self.boundaries.update(outcome.boundaries)
        self.boundaries_struck.update(outcome.boundaries_struck)
        self.submitted += outcome.submitted
        self.finalized += outcome.finalized
        self.failed += outcome.failed
        self.refused += outcome.refused
        self.height = max(self.height, outcome.height)
        self.forks += outcome.forks
        self.adversary_acts.update(outcome.adversary_acts)
        self.forked_seeds += outcome.forks > 0
        for name, count in outcome.convictions.items():
            if name.endswith("_bps"):
                self.least_bps[name] = min(count, self.least_bps.get(name, count))
            else:
                self.convictions[name] += count

    @property
    def trace_hash(self) -> str:
        """BLAKE2b-256 over the trace hashes (32 bytes each) in the order of seeds, 64 hexadecimal digits."""
        return self._digest.hexdigest()

    def finality_delays(self, share_bps: int) -> float | None:
        """Return a quantile of the time to finality in message delays; None: no block was final."""
        step = quantile_of(self.delays, share_bps)
        return None if step is None else step / DELAY_STEPS

    def settled_ms(self, share_bps: int) -> int | None:
        """Return a quantile of the time from submission to finality, milliseconds; None: nothing was final."""
        step = quantile_of(self.settled, share_bps)
        return None if step is None else step * SETTLE_STEP_MS

    def recovery_delays(self, share_bps: int, base_delay_us: int, *, is_silent: bool | None = None) -> float | None:
        """Return a quantile of the time until finality resumed in units of D0; None: it never had to, or never did.

        Args:
            share_bps: of 10,000; all of them for the longest.
            base_delay_us: D0 of the worlds.
            is_silent: count only worlds with (True) or without (False) silent validators; None: all.
        """
        waited_us = quantile_of(self._recoveries(is_silent=is_silent), share_bps)
        return None if waited_us is None else round(waited_us / base_delay_us, 2)

    def _recoveries(self, *, is_silent: bool | None) -> Counter[int]:
        if is_silent is None:
            return Counter(self.recoveries_us)
        silent = Counter(self.recoveries_silent_us)
        return silent if is_silent else Counter(self.recoveries_us) - silent

    def is_late(self, gate_delays: int, base_delay_us: int, *, is_silent: bool | None = None) -> bool:
        """Tell whether 99 % of the worlds took longer than a gate to recover; False if the seeds are too few to tell.

        Args:
            gate_delays: of these worlds, in units of D0.
            base_delay_us: D0 of the worlds.
            is_silent: as of `recovery_delays`.
        """
        p99 = self.recovery_delays(9_900, base_delay_us, is_silent=is_silent)
        counted = self.seeds if is_silent is None else self._recoveries(is_silent=is_silent).total()
        return counted >= SEEDS_JUDGED_MIN and p99 is not None and p99 > gate_delays

    def boundary_delays(self, share_bps: int, base_delay_us: int, *, is_struck: bool = False) -> float | None:
        """Return a quantile of the gaps between epochs in units of D0; None: there were none.

        Args:
            share_bps: of 10,000; all of them for the longest.
            base_delay_us: D0 of the worlds.
            is_struck: of boundaries under faults or adversaries, else of quiet ones.
        """
        step = quantile_of(self.boundaries_struck if is_struck else self.boundaries, share_bps)
        return None if step is None else round(step * SETTLE_STEP_MS * 1_000 / base_delay_us, 2)

    def has_gaps(self, gate_delays: float, base_delay_us: int) -> bool:
        """Tell whether 99 % of the quiet gaps between epochs are longer than a gate; False if they are too few to tell.

        Args:
            gate_delays: in units of D0.
            base_delay_us: D0 of the worlds.
        """
        p99 = self.boundary_delays(9_900, base_delay_us)
        return self.boundaries.total() >= GAPS_JUDGED_MIN and p99 is not None and p99 > gate_delays

    def is_idle(self, adversaries: Sequence[str]) -> bool:
        """Tell whether the one strategy of a campaign never acted; False if the seeds are too few to tell."""
        return len(adversaries) == 1 and self.seeds >= ACTS_JUDGED_MIN and not self.adversary_acts.total()

    def silent(self, chosen: Iterable[str]) -> list[str]:
        """Return the chosen kinds of faults that struck in too few seeds; none if the seeds are too few to tell."""
        if self.seeds < SEEDS_JUDGED_MIN:
            return []
        return [kind for kind in chosen if self.fired_seeds[kind] * _WHOLE_BPS < FIRES_MIN_BPS * self.seeds]


def quantile_of(counts: Mapping[int, int], share_bps: int) -> int | None:
    """Return the value below or at which `share_bps` of 10,000 lie (nearest rank); None: there are none."""
    rank = -(-sum(counts.values()) * share_bps // _WHOLE_BPS)
    for value in sorted(counts):
        rank -= counts[value]
        if rank <= 0:
            return value
    return None
