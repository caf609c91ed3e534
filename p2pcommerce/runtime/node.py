"""`open_node`: one running node, as an embedding application uses it.

    async with p2p.open_node(config) as node:
        tx_id = await node.submit(payment)
        receipt = await node.wait_finalized(tx_id)

Leaving the context stops everything within a second: connections, tasks, files. What was final is stored; what was
voted is in the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.application import Application, Payload
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.mempool import Verifier
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import Dropped, LoadBlocks, Submitted
from p2pcommerce.node.proof import Proof
from p2pcommerce.primitives.errors import RejectionCode, TransactionRejectedError
from p2pcommerce.primitives.ids import Height, PeerId, TransactionId
from p2pcommerce.runtime.assembly import Assembly, assemble
from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.config import NodeConfig
from p2pcommerce.runtime.control import serve_control
from p2pcommerce.runtime.disk import Disk
from p2pcommerce.runtime.driver import Driver
from p2pcommerce.runtime.events import CAPACITY, Events, Subscription, finalized_block
from p2pcommerce.runtime.identity import Identity
from p2pcommerce.runtime.reading import Reading
from p2pcommerce.runtime.transport import Listener, Transport, TransportError
from p2pcommerce.runtime.transport.tcp import TcpTransport
from p2pcommerce.runtime.waiting import Waiting
from p2pcommerce.runtime.wallet import Wallet

__all__ = ["PeerInfo", "QueryResult", "RunningNode", "open_node"]

_STOP_S: Final = 0.8
"""Seconds within which everything has stopped."""


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """One connected peer.

    Attributes:
        peer: its key, 32 bytes.
        address: as dialled, or as seen.
        outbound: this node dialled.
        rtt_us: round-trip time in microseconds, None if it is not known yet.
    """

    peer: PeerId
    address: str
    outbound: bool
    rtt_us: int | None


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a query.

    Attributes:
        height: the final height whose state was asked.
        value: plain values: dict, list, str, int, bool, None.
    """

    height: Height
    value: object


class RunningNode:
    """A node that runs; made by `open_node`.

    Attributes:
        identity: its key.
        genesis: its network.
        application: what the chain is for.
        listen_addresses: where it really listens.
    """

    def __init__(self, assembly: Assembly, transports: Mapping[str, Transport]) -> None:
        """Built by `open_node`."""
        config, core = assembly.config, assembly.core
        self.identity: Identity = config.identity
        self.genesis: Genesis = config.genesis
        self.application: Application = core.application
        self.listen_addresses: tuple[str, ...] = ()
        self._assembly = assembly
        self._core = core
        self._clock = Clock()
        self._driver = Driver(
            core=core,
            clock=self._clock,
            local=lambda: assembly.local_peer(self.listen_addresses, self._clock.now()),
            transports=transports,
            log=assembly.log,
            on_submitted=self._on_submitted,
            on_dropped=self._on_dropped,
            save_book=assembly.save_book,
            load_blocks=self._on_load_blocks,
        )
        self._disk = Disk(
            journal=assembly.journal,
            guard_journal=assembly.guard_journal,
            guard=assembly.guard,
            store=assembly.store,
            identity=config.identity,
            genesis=config.genesis,
            perform=self._driver.perform,
            on_signed=self._on_signed,
            on_committed=self._on_committed,
        )
        self._driver.attach_disk(self._disk)
        self._reading = Reading(assembly.store, self._disk.store_limiter)
        self._events = Events(self._reading.blocks)
        self._waiting = Waiting(self._reading)
        self._wallet = Wallet(config.identity, core)
        self._stored_height = core.height
        self._progress = trio.Event()
        self._requests: dict[int, _Submission] = {}
        self._next_request = 1
        self._nursery: trio.Nursery | None = None

    # --- what an application does ---

    async def submit(self, payload: Payload | Transaction) -> TransactionId:
        """Submit a transaction and return its id (32 bytes) once it is in this node's pool.

        Args:
            payload: what to do, signed here with the node's own key; or a transaction that is signed already.

        Raises:
            TransactionRejectedError: the pool refuses it; the code and a sentence say why.
        """
        if isinstance(payload, Transaction):
            return await self._submit(payload)
        async with self._wallet.lock:
            transaction = self._wallet.build(payload)
            try:
                return await self._submit(transaction)
            except TransactionRejectedError:
                self._wallet.forget()
                raise

    async def _submit(self, transaction: Transaction) -> TransactionId:
        while not self._core.can_submit():
            await self._driver.wait_tick()
        request, self._next_request = self._next_request, self._next_request + 1
        submission = self._requests[request] = _Submission()
        try:
            self._driver.give(self._core.on_submit(request, transaction.raw, self._clock.now()))
            self._driver.on_turn()
            await submission.done.wait()
        finally:
            del self._requests[request]
        verdict = submission.verdict
        if verdict is not None and verdict.code is not RejectionCode.OK:
            raise TransactionRejectedError(verdict.code, verdict.detail)
        return transaction.id

    async def wait_finalized(self, tx_id: TransactionId) -> Receipt:
        """Wait until a transaction (id of 32 bytes) is final and stored here, and return its receipt.

        Raises:
            TransactionExpiredError: it can no longer become final.
        """
        return await self._waiting.wait(tx_id)

    def subscribe(
        self, *kinds: str, since_height: int | None = None, capacity: int = CAPACITY
    ) -> AbstractAsyncContextManager[Subscription]:
        """Listen to final blocks; use with `async with`, then iterate.

        Args:
            kinds: names of events ("order.place"); blocks without one of them are left out; none: every block.
            since_height: begin with the block above this height, from the store; None: with the next one.
            capacity: blocks that may wait; a slower reader gets `SubscriberLaggedError`.
        """
        return self._events.subscribe(kinds, since_height, self._stored_height, capacity)

    async def query(self, name: str, /, **arguments: object) -> QueryResult:
        """Ask the application about the last final state.

        Raises:
            QueryError: no such question, or wrong arguments.
        """
        await trio.lowlevel.checkpoint()
        chain = self._core.chain
        return QueryResult(chain.head.height, self.application.query(name, arguments, chain.state.final))

    async def prove(self, name: str, /, **arguments: object) -> Proof:
        """Make an offline proof of one fact of the last final state; see `p2pcommerce.node.proof.subject_of`.

        Raises:
            UsageError: no such subject, or wrong arguments.
        """
        return await self._reading.prove(self._core, self._assembly.engine.name, name, arguments)

    async def wait_height(self, height: int) -> None:
        """Wait until a height is final and stored here."""
        while self._stored_height < height:
            await self._progress.wait()

    async def wait_peers(self, count: int) -> None:
        """Wait until so many peers are connected."""
        while len(self._driver.connections()) < count:
            await self._driver.wait_attached()

    @property
    def height(self) -> Height:
        """Height of the last block that is final and stored here."""
        return self._stored_height

    def peers(self) -> tuple[PeerInfo, ...]:
        """Return the connected peers."""
        return tuple(
            PeerInfo(peer, connection.address, connection.outbound, self._core.rtt_us(peer))
            for peer, connection in self._driver.connections().items()
        )

    def statistics(self) -> dict[str, object]:
        """Return where the node stands and every counter, as plain values."""
        status = self._core.engine_status()
        return {
            "height": self._stored_height,
            "engine": status.name,
            "epoch": status.epoch,
            "view": status.view,
            "leader": None if status.leader is None else status.leader.hex(),
            "state_root": self._core.chain.head.state_root.hex(),
            "head": self._core.chain.head.hash.hex(),
            "mempool": len(self._core.mempool),
            "peers": len(self._driver.connections()),
            "connections": dict(self._driver.counters),
            "rooms": {name: dict(counters) for name, counters in self._core.statistics().items()},
        }

    # --- what the moving parts report ---

    def _on_submitted(self, verdict: Submitted) -> None:
        submission = self._requests.get(verdict.request)
        if submission is not None:
            submission.verdict = verdict
            submission.done.set()

    def _on_dropped(self, dropped: Dropped) -> None:
        self._waiting.on_dropped(dropped)
        self._wallet.forget()

    def _on_signed(self, request: int, signature: bytes | None) -> None:
        self._driver.give(self._core.on_signed(request, signature, self._clock.now()))

    def _on_committed(self, committed: CommittedBlock) -> None:
        block = finalized_block(committed)
        self._stored_height = block.height
        self._waiting.on_block(block)
        self._events.publish(block)
        progress, self._progress = self._progress, trio.Event()
        progress.set()

    def _on_load_blocks(self, load: LoadBlocks) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._load_blocks, load)

    async def _load_blocks(self, load: LoadBlocks) -> None:
        rows = await self._reading.rows(load.from_height, load.count)
        self._driver.give(self._core.on_loaded(load.request, rows))

    # --- life ---

    async def run(self, listeners: Sequence[Listener], *, task_status: trio.TaskStatus[None]) -> None:
        """Run until cancelled; used by `open_node`."""
        self.listen_addresses = tuple(listener.address for listener in listeners)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await nursery.start(partial(self._driver.run, listeners))
            self._driver.give(self._assembly.start(self.listen_addresses, self._clock.now()))
            if self._assembly.config.control:
                await nursery.start(serve_control, self, self._assembly.config.folder)
            task_status.started()


