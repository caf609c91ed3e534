"""The desk: where the demo's transactions are handed to nodes, and where their finality is noticed.

Each sender's transactions go to one node while any of them is not final yet, and to the next node in turn after that,
so that a nonce never overtakes its predecessor. A node to which transactions were given and that died is replaced: the
same bytes go to another one, as a careful wallet does. What a node accepted and what became neither final nor refused
with a reason is lost, and counted so.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from p2pcommerce.cli.demo.network import ValidatorProcess
from p2pcommerce.commerce import Body, Sponsor, build_transaction
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import RejectionCode, TransactionRejectedError
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.runtime.control_client import Control, ControlError, connect_control
from p2pcommerce.runtime.control_frames import ControlBlock

__all__ = ["EXPIRY_BLOCKS", "NONE_REACHED", "Desk", "Link", "Pending", "Result", "Sender"]

EXPIRY_BLOCKS: Final = 5_000
"""A transaction may be included in the next so many blocks."""
NONE_REACHED: Final = (
    "no validator can be reached: node.log and stderr.txt in each one's folder say why it stopped; where they do not, "
    "look whether the disk is full"
)
"""What a person reads when all are gone."""
_RECENT_MAX: Final = 20_000
"""Ids of final transactions that are remembered, for those whose node died before it could tell."""
_LATENCIES_MAX: Final = 500_000
_RECONNECT_S: Final = 0.1
_STALE_S: Final = 5.0
"""Seconds after which a transaction that is not final is handed to another node, too."""
_KNOWN_BEFORE: Final = frozenset({RejectionCode.DUPLICATE, RejectionCode.BAD_NONCE})
"""What a node says of bytes that it has, or that are final: after the first time that is no refusal."""


@dataclass(slots=True, eq=False)
class Link:
    """The connection to one node.

    Attributes:
        validator: its process.
        control: None while it cannot be reached.
        height: of the last block that it reported.
        submitted: transactions that were handed to it.
    """

    validator: ValidatorProcess
    control: Control | None = None
    height: int = 0
    submitted: int = 0


@dataclass(slots=True, eq=False)
class Sender:
    """One key that sends transactions.

    Attributes:
        name: for people.
        seed: 32 bytes.
        nonce: of its next transaction.
        known_height: a node must have reached it to know what this sender owns.
        in_flight: its transactions that are not final.
        link: where those were handed in.
    """

    name: str
    seed: bytes
    key: PublicKey = field(init=False)
    nonce: int = 0
    known_height: int = 0
    in_flight: int = 0
    link: Link | None = None
    lock: trio.Lock = field(default_factory=trio.Lock)

    def __post_init__(self) -> None:
        """Derive the account."""
        self.key = ED25519.public_key(self.seed)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a transaction.

    Attributes:
        code: OK, or why it failed or was refused.
        tx_id: 32 bytes.
        time_ms: of its block, Unix milliseconds; 0 if it was refused.
        took_s: from when it was due until it was final.
        height: of its block; 0 if it was refused.
    """

    code: RejectionCode
    tx_id: TransactionId
    time_ms: int
    took_s: float
    height: int = 0

    @property
    def ok(self) -> bool:
        """Whether it was executed."""
        return self.code is RejectionCode.OK


@dataclass(slots=True, eq=False)
class Pending:
    """A transaction that is neither final nor refused.

    Attributes:
        due_s: when it should have been sent, in trio's time.
        orphaned: its node died: any node may report it.
        accepted: a node has taken it.
    """

    tx_id: TransactionId
    raw: bytes
    sender: Sender
    nonce: int
    link: Link
    due_s: float
    counted: bool
    handed_s: float
    orphaned: bool = False
    accepted: bool = False
    result: Result | None = None
    done: trio.Event = field(default_factory=trio.Event)


