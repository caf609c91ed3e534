"""One whole node without a network: it does its effects in memory, and hands out what it wants to send.

Its signature scheme is credulous: it takes every signature for good that does not end in `BAD_BYTE`, so that changed
messages reach the rules behind the signatures. Forged quorums may make a node halt, which it says in a sentence.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from fuzz.verdicts import BrokenRuleError, check
from p2pcommerce.blobs.effects import LoadBlob, StoreBlob, StoreMessage
from p2pcommerce.commerce import Commerce
from p2pcommerce.discovery import sign_record
from p2pcommerce.finality import SigningGuard, make_engine
from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.ledger.epochs import founding_state
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.node import effects as out
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.node import Connected, Node, NodeParameters
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import PeerId, PublicKey
from p2pcommerce.primitives.vrf import VRF_KIND, VRF_PROOF_BYTES
from p2pcommerce.simulation.buffers import over_caps
from p2pcommerce.simulation.offers import Offers
from p2pcommerce.wire import messages as wire

__all__ = ["BAD_BYTE", "CREDULOUS", "START_US", "VALIDATORS", "Credulous", "Station", "genesis_of", "key_of", "seed_of"]

START_US: Final = 1_700_000_000_000_000
VALIDATORS: Final = 4
BAD_BYTE: Final = 0xEE
TOKEN: Final = 1_000_000
_POOL: Final = MempoolParameters()
TOPICS: Final = ("news", "weather")
"""What the node under test listens to."""
_WAKES_AT_ONCE_MAX: Final = 500
_SAID_MAX: Final = 16
_LIFE_MS: Final = 7 * 86_400_000
_EPOCH_BLOCKS: Final = 4


class Credulous:
    """Believes signatures, unless their last byte is `BAD_BYTE`."""

    def public_key(self, seed: bytes) -> PublicKey:
        """Return the public key (32 bytes) of a seed (32 bytes)."""
        return PublicKey(blake2b_256(b"fuzz" + seed))

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """Return a signature (64 bytes)."""
        return hashlib.blake2b(message, key=seed, digest_size=63).digest() + b"\0"

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether a signature ends well."""
        del public_key, message
        return signature[-1:] != bytes([BAD_BYTE])

    def vrf_prove(self, seed: bytes, alpha: bytes) -> bytes:
        """Return a proof (80 bytes)."""
        return self.sign(seed, alpha) + bytes(VRF_PROOF_BYTES - 64)

    def vrf_verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
        """Return a random output (64 bytes) of a proof that ends well."""
        return hashlib.blake2b(proof).digest() if self.verify(public_key, alpha, proof) else None


CREDULOUS: Final = Credulous()


def seed_of(name: str) -> bytes:
    """Return the seed (32 bytes) of somebody."""
    return blake2b_256(name.encode())


def key_of(name: str) -> PublicKey:
    """Return the key (32 bytes) of somebody."""
    return CREDULOUS.public_key(seed_of(name))


