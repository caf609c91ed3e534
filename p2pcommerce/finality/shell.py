"""What any engine answers in the same way, so that an engine's own file reads as its protocol's rules.

`EngineShell` is for every engine: the network that it was started on, proofs and evidence of that network alone, and
nothing to do where an engine has nothing to say. `RoomEngine` is on top of it for engines of several rooms, a block
tree among them: each input goes to its room, then the rules are run (`Rooms.step`) and the effects handed over; the log
is rewritten now and then.

Source: the seam of the finality specification.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from p2pcommerce.finality.engine import Context, Effect, EngineStatus, Halt, Persist, Rewrite, Sets
from p2pcommerce.finality.inbox import EngineInbox
from p2pcommerce.finality.signer import FORKED, Signer
from p2pcommerce.finality.state import EngineState
from p2pcommerce.finality.tree import BlockTree
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.ledger.validators import Offence, ValidatorSet
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import LocalProtocolError, Verdict
from p2pcommerce.primitives.ids import BlockHash, Epoch, GenesisHash, Height, PeerId, PublicKey

__all__ = ["EngineShell", "NotStartedError", "RoomEngine", "Rooms"]


class NotStartedError(LocalProtocolError):
    """An engine was given an input before `start`."""

    code = "NOT_STARTED"


class EngineShell(ABC):
    """An engine that follows no epochs, hears nothing and draws nothing, until it says otherwise."""

    name: ClassVar[str]
    follows_epochs: ClassVar[bool] = False
    is_relayed: ClassVar[bool] = False

    def __init__(self, scheme: SignatureScheme = ED25519) -> None:
        """Make an engine that has not started; until then `scheme` verifies."""
        self._scheme = scheme
        self._started: Context | None = None

    def _begin(self, context: Context) -> None:
        """Be started; `_context` is that from now on."""
        self._started, self._scheme = context, context.scheme

    @property
    def _context(self) -> Context:
        if self._started is None:
            raise NotStartedError("the engine was given an input before it was started")
        return self._started

    # --- inputs that an engine may have no use for ---

    def on_pending(self, now: int) -> list[Effect]:
        """Transactions are waiting."""
        return []

    def on_rival(self, proof: bytes, reason: str, now: int) -> list[Effect]:
        """Another chain is final by this verified proof: stop for this reason."""
        return [Halt(f"{reason}; {FORKED}")]

    def on_peer(self, peer: PeerId, now: int) -> list[Effect]:
        """A peer connected."""
        return []

    def relays(self, data: bytes) -> bool:
        """Tell whether a message may come by others than who made it: of this engine none."""
        return False

    def series(self, data: bytes) -> tuple[bytes, int] | None:
        """Return what a message says and who says it: of this engine, for nobody."""
        return None

    def maker(self, data: bytes) -> PeerId | None:
        """Return whose a message is: of this engine, for nobody."""
        return None

    @property
    def position(self) -> tuple[int, int]:
        """The present epoch, and the view or slot in it."""
        return 0, 0

    def on_relayed(self, peer: PeerId, data: bytes, now: int) -> tuple[Verdict | None, list[Effect]]:
        """Nothing: what others pass on is not believed."""
        return Verdict.REJECT, []

    def on_block(self, header: Header, now: int) -> list[Effect]:
        """The node holds this block's complete body."""
        return []

    def on_recalled(
        self, request: int, rows: Sequence[tuple[Header, bytes, bytes]], sets: Sets, now: int
    ) -> list[Effect]:
        """Nothing: what is old is not compared."""
        return []

    def on_epoch(
        self, epoch: Epoch, validators: ValidatorSet, following: ValidatorSet, seed: bytes, now: int
    ) -> list[Effect]:
        """Nothing: the genesis set decides for ever."""
        return []

    def randomness(self, proposer: PublicKey, seal: bytes, seed: bytes) -> bytes | None:
        """Nothing: seeds are made from the blocks of engines that follow epochs."""
        return None

    # --- pure: what anybody may ask, at any time ---

    def verify(self, header: Header, proof: bytes, sets: Sets) -> bool:
        """Tell whether `proof` shows that `header` is final; once started, on this network only."""
        if self._started is not None and header.genesis_hash != self._started.genesis_hash:
            return False
        return self._shows(header, proof, sets)

    @abstractmethod
    def _shows(self, header: Header, proof: bytes, sets: Sets) -> bool:
        """Tell whether a proof shows that a header is final on its network, by `_scheme`."""

    def convict(self, evidence: bytes, sets: Sets) -> Offence | None:
        """Return the offence that evidence proves; None before `start`, when the network is not known."""
        if self._started is None:
            return None
        return self._judge(evidence, sets, self._started.genesis_hash)

    @abstractmethod
    def _judge(self, evidence: bytes, sets: Sets, genesis_hash: GenesisHash) -> Offence | None:
        """Return the offence that evidence proves on a network (32 bytes), by `_scheme`."""

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Replica(Protocol):
    """The room of the rules."""

    def on_built(self, request: int, block: Block | None, now: int) -> None:
        """A block that was asked for; None: it cannot be built."""
        ...

    def on_signed(self, request: int, signature: bytes | None, now: int) -> None:
        """A signature that was asked for; None: the guard refuses."""
        ...


