"""Validators that change at every epoch: the default application, with stake drawn from the seed.

In the first block of each epoch the whole set after the next one is drawn anew among the world's nodes:

    overlap    some of them, at least four, with stakes of 1 to 4
    disjoint   the two halves take turns, with equal stakes

The tokens of the application have no part in it: what is tried is the change of sets, not who pays for it. Nodes that
break the rules are drawn as long as they stay below a third of the stake.

Source: the epochs of the finality specification; the deterministic simulator specification.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from p2pcommerce.commerce import Commerce
from p2pcommerce.ledger.application import Application, BlockContext
from p2pcommerce.ledger.state import State
from p2pcommerce.ledger.validators import ValidatorUpdate
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey, Stake

__all__ = ["CHURNS", "Churning", "application_maker"]

CHURNS: Final = ("none", "overlap", "disjoint")
"""How validators change: not at all, or see above."""
_SET_MIN: Final = 4
_STAKE_MAX: Final = 4


def application_maker(
    seed: int, churn: str, keys: Sequence[PublicKey], villains: Sequence[PublicKey]
) -> Callable[[], Application] | None:
    """Return what makes the application of each node where validators change; None: they do not.

    Args:
        seed: of the world.
        churn: one of `CHURNS`.
        keys: public keys (32 bytes each) of all nodes.
        villains: public keys (32 bytes each) of nodes that break the rules.
    """
    return None if churn == CHURNS[0] else lambda: Churning(seed, churn, keys, villains)


class Churning(Commerce):
    """Commerce whose validators are drawn."""

    def __init__(self, seed: int, churn: str, keys: Sequence[PublicKey], villains: Sequence[PublicKey] = ()) -> None:
        """Draw from a seed.

        Args:
            seed: of the world.
            churn: "overlap" or "disjoint".
            keys: public keys (32 bytes each) of all nodes.
            villains: those of them that break the rules.
        """
        super().__init__()
        self._seed = seed
        self._churn = churn
        self._keys = sorted(keys)
        self._villains = dict.fromkeys(villains)

    @override
    def end_block(self, state: State, context: BlockContext) -> Sequence[ValidatorUpdate]:
        """Draw in the first block of an epoch."""
        updates = super().end_block(state, context)
        if (context.height - 1) % context.genesis.parameters.epoch_blocks:
            return updates
        stakes = self._draw(context.epoch + 2)
        return [*updates, *[ValidatorUpdate(key, Stake(stakes.get(key, 0))) for key in self._keys]]

    def _draw(self, epoch: int) -> dict[PublicKey, int]:
        rng = random.Random(f"{self._seed}/{epoch}")  # noqa: S311 - a simulation must be repeatable
        if self._churn == "disjoint":
            half = len(self._keys) // 2
            stakes = dict.fromkeys(self._keys[:half] if epoch % 2 else self._keys[half:], 1)
        else:
            count = rng.randint(min(_SET_MIN, len(self._keys)), len(self._keys))
            stakes = {key: rng.randint(1, _STAKE_MAX) for key in rng.sample(self._keys, count)}
        for villain in self._villains:
            bad = sum(stake for key, stake in stakes.items() if key in self._villains)
            if 3 * bad < sum(stakes.values()):
                break
            stakes.pop(villain, None)
        return stakes
