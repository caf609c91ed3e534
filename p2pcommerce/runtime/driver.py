"""Drives one node core over real connections and a real clock.

Each read gives its messages to the core at once and marks the tick; when everything readable has been read the tick
ends: the core does its batches (verifying signatures, announcing), and every connection that has something to send
sends it in one piece.

    readers -> core.on_message -> effects -> connections' lanes, disk, store
    end of tick -> core.on_deadline -> effects -> flush
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import trio

from p2pcommerce.gossip import Post
from p2pcommerce.node.effects import (
    AppendOwn,
    Attach,
    Close,
    Deliver,
    Dial,
    Dropped,
    Effect,
    Halt,
    LoadBlocks,
    LoadItems,
    Log,
    OffChainWork,
    OffenceFound,
    Report,
    RewriteOwn,
    SaveBook,
    Submitted,
    Transmit,
)
from p2pcommerce.node.node import Connected, Node
from p2pcommerce.node.resources import ResourceLimits
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.connection import Connection
from p2pcommerce.runtime.disk import Disk
from p2pcommerce.runtime.links import Links
from p2pcommerce.runtime.log import Log as LogFile
from p2pcommerce.runtime.ticker import Ticker
from p2pcommerce.runtime.transport import Listener, Transport
from p2pcommerce.wire import HandshakeDone, LocalPeer, Message

__all__ = ["Driver", "NodeHaltedError"]


class NodeHaltedError(P2PError):
    """The node stopped itself rather than contradict the network; the message says why and what to do."""

    code = "HALTED"


class Driver:
    """The moving parts around one core.

    Attributes:
        core: the node.
        clock: its clock.
        links: its connections.
    """

    def __init__(
        self,
        *,
        core: Node,
        clock: Clock,
        local: Callable[[], LocalPeer],
        transports: Mapping[str, Transport],
        log: LogFile,
        on_own: Callable[[AppendOwn | RewriteOwn | Submitted], None],
        on_dropped: Callable[[Dropped], None],
        on_offence: Callable[[OffenceFound | Report], None],
        on_attached: Callable[[], None],
        save_book: Callable[[bytes], None],
        load: Callable[[LoadBlocks | LoadItems], None],
        limits: ResourceLimits,
    ) -> None:
        """Prepare; `attach_disk` and `start` follow.

        Args:
            core: the node.
            clock: gives `now`.
            local: what every handshake of this node says, as it stands now.
            transports: by scheme.
            log: where the core's words go.
            on_own: takes verdicts on submissions, and what must be durable before them.
            on_dropped: takes what left the pool without becoming final.
            on_offence: is told of validators that broke the rules, and puts evidence on the chain.
            on_attached: is told of another peer.
            save_book: writes the address book.
            load: reads blocks, or what is stored beside them, and gives them to the core.
            limits: what connections may take.
        """
        self.core = core
        self.clock = clock
        self.links = Links(local=local, transports=transports, limits=limits, log=log, owner=self)
        self._log = log
        self._on_own = on_own
        self._on_dropped = on_dropped
        self._on_offence = on_offence
        self._on_attached = on_attached
        self._save_book = save_book
        self._load = load
        self._disk: Disk | None = None
        self._off_chain: Callable[[OffChainWork], None] | None = None
        self._on_post: Callable[[Post], None] | None = None
        self._nursery: trio.Nursery | None = None
        self._peers: Mapping[PeerId, Connection] = self.links.attached
        self._dirty: dict[Connection, None] = {}
        self._ticker = Ticker(core, clock)

    # --- life ---

    def attach_disk(self, disk: Disk) -> None:
        """Give the driver its disk, which needs the driver itself to be made."""
        self._disk = disk

    def attach_off_chain(self, perform: Callable[[OffChainWork], None]) -> None:
        """Give the driver who keeps blobs and messages."""
        self._off_chain = perform

    def attach_topics(self, on_post: Callable[[Post], None]) -> None:
        """Give the driver who hands posts to the application."""
        self._on_post = on_post

    async def run(
        self, listeners: Sequence[Listener], begin: Callable[[], list[Effect]], *, task_status: trio.TaskStatus[None]
    ) -> None:
        """Run until cancelled.

        Args:
            listeners: accept connections; whoever opened them closes them.
            begin: starts the core, before anybody can reach it.
            task_status: says when it runs.

        Raises:
            NodeHaltedError: the core will not go on.
            UsageError: of the disk: full, damaged, gone.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                if self._disk is not None:
                    nursery.start_soon(self._disk.run_log)
                    nursery.start_soon(self._disk.run_store)
                self.give(begin())
                nursery.start_soon(self._tick)
                for listener in listeners:
                    nursery.start_soon(self._accept, listener, nursery)
                task_status.started()
        finally:
            self._nursery = None

    async def _tick(self) -> None:
        while True:
            await self._ticker.wait_due()
            effects = self.core.on_deadline(self.clock.now())  # of a room that nothing is due in it asks nothing
            if effects:
                self.give(effects)
            self.flush()
            self._ticker.end()

    def flush(self) -> None:
        """Send what was queued since the last tick."""
        if self._dirty:
            dirty, self._dirty = self._dirty, {}
            for connection in dirty:
                connection.flush()

    async def wait_tick(self) -> None:
        """Wait for the end of the present tick, or of everything."""
        await self._ticker.wait_end()

    def close(self) -> None:
        """No tick will come any more: nobody waits for one."""
        self._ticker.close()

    # --- effects ---

    def give(self, effects: list[Effect]) -> None:
        """Do effects in order, through the disk where one of them needs it."""
        if not effects:
            self.on_turn()
            return
        at_once = len(effects) if self._disk is None else self._disk.first_durable(effects)
        if self._disk is not None and at_once < len(effects):
            self._disk.give(effects[at_once:])
            effects = effects[:at_once]
        for effect in effects:
            self.perform(effect)
        self._ticker.wake()

    def perform(self, effect: Effect) -> None:  # noqa: C901 - one arm per effect
        """Do one effect that is not the disk's."""
        match effect:
            case Transmit(peer, message):
                connection = self._peers.get(peer)
                if connection is not None:
                    connection.send(message)
                    if not self._dirty:
                        self._ticker.wake()
                    self._dirty[connection] = None
            case Attach(peer, link):
                if self.links.attach(peer, link):
                    self._on_attached()
            case Close(link, code, reason):
                self.links.close(link, code, reason)
            case Dial():
                if self._nursery is not None:
                    self._nursery.start_soon(self._dial, effect)
            case AppendOwn() | RewriteOwn() | Submitted():
                self._on_own(effect)
            case Dropped():
                self._on_dropped(effect)
            case OffenceFound() | Report():
                self._on_offence(effect)
            case LoadBlocks() | LoadItems():
                self._load(effect)
            case OffChainWork():
                if self._off_chain is not None:
                    self._off_chain(effect)
            case Deliver(post):
                if self._on_post is not None:
                    self._on_post(post)
            case SaveBook(data):
                self._save_book(data)
            case Log(level, room, message):
                self._log.write(level.lower(), room, message)
            case Halt(reason):
                self._log.error("node", reason)
                raise NodeHaltedError(reason)
            case _:
                raise TypeError(f"{type(effect).__name__} is the disk's")

    # --- connections ---

    async def _accept(self, listener: Listener, nursery: trio.Nursery) -> None:
        while True:
            stream, address = await listener.accept()
            connection = self.links.accept(stream, address, self.clock.now())
            if connection is None:
                await trio.aclose_forcefully(stream)
            else:
                nursery.start_soon(self._run_connection, connection)

    async def _dial(self, dial: Dial) -> None:
        connection = await self.links.dial(dial.address, dial.peer)
        if connection is None:
            self.give(self.core.on_dial_failed(dial.address, self.clock.now()))
        else:
            await self._run_connection(connection)

    async def _run_connection(self, connection: Connection) -> None:
        try:
            await connection.run()
        finally:
            self.links.resources.close(connection.link)
        self._dirty.pop(connection, None)
        if not self.links.ended(connection):
            return
        if connection.peer is not None:
            self.give(self.core.on_disconnected(connection.peer, connection.link, self.clock.now()))
        elif connection.outbound:
            if connection.reason is not None and connection.reason[0] == "SELF_CONNECTION":
                self.core.on_self_dialled(connection.address)
            self.give(self.core.on_dial_failed(connection.address, self.clock.now()))

    def on_open(self, connection: Connection, done: HandshakeDone) -> None:
        """The other end has proven who it is."""
        self.links.resources.proven(connection.link)
        self.give(
            self.core.on_connected(
                Connected(
                    peer=done.peer,
                    link=connection.link,
                    outbound=connection.outbound,
                    address=connection.address if connection.outbound else None,
                    own_key=connection.announcement_key,
                    peer_key=done.announcement_key,
                    peer_record=done.peer_record,
                    remote=connection.remote,
                ),
                self.clock.now(),
            )
        )

    def on_message(self, connection: Connection, message: Message) -> None:
        """A message came over an attached connection."""
        peer = connection.peer
        if peer is not None and self._peers.get(peer) is connection:
            effects = self.core.on_message(peer, message, self.clock.now())
            if effects:
                self.give(effects)

    def on_turn(self) -> None:
        """Everything that came in one read has been given: a tick follows if the core wants one before it is due."""
        self._ticker.stir()

    def wake(self) -> None:
        """Let a tick follow in any case: what waits for room in this node looks again whether there is some."""
        self._ticker.wake()

    def has_room(self, connection: Connection) -> bool:
        """Tell whether the node can take more from this peer."""
        return self._has_room(connection.peer)

    async def wait_room(self, connection: Connection) -> None:
        """Wait until the node can take more from this peer: pool and disk keep up."""
        while not self._has_room(connection.peer):
            await self._ticker.wait_end()

    def _has_room(self, peer: PeerId | None) -> bool:
        return (self._disk is None or self._disk.has_room) and (peer is None or self.core.has_room(peer))
