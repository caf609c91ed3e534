"""What a gossip world is made of: one frozen record, checked.

Source: the networking specification (the simulations that chose the rule); the deterministic simulator specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.gossip.attacks import ATTACKS
from p2pcommerce.simulation.gossip.strategies import STRATEGIES
from p2pcommerce.simulation.tables import table

__all__ = ["NAT_MAX", "NODES_MAX", "TRANSACTIONS_MAX", "GossipScenario", "GossipScenarioError"]

NODES_MAX = 100_000
TRANSACTIONS_MAX = 1_000_000
NAT_MAX = 0.8
"""Beyond, the places for calls of all others (40 each) do not hold the 8 calls of each node."""
_HONEST_MIN = 2
_PAYLOAD_BYTES_MIN = 16
_PAYLOAD_BYTES_MAX = 16 * 1024


class GossipScenarioError(UsageError):
    """A gossip scenario that cannot be run."""

    code = "GOSSIP_SCENARIO"


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipScenario:
    """One gossip world. Source: the networking specification, unless said otherwise.

    Attributes:
        seed: decides everything.
        nodes: how many, attackers included.
        strategy: `chosen` (the product's router), `gossipsub` or `flood`.
        latency_table: name of a table of delays.
        transactions: published in the measured window.
        rate: of these, per second of world time (Poisson).
        payload_bytes: size of a transaction.
        warmup_s: seconds of traffic before the window, so that nodes know their peers (30 s until the first re-rank).
        warmup_rate: transactions per second in it, at most `rate`; no source: lower than in the window, to save time.
        drain_s: seconds at most after the window for what is on its way; no source.
        attack: name of an attack, or `none`; it begins when the warm-up ends.
        attack_share: share of the nodes that attack (or come and go); None: the attack's own.
        settle_s: seconds between the attack's beginning and the window, with the warm-up's traffic; None: the
            attack's own.
        holds_back: the attack never begins: what it is to be compared with, on the same nodes and links.
        attackers_near: attackers have links of 5 ms to everybody; None: the attack's own.
        outbound: connections that each node dials.
        inbound_max: connections that each node takes.
        bandwidth_bps: of each node's upload and of its download, bit/s; the smaller class of the 8-region source.
        admission_us: CPU for a new transaction, microseconds, one after the other.
        final_s: seconds after which a transaction is final and no longer offered; no source.
        private: every transaction goes by a stem before it is public; `chosen` alone can do that.
        idontwant: gossipsub's option.
        nat: share of the nodes that nobody can dial, as behind a router that lets nobody in.
        mesh: D of gossipsub; D_lo is 2 less, but 5 at least, as in go-libp2p.
    """

    seed: int = 1
    nodes: int = 200
    strategy: str = "chosen"
    latency_table: str = "aws"
    transactions: int = 1_000
    rate: float = 200.0
    payload_bytes: int = 250
    warmup_s: float = 40.0
    warmup_rate: float = 20.0
    drain_s: float = 15.0
    attack: str = "none"
    attack_share: float | None = None
    settle_s: float | None = None
    holds_back: bool = False
    attackers_near: bool | None = None
    outbound: int = 8
    inbound_max: int = 40
    bandwidth_bps: int = 50_000_000
    admission_us: int = 50
    final_s: float = 5.0
    private: bool = False
    idontwant: bool = False
    nat: float = 0.0
    mesh: int = 8

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            GossipScenarioError: a field is out of its range, or a name is not known.
            UnknownTableError: there is no such latency table.
        """
        table(self.latency_table)
        _one_of("strategy", self.strategy, STRATEGIES)
        _one_of("attack", self.attack, ATTACKS)
        if self.private and self.strategy != "chosen":
            raise GossipScenarioError(f"private transactions are the strategy chosen's alone, not {self.strategy}'s")
        _within("nodes", self.nodes, 2, NODES_MAX)
        _within("transactions", self.transactions, 1, TRANSACTIONS_MAX)
        _within("payload_bytes", self.payload_bytes, _PAYLOAD_BYTES_MIN, _PAYLOAD_BYTES_MAX)
        _within("rate", self.rate, 0.001, 100_000)
        _within("warmup_rate", self.warmup_rate, 0.001, 100_000)
        _within("outbound", self.outbound, 1, 1_000)
        _within("inbound_max", self.inbound_max, self.outbound, 10_000)
        _within("bandwidth_bps", self.bandwidth_bps, 1_000, 1_000_000_000_000)
        _within("nat", self.nat, 0, NAT_MAX)
        _within("mesh", self.mesh, 6, 12)
        _within("admission_us", self.admission_us, 0, 1_000_000)
        for name in ("warmup_s", "drain_s", "final_s"):
            _within(name, getattr(self, name), 0, 86_400)
        if self.settle_s is not None:
            _within("settle_s", self.settle_s, 0, 86_400)
        if self.attack_share is not None:
            _within("attack_share", self.attack_share, 0, 0.95)
        if self.nodes - int(self.share * self.nodes) < _HONEST_MIN:
            raise GossipScenarioError(
                f"{self.nodes} nodes with a share of {self.share:g} attackers leave less than {_HONEST_MIN} others; "
                "give more nodes or a smaller attack_share"
            )

    @property
    def share(self) -> float:
        """The share of nodes that attack."""
        return ATTACKS[self.attack].share if self.attack_share is None else self.attack_share

    @property
    def settle(self) -> float:
        """Seconds between the attack's beginning and the window."""
        return ATTACKS[self.attack].settle_s if self.settle_s is None else self.settle_s

    @property
    def near(self) -> bool:
        """Whether attackers are near to everybody."""
        return ATTACKS[self.attack].near if self.attackers_near is None else self.attackers_near


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise GossipScenarioError(f"{name} is {value}; give a value from {low:,} to {high:,}")


def _one_of(name: str, value: str, known: Mapping[str, object]) -> None:
    if value not in known:
        raise GossipScenarioError(f"unknown {name} {value!r}; choose one of {', '.join(known)}")
