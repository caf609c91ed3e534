"""What must hold at every step of a world, whatever happens in it.

- fork: no two blocks are final at one height at honest nodes
- order: a node's final blocks follow each other, each once
- root: the state that a node reached is the one that its final header commits to, hence equal at equal height
- epoch: headers name the validators of their epoch, equal ones at equal epochs; proofs hold for them
- double_sign: no honest validator signs two ballots that contradict each other, over all crashes
- supply: nothing is made and nothing is lost
- buffer: every buffer is within its cap
- halt, damage: no honest node stops for good without a fault that explains it
- exception: no core raises

Honest is who is no adversary and whose disk kept its promises: a disk that reported a sync it did not do, lost a bit,
or was replaced by an old copy, can make an honest program forget what it signed. Such nodes are *spoilt*; the world
lets it happen to less than a third of the stake.

With adversaries of a third of the stake or more, forks are no violation, nor is a node that stops because of one;
instead each fork must convict a third of the stake.

Source: the deterministic simulator specification; the evidence of the finality specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce import Commerce, scan
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash, PublicKey
from p2pcommerce.simulation.ballots import BallotJudge
from p2pcommerce.simulation.epoch_judge import EpochJudge
from p2pcommerce.simulation.host import Host

__all__ = ["ORACLES", "SCAN_BLOCKS", "VIOLATIONS_MAX", "Oracles", "Violation"]

ORACLES: Final = (
    "fork",
    "order",
    "root",
    "epoch",
    "double_sign",
    "supply",
    "buffer",
    "halt",
    "damage",
    "exception",
    "conviction",
)
VIOLATIONS_MAX: Final = 16
"""Violations kept; a world that has so many is looked at from the first."""
SCAN_BLOCKS: Final = 16
"""Every so many heights the first node to reach one adds up the whole state."""
_OF_FORKS: Final = frozenset({"fork", "order", "root", "epoch", "halt"})
_DISK_BACKLOG_MAX: Final = 20_000
_TRACKED_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be.

    Attributes:
        oracle: one of `ORACLES`.
        world_us: when it was seen, microseconds of world time.
        detail: one line for people.
    """

    oracle: str
    world_us: int
    detail: str

    @property
    def words(self) -> str:
        """The whole in one line."""
        return f"{self.oracle} at {self.world_us / 1_000_000:.6f} s: {self.detail}"


