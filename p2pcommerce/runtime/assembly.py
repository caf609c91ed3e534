"""Opens what a node keeps in its folder, and puts its core together from it.

    lock, log, store, write-ahead log, signing guard, address book  ->  a core that stands where it stopped

Everything that can be wrong with a folder is found here, before a socket is opened.
"""

from __future__ import annotations

import random
import secrets
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from p2pcommerce.commerce import Commerce
from p2pcommerce.discovery import BOOK_BYTES_MAX, BookError, DiscoveryParameters, advertised, sign_record
from p2pcommerce.discovery.record import RECORD_ADDRESSES_MAX
from p2pcommerce.finality import ENGINES, SigningGuard, make_engine
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.gossip import GossipParameters
from p2pcommerce.ledger.application import Application
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.ledger.epochs import founding_state
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.mempool import MempoolParameters, Verifier
from p2pcommerce.node.chain import genesis_header
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import Effect
from p2pcommerce.node.node import Node, NodeParameters
from p2pcommerce.node.saved_peers import PEERS_EXTRA_BYTES_MAX
from p2pcommerce.node.subjectivity import contradiction
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError, RemoteProtocolError, UsageError
from p2pcommerce.runtime.config import ConfigError, NodeConfig
from p2pcommerce.runtime.durable_file import replace_file
from p2pcommerce.runtime.journal import Journal, JournalDamagedError
from p2pcommerce.runtime.lock import DirectoryLock
from p2pcommerce.runtime.log import Log
from p2pcommerce.runtime.off_chain import OffChainFolder
from p2pcommerce.runtime.off_chain_files import OffChainFiles
from p2pcommerce.runtime.own_journal import open_own
from p2pcommerce.runtime.snapshots import Snapshots
from p2pcommerce.runtime.store import Store
from p2pcommerce.runtime.store_error import damaged
from p2pcommerce.sync import RestoreMode, RestoreParameters
from p2pcommerce.wire import LocalPeer

__all__ = ["Assembly", "assemble"]

_RECORD_LIFE_MS: Final = 7 * 86_400_000
"""A peer record is good for a week, and made anew when half of that has passed."""