def genesis_of(engine: str) -> Genesis:
    """Return the genesis of the fuzzed networks: four validators (of solo one), four accounts, short epochs."""
    count = 1 if engine == "solo" else VALIDATORS
    stakes = {key_of(f"validator {number}"): 1_000 * TOKEN for number in range(count)}
    balances = {key_of(name): 10_000 * TOKEN for name in ("ann", "bob", "cid", "dan")}
    chain = ChainParameters.local()
    if engine == "simplex":
        chain = replace(chain, epoch_blocks=_EPOCH_BLOCKS)
    return Genesis.new("fuzz", stakes, balances, time_ms=START_US // 1_000 - 10_000, parameters=chain, engine=engine)


class _Memory:
    """What survives a restart."""

    def __init__(self, genesis: Genesis) -> None:
        self.log: list[bytes] = []
        self.own: list[bytes] = []
        self.guard: list[bytes] = []
        self.blocks: list[CommittedBlock] = []
        self.book: bytes | None = None
        self.offers = Offers(genesis)

    def state(self, founded: dict[bytes, bytes], up_to: int = 2**32) -> dict[bytes, bytes]:
        """Return the state after the stored blocks up to a height."""
        values = dict(founded)
        for committed in self.blocks:
            if committed.block.header.height > up_to:
                break
            for key, value in committed.changes.items():
                if value is None:
                    values.pop(key, None)
                else:
                    values[key] = value
        return values


class Station:
    """One node.

    Attributes:
        sent: what it sent since the last look: peer and bytes.
        said: the last engine messages that it sent.
        node: the core.
        halted: why it stopped, if it did.
    """

    def __init__(self, engine: str, number: int = 0, direct_max: int = RelayParameters().direct_max) -> None:
        """Make the node of a validator; `start` begins; `direct_max`: beyond so many finality messages are relayed."""
        self._direct_max = direct_max
        self.genesis = genesis_of(engine)
        self.number = number
        self.seed = seed_of(f"validator {number}")
        self.key = CREDULOUS.public_key(self.seed)
        self.address = f"tcp://10.{number}.0.1:7400"
        self.now = START_US
        self.sent: list[tuple[PeerId, bytes]] = []
        self.said: deque[bytes] = deque(maxlen=_SAID_MAX)
        self.dialled: list[str] = []
        self.halted: str | None = None
        self.memory = _Memory(self.genesis)
        self.links: dict[PeerId, int] = {}
        self._links_made = 0
        self._requests = 0
        self._answers: deque[Callable[[int], Sequence[out.Effect]]] = deque()
        changes = founding_state(self.genesis, Commerce().genesis(self.genesis))
        self.founded = {key: value for key, value in changes.items() if value is not None}

    def start(self) -> Station:
        """Start, or start again from what is durable."""
        memory = self.memory
        self.links.clear()
        self._answers.clear()
        last = memory.blocks[-1] if memory.blocks else None
        engine = make_engine(self.genesis.engine, CREDULOUS)
        self.guard = SigningGuard(engine)
        self.guard.restore(memory.guard)
        self.node = Node(
            public_key=self.key,
            genesis=self.genesis,
            application=Commerce(),
            engine=engine,
            scheme=CREDULOUS,
            rng=random.Random(self.number),
            parameters=NodeParameters(mempool=_POOL, relay=RelayParameters(direct_max=self._direct_max)),
            bootstrap=[f"tcp://10.{number}.0.1:7400" for number in range(VALIDATORS)],
            state=memory.state(self.founded),
            head=None if last is None else last.block.header,
            proof=b"" if last is None else last.proof,
        )
        self.give(
            lambda now: self.node.start(list(memory.log), self.guard.last, memory.book, [self.address], now, memory.own)
        )
        for topic in TOPICS:
            self.give(partial(self._listen, topic))
        return self

    def _listen(self, topic: str, now: int) -> list[out.Effect]:
        return self.node.on_listen(topic, None, now)[1]

    @property
    def has_halted(self) -> bool:
        """Whether it stopped."""
        return self.halted is not None

    # --- inputs ---

    def give(self, call: Callable[[int], Sequence[out.Effect]]) -> None:
        """Give an input, and do what comes of it."""
        self._answers.append(call)
        while self._answers and self.halted is None:
            for effect in self._answers.popleft()(self.now):
                self._do(effect)
                if self.has_halted:
                    return

    def hear(self, peer: PeerId, data: bytes) -> bool:
        """Take a message's bytes; tell whether they are one."""
        try:
            message = wire.decode_message(data)
        except CodecError:
            return False
        self.give(lambda now: self.node.on_message(peer, message, now))
        return True

    def connect(self, peer: PeerId, record: bytes, *, outbound: bool = False) -> None:
        """Let somebody connect."""
        self._links_made += 1
        connected = Connected(
            peer=peer,
            link=self._links_made,
            outbound=outbound,
            address=self.dialled[-1] if outbound and self.dialled else None,
            own_key=bytes([self.number]) * 16,
            peer_key=peer[:16],
            peer_record=record,
        )
        self.give(lambda now: self.node.on_connected(connected, now))

    def disconnect(self, peer: PeerId) -> None:
        """Let a connection end."""
        link = self.links.pop(peer, None)
        if link is not None:
            self.give(lambda now: self.node.on_disconnected(peer, link, now))

    def submit(self, raw: bytes) -> None:
        """Submit a transaction, if there is room."""
        self._requests += 1
        if self.node.can_submit():
            self.give(lambda now: self.node.on_submit(self._requests, raw, now))

    def wait(self, duration_us: int) -> None:
        """Let time pass, waking the node whenever it wants it.

        Raises:
            BrokenRuleError: it wants to be woken again and again at one moment.
        """
        until, woken = self.now + duration_us, 0
        while self.halted is None and (due := self.node.deadline) is not None and due <= until:
            if due > self.now:
                self.now, woken = due, 0
            woken += 1
            if woken > _WAKES_AT_ONCE_MAX:
                raise BrokenRuleError("the node wants to be woken again and again")
            self.give(self.node.on_deadline)
        self.now = until

    def check_bounds(self) -> None:
        """Demand that every buffer is within its cap."""
        over = list(over_caps(self.node.statistics(), _POOL, VALIDATORS))
        check(not over, "; ".join(over))

    # --- effects ---

    def _do(self, effect: out.Effect) -> None:  # noqa: C901, PLR0915 - one arm per effect
        memory = self.memory
        match effect:
            case out.Transmit(peer, message):
                self.sent.append((peer, wire.encode_message(message)))
                if isinstance(message, wire.Engine):
                    self.said.append(message.data)
            case out.Attach(peer, link):
                self.links[peer] = link
            case out.Close(link, code, reason):
                check(bool(code) and bool(reason), "a connection is closed without a reason")
                self.links = {peer: number for peer, number in self.links.items() if number != link}
            case out.Deliver(post):
                check(post.topic in TOPICS, "a post of a topic that nobody listens to is delivered")
            case out.Dial(address, _):
                self.dialled.append(address)
            case out.Append(record):
                memory.log.append(record)
            case out.Rewrite(records):
                memory.log = list(records)
            case out.AppendOwn(record):
                memory.own.append(record)
            case out.RewriteOwn(records):
                memory.own = list(records)
            case out.SignRequest():
                self._sign(effect)
            case out.Commit(blocks):
                self._commit(blocks)
            case out.LoadBlocks(request, from_height, count):
                rows = self._rows(from_height, count)
                self._answers.append(lambda _: self.node.on_loaded(request, rows))
            case out.LoadItems(request, query):
                items = memory.offers.read(query, lambda height: memory.state(self.founded, height))
                self._answers.append(lambda now: self.node.on_items(request, items, now))
            case out.TakeSnapshot(header, proof):
                memory.offers.take(header, proof)
            case out.SaveBook(data):
                memory.book = data
            case out.Restore():
                self.halted = "restored"
            case out.Halt(reason):
                check(bool(reason), "the node halts without a reason")
                self.halted = reason
            case out.OffChainWork(work):
                self._answer_off_chain(work)
            case out.Submitted() | out.Dropped() | out.OffenceFound() | out.Report() | out.Log():
                pass

    def _rows(self, from_height: int, count: int) -> list[tuple[bytes, bytes]]:
        blocks = self.memory.blocks[from_height - 1 :][:count] if from_height else []
        return [(each.block.raw, each.proof) for each in blocks]

    def _commit(self, blocks: Sequence[CommittedBlock]) -> None:
        for committed in blocks:
            height = committed.block.header.height
            check(height == len(self.memory.blocks) + 1, "final blocks are committed in order, each once")
            self.memory.blocks.append(committed)
            self.memory.offers.on_stored(committed)

    def _answer_off_chain(self, work: object) -> None:
        """A disk that keeps everything, and finds no blob again: those are fetched from peers."""
        room = self.node.off_chain
        match work:
            case StoreBlob(blob_hash):
                self._answers.append(lambda now: room.on_blob_stored(blob_hash, now, is_kept=True))
            case LoadBlob(blob_hash):
                self._answers.append(lambda now: room.on_blob_loaded(blob_hash, None, (), now))
            case StoreMessage(message_id):
                self._answers.append(lambda now: room.on_message_stored(message_id, now, is_kept=True))
            case _:
                pass  # removals, and what an application is told

    def _sign(self, effect: out.SignRequest) -> None:
        frame = self.guard.admit(effect.kind, effect.data)
        signature: bytes | None = None
        if frame is not None:
            if frame:
                self.memory.guard.append(frame)
            if effect.kind == VRF_KIND:
                signature = CREDULOUS.vrf_prove(self.seed, effect.data)
            else:
                message = signed_bytes(effect.kind, self.genesis.hash, effect.data)
                signature = CREDULOUS.sign(self.seed, message)
        self._answers.append(lambda now: self.node.on_signed(effect.request, signature, now))

    def book(self) -> bytes:
        """Return the node's address book as it would be saved."""
        return self.node._board.discovery.dump()  # noqa: SLF001 - the node saves it when it likes

    def record(self) -> bytes:
        """Return the signed peer record of this node."""
        now_ms = START_US // 1_000
        return sign_record(CREDULOUS, self.seed, self.genesis.hash, (self.address,), now_ms, now_ms + _LIFE_MS).raw
