"""Choosing who leads: the seed of an epoch whose first views are led as a scenario says.

The engine draws the leader of a view by the epoch's seed, and nothing in it is bent: seeds are tried, always in the
same order, until one gives the wanted leaders. For four validators and four rounds some 1,500 trials find all of them.

Source: the leader rule of the finality specification.
"""

from __future__ import annotations

from collections.abc import Sequence

from p2pcommerce.finality import pick_leader
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import GenesisHash

__all__ = ["LeaderSeeds"]


class LeaderSeeds:
    """The seeds of one validator set."""

    def __init__(self, validators: ValidatorSet, views: int) -> None:
        """Decide the leaders of views 1 to `views`."""
        self._validators = validators
        self._views = range(1, views + 1)
        self._found: dict[tuple[int | None, ...], GenesisHash] = {}
        self._tried = 0

    def of(self, leaders: Sequence[int]) -> GenesisHash:
        """Return a genesis hash (32 bytes): the seed of epoch 0 by which these validators lead the first views.

        Args:
            leaders: an index into the set for each view.
        """
        wanted = tuple(leaders)
        while wanted not in self._found:
            seed = GenesisHash(blake2b_256(b"twins %d" % self._tried))
            self._tried += 1
            validators = self._validators
            drawn = tuple(validators.index(pick_leader(validators, seed, view)) for view in self._views)
            self._found.setdefault(drawn, seed)
        return self._found[wanted]