@dataclass(slots=True)
class Assembly:
    """A node's open files and its core.

    Attributes:
        config: as given.
        core: the node.
        store: the final chain; snapshots: of it, for others.
        journal: the write-ahead log; guard_journal: the guard's file; guard: restored from it.
        log: where log lines go.
        records: what the write-ahead log held.
        own_journal: of own transactions; own_records: what it held.
        off_chain: the files of blobs and messages.
        static_secret: the X25519 secret (32 bytes) of this run.
        mapped: where a router lets others in.
        nearby: where others of the local network reach this node, if that is not where it says that it listens.
    """

    config: NodeConfig
    core: Node
    engine: FinalityEngine
    store: Store
    snapshots: Snapshots
    journal: Journal
    guard_journal: Journal
    guard: SigningGuard
    log: Log
    records: list[bytes]
    own_journal: Journal
    own_records: list[bytes]
    off_chain: OffChainFolder
    files: ExitStack
    static_secret: bytes
    mapped: tuple[str, ...] = ()
    nearby: tuple[str, ...] = ()
    _local: LocalPeer = field(init=False)
    _record_until_ms: int = 0
    _told: tuple[str, ...] = ()

    def start(self, addresses: Sequence[str], now: int) -> list[Effect]:
        """Start the core; a damaged address book is put aside, and said in the log.

        Args:
            addresses: where the node listens.
            now: microseconds.

        Raises:
            ConfigError: the addresses make no peer record.
            JournalDamagedError: the write-ahead log holds what this version cannot read.
        """
        path = self.config.folder / "peers"
        book = _read_book(path)
        try:
            self.local_peer(addresses, now)
        except (RemoteProtocolError, UsageError) as error:
            raise ConfigError(f"advertise, listen: {error}") from error
        try:
            return self._start(book, addresses, now)
        except BookError as error:
            self.log.warning("discovery", f"{path}: {error}; it is put aside as peers.damaged")
            path.replace(path.with_name("peers.damaged"))
            return self._start(None, addresses, now)

    def _start(self, book: bytes | None, addresses: Sequence[str], now: int) -> list[Effect]:
        try:
            return self.core.start(self.records, self.guard.last, book, addresses, now, self.own_records)
        except CodecError as error:
            raise JournalDamagedError(f"{self.journal.path}: {error}; was it written by a newer version?") from error

    def local_peer(self, addresses: Sequence[str], now: int) -> LocalPeer:
        """Return what handshakes say of this node, its signed record fresh enough.

        Args:
            addresses: where others can reach it.
            now: microseconds.
        """
        now_ms = now // 1_000
        told = self.config.advertise or advertised(addresses, self.core.observed_host, self.mapped)
        told = tuple(dict.fromkeys((*told, *self.nearby)))
        if now_ms >= self._record_until_ms or told != self._told:
            self._told = told
            expires_ms = now_ms + _RECORD_LIFE_MS
            identity, genesis = self.config.identity, self.config.genesis
            record = sign_record(ED25519, identity.seed, genesis.hash, told[:RECORD_ADDRESSES_MAX], now_ms, expires_ms)
            self._record_until_ms = now_ms + _RECORD_LIFE_MS // 2
            self._local = LocalPeer(
                public_key=identity.public_key,
                sign=partial(ED25519.sign, identity.seed),
                genesis_hash=genesis.hash,
                static_secret=self.static_secret,
                peer_record=record.raw,
            )
            self.core.discovery.calls.set_caller(record.raw, self._local.sign)
        return self._local

    def save_book(self, data: bytes) -> None:
        """Write the address book; a disk that refuses is said in the log, and stops nothing."""
        path = self.config.folder / "peers"
        try:
            replace_file(path, data, 0o600)
        except OSError as error:
            self.log.warning("discovery", f"{path}: cannot be written: {error.strerror or error}")

    def close(self) -> None:
        """Close every file and give the folder back."""
        self.files.close()


def assemble(
    config: NodeConfig,
    application: Application | None,
    engine: FinalityEngine | None,
    verifier: Verifier | None = None,
) -> Assembly:
    """Open a node's folder; a new one is founded from the genesis.

    Raises:
        UsageError: the folder is in use, of another network, damaged, of a newer version, or cannot be written; one
            line says which file and what to do.
    """
    application = Commerce() if application is None else application
    engine = _engine_of(config, engine)
    folder, identity = config.folder, config.identity
    with ExitStack() as files:
        lock = DirectoryLock.acquire(folder)
        files.callback(lock.release)
        log = Log(
            identity.public_key.hex()[:8],
            folder / "node.log" if config.log_file else None,
            stream=sys.stderr if config.log_stderr else None,
            level=config.log_level,
            file_bytes_max=config.log_file_bytes_max,
        )
        files.callback(log.close)
        store = Store.open(folder / "chain.sqlite3", config.genesis)
        files.callback(store.close)
        _found(store, config, application)
        snapshots = Snapshots(folder, config.genesis.hash)
        files.callback(snapshots.close)
        journal, records = Journal.open(folder / "finality.wal", log=log)
        files.callback(journal.close)
        guard_journal, frames = Journal.open(folder / "guard", log=log)
        files.callback(guard_journal.close)
        own_journal, own_records = open_own(folder, log)
        files.callback(own_journal.close)
        guard = SigningGuard(engine)
        guard.restore(frames)
        return Assembly(
            config=config,
            core=_core(store, config, application, engine, verifier),
            engine=engine,
            store=store,
            snapshots=snapshots,
            journal=journal,
            guard_journal=guard_journal,
            guard=guard,
            log=log,
            records=records,
            own_journal=own_journal,
            own_records=own_records,
            off_chain=_open_off_chain(folder, log),
            files=files.pop_all(),
            static_secret=secrets.token_bytes(32),
        )


