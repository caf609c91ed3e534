"""A small chain with a stand-in for proofs, and scripted peers that serve it: well, slowly, falsely or not at all."""

import heapq
import itertools
import random

from p2pcommerce.ledger.block import Block, Header, tx_root
from p2pcommerce.ledger.transaction import transaction_id
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import ZERO_HASH
from p2pcommerce.sync import Blame, Ready, Row, SendTo, Sync, SyncParameters, answer
from p2pcommerce.sync.effects import CatchingUp
from p2pcommerce.wire.messages import Blocks, GetBlocks, Status

GENESIS_HASH = blake2b_256(b"sync tests")
SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def header_of(height, parent_hash, ids=(), salt=b""):
    return Header(
        version=1,
        genesis_hash=GENESIS_HASH,
        epoch=0,
        height=height,
        parent_hash=parent_hash,
        proposer=bytes(32),
        time_ms=height,
        tx_root=tx_root(tuple(ids)),
        receipts_root=ZERO_HASH,
        state_root=ZERO_HASH,
        validators_hash=ZERO_HASH,
        next_validators_hash=ZERO_HASH,
        engine_data=salt,
    )


GENESIS = header_of(0, ZERO_HASH)


def proof_of(header):
    return b"final" + header.hash


def verify(header, proof):
    return proof == proof_of(header)


def make_chain(length, *, transactions=1, size=100, salt=b"", parent=GENESIS):
    """Return `length` blocks above `parent`."""
    blocks = []
    for height in range(parent.height + 1, parent.height + length + 1):
        bodies = tuple(b"%d/%d" % (height, i) + bytes(size) for i in range(transactions))
        header = header_of(height, parent.hash, [transaction_id(raw) for raw in bodies], salt)
        blocks.append(Block(header, bodies))
        parent = header
    return blocks


def message_of(blocks):
    """Return what an honest peer answers with these blocks."""
    proof = proof_of(blocks[-1].header)
    return Blocks(blocks[0].header.height, tuple(block.raw for block in blocks), proof)


def rows_of(blocks):
    return [Row(block.header.height, block.raw, proof_of(block.header)) for block in blocks]


class Peer:
    """Serves a chain, after `latency_us`."""

    def __init__(self, blocks, latency_us=50_000, claimed=None):
        self.rows = rows_of(blocks)
        self.latency_us = latency_us
        self.claimed = len(blocks) if claimed is None else claimed
        self.asked = []

    def answer(self, request):
        self.asked.append(request)
        return answer(request, self.rows[request.from_height - 1 :])


class Mute(Peer):
    def answer(self, request):
        self.asked.append(request)


class Empty(Peer):
    def answer(self, request):
        self.asked.append(request)
        return Blocks(request.from_height, (), b"")


class Forger(Peer):
    """Answers with what `forge` makes of the honest answer."""

    def __init__(self, blocks, forge, **options):
        super().__init__(blocks, **options)
        self.forge = forge

    def answer(self, request):
        return self.forge(super().answer(request))


class World:
    """One node's `Sync` among scripted peers, on a clock of its own."""

    def __init__(self, peers, *, seed=1, parameters=None, delivered=GENESIS, execute_us=0):
        self.peers = {bytes([number]) * 32: peer for number, peer in enumerate(peers, 1)}
        self.now = START
        self.sync = Sync(parameters or SyncParameters(), verify, GENESIS, random.Random(seed))
        self.delivered = []
        self.blamed = []
        self.statuses = []
        self.conflicts = []
        self.headway = []
        self.buffered_bytes_max = 0
        self.execute_us = execute_us
        self._order = itertools.count()
        self._queue = []
        self.sync.on_delivered(delivered, self.now)
        for key, peer in self.peers.items():
            self.sync.on_connected(key, self.now)
            self.status(key, peer.claimed)

    def status(self, key, height):
        self.act(self.sync.on_status(key, Status(height, bytes(32)), self.now))

    def later(self, delay_us, action):
        heapq.heappush(self._queue, (self.now + delay_us, next(self._order), action))

    def act(self, effects):
        for effect in effects:
            match effect:
                case SendTo(peer, GetBlocks() as request):
                    assert request.count >= 1
                    message = self.peers[peer].answer(request)
                    if message is not None:
                        self.later(
                            self.peers[peer].latency_us,
                            lambda peer=peer, message=message: self.act(self.sync.on_blocks(peer, message, self.now)),
                        )
                case SendTo(peer, status):
                    self.statuses.append((self.now, peer, status))
                case Ready(blocks):
                    self.later(self.execute_us, lambda blocks=blocks: self.deliver(blocks))
                case Blame(peer, reason):
                    self.blamed.append((peer, reason))
                case CatchingUp():
                    self.headway.append(effect)
                case conflict:
                    self.conflicts.append(conflict)

    def deliver(self, blocks):
        for block, proof in blocks[:-1]:
            assert proof == b""
            self.delivered.append(block)
        block, proof = blocks[-1]
        assert verify(block.header, proof)
        self.delivered.append(block)
        self.sync.on_delivered(block.header, self.now)

    def run(self, seconds):
        """Let time pass until nothing is left to do, or so many seconds have gone."""
        until = self.now + int(seconds * SECOND)
        while True:
            deadline = self.sync.deadline
            if deadline is not None and deadline <= self.now:
                self.act(self.sync.on_deadline(self.now))
                self.buffered_bytes_max = max(self.buffered_bytes_max, self.sync.statistics()["buffered_bytes"])
                continue
            times = [self._queue[0][0]] if self._queue else []
            times += [] if deadline is None else [deadline]
            if not times or min(times) > until:
                self.now = until
                return
            self.now = min(times)
            if self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()

    @property
    def heights(self):
        return [block.header.height for block in self.delivered]
