"""What connections cost a node: memory per end, CPU per handshake, transactions per CPU second, and idle attackers.

A whole node runs in a process of its own. This process is the other end of every connection: the product's own
connection, session and TCP stream without a node behind them. CPU and memory are read from /proc for both processes, so
that each end has its figure.

    python benchmarks/bench_connections.py [--json] [--connections 1000] [--transactions 5000]

- handshakes: one after the other, each closed when the node has attached it; the node checks the peer record, too.
  Beside it what keys and bytes alone cost: sessions without sockets, and over TCP without a node behind either end,
  both ends in this process.
- idle: so many connections stay open; what the resident sets grew by, per end.
- point to point: transactions of 250 bytes, signed before, pushed over one connection until all are in the node's
  pool. The CPU of both processes counts: here encoding and encryption, there everything, with the verification.
- slow loris: as many sockets that never finish a handshake, a third silent, a third a byte at a time, a third that
  greet and read nothing; how long an honest caller takes then, and what the node's resident set grew by.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from bench_gossip import transactions_of, verification_floor_us

import p2pcommerce as p2p
from p2pcommerce.discovery import sign_record
from p2pcommerce.node.resources import ResourceLimits
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.ids import GenesisHash
from p2pcommerce.runtime.collector import calm_collector
from p2pcommerce.runtime.connection import Connection
from p2pcommerce.runtime.transport.tcp import TcpTransport
from p2pcommerce.wire import HandshakeDone, LocalPeer, Message, Ping, Pong, Session, Transactions
from p2pcommerce.wire.handshake import preamble

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BATCH = 50
"""Transactions in one message, as a busy node sends them."""
JOIN_S_MAX = 30.0
HOSTS = 250
"""Addresses of this machine that the attackers come from."""


def accounts_of(count: int) -> list[p2p.Identity]:
    """Return the accounts that may send; the same in both processes."""
    rng = random.Random(5)
    return [p2p.Identity.from_seed(rng.randbytes(32)) for _ in range(count)]


def genesis_of(count: int) -> p2p.Genesis:
    """Return a network with so many rich accounts, whose only validator is not there."""
    absent = p2p.Identity.from_seed(b"\x01" * 32)
    rich = {account.public_key: 10_000_000 for account in accounts_of(count)}
    return p2p.Genesis.local("bench", {absent.public_key: 1_000_000}, rich)


async def serve(options: argparse.Namespace) -> None:
    """Run the node, say where, and stop when the other process ends."""
    limits = ResourceLimits()
    if not options.strict:  # here one host is many: it must not be taken for one that floods
        limits = ResourceLimits(
            sockets_per_host_max=10**6,
            sockets_per_group_max=10**6,
            handshakes_rate=10**6,
            handshakes_burst=10**6,
            handshakes_per_host_rate=10**6,
            handshakes_per_host_burst=10**6,
        )
    with tempfile.TemporaryDirectory() as folder:
        config = p2p.NodeConfig(
            identity=p2p.Identity.from_seed(b"\x02" * 32),
            genesis=genesis_of(options.transactions),
            data_dir=Path(folder),
            listen=("tcp://127.0.0.1:0",),
            inbound_peers_max=4_096,
            outbound_peers=0,
            control=False,
            log_file=False,
        )
        async with p2p.open_node(config, limits=limits) as node:
            calm_collector()
            print(node.listen_addresses[0], flush=True)
            await report_until_closed(node)


async def report_until_closed(node: p2p.RunningNode) -> None:
    """Answer each line of standard input with the statistics."""
    while await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        statistics = node.statistics()
        print(json.dumps({name: statistics[name] for name in ("peers", "mempool", "resources")}), flush=True)


class Far:
    """The node's process, seen from here."""

    def __init__(self, process: trio.Process, address: str) -> None:
        """Take over a process that has said where its node listens."""
        self.address = address
        self._process = process

    def cpu_s(self) -> float:
        """Return the CPU seconds that it used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S

    def rss_bytes(self) -> int:
        """Return its resident set."""
        return rss_bytes(self._process.pid)

    async def statistics(self) -> dict[str, object]:
        """Ask for its statistics."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise SystemExit("the node's process has no pipes")
        await stdin.send_all(b"\n")
        data = b""
        while not data.endswith(b"\n"):
            more = await stdout.receive_some()
            if not more:
                raise SystemExit("the node's process ended")
            data += more
        found: dict[str, object] = json.loads(data)
        return found

    async def wait(self, name: str, value: int) -> None:
        """Wait until one of its statistics has a value."""
        with trio.fail_after(120):
            found = (await self.statistics())[name]
            while found != value:
                await trio.sleep(0.02)
                found = (await self.statistics())[name]