class Desk:
    """Hands transactions in and notices their finality.

    Attributes:
        links: one per validator.
        pending: by transaction id.
        submitted, finalized: counts; failed, rejected: by code.
        latencies_s: from due to final of the transactions of the load.
        blocks_s: when each new height was first seen, the last few thousand.
        longest_gap_s: between two heights, since `watch_gaps`.
    """

    def __init__(self, genesis: Genesis, validators: Sequence[ValidatorProcess]) -> None:
        """Prepare; `run` connects."""
        self.links = [Link(validator) for validator in validators]
        self.pending: dict[TransactionId, Pending] = {}
        self.submitted = 0
        self.finalized = 0
        self.failed: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.latencies_s: deque[tuple[float, float]] = deque(maxlen=_LATENCIES_MAX)
        self.height = 0
        self.time_ms = 0
        self.longest_gap_s = 0.0
        self.progress = trio.Event()
        self._gap_since_s: float | None = None
        self._genesis = genesis
        self._recent: OrderedDict[TransactionId, tuple[RejectionCode, int, int]] = OrderedDict()
        self._turn = 0

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Stay connected to every node until cancelled; started when each is connected."""
        async with trio.open_nursery() as nursery:
            for link in self.links:
                await nursery.start(self._follow, link)
            nursery.start_soon(self._retry_stale)
            task_status.started()

    async def send(
        self, sender: Sender, payload: Body, due_s: float, *, counted: bool, sponsor: Sponsor | None = None
    ) -> Result:
        """Sign a payload, hand it in, and wait until it is final or refused.

        Args:
            sender: whose key signs.
            payload: what to do.
            due_s: when it should be sent, in trio's time; its latency is counted from there.
            counted: whether its latency belongs to the load's.
            sponsor: who pays for it instead.
        """
        async with sender.lock:
            link = await self._link_for(sender)
            height = max(link.height, self.height) + EXPIRY_BLOCKS
            transaction = build_transaction(payload, self._genesis, sender.seed, sender.nonce, height, sponsor=sponsor)
            now = trio.current_time()
            pending = Pending(transaction.id, transaction.raw, sender, sender.nonce, link, due_s, counted, now)
            self.pending[transaction.id] = pending
            self.submitted += 1
            sender.in_flight += 1
            await self._hand_in(pending)
            if pending.result is None or pending.result.time_ms:
                sender.nonce += 1
        await pending.done.wait()
        if pending.result is None:
            raise AssertionError("a transaction is done and has no result")
        return pending.result

    def link_alive(self) -> Link:
        """Return a node that can be reached: the one that stands highest.

        Raises:
            ControlError: none can.
        """
        alive = [link for link in self.links if link.control is not None]
        if not alive:
            raise ControlError(NONE_REACHED)
        return max(alive, key=lambda link: link.height)

    def watch_gaps(self) -> None:
        """Measure the longest time between blocks from now on."""
        self.longest_gap_s = 0.0
        self._gap_since_s = trio.current_time()

    # Handing in

    async def _link_for(self, sender: Sender) -> Link:
        if sender.in_flight and sender.link is not None and sender.link.control is not None:
            return sender.link
        while True:
            for step in range(1, len(self.links) + 1):
                link = self.links[(self._turn + step) % len(self.links)]
                if link.control is not None and link.height >= sender.known_height:
                    self._turn += step
                    sender.link = link
                    return link
            await self.progress.wait()

    async def _hand_in(self, pending: Pending) -> None:
        """Hand a transaction to its node, or to another one if that is gone, until one has taken or refused it."""
        first = True
        while pending.result is None:
            control = pending.link.control
            if control is not None:
                try:
                    await control.submit(pending.raw)
                except TransactionRejectedError as error:
                    if first or error.rejection not in _KNOWN_BEFORE:
                        self._refuse(pending, error.rejection)
                except ControlError:
                    first = False
                    self._lose_link(pending.link, control)
                    continue
                pending.accepted = True
                pending.link.submitted += 1
                pending.handed_s = trio.current_time()
                return
            first = False
            pending.link = await self._link_for(pending.sender)

    def _refuse(self, pending: Pending, code: RejectionCode) -> None:
        if pending.result is None:
            self.rejected[code.value] += 1
            self._finish(pending, Result(code, pending.tx_id, 0, 0.0))

    def _finish(self, pending: Pending, result: Result) -> None:
        pending.result = result
        pending.sender.in_flight -= 1
        del self.pending[pending.tx_id]
        pending.done.set()

    # Finality

    async def _follow(self, link: Link, *, task_status: trio.TaskStatus[None]) -> None:
        started = False
        since: int | None = None
        while True:
            try:
                async with connect_control(link.validator.folder) as control, control.subscribe(since) as blocks:
                    if since is None:
                        height = (await control.statistics())["height"]
                        link.height = since = height if isinstance(height, int) else 0
                    link.control = control
                    self._wake()
                    if not started:
                        started = True
                        task_status.started()
                    async for block in blocks:
                        self._on_block(link, block)
                        since = block.height
            except ControlError:
                self._lose_link(link, link.control)
            await trio.sleep(_RECONNECT_S)

    def _on_block(self, link: Link, block: ControlBlock) -> None:
        now = trio.current_time()
        link.height = block.height
        if block.height > self.height:
            self.height, self.time_ms = block.height, block.time_ms
            if self._gap_since_s is not None:
                self.longest_gap_s = max(self.longest_gap_s, now - self._gap_since_s)
                self._gap_since_s = now
            for tx_id, code in block.results:
                self._recent[tx_id] = (code, block.height, block.time_ms)
            while len(self._recent) > _RECENT_MAX:
                self._recent.popitem(last=False)
        for tx_id, code in block.results:
            pending = self.pending.get(tx_id)
            if pending is not None and (pending.link is link or pending.orphaned):
                self._settle(pending, code, block.height, block.time_ms, now)
        self._wake()

    def _settle(self, pending: Pending, code: RejectionCode, height: int, time_ms: int, now_s: float) -> None:
        took_s = now_s - pending.due_s
        pending.sender.known_height = max(pending.sender.known_height, height)
        self.finalized += 1
        if code is not RejectionCode.OK:
            self.failed[code.value] += 1
        if pending.counted:
            self.latencies_s.append((now_s, took_s))
        self._finish(pending, Result(code, pending.tx_id, time_ms, took_s, height))

    def _wake(self) -> None:
        progress, self.progress = self.progress, trio.Event()
        progress.set()

    # Nodes that die

    def _lose_link(self, link: Link, control: Control | None) -> None:
        """Note that a node cannot be reached any more; its transactions are anybody's."""
        if control is None or link.control is not control:
            return
        link.control = None
        now = trio.current_time()
        for pending in [pending for pending in self.pending.values() if pending.link is link]:
            pending.orphaned = True
            pending.handed_s = -_STALE_S
            if pending.tx_id in self._recent:
                self._settle(pending, *self._recent[pending.tx_id], now)
        self._wake()

    async def _retry_stale(self) -> None:
        """Hand transactions in again that are not final after seconds, or whose node died."""
        while True:
            await trio.sleep(_RECONNECT_S)
            limit = trio.current_time() - _STALE_S
            stale = [pending for pending in self.pending.values() if pending.accepted and pending.handed_s < limit]
            for pending in sorted(stale, key=lambda pending: pending.nonce):
                await self.retry(pending)

    async def retry(self, pending: Pending) -> None:
        """Hand a transaction in once more, at a node that is up to date; what it says of it counts."""
        pending.orphaned = True
        pending.handed_s = trio.current_time()
        control = self.link_alive().control
        if control is None:
            return
        try:
            await control.submit(pending.raw)
        except TransactionRejectedError as error:
            if error.rejection not in _KNOWN_BEFORE:
                self._refuse(pending, error.rejection)
        except ControlError:
            return  # that node is gone, too: the next round takes another
