"""Where the CPU of one delivered transaction goes, stage by stage, without sockets and without trio.

One node's core is given what six peers send over six real sessions: fresh transactions of 250 bytes in messages of 50,
each message again from other peers as duplicates, and the tick after it. Each stage is timed by the CPU of the process
over all transactions. The rows of `inside` are the same calls once more, on their own: they are parts of the rows of
`whole`, and are not added to them.

    python benchmarks/bench_delivery.py [--json] [--transactions 5000] [--turns 3]

A figure is the least of `--turns` rounds, each in a node of its own: what else runs on the machine only ever adds.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench_gossip import transactions_of

import p2pcommerce as p2p
from p2pcommerce.commerce import Commerce
from p2pcommerce.discovery import sign_record
from p2pcommerce.gossip.arrivals import TRANSACTION_ID
from p2pcommerce.ledger.application import Admission
from p2pcommerce.ledger.state import StateView, VersionedState
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.mempool import InlineVerifier, MempoolParameters
from p2pcommerce.mempool.pool import Pool
from p2pcommerce.node.effects import Effect, Transmit
from p2pcommerce.node.node import Connected, Node
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.ids import Height, PeerId, TransactionId
from p2pcommerce.runtime.assembly import assemble
from p2pcommerce.runtime.collector import calm_collector
from p2pcommerce.wire import LocalPeer, MessageReceived, Session
from p2pcommerce.wire.messages import Choose, Message, Transactions

PEERS = 6
BATCH = 50
START_US = 1_700_000_000_000_000
KEY = bytes(16)


class Stages:
    """CPU seconds by stage."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.spent: dict[str, float] = {}

    def time(self, stage: str, work: Callable[..., object], *arguments: object) -> None:
        """Do a piece of work, and count it."""
        start = time.process_time()
        work(*arguments)
        self.spent[stage] = self.spent.get(stage, 0.0) + time.process_time() - start


class Trusting:
    """Takes every signature for good, so that the stages around verification stand out."""

    def verify(self, transactions: Sequence[Transaction]) -> list[bool]:
        """Return that all are good."""
        return [True] * len(transactions)


class Peer:
    """One peer of the node: both ends of a connection's session."""

    def __init__(self, number: int, genesis: p2p.Genesis, node: LocalPeer) -> None:
        """Shake hands with the node."""
        identity = p2p.Identity.from_seed(bytes([number + 1]) * 32)
        now_ms = START_US // 1_000
        record = sign_record(ED25519, identity.seed, genesis.hash, (), now_ms, now_ms + 3_600_000)
        own = LocalPeer(
            public_key=PeerId(identity.public_key),
            sign=lambda data: ED25519.sign(identity.seed, data),
            genesis_hash=genesis.hash,
            static_secret=bytes([number + 101]) * 32,
            peer_record=record.raw,
        )
        self.key = PeerId(identity.public_key)
        self.record = record.raw
        self.far = Session(own, initiator=True, announcement_key=KEY, ephemeral_secret=bytes([number + 1]) * 32)
        self.near = Session(node, initiator=False, announcement_key=KEY, ephemeral_secret=bytes([number + 51]) * 32)
        for _ in range(2):
            self.near.receive_data(self.far.data_to_send())
            self.far.receive_data(self.near.data_to_send())


def batches(transactions: Sequence[Transaction]) -> Iterable[tuple[bytes, ...]]:
    """Return the bytes of transactions, as each message brings them: as objects of their own."""
    for start in range(0, len(transactions), BATCH):
        yield tuple(bytes(bytearray(transaction.raw)) for transaction in transactions[start : start + BATCH])


def genesis_for(count: int) -> tuple[p2p.Genesis, list[Transaction]]:
    """Return a network, and one transaction for each of its accounts."""
    rng = random.Random(7)
    absent = p2p.Identity.from_seed(b"\x99" * 32)
    accounts = [p2p.Identity.from_seed(rng.randbytes(32)) for _ in range(count)]
    rich = {account.public_key: 10_000_000 for account in accounts}
    genesis = p2p.Genesis.local("bench", {absent.public_key: 1_000_000}, rich)
    return genesis, transactions_of(genesis, accounts)