def rss_bytes(pid: int) -> int:
    """Return the resident set of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


@asynccontextmanager
async def far_node(options: argparse.Namespace, *, strict: bool) -> AsyncIterator[Far]:
    """Run a node in a process of its own; `strict`: with the limits of every node."""
    command = [sys.executable, __file__, "--serve", "--transactions", str(options.transactions)]
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process,
                command + ["--strict"] * strict,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                check=False,
            )
        )
        if process.stdout is None or process.stdin is None:
            raise SystemExit("the node's process has no pipes")
        data = b""
        while not data.endswith(b"\n"):
            more = await process.stdout.receive_some()
            if not more:
                raise SystemExit("the node's process did not start")
            data += more
        await trio.sleep(0.5)
        yield Far(process, data.decode().strip())
        await process.stdin.aclose()


class End:
    """The near end of one connection."""

    def __init__(self, link: int) -> None:
        """Prepare for connection number `link`."""
        self._link = link
        self.opened = trio.Event()
        self.connection: Connection | None = None

    def on_open(self, connection: Connection, done: HandshakeDone) -> None:
        """The node has proven who it is."""
        del connection, done

    def on_message(self, connection: Connection, message: Message) -> None:
        """Answer pings; the first message says that the node has taken the connection."""
        self.opened.set()
        if isinstance(message, Ping):
            connection.send(Pong(message.nonce))
            connection.flush()

    def on_turn(self) -> None:
        """Nothing waits for turns here."""

    def has_room(self, connection: Connection) -> bool:
        """Take everything."""
        return True

    async def wait_room(self, connection: Connection) -> None:
        """There is room."""

    async def run(self, address: str, local: LocalPeer) -> None:
        """Connect, and stay until the connection ends."""
        stream = await TcpTransport().dial(address)
        self.connection = Connection(
            link=self._link,
            stream=stream,
            session=session_of(local, initiator=True),
            owner=self,
            outbound=True,
            address=address,
            announcement_key=b"k" * 16,
        )
        await self.connection.run()


def local_peer(number: int, genesis_hash: GenesisHash) -> LocalPeer:
    """Return who a near end is, with a signed record as every node has one."""
    identity = p2p.Identity.from_seed(number.to_bytes(32, "big"))
    now_ms = time.time_ns() // 1_000_000
    record = sign_record(ED25519, identity.seed, genesis_hash, (), now_ms, now_ms + 3_600_000)
    return LocalPeer(
        public_key=identity.public_key,
        sign=partial(ED25519.sign, identity.seed),
        genesis_hash=genesis_hash,
        static_secret=random.Random(number).randbytes(32),
        peer_record=record.raw,
    )


async def join(nursery: trio.Nursery, far: Far, local: LocalPeer) -> End:
    """Connect, and wait until the node has taken the connection."""
    end = End(1)
    nursery.start_soon(end.run, far.address, local)
    with trio.fail_after(JOIN_S_MAX):
        await end.opened.wait()
    return end


def close(end: End) -> None:
    """End a connection."""
    if end.connection is not None:
        end.connection.close("DONE", "the benchmark is done with it")


class Acceptor(End):
    """The end that is called, without a node: content with the handshake."""

    @override
    def on_open(self, connection: Connection, done: HandshakeDone) -> None:
        """The caller has proven who it is."""
        del connection, done
        self.opened.set()


def session_of(local: LocalPeer, *, initiator: bool) -> Session:
    """Return one end's session."""
    return Session(local, initiator=initiator, announcement_key=b"k" * 16, ephemeral_secret=os.urandom(32))