class _Greeter(Protocol):
    """The room of what is sent again."""

    def greet(self, peer: PeerId, now: int) -> None:
        """A peer connected, who may lack what others were sent."""
        ...


class Rooms(ABC):
    """The rooms of a running engine.

    Attributes:
        inbox: takes messages.
        replica: the rules.
        resender: what is sent again.
        tree: blocks.
        signer: own messages.
    """

    tree: BlockTree[Any]
    signer: Signer[Any]
    inbox: EngineInbox[Any]
    replica: _Replica
    resender: _Greeter

    def __init__(self, shared: EngineState[Any], records_max: int) -> None:
        """Hand over the effects of `shared`; rewrite the log after so many records."""
        self.logged = 0
        """Records since the log was rewritten."""
        self._shared = shared
        self._records_max = records_max

    @property
    def epoch(self) -> int:
        """The present epoch."""
        return self._shared.context.epoch

    @property
    @abstractmethod
    def view(self) -> int:
        """The present view or slot."""

    @property
    @abstractmethod
    def deadline(self) -> int | None:
        """When a rule may want to act, microseconds."""

    @abstractmethod
    def step(self, now: int) -> None:
        """Do whatever the rules allow now."""

    @abstractmethod
    def rewritten(self) -> Rewrite:
        """Return the log as it is needed."""

    def see_pending(self, now: int) -> None:  # noqa: B027 - an engine may have nothing to do here
        """A transaction waits, or a block is executed on top of which one may."""

    def gauges(self) -> dict[str, int]:
        """Return what the engine counts beside its counters."""
        return {}

    def finish(self, now: int) -> list[Effect]:
        """Run the rules and hand over the effects."""
        self.step(now)
        out = self._shared.out
        if not out:
            return []
        self.logged += sum(1 for effect in out if isinstance(effect, Persist))
        if self.logged >= self._records_max:
            self.logged = 0
            out.append(self.rewritten())
        effects = list(out)
        out.clear()
        return effects

    def status(self, name: str) -> EngineStatus:
        """Return where the engine of this name stands."""
        shared, signer = self._shared, self.signer
        gauges = {
            "halted": int(signer.halted is not None),
            "recovering": int(signer.index is not None and not signer.ready),
            "blocks_tracked": len(self.tree),
        }
        return EngineStatus(
            name=name,
            epoch=Epoch(shared.context.epoch),
            view=self.view,
            leader=shared.leader(self.view),
            delivered=Height(self.tree.delivered.height),
            counters=dict(sorted(shared.counters.items())) | gauges | self.gauges(),
        )


R = TypeVar("R", bound=Rooms)


class RoomEngine(EngineShell, Generic[R]):
    """An engine of several rooms; `start` makes them."""

    def __init__(self, scheme: SignatureScheme = ED25519) -> None:
        """Make an engine that has not started; until then `scheme` verifies."""
        super().__init__(scheme)
        self._rooms: R | None = None

    @property
    def _running(self) -> R:
        if self._rooms is None:
            raise NotStartedError("the engine was given an input before it was started")
        return self._rooms

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return None if self._rooms is None else self._rooms.deadline

    def on_message(self, peer: PeerId, data: bytes, now: int) -> list[Effect]:
        """Take an engine message from a peer: untrusted."""
        self._running.inbox.on_message(peer, data, now)
        return self._running.finish(now)

    @property
    @override
    def position(self) -> tuple[int, int]:
        """The present epoch, and the view or slot in it."""
        if self._rooms is None:
            return 0, 0
        return self._rooms.epoch, self._rooms.view

    def on_deadline(self, now: int) -> list[Effect]:
        """Act on the passing of time."""
        return self._running.finish(now)

    @override
    def on_pending(self, now: int) -> list[Effect]:
        """Transactions are waiting."""
        self._running.see_pending(now)
        return self._running.finish(now)

    @override
    def on_peer(self, peer: PeerId, now: int) -> list[Effect]:
        """A validator connected: tell it where this node stands."""
        self._running.resender.greet(peer, now)
        return self._running.finish(now)

    @override
    def on_block(self, header: Header, now: int) -> list[Effect]:
        """The node holds this block's complete body."""
        self._running.tree.on_block(header)
        return self._running.finish(now)

    def on_validated(self, block_hash: BlockHash, valid: bool, now: int) -> list[Effect]:  # noqa: FBT001 - an answer
        """The application's verdict on a block."""
        self._running.tree.on_validated(block_hash, valid=valid)
        self._running.see_pending(now)
        return self._running.finish(now)

    def on_built(self, request: int, block: Block | None, now: int) -> list[Effect]:
        """A block that was asked for, executed; None: it cannot be built."""
        self._running.replica.on_built(request, block, now)
        return self._running.finish(now)

    def on_signed(self, request: int, signature: bytes | None, now: int) -> list[Effect]:
        """A signature (64 bytes) or a proof (80 bytes) that was asked for; None: the guard refuses."""
        self._running.replica.on_signed(request, signature, now)
        return self._running.finish(now)

    def status(self) -> EngineStatus:
        """Return where it stands; `halted` among the counters is 1 once it signs nothing any more."""
        return self._running.status(self.name)
