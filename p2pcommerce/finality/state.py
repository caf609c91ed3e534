"""What the rooms of every running engine share: the context, the effects of the input at hand, counters, leaders.

Source: the finality specification (the seam; leaders).
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Generic, TypeVar

from p2pcommerce.finality.engine import Context, Effect, Send, Target
from p2pcommerce.finality.leader import pick_leader
from p2pcommerce.finality.messages import MessageKinds
from p2pcommerce.primitives.ids import PeerId, PublicKey

__all__ = ["EngineState"]

_LEADERS_MAX: Final = 256
"""Leaders that are remembered."""

M = TypeVar("M")


class EngineState(Generic[M]):
    """One node, in one epoch; messages are of type M.

    Attributes:
        context: what the engine was started with, with the sets of this epoch.
        kinds: the engine's messages.
        seed: the epoch's randomness; of epoch 0 the genesis hash.
        out: effects of the input at hand, in order.
        counters: what is counted for `status()`.
    """

    def __init__(self, context: Context, kinds: MessageKinds[M], before: EngineState[M] | None = None) -> None:
        """Begin an epoch; `before`: the epoch before it in this life, whose effects and counters go on."""
        self.context = context
        self.kinds = kinds
        self.seed = context.seed or bytes(context.genesis_hash)
        self.out: list[Effect] = [] if before is None else before.out
        self.counters: Counter[str] = Counter() if before is None else before.counters
        self._leaders: dict[int, PublicKey] = {}

    def leader(self, number: int) -> PublicKey:
        """Return who leads a view or slot, 32 bytes."""
        leader = self._leaders.get(number)
        if leader is None:
            if len(self._leaders) >= _LEADERS_MAX:
                self._leaders.clear()
            leader = self._leaders[number] = pick_leader(self.context.validators, self.seed, number)
        return leader

    def keys_of(self, indices: tuple[int, ...]) -> tuple[PublicKey, ...]:
        """Return the public keys (32 bytes) of validators."""
        members = self.context.validators.validators
        return tuple(members[index].public_key for index in indices)

    def send(self, to: PeerId | Target, message: M) -> None:
        """Send a message."""
        self.out.append(Send(to, self.kinds.encode(message)))