def sealed_handshakes(peers: Sequence[LocalPeer]) -> dict[str, object]:
    """Measure handshakes of sessions alone: keys, signatures, hashes, and the code around them."""
    called = peers[0]
    begun = time.process_time()
    for local in peers[1:]:
        caller, answerer = session_of(local, initiator=True), session_of(called, initiator=False)
        answerer.receive_data(caller.data_to_send())
        caller.receive_data(answerer.data_to_send())
        answerer.receive_data(caller.data_to_send())
    took_ms = (time.process_time() - begun) / len(peers[1:]) * 1e3
    return {"handshake_cpu_session": {"value": round(took_ms, 3), "unit": "ms, both ends, no socket"}}


async def bare_handshakes(peers: Sequence[LocalPeer]) -> dict[str, object]:
    """Measure handshakes over TCP, with nothing behind either end."""
    called = peers[0]
    listener = await TcpTransport().listen("tcp://127.0.0.1:0")

    async def accept(nursery: trio.Nursery) -> None:
        while True:
            stream, address = await listener.accept()
            owner = Acceptor(2)
            connection = Connection(
                link=2,
                stream=stream,
                session=session_of(called, initiator=False),
                owner=owner,
                outbound=False,
                address=address,
                announcement_key=b"k" * 16,
            )
            nursery.start_soon(connection.run)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept, nursery)
        begun = time.process_time()
        async with trio.open_nursery() as callers:
            for local in peers[1:]:
                end = Acceptor(1)
                callers.start_soon(end.run, listener.address, local)
                with trio.fail_after(JOIN_S_MAX):
                    await end.opened.wait()
                close(end)
        took_ms = (time.process_time() - begun) / len(peers[1:]) * 1e3
        nursery.cancel_scope.cancel()
    await listener.aclose()
    return {"handshake_cpu_tcp": {"value": round(took_ms, 3), "unit": "ms, both ends, no node"}}


async def handshakes(far: Far, peers: Sequence[LocalPeer]) -> dict[str, object]:
    """Measure handshakes, one after the other."""
    near, there = time.process_time(), far.cpu_s()
    async with trio.open_nursery() as nursery:
        for local in peers:
            close(await join(nursery, far, local))
    await far.wait("peers", 0)
    near_ms = (time.process_time() - near) / len(peers) * 1e3
    far_ms = (far.cpu_s() - there) / len(peers) * 1e3
    return {
        "handshakes": len(peers),
        "handshake_cpu": {"value": round(near_ms + far_ms, 3), "unit": "ms, both ends"},
        "handshake_cpu_node": {"value": round(far_ms, 3), "unit": "ms, the end with a whole node"},
    }


async def idle(far: Far, peers: Sequence[LocalPeer]) -> dict[str, object]:
    """Measure the memory of connections that only stand."""
    await trio.sleep(0.5)
    near, there = rss_bytes(os.getpid()), far.rss_bytes()
    async with trio.open_nursery() as nursery:
        ends = [await join(nursery, far, local) for local in peers]
        await far.wait("peers", len(peers))
        await trio.sleep(1)
        near, there = rss_bytes(os.getpid()) - near, far.rss_bytes() - there
        for end in ends:
            close(end)
    await far.wait("peers", 0)
    return {
        "connections": len(peers),
        "memory_per_end_node": {"value": round(there / len(peers) / 1024, 1), "unit": "KiB, the end with a whole node"},
        "memory_per_end_bare": {"value": round(near / len(peers) / 1024, 1), "unit": "KiB, the end without"},
    }


async def point_to_point(far: Far, local: LocalPeer, genesis: p2p.Genesis, count: int) -> dict[str, object]:
    """Measure transactions over one connection."""
    transactions = transactions_of(genesis, accounts_of(count))
    floor_us = verification_floor_us(transactions[:1_000])
    raws = [transaction.raw for transaction in transactions]
    async with trio.open_nursery() as nursery:
        end = await join(nursery, far, local)
        near, there = time.process_time(), far.cpu_s()
        for begin in range(0, len(raws), BATCH):
            await push(end, Transactions(tuple(raws[begin : begin + BATCH])))
        await far.wait("mempool", len(raws))
        near_s, far_s = time.process_time() - near, far.cpu_s() - there
        close(end)
    return {
        "transactions": count,
        "tx_per_cpu_s": {"value": round(count / (near_s + far_s)), "unit": "1/s of CPU, both ends"},
        "tx_per_cpu_s_node": {
            "value": round(count / far_s) if far_s else None,  # another process's CPU is told in steps of 10 ms
            "unit": "1/s of CPU, the end with a whole node",
        },
        "tx_cpu": {"value": round((near_s + far_s) / count * 1e6, 1), "unit": "us, both ends"},
        "verification_floor": {"value": round(floor_us, 1), "unit": "us"},
    }


