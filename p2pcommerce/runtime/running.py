"""One running node, as an embedding application uses it: what it can be asked, and how its parts report to each other.

`open_node` makes it and ends it.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

import trio

from p2pcommerce.gossip import GossipParameters, Validator
from p2pcommerce.ledger.application import Application, Payload
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import (
    AppendOwn,
    Dropped,
    Effect,
    OffenceFound,
    RewriteOwn,
    Submitted,
    TakeSnapshot,
)
from p2pcommerce.node.proof import Proof
from p2pcommerce.node.resources import ResourceLimits, fitted
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.ids import Height, PublicKey, TransactionId
from p2pcommerce.runtime.answers import PeerInfo, QueryResult
from p2pcommerce.runtime.assembly import Assembly
from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.control import serve_control
from p2pcommerce.runtime.disk import Disk
from p2pcommerce.runtime.driver import Driver
from p2pcommerce.runtime.events import CAPACITY, Events, Subscription, finalized_block
from p2pcommerce.runtime.finding.sources import Sources
from p2pcommerce.runtime.identity import Identity
from p2pcommerce.runtime.loading import Loading
from p2pcommerce.runtime.metrics import MetricsServer
from p2pcommerce.runtime.off_chain import OffChainDesk
from p2pcommerce.runtime.off_chain_node import OffChainNode
from p2pcommerce.runtime.offers import Offers
from p2pcommerce.runtime.own_disk import OwnDisk
from p2pcommerce.runtime.reading import Reading
from p2pcommerce.runtime.reporting import Reporting
from p2pcommerce.runtime.snapshots import FrozenState
from p2pcommerce.runtime.statistics import statistics_of
from p2pcommerce.runtime.submitting import Submitting
from p2pcommerce.runtime.topics import CAPACITY as CAPACITY_POSTS
from p2pcommerce.runtime.topics import LIFE_S, TopicListener, Topics
from p2pcommerce.runtime.transaction_status import TransactionStatus
from p2pcommerce.runtime.transport import Listener, Transport
from p2pcommerce.runtime.waiting import UNKNOWN_S, Waiting, Watch
from p2pcommerce.runtime.wallet import Wallet

__all__ = ["PeerInfo", "QueryResult", "RunningNode"]


class RunningNode(OffChainNode):
    """A node that runs; made by `open_node`.

    Attributes:
        identity: its key.
        genesis: its network.
        application: what the chain is for.
        listen_addresses: where it really listens.
        metrics_address: where Prometheus reads its metrics, `host:port`; empty: nowhere.
    """

    def __init__(self, assembly: Assembly, transports: Mapping[str, Transport], limits: ResourceLimits) -> None:
        """Built by `open_node`."""
        config, core = assembly.config, assembly.core
        self.identity: Identity = config.identity
        self.genesis: Genesis = config.genesis
        self.application: Application = core.application
        self.listen_addresses: tuple[str, ...] = ()
        self.metrics_address = ""
        self._assembly = assembly
        self._core = core
        self._clock = Clock()
        self._reporting = Reporting(core.application, assembly.log, self.submit, self.wait_finalized)
        self._driver = Driver(
            core=core,
            clock=self._clock,
            local=lambda: assembly.local_peer(self.listen_addresses, self._clock.now()),
            transports=transports,
            log=assembly.log,
            on_own=self._on_own,
            on_dropped=self._on_dropped,
            on_offence=self._reporting.take,
            on_attached=self._on_progress,
            save_book=self._on_save_book,
            load=lambda load: self._loading.load(load),  # noqa: PLW0108 - it is made below
            limits=fitted(limits, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        )
        self._topics = Topics(config.identity, core, self._clock, self._driver.give, GossipParameters(), assembly.log)
        self._driver.attach_topics(self._topics.deliver)
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
            on_frozen=self._on_frozen,
            on_progress=self._driver.wake,
        )
        self._driver.attach_disk(self._disk)
        self._reading = Reading(assembly.store, self._disk.store_limiter, assembly.log)
        self._offers = Offers(assembly.snapshots, self._reading, core.genesis.parameters.epoch_blocks, assembly.log)
        self._loading = Loading(core, self._reading, self._offers, self._driver.give, self._driver.clock.now)
        self._events = Events(self._reading.blocks, core.height)
        self._waiting = Waiting(self._reading, core, lambda: self.wait_height(core.height))
        self._wallet = Wallet(config.identity, core)
        self._own_disk = OwnDisk(assembly.own_journal, self._on_submitted, self._driver.wake)
        self._submitting = Submitting(core, self._driver, self._wallet, self._clock, lambda: self._own_disk.has_room)
        self._desk = OffChainDesk(core, self._driver.give, self._clock, assembly.off_chain)
        self._driver.attach_off_chain(self._desk.perform)
        self._sources = Sources(assembly, self._driver)
        self._stored_height = core.height
        self._progress = trio.Event()
        self._book: bytes | None = None
        self._nursery: trio.Nursery | None = None
        self._closed = False

    # --- what an application does ---

    async def submit(
        self, payload: Payload | Transaction, *, account: PublicKey | None = None, private: bool = False
    ) -> TransactionId:
        """Submit a transaction; return its id (32 bytes) once it is in this node's pool, and durably in its journal.

        Args:
            payload: what to do, signed here with the node's own key; or a transaction that is signed already.
            account: for whom a payload is signed, 32 bytes, if the node's key is its active one; None: for itself.
            private: hide that it comes from here: it goes from peer to peer before anybody makes it public. Costs
                seconds; see `docs/howto/submit-in-private.md`.

        Raises:
            TransactionRejectedError: the pool refuses it; the code and a sentence say why.
            ClosedResourceError: the node has stopped.
        """
        return await self._submitting.submit(payload, account, private=private)

    async def wait_finalized(self, tx_id: TransactionId, *, unknown_s: float = UNKNOWN_S) -> Receipt:
        """Wait until a transaction (id of 32 bytes) is final and stored here, and return its receipt.

        Args:
            tx_id: of the transaction.
            unknown_s: seconds to wait for the first that this node hears of it; 0: it must be known here now.

        Raises:
            TransactionDroppedError: a kind of the next: replaced, driven out or refused; code and detail say why.
            TransactionExpiredError: it can no longer become final.
            TransactionUnknownError: it is in no pool, journal or block of this node, and did not come in time.
            ClosedResourceError: the node has stopped.
        """
        self._check_open()
        return await self._waiting.wait(tx_id, unknown_s)

    async def transaction_status(self, tx_id: TransactionId) -> TransactionStatus:
        """Return where a transaction (id of 32 bytes) stands, as far as this node knows.

        Raises:
            ClosedResourceError: the node has stopped.
        """
        self._check_open()
        return await self._waiting.status(tx_id)

    def watch(self, tx_id: TransactionId) -> AbstractAsyncContextManager[Watch]:
        """Follow a transaction (id of 32 bytes); use with `async with`, then iterate: the present state comes first.

        The iteration ends after a state that does not change any more (final, refused, replaced, evicted, expired), or
        when the node stops. Whoever reads slowly gets the newest state; the last one is never missed.
        """
        return self._waiting.watch(tx_id)

    def subscribe(
        self, *kinds: str, since_height: int | None = None, capacity: int = CAPACITY
    ) -> AbstractAsyncContextManager[Subscription]:
        """Listen to final blocks; use with `async with`, then iterate.

        Args:
            kinds: names of events ("order.place"); blocks without one of them are left out; none: every block.
            since_height: begin with the block above this height, from the store; None: with the next one.
            capacity: blocks that may wait; a slower reader gets `SubscriberLaggedError`.
        """
        return self._events.subscribe(kinds, since_height, capacity)

    async def publish(self, topic: str, data: bytes, *, life_s: float = LIFE_S) -> int:
        """Publish on a topic; return how many connected peers listen to it and were sent it (not this node itself).

        It waits while this node has published more than others would take of one origin (50 posts or 256 KiB per second
        on the average).

        Args:
            topic: its name, at most 64 bytes of UTF-8.
            data: at most 16 KiB.
            life_s: seconds for which it is passed on, at most 600.

        Raises:
            UsageError: an argument will not do, or a validator of this node does not accept it.
            ClosedResourceError: the node has stopped.
        """
        return await self._topics.publish(topic, data, life_s)

    def listen(
        self, topic: str, *, validator: Validator | None = None, capacity: int = CAPACITY_POSTS
    ) -> AbstractAsyncContextManager[TopicListener]:
        """Listen to what others publish on a topic from now on; use with `async with`, then iterate.

        Args:
            topic: its name, at most 64 bytes of UTF-8.
            validator: says of each post, once: ACCEPT (deliver it and pass it on), IGNORE (drop it) or REJECT (drop it,
                and lower the score of the peer that sent it); None: all are accepted. One that raises has ignored the
                post; the log says so once. The node does nothing else meanwhile: one that takes over 50 ms is
                counted in `TopicListener.slow`, and logged.
            capacity: posts that may wait; the oldest are dropped beyond, and counted in `TopicListener.dropped`.

        Raises:
            UsageError: an argument will not do, or this node listens to too many topics.
            ClosedResourceError: the node has stopped.
        """
        return self._topics.listen(topic, validator, capacity)

    def offences(self) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[OffenceFound]]:
        """Listen to offences of validators as this node learns of them; use with `async with`, then iterate."""
        return self._reporting.subscribe()

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
        self._check_open()
        return await self._reading.prove(self._core, self._assembly.engine.name, name, arguments, self.wait_height)

    async def anchor(self) -> TrustAnchor:
        """Return what this node's last stored block lets others trust."""
        return await self._reading.anchor(self.genesis, follows=self._core.chain.rules.follows)

    async def wait_height(self, height: int) -> None:
        """Wait until a height is final and stored here.

        Raises:
            ClosedResourceError: the node has stopped.
        """
        await self._wait(lambda: self._stored_height >= height)

    async def wait_peers(self, count: int) -> None:
        """Wait until so many peers are connected.

        Raises:
            ClosedResourceError: the node has stopped.
        """
        await self._wait(lambda: len(self._driver.links.attached) >= count)

    async def _wait(self, is_so: Callable[[], bool]) -> None:
        """Wait for what stored blocks and new peers can make true."""
        await trio.lowlevel.checkpoint()
        while not is_so():
            self._check_open()
            await self._progress.wait()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the node has stopped")

    @property
    def height(self) -> Height:
        """Height of the last block that is final and stored here."""
        return self._stored_height

    def peers(self) -> tuple[PeerInfo, ...]:
        """Return the connected peers."""
        return tuple(
            PeerInfo(peer, connection.address, connection.outbound, self._core.rtt_us(peer))
            for peer, connection in self._driver.links.attached.items()
        )

    def statistics(self) -> dict[str, object]:
        """Return where the node stands and every counter, as plain values."""
        return statistics_of(self._core, self._driver, self._stored_height, self._topics, self._sources.statistics())

    # --- what the moving parts report ---

    def _on_submitted(self, verdict: Submitted) -> None:
        self._waiting.on_submitted(verdict)
        self._submitting.on_submitted(verdict)

    def _on_own(self, effect: AppendOwn | RewriteOwn | Submitted) -> None:
        self._own_disk.give(effect)

    def _on_dropped(self, dropped: Dropped) -> None:
        self._waiting.on_dropped(dropped)
        self._wallet.forget(dropped.tx_id)

    def _on_signed(self, request: int, signature: bytes | None) -> None:
        self._driver.give(self._core.on_signed(request, signature, self._clock.now()))

    def _on_committed(self, committed: CommittedBlock) -> None:
        block = finalized_block(committed)
        self._stored_height = block.height
        self._waiting.on_block(block)
        self._events.publish(block)
        self._on_progress()

    def _on_progress(self) -> None:
        progress, self._progress = self._progress, trio.Event()
        progress.set()

    def _on_frozen(self, effect: TakeSnapshot, frozen: FrozenState) -> None:
        if self._nursery is not None and self._offers.is_due:
            self._nursery.start_soon(self._offers.take, effect, frozen)
        else:
            frozen.close()

    def _on_save_book(self, book: bytes) -> None:
        is_saving = self._book is not None
        self._book = book
        if self._nursery is not None and not is_saving:
            self._nursery.start_soon(self._save_book)

    async def _save_book(self) -> None:
        """Save the newest book, and one that came meanwhile."""
        saved: bytes | None = None
        while saved is not self._book and self._book is not None:
            saved = self._book
            await trio.to_thread.run_sync(self._assembly.save_book, saved)
        self._book = None

    # --- life ---

    async def run(self, listeners: Sequence[Listener], *, task_status: trio.TaskStatus[None]) -> None:
        """Run until cancelled; used by `open_node`."""
        self.listen_addresses = tuple(listener.address for listener in listeners)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._loading.begin(nursery)
            self._reporting.begin(nursery)
            nursery.start_soon(self._own_disk.run)
            nursery.start_soon(self._desk.run)
            await nursery.start(partial(self._driver.run, listeners, self._begin))
            nursery.start_soon(self._waiting.run, self._driver.wait_tick)
            self._sources.begin(nursery, self.listen_addresses)
            if self._assembly.config.metrics:
                server = MetricsServer(self.statistics)
                self.metrics_address = await nursery.start(server.run, self._assembly.config.metrics)
            if self._assembly.config.control:
                await nursery.start(serve_control, self, self._assembly.config.folder)
            task_status.started()

    def _begin(self) -> list[Effect]:
        effects = self._assembly.start(self.listen_addresses, self._clock.now())
        for raw in self._core.own():
            self._wallet.note(decode_transaction(raw))
        return effects + self._desk.start(self._clock.now())

    async def close(self) -> None:
        """Nothing will happen any more: whoever still waits for something is told so; used by `open_node`."""
        self._closed = True
        self._nursery = None
        self._reporting.begin(None)
        self._loading.begin(None)
        self._waiting.close()
        self._desk.close()
        self._events.close()
        self._topics.close()
        self._on_progress()
        self._driver.close()
        self._submitting.close()
        await self._reading.close()
