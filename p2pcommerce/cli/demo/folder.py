"""The folder of a demo: its genesis, its validators' folders, and what another run needs to go on with it.

Besides validators and banks there is a guest: an account with some tokens and a known passphrase, for whoever wants to
try the network from another program.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from p2pcommerce.finality import Simplex, Solo
from p2pcommerce.ledger.genesis import TOKEN_MINOR, ChainParameters, Genesis
from p2pcommerce.primitives.crypto import ED25519, blake2b_256
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.runtime.durable_file import replace_file
from p2pcommerce.runtime.identity import Identity, KeyFileCost
from p2pcommerce.runtime.lock import LOCK_FILE

__all__ = ["BANKS", "EPOCH_BLOCKS_MAX", "FOUNDED_MINOR", "NODES_MAX", "DemoFolder", "DemoFolderError"]

NODES_MAX: Final = 32
"""Validators of a demo at most: each is a process."""
_NODES: Final = 4
BANKS: Final = 4
"""Accounts that hold nearly all tokens at the start and give them out."""
_BANK_MINOR: Final = 10**11 * TOKEN_MINOR
_STAKE_MINOR: Final = 1_000 * TOKEN_MINOR
_FEES_MINOR: Final = 10 * TOKEN_MINOR
"""What a validator has beside its stake, to pay for reports of others."""
EPOCH_BLOCKS_MAX: Final = 40
"""Blocks of an epoch up to which somebody who joins votes soon enough to be watched."""
_FILE: Final = "demo.json"
FOUNDED_MINOR: Final = 10**5 * TOKEN_MINOR
"""What each of the people of a founded market has at the start."""
_GUEST = ("guest.key", "guest")
_GUEST_MINOR: Final = 10**6 * TOKEN_MINOR
_FILE_BYTES_MAX: Final = 16_384
# The passphrase is 256 random bits: stretching it as if a person had chosen it would only slow the start.
_COST: Final = KeyFileCost(passes=1, memory_kib=64)


class DemoFolderError(UsageError):
    """A folder in which no demo can run."""

    code = "DEMO_FOLDER"


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """Where a demo's network lives.

    Attributes:
        path: the folder.
        genesis: of its network.
        nodes: number of validators.
        passphrase: of their key files.
        secret: 32 bytes, from which the keys of banks and people are derived.
        run: how often the demo was started here, this time included.
    """

    path: Path
    genesis: Genesis
    nodes: int
    passphrase: str
    secret: bytes
    run: int

    @classmethod
    def open(
        cls,
        path: Path,
        nodes: int | None,
        seed: int | None,
        engine: str | None = None,
        epoch_blocks: int | None = None,
        people: Collection[str] = (),
    ) -> DemoFolder:
        """Found a network in a folder, or continue the one that is there.

        Args:
            path: the folder; made if there is none.
            nodes: number of validators; None: 4, or as many as there are.
            seed: of the people's keys; None: random.
            engine: name of the finality engine; None: simplex, of one validator solo, or the one that is there.
            epoch_blocks: in an epoch, for somebody to join; of a network that is there, few enough; None: the usual.
            people: names of those who have tokens in the genesis; only of a new network.

        Raises:
            DemoFolderError: the folder holds something else, or a network of another size or engine, or one that
                nobody joins soon.
        """
        file = path / _FILE
        try:
            path.mkdir(parents=True, exist_ok=True)
            if file.exists():
                if people:
                    raise DemoFolderError(f"{path}: holds a network already; --workload founds its own: choose another")
                return cls._continue(file, nodes, engine, epoch_blocks)
            if any(entry.name != LOCK_FILE for entry in path.iterdir()):
                raise DemoFolderError(f"{path}: is not empty and holds no demo; choose a new folder")
            if nodes is None:
                nodes = 1 if engine == Solo.name else _NODES
            chosen = engine or (Solo.name if nodes == 1 else Simplex.name)
            return cls._found(path, nodes, seed, chosen, epoch_blocks, people)
        except OSError as error:
            raise DemoFolderError(
                f"{path}: cannot be used: {error.strerror or error}; choose another folder"
            ) from error

    @classmethod
    def _continue(cls, file: Path, nodes: int | None, engine: str | None, epoch_blocks: int | None) -> DemoFolder:
        try:
            with file.open("rb") as stream:
                document = json.loads(stream.read(_FILE_BYTES_MAX))
            found, run, passphrase = document["nodes"], document["run"], document["passphrase"]
            secret = bytes.fromhex(document["secret"])
        except (ValueError, KeyError, TypeError) as error:
            raise DemoFolderError(f"{file}: is damaged; remove the folder, or choose another with --dir") from error
        well_formed = type(found) is int and type(run) is int and isinstance(passphrase, str) and len(secret) == 32
        if not well_formed or not 1 <= found <= NODES_MAX:
            raise DemoFolderError(f"{file}: is damaged; remove the folder, or choose another with --dir")
        if nodes not in {None, found}:
            raise DemoFolderError(
                f"{file.parent}: holds a network of {found} validators; leave --nodes out, or choose another --dir"
            )
        genesis = Genesis.load(file.parent / "genesis.json")
        if engine not in {None, genesis.engine}:
            raise DemoFolderError(
                f"{file.parent}: holds a network of {genesis.engine}; leave --engine out, or choose another --dir"
            )
        is_slow = genesis.parameters.epoch_blocks > EPOCH_BLOCKS_MAX or genesis.engine != Simplex.name
        if epoch_blocks is not None and is_slow:
            raise DemoFolderError(
                f"{file.parent}: its network was founded without --byzantine, and has long epochs; choose another --dir"
            )
        folder = cls(file.parent, genesis, found, passphrase, secret, run + 1)
        folder.save()
        return folder

    @classmethod
    def _found(
        cls,
        path: Path,
        nodes: int,
        seed: int | None,
        engine: str,
        epoch_blocks: int | None,
        people: Collection[str],
    ) -> DemoFolder:
        secret = secrets.token_bytes(32) if seed is None else blake2b_256(f"demo {seed}".encode())
        passphrase = secrets.token_hex(32)
        identities = [Identity.generate() for _ in range(nodes)]
        banks = {Identity.from_seed(_bank_seed(secret, bank)).public_key: _BANK_MINOR for bank in range(BANKS)}
        guest = Identity.generate()
        founded = {ED25519.public_key(_person_seed(secret, 1, name)): FOUNDED_MINOR for name in people}
        keys = [identity.public_key for identity in identities]
        parameters = ChainParameters.local()
        if epoch_blocks is not None:
            parameters = replace(parameters, epoch_blocks=epoch_blocks)
        genesis = Genesis.new(
            "demo",
            dict.fromkeys(keys, _STAKE_MINOR),
            {**founded, **banks, **dict.fromkeys(keys, _FEES_MINOR), guest.public_key: _GUEST_MINOR},
            time_ms=time.time_ns() // 1_000_000,
            parameters=parameters,
            engine=engine,
        )
        genesis.save(path / "genesis.json")
        guest.save(path / _GUEST[0], _GUEST[1], cost=_COST)
        for index, identity in enumerate(identities):
            node = path / f"node{index}"
            node.mkdir(mode=0o700)
            identity.save(node / "node.key", passphrase, cost=_COST)
            shutil.copyfile(path / "genesis.json", node / "genesis.json")
        folder = cls(path, genesis, nodes, passphrase, secret, 1)
        folder.save()
        return folder

    def add_node(self, index: int, identity: Identity) -> Path:
        """Make the folder of a node that is no validator of the genesis, and return it; each run has its own."""
        node = self.path / f"node{index}-run{self.run}"
        node.mkdir(mode=0o700)
        identity.save(node / "node.key", self.passphrase, cost=_COST)
        self.genesis.save(node / "genesis.json")
        return node

    def bank_seed(self, bank: int) -> bytes:
        """Return the seed (32 bytes) of a bank's key."""
        return _bank_seed(self.secret, bank)

    def person_seed(self, name: str) -> bytes:
        """Return the seed (32 bytes) of a person's key; each run has new people, who find the chain as it is."""
        return _person_seed(self.secret, self.run, name)

    def node_folder(self, index: int) -> Path:
        """Return a validator's folder."""
        return self.path / f"node{index}"

    def save(self, addresses: Sequence[str] = ()) -> None:
        """Write down what another run, or a guest's node, needs to know.

        Args:
            addresses: where the validators listen.
        """
        document = {
            "nodes": self.nodes,
            "run": self.run,
            "passphrase": self.passphrase,
            "secret": self.secret.hex(),
            "addresses": list(addresses),
            "guest": {"key": _GUEST[0], "passphrase": _GUEST[1]},
        }
        replace_file(self.path / _FILE, (json.dumps(document, indent=2) + "\n").encode("ascii"), 0o600)


def _person_seed(secret: bytes, run: int, name: str) -> bytes:
    return blake2b_256(secret + f"person/{run}/{name}".encode())


def _bank_seed(secret: bytes, bank: int) -> bytes:
    return blake2b_256(secret + f"bank/{bank}".encode())
