"""`follow`: bring a light client up to date over real connections, and let several nodes contradict each other.

    client = p2p.LightClient.of(genesis)
    followed = await p2p.follow(client, genesis, ["tcp://192.0.2.7:7400", "tcp://192.0.2.8:7400"])
    proven = client.verify_proof(proof, now)

The first node that answers leads; the others are witnesses: their links and the block that they have at the same height
are compared. Whoever is ahead is asked for the block at the height of who is behind, for two branches of a fork seldom
end at one height. A node that lies, is silent or cannot be compared is counted and left; what two nodes prove against
each other is an error.

Source: the light client of the finality specification (cross-check two witnesses when online).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import trio

from p2pcommerce.discovery import sign_record
from p2pcommerce.ledger.block import Header, decode_header
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.epoch_links import decode_link
from p2pcommerce.node.light import FinalHeader, LightClient
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import P2PError, RemoteProtocolError, UsageError
from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.connection import Connection
from p2pcommerce.runtime.transport import Transport, TransportError
from p2pcommerce.runtime.transport.tcp import TcpTransport
from p2pcommerce.sync.run import read_run
from p2pcommerce.wire import Blocks, GetBlocks, GetLinks, HandshakeDone, Links, LocalPeer, Message, Ping, Pong, Session

__all__ = ["ANSWER_S", "Followed", "NoAnswerError", "follow"]

ANSWER_S: Final = 10.0
"""Seconds that a node may take for a connection, and for each answer."""
_WAITING_MAX: Final = 64
"""Messages that wait to be looked at; the rest are dropped: only the answer to the last question counts."""
_RECORD_LIFE_MS: Final = 3_600_000

M = TypeVar("M", bound=Message)


class NoAnswerError(UsageError):
    """None of the nodes that were asked gave anything that holds; the message says what each of them did."""

    code = "NO_ANSWER"


@dataclass(frozen=True, slots=True)
class Followed:
    """What came of asking.

    Attributes:
        epochs: by how many epochs the client went on.
        head: the newest final block that a node showed; None: none beyond what was known.
        agreed: addresses of those that showed the same chain, compared at the height of whoever was behind.
        failed: address -> why what it said does not count.
    """

    epochs: int
    head: FinalHeader | None
    agreed: tuple[str, ...]
    failed: dict[str, str]


async def follow(
    client: LightClient, genesis: Genesis, addresses: Sequence[str], *, transports: Sequence[Transport] = ()
) -> Followed:
    """Bring a light client up to date.

    Args:
        client: begins with what is trusted, and is changed.
        genesis: the network.
        addresses: of nodes, the more independent of each other the better.
        transports: beside TCP.

    Raises:
        TrustExpiredError: what is trusted is too old.
        ConflictError: two blocks are final at one height.
        NoAnswerError: no node gave anything that holds.
    """
    clock, known = Clock(), {transport.scheme: transport for transport in (TcpTransport(), *transports)}
    client.check_age(clock.now())
    before, head, leader = client.epoch, None, ""
    agreed: list[str] = []
    silent: list[str] = []
    behind: list[tuple[str, FinalHeader]] = []
    failed: dict[str, str] = {}
    for address in addresses:
        try:
            async with _connected(genesis, address, known) as peer:
                shown = await _walk(client, peer, clock)
                if head is not None and shown is not None and shown.header.height > head.header.height:
                    await _compare(client, peer, head, clock)
        except (RemoteProtocolError, TransportError) as error:
            failed[address] = str(error)
            continue
        if shown is None:
            silent.append(address)
        elif head is not None and shown.header.height < head.header.height:
            behind.append((address, shown))
        else:  # of one height there would be a conflict
            agreed.append(address)
            head, leader = shown, address
    if head is None:
        agreed += silent
    else:
        failed |= dict.fromkeys(silent, "it shows no final block")
    if behind:
        compared = await _compare_behind(client, partial(_connected, genesis, leader, known), behind, clock)
        agreed += [address for address, _ in behind if address not in compared]
        failed |= compared
    if not agreed:
        told = "; ".join(f"{address}: {reason}" for address, reason in failed.items())
        raise NoAnswerError(f"no node gave an answer that holds ({told or 'none was named'}); name others")
    return Followed(client.epoch - before, head, tuple(agreed), failed)


async def _walk(client: LightClient, peer: _Peer, clock: Clock) -> FinalHeader | None:
    """Follow a node's links to its head; the last link that is known is compared with its own."""
    asked = max(client.epoch - 1, 0)
    while True:
        answer = await peer.ask(GetLinks(asked), Links)
        before = client.epoch
        client.follow([decode_link(raw) for raw in answer.links], clock.now())
        header = decode_header(answer.header)
        if client.epoch == before:
            break
        asked = client.epoch
    if header.epoch > client.epoch:
        raise RemoteProtocolError("it does not show the way to the validators of its head", "EPOCH_LINK")
    return client.verify_header(header, answer.proof, clock.now()) if answer.proof else None