@dataclass(slots=True, eq=False)
class _Submission:
    """One submission that waits for its verdict."""

    done: trio.Event
    verdict: Submitted | None

    def __init__(self) -> None:
        self.done = trio.Event()
        self.verdict = None


@asynccontextmanager
async def open_node(
    config: NodeConfig,
    *,
    application: Application | None = None,
    engine: FinalityEngine | None = None,
    transports: Sequence[Transport] = (),
    verifier: Verifier | None = None,
) -> AsyncIterator[RunningNode]:
    """Open a node; leaving the context stops it within a second, and nothing is lost.

    Args:
        config: see `NodeConfig`.
        application: what the chain is for; None: commerce.
        engine: decides what is final; None: the one that the configuration names.
        transports: beside TCP.
        verifier: checks signatures of what enters the pool; None: inline, which measures best on a busy node.

    Raises:
        UsageError: the folder or an address cannot be used; one line says which and what to do.
        NodeHaltedError: while it runs: it stopped itself rather than contradict the network.
    """
    assembly = await trio.to_thread.run_sync(assemble, config, application, engine, verifier)
    try:
        known = {transport.scheme: transport for transport in (TcpTransport(), *transports)}
        listeners = await _listen(config.listen, known)
        node = RunningNode(assembly, known)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(node.run, listeners))
                assembly.log.info("node", "started", height=node.height, listen=",".join(node.listen_addresses))
                yield node
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise _single(group) from None
        finally:
            assembly.log.info("node", "stopped", height=node.height)
    finally:
        assembly.close()


async def _listen(addresses: Sequence[str], transports: Mapping[str, Transport]) -> list[Listener]:
    listeners: list[Listener] = []
    try:
        for address in addresses:
            transport = transports.get(address.partition("://")[0])
            if transport is None:
                raise TransportError(f'"{address}": this node has the transports {", ".join(sorted(transports))}')
            listeners.append(await transport.listen(address))
    except BaseException:
        for listener in listeners:
            await listener.aclose()
        raise
    return listeners


def _single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error in a group of groups; the group itself if there are several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return group if isinstance(error, BaseExceptionGroup) else error
