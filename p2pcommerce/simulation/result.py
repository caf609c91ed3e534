"""What came of one world.

Source: the results of `sim finality` and `sim network` in the interface specification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from p2pcommerce.simulation.oracles import Violation
from p2pcommerce.simulation.scenario import Scenario

__all__ = ["Result", "quantile"]


def quantile(values: Sequence[int], share_bps: int) -> int:
    """Return the value below or at which `share_bps` of 10,000 lie (nearest rank); 0 for none."""
    if not values:
        return 0
    ordered = sorted(values)
    rank = -(-len(ordered) * share_bps // 10_000)
    return ordered[max(0, min(len(ordered), rank) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run.

    Attributes:
        scenario: what was run.
        trace_hash: 64 hexadecimal digits: equal for equal scenarios.
        events: events worked off.
        violations: oracles that were violated; none is the aim.
        stalled: why finality did not resume after the faults; empty if it did.
        fired: how often each kind of fault struck.
        delay_us: the message delay, median over pairs of validators, microseconds.
        finality_us: from a block's proposal until an honest node had it final, one figure for each, microseconds.
        recovery_us: from the end of the faults until a block proposed after it was final somewhere; None: never.
        silent_bps: stake of validators that stopped for good or are adversaries, in 1/10,000.
        boundaries_us, boundaries_struck_us: the gaps between epochs, of quiet boundaries and of others, microseconds.
        heights: final height of each node.
        state_roots: hexadecimal root of each node's final state; empty for one that is down.
        submitted, finalized, failed, refused: transactions of the load; `finalized` includes `failed` ones.
        submit_to_final_us: from submission until the first node had it stored, microseconds.
        views, views_nullified: of the highest node's engine.
        forks: heights at which two blocks were final.
        refused_to_sign: by signing guards.
        adversary_acts: what adversaries did, by kind.
        convictions: validators accused and punished, and how often nodes found each rule broken.
        tail: the last events, in words.
    """

    scenario: Scenario
    trace_hash: str
    events: int
    violations: tuple[Violation, ...]
    stalled: str
    fired: Mapping[str, int]
    delay_us: int
    finality_us: tuple[int, ...]
    recovery_us: int | None
    heights: tuple[int, ...]
    state_roots: tuple[str, ...]
    submitted: int
    finalized: int
    failed: int
    refused: int
    submit_to_final_us: tuple[int, ...]
    views: int
    views_nullified: int
    forks: int
    refused_to_sign: int
    adversary_acts: Mapping[str, int]
    convictions: Mapping[str, int] = field(default_factory=dict)
    silent_bps: int = 0
    boundaries_us: tuple[int, ...] = ()
    boundaries_struck_us: tuple[int, ...] = ()
    tail: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether every oracle was content and finality resumed."""
        return not self.violations and not self.stalled

    def finality_delays(self, share_bps: int) -> float:
        """Return a quantile of the time to finality in units of the message delay; 5,000 is the median."""
        return quantile(self.finality_us, share_bps) / self.delay_us if self.delay_us else 0.0

    @property
    def words(self) -> str:
        """The outcome in one line."""
        if self.violations:
            return f"seed {self.scenario.seed}: {self.violations[0].words}"
        if self.stalled:
            return f"seed {self.scenario.seed}: stalled: {self.stalled}"
        return f"seed {self.scenario.seed}: good, height {max(self.heights, default=0)}, {self.events} events"