class Oracles:
    """Watches one world.

    Attributes:
        violations: what was broken, in order; at most `VIOLATIONS_MAX`.
        spoilt: hosts whose disk broke its promises.
        finals: height -> hash and state root of the final block, as honest nodes have it.
        forks: heights at which two blocks are final.
        epochs: judges epochs; None: the engine knows none.
    """

    def __init__(
        self, genesis: Genesis, adversaries: Sequence[int] = (), adversary_keys: Sequence[PublicKey] = ()
    ) -> None:
        """Watch a world in which the hosts `adversaries`, with these public keys (32 bytes), are not honest."""
        self.violations: list[Violation] = []
        self.spoilt: set[int] = set()
        self.finals: dict[int, tuple[BlockHash, bytes]] = {}
        self.forks = 0
        self.judge = BallotJudge()
        self.epochs: EpochJudge | None = None
        self._genesis = genesis
        self._adversaries = frozenset(adversaries)
        self._scanned = 0
        keys = dict.fromkeys(adversary_keys)
        stake = sum(each.stake for each in genesis.validators if each.public_key in keys)
        self._is_safe = 3 * stake < genesis.validators.total

    def is_honest(self, host: Host) -> bool:
        """Tell whether a host follows the rules and its disk kept its promises."""
        return host.number not in self._adversaries and host.number not in self.spoilt

    def faulty_stake(self, hosts: Sequence[Host]) -> int:
        """Return the stake of hosts that are not honest; a key that two hosts have counts once."""
        keys = {host.key: None for host in hosts if not self.is_honest(host)}
        return sum(each.stake for each in self._genesis.validators if each.public_key in keys)

    def report(self, oracle: str, world_us: int, detail: str) -> None:
        """Note a violation."""
        if not self._is_safe and oracle in _OF_FORKS:
            return
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(oracle, world_us, detail))

    # --- steps ---

    def on_final(self, host: Host, committed: CommittedBlock, last_height: int, world_us: int) -> None:
        """A core says that a block is final."""
        header = committed.block.header
        if not self.is_honest(host):
            return
        if header.height != last_height + 1:
            self.report("order", world_us, f"node {host.number}: height {header.height} after {last_height}")
        known = self.finals.setdefault(header.height, (header.hash, header.state_root))
        if known[0] != header.hash:
            self.forks += 1
            self.report("fork", world_us, f"node {host.number}: another block is final at height {header.height}")
        elif known[1] != header.state_root:
            self.report("root", world_us, f"node {host.number}: another state at height {header.height}")
        wrong = "" if self.epochs is None else self.epochs.see(committed)
        if wrong:
            self.report("epoch", world_us, f"node {host.number}: {wrong}")
        self._check_root(host, world_us)

    def _check_root(self, host: Host, world_us: int) -> None:
        chain = host.node.chain
        if chain.state.final.root != chain.head.state_root:
            self.report("root", world_us, f"node {host.number}: its state is not that of height {chain.head.height}")
        if chain.head.height >= self._scanned + SCAN_BLOCKS:
            self._scanned = chain.head.height
            self.check_supply(host, world_us)

    def check_supply(self, host: Host, world_us: int) -> None:
        """Add up the whole state of a node."""
        if host.core is not None and isinstance(host.core.application, Commerce):
            try:
                scan(host.core.chain.state.values)
            except LocalProtocolError as error:
                self.report("supply", world_us, f"node {host.number}: {error}")

    def on_signed(self, host: Host, data: bytes, world_us: int) -> None:
        """A host signs a ballot."""
        found = self.judge.see(host.key, data)
        if found is not None and self.is_honest(host):
            self.report("double_sign", world_us, f"node {host.number}: {found.rule} in view {found.view}")

    def on_down(self, host: Host, kind: str, reason: str, world_us: int) -> None:
        """A host stopped."""
        if kind in {"halt", "damage"} and self.is_honest(host):
            self.report(kind, world_us, f"node {host.number}: {reason}")

    def check_buffers(self, host: Host, parameters: MempoolParameters, world_us: int) -> None:
        """Compare the buffers of a node with their caps."""
        if host.core is None or host.engine is None or not self.is_honest(host):
            return
        pool, counters = host.core.mempool, host.core.engine_status().counters
        sizes = (
            ("transactions in the pool", len(pool), parameters.count_max),
            ("bytes in the pool", pool.total_bytes, parameters.bytes_max),
            ("blocks tracked by the engine", counters.get("blocks_tracked", 0), _TRACKED_MAX + 1),
            ("effects waiting for the disk", host.disk_backlog, _DISK_BACKLOG_MAX),
        )
        for what, size, most in sizes:
            if size > most:
                self.report("buffer", world_us, f"node {host.number}: {size} {what}, at most {most} allowed")

    def check_end(self, hosts: Sequence[Host], world_us: int) -> None:
        """Look once more at the end: whole states, and who must be convicted for a fork."""
        for host in hosts:
            if self.is_honest(host):
                self.check_supply(host, world_us)
        if self.forks:
            self._check_conviction(world_us)

    def _check_conviction(self, world_us: int) -> None:
        members, total = self._genesis.validators, self._genesis.validators.total
        guilty = sum(each.stake for each in members if each.public_key in self.judge.contradictions)
        if 3 * guilty < total:
            self.report("conviction", world_us, f"a fork convicts {guilty} of {total} of the stake, less than a third")
