"""One instance of a validator: the engine with its signing guard, its log and its chain, and nothing else of a node.

A body is one made-up transaction that names the instance, so that the blocks of twins differ. Everything a node
would answer after a while is answered at once: signatures, verdicts, built blocks, and bodies of which a copy is within
reach.

Source: the finality seam. Deviations: nothing crashes in these scenarios: `Rewrite` and `Forget` change nothing.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from p2pcommerce.finality import SigningGuard, Simplex
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.engine import Context
from p2pcommerce.ledger.block import BLOCK_VERSION, Block, Header, tx_root
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.transaction import transaction_id
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.ids import ZERO_HASH, BlockHash, Epoch, GenesisHash, Height, PeerId, PublicKey
from p2pcommerce.primitives.vrf import VRF_KIND
from p2pcommerce.simulation.adversaries import Unscrupulous
from p2pcommerce.simulation.scheme import STAND_IN

__all__ = ["Instance", "Setting", "Surroundings", "genesis_header"]

_BALLOT_RECORD = b"\x02"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the instances of one scenario share.

    Attributes:
        parameters: of the chain.
        validators: its set, in every epoch.
        genesis: the header of height 0.
    """

    parameters: ChainParameters
    validators: ValidatorSet
    genesis: Header


class Surroundings(Protocol):
    """What an instance needs of the others, and tells those who watch."""

    now_us: int

    def send(self, sender: int, to: PeerId | seam.Target, data: bytes) -> None:
        """Put a message on its way."""
        ...

    def holds(self, asker: int, block_hash: BlockHash) -> Header | None:
        """Return the header of a block whose body an instance within reach holds."""
        ...

    def on_signed(self, number: int, data: bytes, *, is_logged: bool) -> None:
        """A ballot is being signed; `is_logged`: it is in the instance's log."""
        ...

    def on_final(self, number: int, header: Header, proof: bytes) -> None:
        """A block is final."""
        ...

    def on_effect(self, number: int, effect: seam.Evidence | seam.Blame | seam.Halt) -> None:
        """An instance accuses somebody, or stops."""
        ...


def genesis_header(genesis_hash: GenesisHash, validators: ValidatorSet, time_ms: int) -> Header:
    """Return the header of height 0.

    Args:
        genesis_hash: 32 bytes.
        validators: the set.
        time_ms: Unix milliseconds.
    """
    return Header(
        version=BLOCK_VERSION,
        genesis_hash=genesis_hash,
        epoch=Epoch(0),
        height=Height(0),
        parent_hash=BlockHash(ZERO_HASH),
        proposer=PublicKey(ZERO_HASH),
        time_ms=time_ms,
        tx_root=ZERO_HASH,
        receipts_root=ZERO_HASH,
        state_root=ZERO_HASH,
        validators_hash=validators.hash,
        next_validators_hash=validators.hash,
        engine_data=b"",
    )


