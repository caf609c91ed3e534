"""What every adversary has: a host whose core is the honest one, and the effects of that core to tamper with.

An adversary owns its keys and forges none. It sits between its core and the world: it sees what the core wants sent and
what it hears, and changes, drops or adds. What it did is counted, so that a strategy that never acts is noticed.

Source: the adversaries of the simulator specification.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

from p2pcommerce.finality import Simplex
from p2pcommerce.finality.simplex.messages import Cast, Proposal, decode_message, encode_message
from p2pcommerce.finality.simplex.messages import Message as EngineMessage
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, VOTE_DOMAIN, Ballot, VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.effects import Effect, Transmit
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.simulation.host import Host
from p2pcommerce.wire.messages import Engine, Message

__all__ = ["Adversary", "Stage", "sign_proposal"]


class Stage(Protocol):
    """The world, as an adversary sees it."""

    genesis: Genesis
    hosts: list[Host]

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        ...

    def at_world(self, world_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Let something happen at a moment, whatever lives."""
        ...


class Adversary:
    """A host that tampers with what its core wants; this one changes nothing.

    Attributes:
        engines: names of the engines whose messages the strategy understands.
        ignores_guard: it signs whatever its core asks for.
        is_unscrupulous: its engine does not stop at a second instance.
        acts: what it did, by kind.
    """

    engines: ClassVar[frozenset[str]] = frozenset({Simplex.name})
    ignores_guard = False
    is_unscrupulous = False

    def __init__(self, host: Host, stage: Stage, rng: random.Random) -> None:
        """Take over a host."""
        self.host = host
        self.stage = stage
        self.rng = rng
        self.acts: Counter[str] = Counter()
        self._last: tuple[bytes, EngineMessage] | None = None

    # --- what a strategy overrides ---

    def on_started(self) -> None:
        """The host has started, or started again."""

    def on_message(self, peer: PeerId, message: Message) -> Message | None:
        """Return what the core hears in the place of a message."""
        del peer
        return message

    def on_transmit(self, peer: PeerId, message: Message) -> Message | None:
        """Return what is sent in the place of a message that is not the engine's; None: nothing."""
        del peer
        return message

    def on_engine(self, peer: PeerId, message: EngineMessage) -> EngineMessage | None:
        """Return what is sent in the place of an engine message; None: nothing."""
        del peer
        return message

    def on_data(self, peer: PeerId, data: bytes) -> bytes | None:
        """Return what is sent in the place of a message of an engine other than Simplex; None: nothing."""
        del peer
        return data

    # --- what it does with effects ---

    def on_effects(self, effects: Sequence[Effect]) -> list[Effect]:
        """Return what is done in the place of the core's effects."""
        done: list[Effect] = []
        for effect in effects:
            if not isinstance(effect, Transmit):
                done.append(effect)
                continue
            message = self._tamper(effect.peer, effect.message)
            if message is not None:
                done.append(Transmit(effect.peer, message))
        return done

    def _tamper(self, peer: PeerId, message: Message) -> Message | None:
        if not isinstance(message, Engine):
            return self.on_transmit(peer, message)
        if self.stage.genesis.engine != Simplex.name:
            data = self.on_data(peer, message.data)
            return None if data is None else Engine(data)
        if self._last is None or self._last[0] is not message.data:
            self._last = message.data, decode_message(message.data)
        said = self._last[1]
        changed = self.on_engine(peer, said)
        if changed is None:
            return None
        return message if changed is said else Engine(encode_message(changed))

    # --- tools ---

    def is_own(self, message: EngineMessage) -> bool:
        """Tell whether a message is this validator's own proposal or vote."""
        if isinstance(message, Proposal):
            return message.header.proposer == self.host.key
        return isinstance(message, Cast)

    def in_second_half(self, peer: PeerId) -> bool:
        """Split the others in two: what is told to one half is not told to the other."""
        return sorted(self.stage.genesis.validators.keys).index(peer) % 2 == 1 if self.is_validator(peer) else False

    def is_validator(self, peer: PeerId) -> bool:
        """Tell whether a peer votes."""
        return peer in self.stage.genesis.validators

    def sign_vote(self, ballot: Ballot) -> bytes:
        """Return a vote's signature (64 bytes), whatever was signed before."""
        self.acts["signed aside"] += 1
        return self.host.signature(VOTE_DOMAIN, ballot.data)

    def repeat(self, every_us: int, call: Callable[[], None]) -> None:
        """Call now and again while this life of the host lasts."""

        def again() -> None:
            call()
            self.host.later(every_us, again)

        self.host.later(self.rng.randrange(every_us), again)


def sign_proposal(host: Host, header: Header, view: int) -> bytes:
    """Return the signature (64 bytes) of a proposal with this header."""
    return host.signature(PROPOSAL_DOMAIN, Ballot(header.epoch, view, VoteKind.PROPOSE, header.hash).data)
