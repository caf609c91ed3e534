"""The goals of gossip, as rows of one table: the product's router against gossipsub, on the same nodes and links.

Swarms and spam are measured against the product itself, in the same world without them.

Source: the networking specification (Goals); gossipsub v1.1 with D = 8 is the measure. The deterministic simulator
specification (Targets, under attack) for swarms and spam.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from p2pcommerce.simulation.gossip.result import GossipResult
from p2pcommerce.simulation.gossip.run import run_gossip
from p2pcommerce.simulation.gossip.scenario import GossipScenario
from p2pcommerce.simulation.sweep import InProcess, Workers

__all__ = ["BASELINE", "ROWS", "Comparison", "Goal", "compare_rows"]

BASELINE: Final = "gossipsub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What one row asks for.

    Attributes:
        name: of the row.
        delivered_min: fraction that must be delivered.
        over_itself: the measure is not the baseline but the product without the attack.
        nodes_min: the world has so many nodes, but no more than two and a half times those of other rows, if these have
            less; it publishes less accordingly.
        attack: name of an attack, or `none`.
        share: of the nodes that attack; None: the attack's own.
        near: attackers have the fastest links; None: the attack's own.
        settle_s: seconds of attack before the window, which is 5 s at 200 transactions per second; None: the attack's
            own.
        p99_max: of the baseline's 99th percentile.
        bytes_max: of the baseline's bytes; None: no goal.
        upload_max: of the busiest node's upload, in means; None: no goal.
    """

    name: str
    attack: str = "none"
    share: float | None = None
    near: bool | None = None
    settle_s: float | None = 0.0
    delivered_min: float = 1.0
    over_itself: bool = False
    nodes_min: int = 2
    p99_max: float = 1.0
    bytes_max: float | None = None
    upload_max: float | None = None


def _under_attack(name: str, attack: str, *, settle_s: float | None = None, nodes_min: int = 2) -> Goal:
    """Return what the simulator's specification asks for under attack."""
    return Goal(
        name=name,
        attack=attack,
        settle_s=settle_s,
        p99_max=2.0,
        delivered_min=0.999,
        over_itself=True,
        nodes_min=nodes_min,
    )


_TRANSACTIONS_MIN: Final = 100
"""A larger world measures so many at least."""
_SWARM_NODES: Final = 500
"""Four attackers for each of 100 honest nodes; less would not make 25 dials for each connection of a victim."""

