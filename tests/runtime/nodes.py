"""Nodes in memory, a tiny application, and a peer that a test plays by hand."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import trio

import p2pcommerce as p2p
from p2pcommerce.ledger.application import Admission, InvalidTransactionError, QueryError, Rejection
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Event, Outcome, Receipt
from p2pcommerce.ledger.transaction import UnsignedTransaction, sign_transaction
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.runtime.config import NodeConfig
from p2pcommerce.runtime.events import FinalizedBlock
from p2pcommerce.runtime.identity import Identity
from p2pcommerce.runtime.transport.memory import MemoryTransport
from p2pcommerce.wire import HandshakeDone, LocalPeer, MessageReceived, Session

RICH = 10**12
STAKE = 10**9


def identity(number):
    return Identity.from_seed(number.to_bytes(32, "big"))


def genesis_of(*validators, network="test", engine=None):
    """A local network; keys 0 to 9 are rich, the named ones are validators (default: key 0, solo)."""
    stakes = {identity(number).public_key: STAKE for number in validators or (0,)}
    engine = engine or ("simplex" if len(stakes) > 1 else "solo")
    return Genesis.local(network, stakes, {identity(number).public_key: RICH for number in range(10)}, engine=engine)


def config_of(folder, number=0, *, genesis=None, listen=None, **settings):
    settings = {"control": False, "log_file": False, "listen": (f"memory://n{number}",)} | settings
    if listen is not None:
        settings["listen"] = listen
    return NodeConfig(
        identity=identity(number),
        genesis=genesis or genesis_of(engine=settings.get("engine")),
        data_dir=Path(folder) / str(number),
        **settings,
    )


def signed(genesis, number, nonce, *, body=(b"a", b"1"), type_="note.set", expires_height=10_000, fee=1_000):
    account = identity(number)
    unsigned = UnsignedTransaction(
        chain_id=genesis.hash,
        type=type_,
        sender=account.public_key,
        nonce=nonce,
        fee=fee,
        expires_height=expires_height,
        body=body,
    )
    return sign_transaction(unsigned, account.seed, ED25519)


def block(height, *names):
    """The event of a final block; one receipt for each name."""
    receipts = tuple(
        Receipt(height, index, bytes(32), bytes([height, index]), RejectionCode.OK, (Event(name, ()),), "")
        for index, name in enumerate(names)
    )
    return FinalizedBlock(height, bytes(32), height * 100, receipts)


SHOP = identity(50).public_key


def open_memory(config, network=None, **settings):
    return p2p.open_node(config, transports=(network or MemoryTransport(),), **settings)


def open_notes(config, network=None):
    return open_memory(config, network, application=Notes())


def pay(amount_minor):
    return p2p.commerce.Transfer(to=SHOP, amount_minor=amount_minor)


class Note:
    """The one payload of `Notes`."""

    TYPE = "note.set"

    def __init__(self, key, value):
        self.key, self.value = key, value

    def to_body(self):
        return (self.key, self.value)


class Notes:
    """A notice board: whoever sends may write a value under a key. Nonces count; there is no money."""

    name = "notes"

    def genesis(self, genesis):
        return {b"note:first": b"hello"}

    def _nonce(self, sender, state):
        return int.from_bytes(state.get(b"nonce:" + sender) or b"", "big")

    def check(self, transaction, view, height):
        nonce = self._nonce(transaction.sender, view)
        if transaction.nonce < nonce:
            return Rejection(RejectionCode.BAD_NONCE, "it was used before")
        if transaction.body[1] == b"forbidden":
            return Rejection(RejectionCode.FORBIDDEN, "that word is not written here")
        return Admission(self.weight(transaction), transaction.sender, transaction.fee, 10**18, nonce)

    def weight(self, transaction):
        return len(transaction.raw)

    def begin_block(self, state, context):
        pass

    def apply(self, transaction, state, context):
        if transaction.nonce != self._nonce(transaction.sender, state):
            raise InvalidTransactionError(RejectionCode.BAD_NONCE, "not the next")
        state.put(b"nonce:" + transaction.sender, (transaction.nonce + 1).to_bytes(8, "big"))
        state.put(b"note:" + transaction.body[0], transaction.body[1])
        return Outcome(RejectionCode.OK, (Event(f"note.{transaction.body[0].decode()}", (transaction.body[0],)),))

    def end_block(self, state, context):
        return ()

    def query(self, name, arguments, view):
        if name != "note":
            raise QueryError("there is the query note")
        value = view.get(b"note:" + str(arguments["key"]).encode())
        return None if value is None else value.decode()

    def audit(self, genesis, view, changes):
        pass


class Caller:
    """A peer that a test plays by hand over a stream."""

    def __init__(self, stream, genesis, number=100):
        own = identity(number)
        self.stream = stream
        self.session = Session(
            LocalPeer(
                public_key=own.public_key,
                sign=partial(ED25519.sign, own.seed),
                genesis_hash=genesis.hash,
                static_secret=Random(number).randbytes(32),
                peer_record=b"",
            ),
            initiator=True,
            announcement_key=b"k" * 16,
            ephemeral_secret=Random(number).randbytes(32),
        )
        self.messages = []
        self.peer = None

    async def shake(self):
        await self.flush()
        while self.peer is None:
            assert await self.read(), "closed in the handshake"
        await self.flush()

    async def flush(self):
        while data := self.session.data_to_send():
            await self.stream.send_all(data)
            if self.peer is None:
                return

    async def read(self):
        """Read once; False at the end of the stream."""
        data = await self.stream.receive_some()
        for event in self.session.receive_data(bytes(data)):
            match event:
                case HandshakeDone():
                    self.peer = event.peer
                case MessageReceived(message):
                    self.messages.append(message)
        return bool(data)

    async def say(self, *messages):
        for message in messages:
            assert self.session.send(message)
        await self.flush()

    async def wait_for(self, kind):
        """Return the next message of a kind."""
        while True:
            for index, message in enumerate(self.messages):
                if isinstance(message, kind):
                    return self.messages.pop(index)
            assert await self.read(), f"closed before a {kind.__name__} came"


@asynccontextmanager
async def running_node(folder, network, number=0, **settings):
    """A node that is known to be unharmed when its context is left."""
    config = config_of(folder, number, **settings)
    async with p2p.open_node(config, application=Notes(), transports=(network,)) as node:
        yield node
        if config.genesis.engine == "solo":
            await node.wait_finalized(await node.submit(Note(b"unharmed", b"yes")))


def counted(node):
    return node.statistics()["connections"]


async def dial(network):
    return await network.dial("memory://n0")


async def end_of(stream):
    """Read until the other end closes; return how much came."""
    size = 0
    try:
        while data := await stream.receive_some():
            size += len(data)
    except trio.BrokenResourceError:
        pass
    return size


async def until(condition):
    """Wait, on a clock that jumps, until something is so."""
    pause_s = 0.01
    with trio.fail_after(1_000):
        while not condition():
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, 1)


def open_files():
    """What this process has open, without what the event loop and the test runner keep."""
    found = Counter()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found[os.readlink(descriptor).split(":")[0]] += 1
        except FileNotFoundError:
            continue  # it was the listing's own
    return found
