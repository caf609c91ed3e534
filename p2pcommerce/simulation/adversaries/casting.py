"""Who plays what in a world: strategies by name, and the hosts that follow them."""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from p2pcommerce.finality import FFG
from p2pcommerce.simulation.adversaries.adversary import Adversary
from p2pcommerce.simulation.adversaries.leaders import Equivocate, FalseTime, InvalidBlock
from p2pcommerce.simulation.adversaries.links import DoubleLink
from p2pcommerce.simulation.adversaries.talkers import AnnounceSpam, LyingSync, MempoolFlood, Mute, PullSpam
from p2pcommerce.simulation.adversaries.voters import DoubleVote, Selective, Twin, Withhold
from p2pcommerce.simulation.adversaries.wild import Forge, Wild
from p2pcommerce.simulation.scenario import Scenario, ScenarioError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2pcommerce.simulation.adversaries.adversary import Stage
    from p2pcommerce.simulation.streams import Streams

__all__ = ["STRATEGIES", "Casting", "strategy_of"]

STRATEGIES: Final[Mapping[str, type[Adversary]]] = MappingProxyType(
    {
        "equivocate": Equivocate,
        "double_vote": DoubleVote,
        "withhold": Withhold,
        "selective": Selective,
        "invalid_block": InvalidBlock,
        "lying_sync": LyingSync,
        "false_time": FalseTime,
        "twins": Twin,
        "announce_spam": AnnounceSpam,
        "pull_spam": PullSpam,
        "mute": Mute,
        "mempool_flood": MempoolFlood,
        "wild": Wild,
        "forge": Forge,
    }
)
"""Strategies that a world of whole nodes knows; swarms of identities are for worlds of gossip."""
_OF_FFG: Final[Mapping[str, type[Adversary]]] = MappingProxyType({"double_vote": DoubleLink})


def strategy_of(name: str, engine: str) -> type[Adversary] | None:
    """Return what plays a strategy against an engine, None if nothing does."""
    strategy = _OF_FFG.get(name) if engine == FFG.name and name in _OF_FFG else STRATEGIES.get(name)
    return strategy if strategy is not None and engine in strategy.engines else None


class Casting:
    """The adversaries of one world.

    Attributes:
        twins: for each second copy, the node whose key it has; the copies stand after the nodes.
        strategies: node -> strategy.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Read a scenario.

        Raises:
            ScenarioError: a strategy that whole nodes cannot follow, or two for one node.
        """
        self._engine = scenario.engine
        self.strategies: dict[int, str] = {}
        for entry in scenario.adversaries:
            if entry.strategy not in STRATEGIES:
                raise ScenarioError(
                    f"strategy {entry.strategy!r} is for worlds of gossip; choose one of {', '.join(STRATEGIES)}"
                )
            if strategy_of(entry.strategy, scenario.engine) is None:
                known = [name for name in STRATEGIES if strategy_of(name, scenario.engine) is not None]
                raise ScenarioError(
                    f"strategy {entry.strategy!r} knows nothing of {scenario.engine}; choose one of {', '.join(known)}"
                )
            for node in entry.nodes:
                if node in self.strategies:
                    raise ScenarioError(f"node {node} follows two strategies; give each node one")
                self.strategies[node] = entry.strategy
        self.twins = tuple(sorted(node for node, strategy in self.strategies.items() if strategy == "twins"))
        self._adversaries: list[Adversary] = []

    def nodes(self, count: int) -> tuple[int, ...]:
        """Return every host that is no honest one, in a world of `count` nodes."""
        return (*sorted(self.strategies), *range(count, count + len(self.twins)))

    def cast(self, stage: Stage, streams: Streams, count: int) -> None:
        """Give each adversary its host."""
        plays = dict(self.strategies) | {count + index: "twins" for index in range(len(self.twins))}
        for number in sorted(plays):
            host = stage.hosts[number]
            strategy = strategy_of(plays[number], self._engine) or STRATEGIES[plays[number]]
            adversary = strategy(host, stage, streams.of(f"adversary.{number}"))
            host.behaviour = adversary
            self._adversaries.append(adversary)

    def acts(self) -> dict[str, int]:
        """Return what adversaries did, by kind."""
        total: Counter[str] = Counter()
        for adversary in self._adversaries:
            total.update(adversary.acts)
        return dict(sorted(total.items()))
