"""The finality engines alone: messages, time, bodies and verdicts of blocks, refused signatures, restarts.

Steps: a message (0), time (1), a peer (2), a header whose body is here (3), the verdict on a block (4), nothing to
build (5), a restart from the log (6), a pending transaction (7), a block that was caught up (8), the others agree (9).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from fuzz.echo import echoes
from fuzz.nodes import WAITS_US
from fuzz.station import CREDULOUS, START_US, VALIDATORS, genesis_of, key_of
from fuzz.target import Form, Step, Target, steps_of
from fuzz.verdicts import BrokenRuleError, check
from p2pcommerce.finality import SigningGuard, make_engine
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.engine import Context
from p2pcommerce.ledger.block import Block, Header, decode_header
from p2pcommerce.ledger.epochs import epoch_of, is_boundary
from p2pcommerce.node.chain import genesis_header
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import ZERO_HASH, BlockHash, Epoch, Height, PeerId
from p2pcommerce.primitives.vrf import VRF_KIND

__all__ = ["engine_targets"]

_MESSAGE_BYTES_MAX: Final = 256 * 1024
_WAKES_AT_ONCE_MAX: Final = 300
_SAID_MAX: Final = 16
_ENGINES: Final = ("simplex", "ffg")
_PEERS: Final = (*(key_of(f"validator {number}") for number in range(1, VALIDATORS)), key_of("stranger"))
"""Who may speak."""


class _Rig:
    """One engine with what a node would keep for it."""

    def __init__(self, name: str) -> None:
        self.genesis = genesis_of(name)
        self.now = START_US
        self.log: list[bytes] = []
        self.logged: list[BlockHash] = []
        self.guard_frames: list[bytes] = []
        first = genesis_header(self.genesis, ZERO_HASH)
        self.chain: list[tuple[Header, bytes]] = [(first, b"")]
        self.headers: dict[BlockHash, Header] = {first.hash: first}
        self.asked: dict[BlockHash, None] = {}
        self.executed: dict[BlockHash, bool] = {first.hash: True}
        self.answers: deque[Callable[[int], Sequence[seam.Effect]]] = deque()
        self.said: deque[bytes] = deque(maxlen=_SAID_MAX)
        self.verdict = self.builds = True
        self.halted = self.heard = self.is_pending = False
        self.start()

    @property
    def epoch(self) -> Epoch:
        """Of the block after the head; engines that follow no epochs stay in the first."""
        height = self.chain[-1][0].height + 1
        return epoch_of(height, self.genesis.parameters.epoch_blocks) if self.engine.follows_epochs else Epoch(0)

    def start(self) -> None:
        """Start, or start again."""
        self.engine = make_engine(self.genesis.engine, CREDULOUS)
        self.guard = SigningGuard(self.engine)
        self.guard.restore(self.guard_frames)
        self.answers.clear()
        head, proof = self.chain[-1]
        context = Context(
            key=key_of("validator 0"),
            genesis_hash=self.genesis.hash,
            parameters=self.genesis.parameters,
            epoch=self.epoch,
            validators=self.genesis.validators,
            following=self.genesis.validators,
            delivered=head,
            proof=proof,
            scheme=CREDULOUS,
            rng=random.Random(1),
            has_pending=lambda _: self.is_pending,
            signed=self.guard.last,
        )
        self.executed = dict.fromkeys([header.hash for header, _ in self.chain], True)
        blocks = {block_hash: self.headers[block_hash] for block_hash in self.logged}
        self.give(lambda now: self.engine.start(context, list(self.log), blocks, now))

    def give(self, call: Callable[[int], Sequence[seam.Effect]]) -> None:
        """Give an input, and do what comes of it."""
        self.answers.append(call)
        while self.answers and not self.halted:
            epoch = self.epoch
            for effect in self.answers.popleft()(self.now):
                self._do(effect)
            if self.epoch != epoch and not self.halted:
                self.answers.appendleft(self._begin_epoch)

    def _begin_epoch(self, now: int) -> Sequence[seam.Effect]:
        everybody = self.genesis.validators
        return self.engine.on_epoch(self.epoch, everybody, everybody, b"seed", now)

    def _do(self, effect: seam.Effect) -> None:  # noqa: C901 - one arm per effect
        match effect:
            case seam.Persist(record):
                self.log.append(record)
            case seam.PersistBlock(block_hash):
                check(block_hash in self.headers, "a block is logged that is not here")
                self.logged.append(block_hash)
            case seam.Sign():
                self._sign(effect)
            case seam.Send(_, data):
                check(0 < len(data) <= _MESSAGE_BYTES_MAX, "an engine message above its cap")
                self.said.append(data)
            case seam.Build():
                block = self._build(effect)
                self.answers.append(lambda now: self.engine.on_built(effect.request, block, now))
            case seam.Validate(block_hash):
                header = self.headers[block_hash]
                check(self.executed.get(header.parent_hash, False), "a block is executed before its parent")
                valid = self.executed[block_hash] = self.verdict
                self.answers.append(lambda now: self.engine.on_validated(block_hash, valid, now))
            case seam.Fetch(block_hash, header):
                self.asked[block_hash] = None
                if header is not None and header.hash == block_hash:
                    self._bring(header)
            case seam.Finalized(block_hash, proof):
                self._finalize(self.headers[block_hash], proof)
            case seam.Recall(request, low, count):
                rows = [(header, proof, b"") for header, proof in self.chain if low <= header.height < low + count]
                sets = {int(self.epoch): self.genesis.validators}.__getitem__
                self.answers.append(lambda now: self.engine.on_recalled(request, rows, sets, now))
            case seam.Rewrite(records, blocks):
                self.log, self.logged = list(records), list(blocks)
            case seam.Halt(reason):
                check(bool(reason), "the engine halts without a reason")
                self.halted = True
            case seam.Blame(_, reason):
                check(bool(reason), "a peer is blamed without a reason")
            case seam.Evidence(data):
                self.engine.convict(data, lambda _: self.genesis.validators)
            case seam.Forget() | seam.Head():
                pass

    def _bring(self, header: Header) -> None:
        self.headers[header.hash] = header
        self.answers.append(lambda now: self.engine.on_block(header, now))

    def _finalize(self, header: Header, proof: bytes) -> None:
        head = self.chain[-1][0]
        check(header.parent_hash == head.hash and header.height > head.height, "delivered in another order, or twice")
        self.chain.append((header, proof))

    def _sign(self, effect: seam.Sign) -> None:
        frame = self.guard.admit(effect.kind, effect.data)
        signature: bytes | None = None
        if frame is not None:
            if frame:
                self.guard_frames.append(frame)
            is_vrf = effect.kind == VRF_KIND
            signature = (CREDULOUS.vrf_prove if is_vrf else CREDULOUS.sign)(b"key", effect.data)
        self.answers.append(lambda now: self.engine.on_signed(effect.request, signature, now))

    def _build(self, effect: seam.Build) -> Block | None:
        parent = self.headers[effect.parent]
        check(self.executed.get(effect.parent, False), "a block is built on a parent that is not executed")
        if not self.builds:
            return None
        header = replace(
            parent,
            epoch=effect.epoch,
            height=Height(parent.height + (not effect.empty)),
            parent_hash=parent.hash,
            proposer=key_of("validator 0"),
            time_ms=effect.time_ms,
            engine_data=effect.seal,
        )
        self.headers[header.hash] = header
        self.executed[header.hash] = True
        return Block(header, ())

    def wait(self, duration_us: int) -> None:
        """Let time pass."""
        until, woken = self.now + duration_us, 0
        while not self.halted and (due := self.engine.deadline) is not None and due <= until:
            if due > self.now:
                self.now, woken = due, 0
            woken += 1
            if woken > _WAKES_AT_ONCE_MAX:
                raise BrokenRuleError("the engine wants to be woken again and again")
            self.give(self.engine.on_deadline)
        self.now = until

    def take(self, step: Step) -> None:
        """Take one step."""
        peer: PeerId = _PEERS[step.argument % len(_PEERS)]
        match step.code:
            case 0:
                self.heard = True
                self.give(lambda now: self.engine.on_message(peer, step.payload, now))
            case 1:
                self.wait(WAITS_US[step.argument % (len(WAITS_US) - 2)])
            case 2:
                self.give(lambda now: self.engine.on_peer(peer, now))
            case 3 | 8:
                self._take_header(step)
            case 6:
                self.start()
            case 9:
                self._echo(step.argument)
            case _:
                self._decide(step)

    def _decide(self, step: Step) -> None:
        """Take a step about what the node itself does from now on."""
        match step.code:
            case 4:
                self.verdict = step.argument % 2 == 0
            case 5:
                self.builds = step.argument % 2 == 0
            case 7:
                self.is_pending = step.argument % 2 == 0
                self.give(self.engine.on_pending)
            case _:
                pass

    def _echo(self, who: int) -> None:
        """Let the other validators agree with what the engine said last."""
        said = tuple(dict.fromkeys(self.said))
        self.said.clear()
        for data in said:
            for other, reply in echoes(self.genesis.engine, data, who):
                self._hear(other, reply)

    def _hear(self, peer: PeerId, data: bytes) -> None:
        self.give(lambda now: self.engine.on_message(peer, data, now))

    def _take_header(self, step: Step) -> None:
        """A body that was asked for; or a block that is final by catching up."""
        try:
            header = decode_header(step.payload)
        except CodecError:
            return
        if step.code == 3 and header.hash in self.asked:
            self._bring(header)
            self.give(lambda _: [])
        head = self.chain[-1][0]
        if step.code == 8 and header.height == head.height + 1 and header.parent_hash == head.hash:
            self.headers[header.hash] = header
            self.executed[header.hash] = True
            self.chain.append((header, b""))
            self.give(lambda now: self.engine.on_synced(header, b"", now))
            if is_boundary(header.height, self.genesis.parameters.epoch_blocks) and self.engine.follows_epochs:
                self.give(self._begin_epoch)


def _run(name: str, data: bytes) -> bool:
    rig = _Rig(name)
    for step in steps_of(data):
        rig.take(step)
        rig.wait(0)
        if rig.halted:
            break
    rig.wait(500_000)
    return rig.heard


def engine_targets() -> tuple[Target, ...]:
    """Return a target for each engine."""
    return tuple(_target(name) for name in _ENGINES)


def _target(name: str) -> Target:
    covers = ("finality.messages.MessageKinds.decode",)
    return Target(f"core.{name}", lambda data: _run(name, data), covers, Form.SCRIPT)