async def _compare(client: LightClient, peer: _Peer, known: FinalHeader, clock: Clock) -> None:
    """Ask a node that shows a higher block for the one at the height of another, which the client knows.

    Raises:
        ConflictError: it has another one there.
        RemoteProtocolError: it does not show which one it has.
    """
    height, genesis_hash = known.header.height, known.header.genesis_hash
    answer = await peer.ask(GetBlocks(height, 1), Blocks)
    if answer.from_height != height or not answer.blocks:
        raise RemoteProtocolError(f"it does not show its block of height {height}", "NO_BLOCK")

    def verify(header: Header, finality: bytes) -> bool:
        return client.verify_header(header, finality, clock.now()).header == header

    # Who caught up has not a proof for each block: then the answer goes on to the first that has one.
    first, *above = [block.header for block in read_run(answer, genesis_hash, verify).blocks]
    client.verify_ancestor(first, above, answer.proof, clock.now())


async def _compare_behind(
    client: LightClient,
    connect: Callable[[], AbstractAsyncContextManager[_Peer]],
    behind: Sequence[tuple[str, FinalHeader]],
    clock: Clock,
) -> dict[str, str]:
    """Compare what nodes show that are behind with what the node has there that showed the highest block.

    Returns:
        Address -> why what it shows could not be compared.
    """
    left = dict(behind)
    try:
        async with connect() as peer:
            for address, shown in behind:
                await _compare(client, peer, shown, clock)
                left.pop(address, None)
    except (RemoteProtocolError, TransportError) as error:
        reason = str(error)
        return {
            address: f"its block of height {shown.header.height} cannot be compared with the highest node's: {reason}"
            for address, shown in left.items()
        }
    return {}


@asynccontextmanager
async def _connected(genesis: Genesis, address: str, transports: dict[str, Transport]) -> AsyncIterator[_Peer]:
    transport = transports.get(address.partition("://")[0])
    if transport is None:
        raise TransportError(f'"{address}": there are the transports {", ".join(sorted(transports))}')
    stream: trio.abc.Stream | None = None
    with trio.move_on_after(ANSWER_S):
        stream = await transport.dial(address)
    if stream is None:
        raise TransportError(f"{address}: nobody answers within {ANSWER_S:g} s")
    peer = _Peer(stream, address, _local(genesis))
    failure: P2PError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.run)
        try:
            yield peer
        except P2PError as error:
            failure = error  # raised below: the nursery would put it into a group
        finally:
            peer.connection.close("DONE", "all was asked")
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _local(genesis: Genesis) -> LocalPeer:
    """Return an identity for one visit."""
    seed, now_ms = secrets.token_bytes(32), Clock().now() // 1_000
    record = sign_record(ED25519, seed, genesis.hash, (), now_ms, now_ms + _RECORD_LIFE_MS)
    return LocalPeer(
        public_key=ED25519.public_key(seed),
        sign=partial(ED25519.sign, seed),
        genesis_hash=genesis.hash,
        static_secret=secrets.token_bytes(32),
        peer_record=record.raw,
    )


class _Peer:
    """One node that is asked, one question at a time."""

    def __init__(self, stream: trio.abc.Stream, address: str, local: LocalPeer) -> None:
        key = secrets.token_bytes(16)
        session = Session(local, initiator=True, announcement_key=key, ephemeral_secret=secrets.token_bytes(32))
        self.connection = Connection(
            link=1,
            stream=stream,
            session=session,
            owner=self,
            outbound=True,
            address=address,
            announcement_key=key,
        )
        self._opened = trio.Event()
        self._send, self._receive = trio.open_memory_channel[Message](_WAITING_MAX)

    async def run(self) -> None:
        """Move bytes until the connection ends."""
        await self.connection.run()
        self._opened.set()
        self._send.close()

    async def ask(self, question: GetLinks | GetBlocks, kind: type[M]) -> M:
        """Send a question and return the answer.

        Raises:
            RemoteProtocolError: none came in time, or the connection ended.
        """
        with trio.move_on_after(ANSWER_S):
            await self._opened.wait()
            self.connection.send(question)
            self.connection.flush()
            async for message in self._receive:
                if isinstance(message, kind):
                    return message
            _, reason = self.connection.reason or ("", "the connection ended")
            raise RemoteProtocolError(reason, "CLOSED")
        raise RemoteProtocolError(f"no answer within {ANSWER_S:g} s", "TIMEOUT")

    def on_open(self, connection: Connection, done: HandshakeDone) -> None:
        """The other end has proven who it is."""
        self._opened.set()

    def on_message(self, connection: Connection, message: Message) -> None:
        """Keep what may be an answer; whether this end lives is all else that is asked of it."""
        if isinstance(message, Ping):
            connection.send(Pong(message.nonce))
        elif isinstance(message, Links | Blocks):
            try:
                self._send.send_nowait(message)
            except trio.WouldBlock:
                connection.close("FLOOD", "it answers what was not asked")

    def on_turn(self) -> None:
        """Send what a read gave to answer."""
        self.connection.flush()

    def has_room(self, connection: Connection) -> bool:
        """Nothing is held back."""
        return True

    async def wait_room(self, connection: Connection) -> None:
        """Nothing is held back."""
