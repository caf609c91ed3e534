"""How a host departs from what its core wants, and what it says of a core that never rests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from p2pcommerce.node.effects import Effect
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import Message

__all__ = ["Behaviour", "RestlessError"]


class RestlessError(LocalProtocolError):
    """A core wants to be woken again and again at one moment."""

    code = "RESTLESS"


class Behaviour(Protocol):
    """How a host departs from what its core wants: an adversary."""

    ignores_guard: bool
    """Whether it signs whatever its core asks for."""
    is_unscrupulous: bool
    """Whether its engine goes on when it sees that its key signed something else."""

    def on_effects(self, effects: Sequence[Effect]) -> list[Effect]:
        """Return what is done in the place of some effects."""
        ...

    def on_message(self, peer: PeerId, message: Message) -> Message | None:
        """Return what the core hears in the place of a message; None: nothing."""
        ...

    def on_started(self) -> None:
        """The host has started, or started again."""
        ...
