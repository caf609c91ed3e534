"""What a gossip world measured.

Source: the interfaces specification (`sim gossip --json`).
Deviations: `max_over_mean_upload`, `realtime_factor`, `private`, `first_spy_precision` and `swarm` are
added: the specifications set goals for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

__all__ = ["GossipResult", "LatencyMs", "SwarmFigures", "percentile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyMs:
    """From publication to acceptance at another node, milliseconds; None if nothing was delivered."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmFigures:
    """What a swarm of identities has left to those under attack.

    Attributes:
        attackers_per_honest_node: in the whole network.
        hostile_links: share of attackers among the connections of those under attack, at the end.
        honest_dialled_min: honest nodes that the worst off of them was connected to by its own dialling, at any time.
    """

    attackers_per_honest_node: float
    hostile_links: float
    honest_dialled_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipResult:
    """The figures of one run; honest nodes only.

    Attributes:
        seed, nodes, strategy, latency_table, attack: as in the scenario.
        transactions: in the measured window.
        delivered: fraction of pairs (transaction, node that should have it) that came to pass.
        latency_ms: of these.
        bytes_per_payload_byte: bytes sent in the window per byte of payload that was delivered in it.
        duplicates_per_delivery: full transactions that came again, per delivery, in the window.
        max_over_mean_upload: bytes sent by the busiest node, over the mean, in the window.
        trace_hash: over all events, 64 hexadecimal digits.
        events: taken from the queue.
        world_s: seconds of world time.
        events_per_s: per second of the stopwatch; None: nobody looked at one.
        realtime_factor: seconds of world time per second of the stopwatch, 1 if the world keeps pace with it.
        private: as in the scenario.
        first_spy_precision: how often spies were right about who published what; None: there were none.
        swarm: what is left to those under attack by a swarm of identities; None: there was none.
    """

    seed: int
    nodes: int
    strategy: str
    latency_table: str
    attack: str
    transactions: int
    delivered: float
    latency_ms: LatencyMs
    bytes_per_payload_byte: float
    duplicates_per_delivery: float
    max_over_mean_upload: float
    trace_hash: str
    events: int
    world_s: float
    events_per_s: float | None
    realtime_factor: float | None
    private: bool = False
    first_spy_precision: float | None = None
    swarm: SwarmFigures | None = None

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return asdict(self)


def percentile(ranked: Sequence[int], share: float) -> int:
    """Return the nearest-rank percentile of a sorted, non-empty sequence; `share` from 0 to 1."""
    return ranked[max(math.ceil(share * len(ranked)), 1) - 1]