ROWS: Final = (
    Goal(name="quiet", bytes_max=0.55, upload_max=1.8),
    Goal(name="20 % mute, first 5 s", attack="mute", share=0.2, p99_max=1.1),
    Goal(name="20 % mute, after 30 s", attack="mute", share=0.2, settle_s=30),
    Goal(name="20 % fast, mute, first 5 s", attack="mute", share=0.2, near=True, p99_max=1.1),
    Goal(name="20 % fast, mute, after 30 s", attack="mute", share=0.2, near=True, settle_s=30),
    Goal(name="20 % fast, never answering, first 5 s", attack="never-answering", share=0.2, p99_max=1.1),
    Goal(name="20 % fast, never answering, after 30 s", attack="never-answering", share=0.2, settle_s=30),
    Goal(name="40 % mute, first 5 s", attack="mute", share=0.4, p99_max=1.25),
    Goal(name="40 % mute, after 30 s", attack="mute", share=0.4, settle_s=30),
    Goal(name="40 % fast, mute, first 5 s", attack="mute", share=0.4, near=True, p99_max=1.25),
    Goal(name="40 % fast, mute, after 30 s", attack="mute", share=0.4, near=True, settle_s=30),
    Goal(name="40 % fast, never answering, first 5 s", attack="never-answering", share=0.4, p99_max=1.25),
    Goal(name="40 % fast, never answering, after 30 s", attack="never-answering", share=0.4, settle_s=30),
    Goal(name="20 % fast censors of one node", attack="censor", share=0.2, p99_max=1.4),
    Goal(name="40 % fast censors of one node", attack="censor", share=0.4, p99_max=1.4),
    Goal(name="cold start", attack="cold-start"),
    Goal(name="churn of 20 %", attack="churn", share=0.2),
    _under_attack("sybils 4:1, after 60 s", "sybil", nodes_min=_SWARM_NODES),
    _under_attack("eclipse 25:1, after 60 s", "eclipse", nodes_min=_SWARM_NODES),
    _under_attack("spam at 100 times the rate", "spam", settle_s=0.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row, measured; ratios are medians over the seeds.

    Attributes:
        goal: what was asked for.
        results: of each seed, the product's and the measure's.
    """

    goal: Goal
    results: Sequence[tuple[GossipResult, GossipResult]]

    @property
    def delivered(self) -> float:
        """The least fraction that the product delivered."""
        return min(chosen.delivered for chosen, _ in self.results)

    @property
    def p99_ratio(self) -> float | None:
        """The product's 99th percentile over the baseline's; None if one of them delivered nothing."""
        pairs = [(chosen.latency_ms.p99, base.latency_ms.p99) for chosen, base in self.results]
        ratios = [chosen / base for chosen, base in pairs if chosen is not None and base]
        return median(ratios) if len(ratios) == len(pairs) else None

    @property
    def bytes_ratio(self) -> float:
        """The product's bytes over the baseline's."""
        return median(chosen.bytes_per_payload_byte / base.bytes_per_payload_byte for chosen, base in self.results)

    @property
    def upload(self) -> float:
        """The busiest node's upload over the mean."""
        return median(chosen.max_over_mean_upload for chosen, _ in self.results)

    @property
    def misses(self) -> list[str]:
        """Which goals the row misses."""
        goal, p99 = self.goal, self.p99_ratio
        swarms = [chosen.swarm for chosen, _ in self.results if chosen.swarm is not None]
        missed = {
            "delivered": self.delivered < goal.delivered_min,
            "p99": p99 is None or p99 > goal.p99_max,
            "bytes": goal.bytes_max is not None and self.bytes_ratio > goal.bytes_max,
            "upload": goal.upload_max is not None and self.upload > goal.upload_max,
            "honest links": any(not swarm.honest_dialled_min for swarm in swarms),
        }
        return [name for name, is_missed in missed.items() if is_missed]

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            "row": self.goal.name,
            "measure": "itself, without the attack" if self.goal.over_itself else BASELINE,
            "delivered": self.delivered,
            "delivered_min": self.goal.delivered_min,
            "p99_ratio": self.p99_ratio,
            "p99_max": self.goal.p99_max,
            "bytes_ratio": self.bytes_ratio,
            "bytes_max": self.goal.bytes_max,
            "upload": self.upload,
            "upload_max": self.goal.upload_max,
            "misses": self.misses,
            "seeds": [chosen.seed for chosen, _ in self.results],
            "chosen": [chosen.to_json() for chosen, _ in self.results],
            "baseline": [base.to_json() for _, base in self.results],
        }


def compare_rows(
    scenario: GossipScenario,
    *,
    seeds: int = 1,
    rows: Sequence[Goal] = ROWS,
    run: Callable[[GossipScenario], GossipResult] = run_gossip,
    workers: Workers | None = None,
) -> Generator[Comparison, None, None]:
    """Yield each row once it is measured; the same rows whoever works.

    Args:
        scenario: what all rows share; its seed is the first one.
        seeds: how many seeds, one after the other, each row is measured with.
        rows: which.
        run: runs one world; with workers a function of a module.
        workers: who runs them; None: this process.
    """
    worlds = [
        world
        for goal in rows
        for seed in range(scenario.seed, scenario.seed + seeds)
        for world in _worlds(goal, replace(scenario, seed=seed, strategy="chosen"))
    ]
    with closing((workers or InProcess()).map(run, worlds)) as results:
        for goal in rows:
            yield Comparison(goal=goal, results=[(next(results), next(results)) for _ in range(seeds)])


def _worlds(goal: Goal, scenario: GossipScenario) -> tuple[GossipScenario, GossipScenario]:
    """Return the product's world of one row and seed, and the one that it is measured by."""
    world = _world(goal, scenario)
    return world, replace(world, holds_back=True) if goal.over_itself else replace(world, strategy=BASELINE)


def _world(goal: Goal, scenario: GossipScenario) -> GossipScenario:
    """Return the product's world of one row and seed."""
    world = replace(
        scenario, attack=goal.attack, attack_share=goal.share, attackers_near=goal.near, settle_s=goal.settle_s
    )
    nodes = max(world.nodes, min(goal.nodes_min, world.nodes * 5 // 2))
    transactions = max(_TRANSACTIONS_MIN, world.transactions * world.nodes // nodes)
    fewer = min(world.transactions, transactions)
    return replace(world, nodes=nodes, transactions=fewer, warmup_rate=world.warmup_rate * world.nodes / nodes)