def _open_off_chain(folder: Path, log: Log) -> OffChainFolder:
    bytes_max = NodeParameters().blobs.blob_bytes_max
    return OffChainFolder(OffChainFiles(folder / "blobs"), OffChainFiles(folder / "messages"), bytes_max, log)


def _engine_of(config: NodeConfig, engine: FinalityEngine | None) -> FinalityEngine:
    """Return the engine that the genesis names."""
    name = config.genesis.engine
    if engine is not None:
        if engine.name != name:
            raise ConfigError(f"engine: the network of the genesis runs {name}, not {engine.name}; open it with that")
        return engine
    if name not in ENGINES:
        raise ConfigError(
            f"engine: the genesis names {name}, and there are {', '.join(ENGINES)}; hand the engine to open_node"
        )
    return make_engine(name)


def _found(store: Store, config: NodeConfig, application: Application) -> None:
    """Commit height 0 to an empty store."""
    if store.head() is not None:
        return
    changes = founding_state(config.genesis, application.genesis(config.genesis))
    state = VersionedState({key: value for key, value in changes.items() if value is not None})
    header = genesis_header(config.genesis, state.final.root)
    store.commit(CommittedBlock(Block(header, ()), b"", (), changes))


def _core(
    store: Store, config: NodeConfig, application: Application, engine: FinalityEngine, verifier: Verifier | None
) -> Node:
    stored = store.head()
    header, proof = (None, b"") if stored is None else (stored[1], stored[2])
    try:
        return _node(store, config, application, engine, verifier, header, proof)
    except LocalProtocolError as error:
        raise damaged(store.path, str(error)) from error


def _node(
    store: Store,
    config: NodeConfig,
    application: Application,
    engine: FinalityEngine,
    verifier: Verifier | None,
    header: Header | None,
    proof: bytes,
) -> Node:
    return Node(
        public_key=config.identity.public_key,
        genesis=config.genesis,
        application=application,
        engine=engine,
        scheme=ED25519,
        rng=random.SystemRandom(),
        parameters=NodeParameters(
            mempool=MempoolParameters(bytes_max=config.mempool_bytes_max, count_max=config.mempool_count_max),
            gossip=GossipParameters(senders=config.eager_senders, choosers_max=config.choosers_max),
            discovery=DiscoveryParameters(outbound_target=config.outbound_peers, inbound_max=config.inbound_peers_max),
            restore=RestoreParameters(mode=RestoreMode(config.sync)),
            checkpoint=_checkpoint(config, store),
        ),
        bootstrap=config.bootstrap,
        state=store.load_state(),
        head=header,
        proof=proof,
        verifier=verifier,
    )


def _checkpoint(config: NodeConfig, store: Store) -> TrustAnchor | None:
    if not config.checkpoint:
        return None
    anchor = TrustAnchor.load(config.checkpoint)
    if anchor.genesis_hash != config.genesis.hash:
        raise ConfigError(f"checkpoint: {config.checkpoint} belongs to another network than the genesis")
    blocks = config.genesis.parameters.epoch_blocks
    if anchor.epoch_blocks != blocks:
        raise ConfigError(
            f"checkpoint: {config.checkpoint} has epochs of {anchor.epoch_blocks} blocks, the genesis of {blocks}"
        )
    if anchor.epoch == 0 and anchor.validators != config.genesis.validators:
        raise ConfigError(f"checkpoint: {config.checkpoint} names other validators for epoch 0 than the genesis")
    stored = store.header_at(anchor.epoch * blocks) if anchor.epoch else None
    found = None if stored is None else contradiction(anchor, stored[0])
    if found is not None:
        raise ConfigError(f"checkpoint: {config.checkpoint}: {found}")
    return anchor


def _read_book(path: Path) -> bytes | None:
    try:
        with path.open("rb") as book:
            return book.read(BOOK_BYTES_MAX + 64 + PEERS_EXTRA_BYTES_MAX)
    except OSError:
        return None
