"""One node of a simulated world, with what a runtime would keep for it: a clock, a disk, connections.

Effects are done in the order and with the durability of the runtime (`disk_queue`). The host may crash between any two
of them (`arm_crash`); a start makes a fresh core from what its disk kept.

Source: the runtime's driver, disk and assembly, under simulated time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from p2pcommerce.finality import SigningGuard
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.epochs import founding_state
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import (
    Append,
    AppendOwn,
    Attach,
    Close,
    Commit,
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
    Query,
    Report,
    Restore,
    Rewrite,
    RewriteOwn,
    SaveBook,
    SignRequest,
    Submitted,
    TakeSnapshot,
    Transmit,
)
from p2pcommerce.node.epoch_links import EpochLink
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash, PeerId
from p2pcommerce.primitives.vrf import VRF_KIND
from p2pcommerce.simulation.behaviour import Behaviour, RestlessError
from p2pcommerce.simulation.clocks import HostClock
from p2pcommerce.simulation.disk_queue import DiskQueue, first_durable
from p2pcommerce.simulation.disks import SimulatedDisk, SimulatedDiskError
from p2pcommerce.simulation.journal import JournalDamageError
from p2pcommerce.simulation.off_chain import SimulatedOffChain
from p2pcommerce.simulation.offers import Offers
from p2pcommerce.simulation.own_queue import OwnQueue
from p2pcommerce.simulation.storage import Storage
from p2pcommerce.simulation.surroundings import Surroundings
from p2pcommerce.wire.messages import Message

__all__ = ["READ_US", "TICKS_AT_ONCE_MAX", "Behaviour", "Host", "RestlessError"]

READ_US: Final = 200
"""A read from the store, microseconds."""
TICKS_AT_ONCE_MAX: Final = 2_000
"""Ticks of one host at one moment; a core that wants more would spin for ever."""


class Host:
    """One node with its surroundings.

    Attributes:
        number: index in the world; seed: 32 bytes of its key; key: its public key, 32 bytes.
        address, clock, disk: where it listens, and its own.
        core, engine: the node and its engine; None while the host is down.
        behaviour: of an adversary; None: it is honest.
        life: changes with each start and each end.
        attached: peer -> the number of its link.
        storage: the open files of this life; off_chain: blobs and messages.
        posts: what came on topics that its core was made to listen to.
        is_halted, is_damaged: it must never start again; it cannot, as its log or guard is damaged.
        stays_down: a person stopped it: it starts when that person says so.
    """

    def __init__(
        self, world: Surroundings, number: int, seed: bytes, address: str, faults: Mapping[str, float]
    ) -> None:
        """Build a host that is down; `faults` are those of its clock and its disk."""
        self.world = world
        self.number, self.seed, self.address = number, seed, address
        self.key = world.scheme.public_key(seed)
        self.clock = HostClock(world.streams, number, faults)
        self.disk = SimulatedDisk(world.streams, number, faults)
        self.core: Node | None = None
        self.engine: FinalityEngine | None = None
        self.behaviour: Behaviour | None = None
        self.life = self.height = self.refused_to_sign = 0
        self.posts: list[Deliver] = []
        self.attached: dict[PeerId, int] = {}
        self.announcement_key = bytes(16)
        self.storage: Storage | None = None
        self.is_halted = self.is_damaged = self.stays_down = False
        self.head = BlockHash(bytes(32))
        self._rng = world.streams.of(f"host.{number}")
        self._disk_rng = world.streams.of(f"disk.sync.{number}")
        self._queue: DiskQueue | None = None
        self._contents: dict[BlockHash, CommittedBlock] = {}
        self._offers = Offers(world.genesis)
        self.off_chain = SimulatedOffChain(self)
        self._wake_us: int | None = None
        self._crash_in: int | None = None
        self._ticks = (0, 0)

    @property
    def node(self) -> Node:
        """The running core.

        Raises:
            LocalProtocolError: the host is down.
        """
        if self.core is None:
            raise LocalProtocolError(f"host {self.number} is down; start it first")
        return self.core

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self.core is not None

    @property
    def now(self) -> int:
        """What its clock reads, microseconds of Unix time."""
        return self.clock.read(self.world.now_us)

    @property
    def disk_backlog(self) -> int:
        """Effects that wait for the disk."""
        return 0 if self._queue is None else len(self._queue)

    # --- life ---

    def start(self) -> None:
        """Start from what the disk kept; do nothing if it runs or must stay down."""
        if self.core is not None or self.is_halted or self.is_damaged or self.stays_down:
            return
        world = self.world
        self.life += 1
        self.clock.restart(world.now_us)
        self.announcement_key = self._rng.randbytes(16)
        try:
            storage = self.storage = Storage(self.disk, self._disk_rng, self._contents)
        except JournalDamageError as error:
            self.is_damaged = True
            world.on_down(self, "damage", str(error))
            return
        except SimulatedDiskError as error:
            world.on_down(self, "disk", str(error))
            return
        engine = self.engine = world.make_engine(self)
        guard = SigningGuard(engine)
        guard.restore(storage.guard.records)
        own_rng = world.streams.of(f"disk.own.{self.number}")
        own_queue = OwnQueue(self, storage.own, own_rng, partial(world.on_submitted, self))
        self._queue = DiskQueue(self, storage, guard, self._disk_rng, own_queue)
        node = self.core = self._assemble(engine, storage)
        world.trace.record(world.now_us, self.number, "start", self.head)
        records, own, signed, book = storage.log.records, storage.own.records, guard.last, storage.book()
        self.give(lambda now: node.start(records, signed, book, [self.address], now, own))
        self.off_chain.start(node)
        storage.log.records, storage.guard.records, storage.own.records = [], [], []
        # What was stored right before a crash: nobody has heard of it if no other node has it.
        self.on_stored(storage.blocks)
        if self.behaviour is not None:
            self.behaviour.on_started()

    def _assemble(self, engine: FinalityEngine, storage: Storage) -> Node:
        world = self.world
        application = world.make_application()
        last = storage.blocks[-1] if storage.blocks else None
        node = Node(
            public_key=self.key,
            genesis=world.genesis,
            application=application,
            engine=engine,
            scheme=world.scheme,
            rng=random.Random(self._rng.getrandbits(128)),  # noqa: S311 - a simulation must be repeatable
            parameters=world.parameters,
            bootstrap=world.bootstrap,
            state=storage.state(founding_state(world.genesis, application.genesis(world.genesis))),
            head=None if last is None else last.block.header,
            proof=b"" if last is None else last.proof,
        )
        self.height, self.head = node.chain.head.height, node.chain.head.hash
        return node

    def crash(self, *, power_loss: bool = True, kind: str = "crash", reason: str = "") -> None:
        """End at once, and with it (`power_loss`) whatever is not durable; do nothing if it is down."""
        if self.core is None:
            return
        self.life += 1
        self.core = self.engine = self._queue = self._wake_us = self._crash_in = None
        self.attached.clear()
        self.disk.crash(power_loss=power_loss)
        self.world.close_all(self)
        self.world.trace.record(self.world.now_us, self.number, kind, words=reason)
        self.world.on_down(self, kind, reason)

    def arm_crash(self, steps: int | None) -> None:
        """Crash after so many more steps (None: no more), each the doing of one effect or one access to the disk."""
        if self.core is not None:
            self._crash_in = steps

    def survives(self) -> bool:
        """Pass one step; tell whether the host still runs."""
        if self._crash_in is not None:
            self._crash_in -= 1
            if self._crash_in < 0:
                self.crash(power_loss=bool(self._disk_rng.randrange(4)))
        return self.core is not None

    # --- inputs ---

    def later(self, wait_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Call after a while, unless this life ends before; a disk that fails then ends it."""
        self.world.at(self.world.now_us + wait_us, self, self._run, call, arguments)

    def _run(self, call: Callable[..., None], arguments: Sequence[Any]) -> None:
        try:
            call(*arguments)
        except SimulatedDiskError as error:
            self._fail(error)
        self._end_turn()

    def _fail(self, error: SimulatedDiskError) -> None:
        """Stop as the runtime does when its disk fails."""
        self.crash(power_loss=False, kind="disk", reason=str(error))

    def give(self, call: Callable[[int], Sequence[Effect]]) -> None:
        """Give the core an input, `call(now)`, and do what comes back."""
        self._work(call(self.now))
        self._end_turn()

    def receive(self, peer: PeerId, message: Message) -> None:
        """Give the core a message of an attached peer."""
        heard = message if self.behaviour is None else self.behaviour.on_message(peer, message)
        if heard is not None and self.core is not None:
            self.world.on_heard(self, peer, heard)
            self._work(self.core.on_message(peer, heard, self.now))
            self._end_turn()

    def act(self, effects: Sequence[Effect]) -> None:
        """Do effects of an adversary's own."""
        self._work(effects, of_core=False)
        self._end_turn()

    def _work(self, effects: Sequence[Effect], *, of_core: bool = True) -> None:
        if self.behaviour is not None and of_core:
            effects = self.behaviour.on_effects(effects)
        at_once = first_durable(effects)
        life, queue = self.life, self._queue
        try:
            for effect in effects[:at_once] if at_once < len(effects) else effects:
                if not self.survives() or self.life != life:
                    return
                self.perform(effect)
            if at_once < len(effects) and queue is not None and self.life == life:
                queue.give(effects[at_once:])
        except SimulatedDiskError as error:
            self._fail(error)

    def _end_turn(self) -> None:
        """Send what was queued and see to the next wake."""
        if self.core is None:
            return
        self.world.flush(self)
        due = self.core.deadline
        if due is not None:
            wake_us = max(self.world.now_us, self.clock.world_time_of(due))
            if self._wake_us is None or wake_us < self._wake_us:
                self._wake_us = wake_us
                self.world.at(wake_us, self, self._tick, wake_us)

    def rewind(self) -> None:
        """The clock was changed: deadlines fall at other moments."""
        self._wake_us = None
        self._end_turn()

    def _tick(self, wake_us: int) -> None:
        if wake_us != self._wake_us:
            return  # another wake took its place
        self._wake_us = None
        node, now = self.node, self.now
        self._ticks = (now, self._ticks[1] + 1 if self._ticks[0] == now else 1)
        if self._ticks[1] > TICKS_AT_ONCE_MAX:
            raise RestlessError(f"host {self.number} wants to be woken again and again at {now} us")
        self._work(node.on_deadline(now))
        self._end_turn()

    # --- effects ---

    def perform(self, effect: Effect) -> None:  # noqa: C901 - one arm per effect
        """Do one effect that is not the disk's."""
        world = self.world
        match effect:
            case Transmit(peer, message):
                if peer in self.attached:
                    world.transmit(self, peer, message)
            case Attach(peer, link):
                self.attached[peer] = link
            case Close(link, code):
                world.close(self, link, code)
            case Dial(address, peer):
                world.dial(self, address, peer)
            case LoadBlocks():
                self.later(READ_US, self._load, effect)
            case LoadItems(request, query):
                self.later(READ_US, self._load_items, request, query)
            case AppendOwn() | RewriteOwn() | Submitted():
                if self._queue is not None:
                    self._queue.own.give(effect)
            case Dropped():
                world.on_dropped(self, effect)
            case OffenceFound() | Report():
                world.on_offence(self, effect)
            case OffChainWork():
                self.off_chain.perform(effect)
            case Deliver():
                self.posts.append(effect)
            case SaveBook(data):
                if self.storage is not None and (failure := self.storage.try_save_book(data)):
                    world.on_log(self, "WARNING", "discovery", failure)
            case Log(level, room, message):
                world.on_log(self, level, room, message)
            case Halt(reason):
                self.is_halted = True
                self.crash(power_loss=False, kind="halt", reason=reason)
            case Append() | Rewrite() | SignRequest() | Commit() | Restore() | TakeSnapshot():
                raise LocalProtocolError("an effect of the disk was done aside of its queue")

    def _load(self, load: LoadBlocks) -> None:
        if self.storage is not None:
            self._work(self.node.on_loaded(load.request, self.storage.rows(load.from_height, load.count)))

    def _load_items(self, request: int, query: Query) -> None:
        if (storage := self.storage) is not None:
            genesis = self.world.genesis
            founded = partial(founding_state, genesis, self.world.make_application().genesis(genesis))
            items = self._offers.read(query, lambda up: storage.state(founded(), up))
            self._work(self.node.on_items(request, items, self.now))

    def note_final(self, blocks: Sequence[CommittedBlock], *, is_restored: bool = False) -> None:
        """The core says that these blocks are final, or that it restored the state after one; they will be stored."""
        for committed in blocks:
            self._contents[committed.block.hash] = committed
            self.height, self.head = committed.block.header.height, committed.block.hash
            self.world.on_final(self, committed, is_restored=is_restored)

    def on_stored(self, blocks: Sequence[CommittedBlock]) -> None:
        """Blocks are stored for good."""
        for committed in blocks:
            self._offers.on_stored(committed)
        self.world.on_stored(self, blocks)

    def on_restored(self, block: CommittedBlock, links: Sequence[EpochLink]) -> None:
        """A whole state is stored for good."""
        self._offers.learn(links)
        self._offers.on_stored(block)

    def take_snapshot(self, effect: TakeSnapshot) -> None:
        """Offer the state after the last stored block."""
        self._offers.take(effect.header, effect.proof)

    def sign(self, request: SignRequest, frame: bytes | None) -> None:
        """Answer the core's request for a signature."""
        may = frame is not None or (self.behaviour is not None and self.behaviour.ignores_guard)
        signature = self.signature(request.kind, request.data) if may else None
        if signature is None:
            self.refused_to_sign += 1
        self._work(self.node.on_signed(request.request, signature, self.now))

    def signature(self, kind: str, data: bytes) -> bytes:
        """Return this validator's signature (64 bytes), which the world judges, or its random output's proof (80)."""
        if kind == VRF_KIND:
            return self.world.scheme.vrf_prove(self.seed, data)
        self.world.on_signed(self, kind, data)
        return self.world.scheme.sign(self.seed, signed_bytes(kind, self.world.genesis.hash, data))

    # --- people ---

    def submit(self, request: int, raw: bytes) -> bool:
        """Submit a transaction; False: the pool pushes back, or the host is down."""
        if self.core is None or not self.core.can_submit():
            return False
        self._work(self.core.on_submit(request, raw, self.now))
        self._end_turn()
        return True