def whole(genesis: p2p.Genesis, transactions: Sequence[Transaction], folder: Path, stages: Stages) -> None:
    """Take transactions through sessions and a node's core, as `runtime.driver` does."""
    config = p2p.NodeConfig(
        identity=p2p.Identity.from_seed(b"\x98" * 32), genesis=genesis, data_dir=folder, control=False, log_file=False
    )
    assembly = assemble(config, None, None, Trusting())
    core: Node = assembly.core
    assembly.start((), START_US)
    node = assembly.local_peer((), START_US)
    peers = [Peer(number, genesis, node) for number in range(PEERS)]
    for number, peer in enumerate(peers):
        core.on_connected(
            Connected(
                peer=peer.key,
                link=number,
                outbound=number % 2 == 0,
                address=None,
                own_key=KEY,
                peer_key=KEY,
                peer_record=peer.record,
            ),
            START_US,
        )
        core.on_message(peer.key, Choose(), START_US)
    near = {peer.key: peer.near for peer in peers}
    calm_collector()
    now = START_US
    for number, items in enumerate(batches(transactions)):
        now += 5_000
        senders = [peers[(number + shift) % PEERS] for shift in range(3)]
        first = receive(senders[0], items, stages, "a message is sealed", "a message is opened and decoded")
        stages.time("a fresh copy: identify, mark, queue", give, core, senders[0], first, now)
        sender = senders[1]
        again = receive(sender, items, stages, "", "")
        stages.time("a duplicate in flight", give, core, sender, again, now)
        effects: list[Effect] = []
        stages.time("the tick: admit, index, forward", tick, core, now, effects)
        stages.time("copies are encoded and sealed", send, near, effects)
        sender = senders[2]
        again = receive(sender, items, stages, "", "")
        stages.time("a duplicate afterwards", give, core, sender, again, now)
    if len(core.mempool) != len(transactions):
        raise SystemExit(f"{len(core.mempool)} of {len(transactions)} transactions entered the pool")
    assembly.close()
    gc.unfreeze()


def receive(peer: Peer, items: tuple[bytes, ...], stages: Stages, seal: str, open_: str) -> list[Message]:
    """Carry a message of transactions over a session."""
    data: list[bytes] = []
    got: list[Message] = []

    def sealed() -> None:
        peer.far.send(Transactions(items))
        data.append(peer.far.data_to_send())

    def opened() -> None:
        got.extend(event.message for event in peer.near.receive_data(data[0]) if isinstance(event, MessageReceived))

    if seal:
        stages.time(seal, sealed)
        stages.time(open_, opened)
    else:
        sealed()
        opened()
    return got


def give(core: Node, peer: Peer, messages: Sequence[Message], now: int) -> None:
    """Give messages to the core."""
    for message in messages:
        core.on_message(peer.key, message, now)


def tick(core: Node, now: int, effects: list[Effect]) -> None:
    """End the core's tick."""
    effects += core.on_deadline(now)


def send(near: dict[PeerId, Session], effects: Sequence[Effect]) -> None:
    """Send what the core wants sent."""
    sessions: dict[PeerId, Session] = {}
    for effect in effects:
        if isinstance(effect, Transmit):
            near[effect.peer].send(effect.message)
            sessions[effect.peer] = near[effect.peer]
    for session in sessions.values():
        while session.data_to_send():
            pass


def inside(genesis: p2p.Genesis, transactions: Sequence[Transaction], stages: Stages) -> None:
    """Call the larger parts of the tick, and of a copy, on their own."""
    application = Commerce()
    state = VersionedState({key: value for key, value in application.genesis(genesis).items() if value is not None})
    pool = Pool(MempoolParameters(), genesis.parameters.fee_floor)
    calm_collector()
    for items in batches(transactions):
        ids: list[TransactionId] = []
        decoded: list[Transaction] = []
        admissions: list[Admission] = []
        stages.time("the id", lambda out, raws: out.extend(map(TRANSACTION_ID, raws)), ids, items)
        stages.time(
            "decode", lambda out, raws, known: out.extend(map(decode_transaction, raws, known)), decoded, items, ids
        )
        stages.time("the application's check", check, application, state.final, decoded, admissions)
        stages.time("verify the signature", InlineVerifier(ED25519).verify, decoded)
        stages.time("add to the pool", add, pool, decoded, admissions)
    gc.unfreeze()


def check(
    application: Commerce, view: StateView, transactions: Sequence[Transaction], admissions: list[Admission]
) -> None:
    """Have the application judge transactions, all of which are good."""
    for transaction in transactions:
        answer = application.check(transaction, view, Height(1))
        if isinstance(answer, Admission):
            admissions.append(answer)


def add(pool: Pool, transactions: Sequence[Transaction], admissions: Sequence[Admission]) -> None:
    """Add transactions to a pool, as admission does that has asked for objections."""
    for transaction, admission in zip(transactions, admissions, strict=True):
        pool.add(transaction, admission, PeerId(bytes(32)), START_US, is_judged=True)


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Return CPU microseconds per transaction of each stage."""
    genesis, transactions = genesis_for(options.transactions)
    found: dict[str, dict[str, float]] = {"whole": {}, "inside": {}}
    for _ in range(options.turns):
        for name, stages in (("whole", Stages()), ("inside", Stages())):
            if name == "whole":
                with tempfile.TemporaryDirectory() as folder:
                    whole(genesis, transactions, Path(folder), stages)
            else:
                inside(genesis, transactions, stages)
            for stage, spent in stages.spent.items():
                each_us = round(spent / len(transactions) * 1e6, 2)
                found[name][stage] = min(found[name].get(stage, each_us), each_us)
    return {"transactions": len(transactions), "unit": "us of CPU per transaction", **found}


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="CPU of one delivered transaction by stage.")
    parser.add_argument("--transactions", type=int, default=5_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    result = measure(options)
    if options.json:
        print(json.dumps(result))
        return 0
    for name in ("whole", "inside"):
        rows = result[name]
        if isinstance(rows, dict):
            print(name)
            for stage, each_us in rows.items():
                print(f"{each_us:>8.2f} us  {stage}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