class Instance:
    """A validator's engine at work.

    Attributes:
        number: 0 to n.
        key: its public key, 32 bytes; the twins have the same.
        engine: unmodified; that of a twin goes on when it meets the other's signatures.
        headers: blocks whose bodies it holds.
        final: the last block that it holds for final.
    """

    def __init__(self, number: int, seed: bytes, setting: Setting, around: Surroundings, *, is_twin: bool) -> None:
        """Make an instance that has not started; `seed`: of its key, 32 bytes."""
        self.number = number
        self.key = STAND_IN.public_key(seed)
        self.engine = Unscrupulous(STAND_IN) if is_twin else Simplex(STAND_IN)
        self.headers: dict[BlockHash, Header] = {setting.genesis.hash: setting.genesis}
        self.final = setting.genesis
        self._seed = seed
        self._setting = setting
        self._around = around
        self._guard = SigningGuard(self.engine)
        self._log: dict[bytes, None] = {}
        self._missing: dict[BlockHash, None] = {}

    def start(self) -> None:
        """Start the engine on an empty log."""
        setting = self._setting
        context = Context(
            key=self.key,
            genesis_hash=setting.genesis.genesis_hash,
            parameters=setting.parameters,
            epoch=Epoch(0),
            validators=setting.validators,
            following=setting.validators,
            delivered=setting.genesis,
            proof=b"",
            scheme=STAND_IN,
            rng=random.Random(self.number),  # noqa: S311 - a simulation must be repeatable, not unguessable
            has_pending=lambda _block_hash: False,
            signed=self._guard.last,
        )
        self.give(lambda now: self.engine.start(context, [], {}, now))

    def give(self, call: Callable[[int], Sequence[seam.Effect]]) -> None:
        """Give the engine an input, and do what comes back, in order."""
        now_us = self._around.now_us
        waiting = deque(call(now_us))
        while waiting:
            waiting.extend(self._do(waiting.popleft(), now_us))

    def wake(self) -> None:
        """Let the engine act if it is time to."""
        engine, now_us = self.engine, self._around.now_us
        due = engine.deadline
        if due is not None and due <= now_us:
            self.give(engine.on_deadline)

    def fetch_missing(self) -> None:
        """Ask again for the bodies that were out of reach."""
        for block_hash in list(self._missing):
            self.give(lambda now, wanted=block_hash: self._fetch(wanted, now))  # type: ignore[misc] # a bound default

    def _do(self, effect: seam.Effect, now_us: int) -> Sequence[seam.Effect]:
        match effect:
            case seam.Persist(record):
                self._log[record] = None
            case seam.Send(to, data):
                self._around.send(self.number, to, data)
            case seam.Sign(request, kind, data):
                return self._sign(request, kind, data, now_us)
            case seam.Build():
                return self._build(effect, now_us)
            case seam.Validate(block_hash):
                return self.engine.on_validated(block_hash, True, now_us)  # noqa: FBT003 - the seam's own order
            case seam.Fetch(block_hash):
                return self._fetch(block_hash, now_us)
            case seam.Finalized(block_hash, proof):
                self.final = self.headers[block_hash]
                self._around.on_final(self.number, self.final, proof)
            case seam.Evidence() | seam.Blame() | seam.Halt():
                self._around.on_effect(self.number, effect)
            case _:
                pass
        return ()

    def _sign(self, request: int, kind: str, data: bytes, now_us: int) -> Sequence[seam.Effect]:
        if kind == VRF_KIND:
            return self.engine.on_signed(request, STAND_IN.vrf_prove(self._seed, data), now_us)
        if self._guard.admit(kind, data) is None:
            return self.engine.on_signed(request, None, now_us)
        self._around.on_signed(self.number, data, is_logged=_BALLOT_RECORD + data in self._log)
        signature = STAND_IN.sign(self._seed, signed_bytes(kind, self._setting.genesis.genesis_hash, data))
        return self.engine.on_signed(request, signature, now_us)

    def _build(self, effect: seam.Build, now_us: int) -> Sequence[seam.Effect]:
        parent = self.headers[effect.parent]
        validators_hash = self._setting.validators.hash
        body = b"%d" % self.number  # so that the blocks of twins differ
        header = Header(
            version=BLOCK_VERSION,
            genesis_hash=parent.genesis_hash,
            epoch=effect.epoch,
            height=Height(parent.height + 1),
            parent_hash=effect.parent,
            proposer=self.key,
            time_ms=effect.time_ms,
            tx_root=tx_root((transaction_id(body),)),
            receipts_root=ZERO_HASH,
            state_root=ZERO_HASH,
            validators_hash=validators_hash,
            next_validators_hash=validators_hash,
            engine_data=effect.seal,
        )
        self.headers[header.hash] = header
        return self.engine.on_built(effect.request, Block(header, (body,)), now_us)

    def _fetch(self, block_hash: BlockHash, now_us: int) -> Sequence[seam.Effect]:
        header = self._around.holds(self.number, block_hash)
        if header is None:
            self._missing[block_hash] = None
            return ()
        self._missing.pop(block_hash, None)
        self.headers[block_hash] = header
        return self.engine.on_block(header, now_us)
