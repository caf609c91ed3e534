"""`Cluster`: a network of whole nodes inside a test, under simulated time.

    with Cluster(nodes=4, seed=7) as cluster:
        tx_id = cluster.submit(Transfer(to=SHOP, amount_minor=1_000_000))
        cluster.run_until_final(tx_id)
        cluster.partition([[0, 1], [2, 3]])
        cluster.run_for(5)
        cluster.heal()
        cluster.assert_agreement()

The nodes are the real ones: discovery, gossip, mempool, finality, execution, sync; only network, clocks and disks are
simulated. Everything is decided by the seed: the same program gives the same run, and the same `trace_hash`.

Source: `p2pcommerce.simulation` of the interface specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from p2pcommerce.commerce import Commerce
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.application import Application, Payload
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.receipt import Outcome
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import P2PError, RejectionCode, TransactionRejectedError, UsageError
from p2pcommerce.primitives.ids import MICROSECONDS, PublicKey, TransactionId
from p2pcommerce.simulation.arguments import (
    check_account_names,
    check_faults,
    check_groups,
    check_integer,
    check_item,
    check_latency_ms,
    check_node,
    microseconds,
)
from p2pcommerce.simulation.host import Host
from p2pcommerce.simulation.link_faults import LinkFault
from p2pcommerce.simulation.options import WorldOptions, node_seed
from p2pcommerce.simulation.purse import Purse
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.tables import uniform
from p2pcommerce.simulation.world import World

__all__ = ["ACCOUNT_MINOR", "Cluster", "ClusterError"]

ACCOUNT_MINOR: Final = 1_000_000_000_000
"""What each named account has at genesis: a million tokens, in minor units."""
_NODES_MAX: Final = 1_000
_HORIZON_US: Final = 365 * 86_400 * MICROSECONDS
_SECONDS_MAX: Final = 60.0
_SUBMIT_S: Final = 10.0
_NONCE_HINT: Final = (
    ": it has not heard of the account's transactions before this one, or has a later one; "
    "wait with run_until_final, or submit at one node"
)


class ClusterError(P2PError):
    """Something that a test expected of its cluster did not happen, or must never happen; one line says what."""

    code = "CLUSTER"


class Cluster:
    """A simulated network for tests.

    Attributes:
        world: the whole simulation, for what is not offered here.
    """

    def __init__(
        self,
        nodes: int = 4,
        *,
        validators: int | None = None,
        seed: int = 1,
        application: Callable[[], Application] = Commerce,
        engine: Callable[[], FinalityEngine] | None = None,
        accounts: Sequence[str] = (),
        latency_ms: float = 20,
        table: str | None = None,
        chain: ChainParameters | None = None,
        parameters: NodeParameters | None = None,
        faults: Mapping[str, float] | None = None,
        sessions: bool = False,
    ) -> None:
        """Build a network; it starts with the first use of time.

        Args:
            nodes: how many, at most 1,000.
            validators: how many of them vote, the first ones; None: up to 100 of them all.
            seed: decides everything.
            application: makes the application of one node; called for each start of a node.
            engine: makes the engine of one node; None: Simplex.
            accounts: names of accounts with a million tokens each, beside those of the nodes.
            latency_ms: one-way delay between any two nodes, with a tenth of it as jitter.
            table: delays of the named table, in the place of `latency_ms`.
            chain: the chain's parameters; None: those for one machine (`ChainParameters.local()`).
            parameters: of every node.
            faults: kinds of faults and their intensities, until `heal`.
            sessions: encrypt, as real nodes do; ten times slower.

        Raises:
            UsageError: numbers that do not fit together, an unknown fault or table.
        """
        check_integer("nodes", nodes, 4)
        check_integer("seed", seed, 1)
        check_account_names(accounts)
        check_latency_ms(latency_ms)
        check_faults(faults or {})
        if not 1 <= nodes <= _NODES_MAX:
            raise UsageError(f"a cluster has 1 to {_NODES_MAX} nodes, not {nodes}")
        voters = min(nodes, 100) if validators is None else validators
        check_integer("validators", voters, 4)
        if not 1 <= voters <= nodes:
            raise UsageError(f"{voters} validators among {nodes} nodes; give 1 to {nodes}")
        self._seeds = {name: blake2b_256(f"account {name}".encode()) for name in accounts}
        scenario = Scenario(
            seed=seed,
            nodes=nodes,
            stakes=(1_000_000,) * voters,
            table="aws" if table is None else table,
            horizon_us=_HORIZON_US,
            liveness_us=0,
            load_tps=0,
            faults=dict(faults or {}),
        )
        one_way_us = round(latency_ms * 1_000)
        options = WorldOptions(
            make_application=application,
            make_engine=engine,
            parameters=parameters,
            chain=ChainParameters.local() if chain is None else chain,
            sessions=sessions,
            table=None if table is not None else uniform(one_way_us, one_way_us // 10),
            account_seeds=tuple((seed_, ACCOUNT_MINOR) for seed_ in self._seeds.values()),
        )
        self.world = World(scenario, options)
        self._receipts: dict[TransactionId, tuple[int, Outcome]] = {}
        self._purse = Purse(self.world.scheme)
        self.world.subscribe(self._note)

    def __enter__(self) -> Self:
        """Start every node."""
        self.world.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Look at the oracles a last time, unless the test has failed already.

        Raises:
            ClusterError: one of them was violated.
        """
        if error is None:
            self.world.result()
            self.check()

    # --- time ---

    @property
    def now_s(self) -> float:
        """Simulated time since the start, seconds."""
        return self.world.now_us / MICROSECONDS

    def run_for(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ClusterError: an oracle was violated.
            UsageError: no time that can pass.
        """
        self.world.run_until(self.world.now_us + microseconds("seconds", seconds))
        self.check()

    def run_until(self, condition: Callable[[], bool], *, within_s: float = _SECONDS_MAX) -> float:
        """Let time pass until something holds; return how long that took, seconds.

        Raises:
            ClusterError: it does not hold within `within_s`, or an oracle was violated.
            UsageError: no time that can pass, or no condition.
        """
        if not callable(condition):
            raise UsageError(f"the condition is {condition!r}; give a function: run_until(lambda: ...)")
        start_us = self.world.now_us
        held = self.world.run_until(start_us + microseconds("within_s", within_s), condition)
        self.check()
        if not held:
            raise ClusterError(
                f"the condition does not hold after {within_s:g} simulated seconds; heights {self.heights}"
            )
        return (self.world.now_us - start_us) / MICROSECONDS

    def run_until_final(self, tx_id: TransactionId, *, within_s: float = _SECONDS_MAX) -> Outcome:
        """Let time pass until a transaction is final; return what it did.

        Raises:
            ClusterError: it is not final within `within_s`, or an oracle was violated.
        """
        self.run_until(lambda: tx_id in self._receipts, within_s=within_s)
        return self._receipts[tx_id][1]

    # --- using the network ---

    @property
    def genesis(self) -> Genesis:
        """The network's."""
        return self.world.genesis

    def account(self, name: str) -> PublicKey:
        """Return the public key (32 bytes) of a named account.

        Raises:
            UsageError: there is no such account.
        """
        return self.world.scheme.public_key(self._seed_of(name))

    def key(self, node: int) -> PublicKey:
        """Return the public key (32 bytes) of a node, which is an account too."""
        return self._host(node).key

    def submit(self, item: Payload | Transaction, *, node: int = 0, sender: str | None = None) -> TransactionId:
        """Submit a payload or a signed transaction at a node, and wait until it is in the node's pool.

        Args:
            item: a payload is signed here, with the least fee and the next nonce: an account's submissions are numbered
                in their order, whatever the nodes. A node takes up to 16 that it cannot run yet, because it has not
                heard of those before.
            node: where.
            sender: the named account that signs a payload; None: the node's own.

        Raises:
            TransactionRejectedError: the pool refuses it.
            ClusterError: the node is down, or does not answer.
            UsageError: nothing that can be submitted, or no such node or account.
        """
        check_item(item)
        host = self._up(node)
        transaction = (
            item if isinstance(item, Transaction) else self._purse.sign(item, self._signer(host, sender), host.node)
        )
        told: list[RejectionCode] = []
        if not self.world.hand_in(host, transaction, told.append):
            raise ClusterError(f"node {node} takes nothing now: its pool pushes back")
        self.run_until(lambda: bool(told) or not host.is_up, within_s=_SUBMIT_S)
        if not told:
            raise ClusterError(f"node {node} went down before it answered")
        if told[0] is not RejectionCode.OK:
            hint = _NONCE_HINT if told[0] is RejectionCode.BAD_NONCE else ""
            raise TransactionRejectedError(told[0], f"refused by node {node}{hint}")
        self._purse.note(transaction)
        return transaction.id

    def query(self, name: str, /, *, node: int = 0, **arguments: object) -> object:
        """Ask a node's application about the last final state.

        Raises:
            QueryError: no such question, or wrong arguments.
            ClusterError: the node is down.
        """
        core = self._up(node).node
        return core.application.query(name, arguments, core.chain.state.final)

    def outcome(self, tx_id: TransactionId) -> Outcome | None:
        """Return what a final transaction did; None: it is not final."""
        found = self._receipts.get(tx_id)
        return None if found is None else found[1]

    @property
    def heights(self) -> list[int]:
        """Final height of each node."""
        return [host.height for host in self.world.hosts]

    @property
    def trace_hash(self) -> str:
        """Hash of everything that happened so far, 64 hexadecimal digits."""
        return self.world.trace.hash

    # --- faults ---

    def partition(self, groups: Sequence[Sequence[int]]) -> None:
        """Cut the network into groups of nodes that hear only each other; nodes that are not named are one more.

        Raises:
            UsageError: an unknown node, one in two groups, nobody cut off, or the cluster cuts itself by `faults`.
        """
        world = self.world
        found = check_groups(groups, len(world.hosts))
        self._refuse_scheduled("partition")
        world.links.set_fault(LinkFault(kind="partition", groups=found))
        world.connections.cut(lambda one, other: not world.links.reachable(one, other))

    def set_fault(self, kind: str, intensity: float | None = None) -> None:
        """Switch a fault of all links on ("loss", "duplication" ...; see `FAULTS`).

        Raises:
            UsageError: no such fault, or not one of links, or the cluster was given it as one of its `faults`.
        """
        if kind == "partition":
            raise UsageError("a partition needs groups; use cluster.partition([[0, 1], [2, 3]])")
        self._refuse_scheduled(kind)
        self.world.links.set_fault(LinkFault(kind=kind, intensity=intensity))

    def heal(self) -> None:
        """End every fault; what crashed by `crash` stays down until `restart`."""
        if self.world.schedule.is_healed:
            self.world.links.clear_fault()
        else:
            self.world.schedule.heal()

    def crash(self, node: int, *, power_loss: bool = True) -> None:
        """Let a node stop at once, and with `power_loss` lose what is not durable."""
        host = self._host(node)
        host.stays_down = True
        host.crash(power_loss=power_loss)

    def restart(self, node: int) -> None:
        """Start a node from what its disk kept."""
        host = self._host(node)
        host.stays_down = False
        host.start()

    # --- judging ---

    def check(self) -> None:
        """Look at the oracles.

        Raises:
            ClusterError: one of them was violated.
        """
        violations = self.world.oracles.violations
        if violations:
            # Of an exception the words name file and line, and a traceback goes on with the original.
            events = "; ".join(self.world.trace.tail(5))
            raise ClusterError(f"{violations[0].words}; last events: {events}") from self.world.defect

    def assert_agreement(self, *, within_s: float = _SECONDS_MAX) -> None:
        """Let time pass until all nodes that are up have one final state and empty pools.

        Raises:
            ClusterError: they do not within `within_s`, or an oracle was violated.
        """

        def agree() -> bool:
            up = [host for host in self.world.hosts if host.core is not None]
            roots = {host.node.chain.state.final.root for host in up}
            heads = {host.head for host in up}
            return len(heads) == len(roots) == 1 and not any(len(host.node.mempool) for host in up)

        self.run_until(agree, within_s=within_s)

    # --- inside ---

    def _note(self, committed: CommittedBlock) -> None:
        height = committed.block.header.height
        for tx_id, outcome in zip(committed.block.transaction_ids, committed.outcomes, strict=True):
            self._receipts[tx_id] = height, outcome

    def _refuse_scheduled(self, kind: str) -> None:
        """Refuse by hand what `faults` do by themselves: either would silently replace the other."""
        if kind in self.world.scenario.faults and not self.world.schedule.is_healed:
            raise UsageError(f"the cluster was given faults={{{kind!r}: ...}}; leave that out, or heal() before")

    def _host(self, node: int) -> Host:
        check_node(node, len(self.world.hosts))
        return self.world.hosts[node]

    def _up(self, node: int) -> Host:
        host = self._host(node)
        self.world.start()
        if not host.is_up:
            self.world.run_until(self.world.now_us + MICROSECONDS // 10, lambda: host.is_up)
        if not host.is_up:
            raise ClusterError(f"node {node} is down; restart it first")
        return host

    def _signer(self, host: Host, sender: str | None) -> bytes:
        return node_seed(host.number) if sender is None else self._seed_of(sender)

    def _seed_of(self, name: str) -> bytes:
        seed = self._seeds.get(name)
        if seed is None:
            known = ", ".join(self._seeds) or "none"
            raise UsageError(f"there is no account {name!r}; the cluster was given: {known}")
        return seed