async def push(end: End, message: Transactions) -> None:
    """Send a message when the one before has left."""
    connection = end.connection
    if connection is None or connection.reason is not None:
        raise SystemExit(f"the connection ended: {None if connection is None else connection.reason}")
    with trio.fail_after(60):
        held = connection.session.held_bytes
        while held > BATCH * 400:
            await trio.sleep(0.001)
            held = connection.session.held_bytes
    connection.send(message)
    connection.flush()
    await trio.lowlevel.checkpoint()


async def slow_loris(far: Far, local: LocalPeer, genesis: p2p.Genesis, count: int) -> dict[str, object]:
    """Attack with sockets that never finish, then let an honest peer join."""
    host, _, port = far.address.removeprefix("tcp://").rpartition(":")
    before = far.rss_bytes()
    hello = preamble(genesis.hash)
    sockets: list[socket.socket] = []
    async with trio.open_nursery() as nursery:
        for number in range(count):
            attacker = socket.socket()
            attacker.bind((f"127.0.{1 + number % HOSTS // 25}.{1 + number % HOSTS}", 0))
            attacker.settimeout(5)
            attacker.connect((host, int(port)))
            attacker.settimeout(0)
            sockets.append(attacker)
            if number % 3 == 2:
                attacker.send(hello)
            if number % 25 == 24:
                await trio.sleep(0.01)
        nursery.start_soon(drip, sockets[1::3], hello)
        await trio.sleep(0.2)
        begun = time.perf_counter()
        end = await join(nursery, far, local)
        joined_s = time.perf_counter() - begun
        statistics = await far.statistics()
        grown = far.rss_bytes() - before
        close(end)
        nursery.cancel_scope.cancel()
    for attacker in sockets:
        attacker.close()
    return {
        "idle_sockets": count,
        "honest_join": {"value": round(joined_s * 1e3, 1), "unit": "ms"},
        "memory_grown": {"value": round(grown / 2**20, 2), "unit": "MiB"},
        "resources": statistics["resources"],
    }


async def drip(sockets: Sequence[socket.socket], hello: bytes) -> None:
    """Send a byte at a time."""
    for byte in hello + bytes(100):
        for each in sockets:
            try:
                each.send(bytes([byte]))
            except OSError:
                continue  # the node has closed it
        await trio.sleep(0.1)


async def run(options: argparse.Namespace) -> dict[str, object]:
    """Run all parts."""
    genesis = genesis_of(options.transactions)
    count = options.connections
    calm_collector()
    peers = [local_peer(1_000 + number, genesis.hash) for number in range(count)]
    for local in peers:
        local.introduction(0)  # signed once in the life of a node
    result = sealed_handshakes(peers[:500]) | await bare_handshakes(peers[:500])
    async with far_node(options, strict=False) as far:
        result |= await handshakes(far, peers[: min(count, 500)])
        result |= await idle(far, peers)
    async with far_node(options, strict=False) as far:
        result |= await point_to_point(far, peers[0], genesis, options.transactions)
    async with far_node(options, strict=True) as far:
        result |= await slow_loris(far, peers[0], genesis, count)
    return result


def allow_files(count: int) -> None:
    """Let this process, and the node's, open as many files as the connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * count + 256
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed if hard < 0 else min(needed, hard), hard))


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description="What connections cost a node.")
    parser.add_argument("--connections", type=int, default=1_000)
    parser.add_argument("--transactions", type=int, default=5_000)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--strict", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    allow_files(options.connections)
    if options.serve:
        trio.run(serve, options)
        return 0
    result = trio.run(run, options)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            text = f"{value['value']} {value['unit']}" if isinstance(value, dict) and "unit" in value else str(value)
            print(f"{name:>24}  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
