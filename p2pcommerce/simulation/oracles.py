"""What must hold at every step of a world, whatever happens in it.

- fork: no two blocks are final at one height at honest nodes
- order: a node's final blocks follow each other, each once
- root: the state that a node reached is the one that its final header commits to, hence equal at equal height
- epoch: headers name the validators of their epoch, equal ones at equal epochs; proofs hold for them
- double_sign: no honest validator signs two ballots that contradict each other, over all crashes
- supply: nothing is made and nothing is lost
- buffer: every buffer is within its cap, and transient ones are empty again at the end (`buffers`)
- evidence: an honest node that heard a validator contradict itself accuses it (`evidence_judge`)
- halt, damage: no honest node stops for good without a fault that explains it
- conduct: an honest validator signs in the order of the voting rules, and after a start not before a quorum answered
- durable: what an honest validator signs is on its disk, with the body of the block that it votes for
- commitment: no honest validator votes beside what a quorum has finalized, known or not (`commitments`)
- proof: a final block's proof holds, by code that is not the engine's
- block: a final block has the outcomes, the transactions and the time that its header may have
- books: accounts have what final transactions gave and took (`books`)
- pool: no final transaction waits in a pool, or is said to have been dropped
- blame: no honest node closes a connection because another honest one broke a rule
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
from p2pcommerce.finality import Simplex
from p2pcommerce.ledger.block import tx_root
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import receipts_root
from p2pcommerce.ledger.validators import VALIDATORS_MAX
from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash, PeerId, PublicKey, TransactionId
from p2pcommerce.simulation.ballots import BallotJudge
from p2pcommerce.simulation.books import Books
from p2pcommerce.simulation.buffers import DISK_BACKLOG_MAX, leaks, over_caps
from p2pcommerce.simulation.certified import proof_complaint
from p2pcommerce.simulation.clocks import UNIX_BASE_US
from p2pcommerce.simulation.commitments import CommitmentJudge
from p2pcommerce.simulation.conduct import ConductJudge
from p2pcommerce.simulation.epoch_judge import EpochJudge
from p2pcommerce.simulation.evidence_judge import EvidenceJudge
from p2pcommerce.simulation.host import Host
from p2pcommerce.simulation.memberships import Memberships
from p2pcommerce.simulation.scheme import STAND_IN
from p2pcommerce.wire.messages import Engine, Message

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
    "commitment",
    "conduct",
    "durable",
    "proof",
    "block",
    "books",
    "pool",
    "blame",
    "evidence",
)
VIOLATIONS_MAX: Final = 16
"""Violations kept; a world that has so many is looked at from the first."""
SCAN_BLOCKS: Final = 16
"""Every so many heights the first node to reach one adds up the whole state."""
_OF_FORKS: Final = frozenset({"books", "commitment", "epoch", "fork", "order", "root", "halt"})
_AHEAD_MS_MAX: Final = 10_000
"""How far a block's time may be ahead of the clocks of those who vote for it."""
_BALLOT_HASH: Final = slice(17, 49)
_NOTARIZE: Final = 1
_BREACHES: Final = frozenset({"ENGINE", "GOSSIP"})
"""Why a connection is closed if the other end broke a rule; other reasons have honest causes."""


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
        self,
        genesis: Genesis,
        adversaries: Sequence[int] = (),
        adversary_keys: Sequence[PublicKey] = (),
        *,
        scheme: SignatureScheme = STAND_IN,
        clocks_ahead_ms: int | None = 0,
    ) -> None:
        """Watch a world.

        Args:
            genesis: of its network.
            adversaries: hosts that are not honest.
            adversary_keys: their public keys, 32 bytes each.
            scheme: signatures of the network.
            clocks_ahead_ms: how far honest clocks may be ahead, milliseconds; None: any distance.
        """
        self.violations: list[Violation] = []
        self.spoilt: set[int] = set()
        self.finals: dict[int, tuple[BlockHash, bytes]] = {}
        self.forks = 0
        self.judge = BallotJudge()
        self.epochs: EpochJudge | None = None
        self._memberships = Memberships(genesis)
        self._conduct = ConductJudge(self._memberships)
        self._commitments = CommitmentJudge(self._memberships)
        self._books: Books | None = Books(genesis, scheme)
        self._scheme = scheme
        self._clocks_ahead_ms = clocks_ahead_ms
        self._final_ids: dict[TransactionId, None] = {}
        self._genesis = genesis
        self._adversaries = frozenset(adversaries)
        self._scanned = 0
        self._evidence = EvidenceJudge(genesis, scheme, adversary_keys)
        keys = dict.fromkeys(adversary_keys)
        stake = sum(each.stake for each in genesis.validators if each.public_key in keys)
        self._is_safe = 3 * stake < genesis.validators.total

    def watch_epochs(self, judge: EpochJudge) -> None:
        """Judge epochs as well."""
        self.epochs = judge

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
        is_first = header.height not in self.finals
        known = self.finals.setdefault(header.height, (header.hash, header.state_root))
        if is_first:
            self._check_block(host, committed, world_us)
        self._check_pool(host, committed, world_us)
        if known[0] != header.hash:
            self.forks += 1
            self.report("fork", world_us, f"node {host.number}: another block is final at height {header.height}")
        elif known[1] != header.state_root:
            self.report("root", world_us, f"node {host.number}: another state at height {header.height}")
        wrong = "" if self.epochs is None else self.epochs.see(committed)
        if wrong:
            self.report("epoch", world_us, f"node {host.number}: {wrong}")
        self._check_root(host, world_us)

    def _check_block(self, host: Host, committed: CommittedBlock, world_us: int) -> None:
        """Look at a block that is final for the first time."""
        block, header = committed.block, committed.block.header
        wrong: list[tuple[str, str]] = []
        self._memberships.learn(committed.changes)
        if (
            receipts_root(committed.outcomes) != header.receipts_root
            or tx_root(block.transaction_ids) != header.tx_root
        ):
            wrong.append(("block", "its header commits to other transactions or outcomes"))
        if self._clocks_ahead_ms is not None:
            now_ms = (UNIX_BASE_US + world_us) // 1_000
            if header.time_ms > now_ms + self._clocks_ahead_ms + _AHEAD_MS_MAX:
                wrong.append(("block", f"its time is {header.time_ms - now_ms} ms ahead"))
        members = self._memberships.of(header.epoch)
        if committed.proof and isinstance(host.engine, Simplex) and members is not None:
            complaint = proof_complaint(header, committed.proof, members, self._scheme)
            wrong += [("proof", complaint)] if complaint else []
        wrong += [("books", complaint) for complaint in self._enter(host, committed)]
        self._final_ids.update(dict.fromkeys(block.transaction_ids))
        for oracle, complaint in wrong:
            self.report(oracle, world_us, f"node {host.number}: block {header.height}: {complaint}")

    def _enter(self, host: Host, committed: CommittedBlock) -> Sequence[str]:
        books = self._books
        if books is None or host.core is None or type(host.core.application) is not Commerce:
            return ()
        if committed.block.header.height != books.height + 1:
            self._books = None  # a block is missing: the books cannot go on
            return ()
        return list(books.enter(committed))

    def _check_pool(self, host: Host, committed: CommittedBlock, world_us: int) -> None:
        if host.core is not None:
            for tx_id in committed.block.transaction_ids:
                if tx_id in host.core.mempool:
                    self.report("pool", world_us, f"node {host.number}: final {tx_id[:4].hex()} is still in the pool")

    def on_dropped(self, host: Host, tx_id: TransactionId, world_us: int) -> None:
        """A core says that a transaction left its pool without becoming final."""
        if host.core is None or tx_id not in self._final_ids or not self.is_honest(host):
            return
        head = host.core.chain.head
        on_branch = self.finals.get(head.height, (head.hash,))[0] != head.hash  # what is final elsewhere is not here
        if host.height >= max(self.finals, default=0) and not on_branch:
            self.report("pool", world_us, f"node {host.number}: {tx_id[:4].hex()} is final, and was called dropped")

    def on_closed(self, host: Host, other: Host, code: str, world_us: int) -> None:
        """A core closes a connection with another host."""
        if code in _BREACHES and self.is_honest(host) and self.is_honest(other):
            self.report("blame", world_us, f"node {host.number} blames node {other.number}, which is honest: {code}")

    def on_heard(self, host: Host, peer: PeerId, message: Message) -> None:
        """A host is about to give a peer's message to its core."""
        if type(message) is Engine:
            self._conduct.on_engine(peer, host.number, host.life, message.data)
            if self.is_honest(host):
                self._evidence.hear(host, peer, message.data)

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
        if data[16] == _NOTARIZE and host.core is not None:
            header = host.core.chain.header(BlockHash(data[_BALLOT_HASH]))
            if header is not None:
                self._commitments.learn(header)
        broken = self._commitments.see(host.key, data, is_honest=self.is_honest(host))
        if broken:
            self.report("commitment", world_us, f"node {host.number}: {broken}")
        self._check_conduct(host, data, world_us)

    def _check_conduct(self, host: Host, data: bytes, world_us: int) -> None:
        if host.number in self._adversaries or not isinstance(host.engine, Simplex):
            return
        # A spoilt host may have forgotten what it signed; that is why it asks the others first, and it must.
        epoch = int.from_bytes(data[:8], "big")
        if not self._conduct.has_recovered(host.key, host.number, host.life, epoch):
            self.report("conduct", world_us, f"node {host.number}: signs before a quorum has answered")
        broken = self._conduct.see(host.key, data)
        if data[16] == _NOTARIZE:
            broken = broken or self._conduct.justify_complaint(data)
        if not self.is_honest(host) or host.disk.has_broken_promises:
            return
        if broken:
            self.report("conduct", world_us, f"node {host.number}: {broken}")
        for name in ("finality.wal", "guard"):
            if not host.disk.is_durable(name, data):
                self.report("durable", world_us, f"node {host.number}: signs what is not in {name} for good")
        if data[16] == _NOTARIZE and host.core is not None:
            block = host.core.chain.block(BlockHash(data[_BALLOT_HASH]))
            if block is not None and not host.disk.is_durable("finality.wal", block.raw):
                self.report("durable", world_us, f"node {host.number}: votes for a block whose body is not in its log")

    def on_down(self, host: Host, kind: str, reason: str, world_us: int) -> None:
        """A host stopped."""
        if kind in {"halt", "damage"} and self.is_honest(host):
            self.report(kind, world_us, f"node {host.number}: {reason}")

    def check_buffers(self, host: Host, parameters: MempoolParameters, world_us: int) -> None:
        """Compare the buffers of a node with their caps."""
        if host.core is None or host.engine is None or not self.is_honest(host):
            return
        complaints = list(over_caps(host.core.statistics(), parameters, VALIDATORS_MAX))
        if host.disk_backlog > DISK_BACKLOG_MAX:
            complaints.append(f"{host.disk_backlog} effects wait for the disk, at most {DISK_BACKLOG_MAX} allowed")
        for complaint in complaints:
            self.report("buffer", world_us, f"node {host.number}: {complaint}")

    def check_leaks(self, host: Host, world_us: int) -> None:
        """Look at transient buffers of a node once finality has long resumed."""
        if host.core is not None and host.engine is not None and self.is_honest(host):
            for complaint in leaks(host.core.statistics(), len(self._genesis.validators)):
                self.report("buffer", world_us, f"node {host.number}: {complaint}, long after the faults")

    def check_end(self, hosts: Sequence[Host], world_us: int, *, is_settled: bool = False) -> None:
        """Look once more at the end: whole states, who must be accused, and who must be convicted for a fork.

        Args:
            hosts: of the world.
            world_us: its end.
            is_settled: the faults were over long ago: transient buffers must be empty.
        """
        for host in hosts:
            if is_settled:
                self.check_leaks(host, world_us)
            if self.is_honest(host):
                self.check_supply(host, world_us)
                offender = self._evidence.missed(host)
                if offender is not None:
                    words = f"node {host.number} heard {offender[:4].hex()} vote twice in a view, and accused nobody"
                    self.report("evidence", world_us, words)
        if self.forks:
            self._check_conviction(world_us)

    def _check_conviction(self, world_us: int) -> None:
        members, total = self._genesis.validators, self._genesis.validators.total
        guilty = sum(each.stake for each in members if each.public_key in self.judge.contradictions)
        if 3 * guilty < total:
            self.report("conviction", world_us, f"a fork convicts {guilty} of {total} of the stake, less than a third")
