"""Who votes in which epoch of a world, as final blocks say: what oracles count stake by.

The genesis set decides epochs 0 and 1; the boundary block of each epoch writes the set of the epoch after the next into
the state. The sets are read as plain values, without the code of the chain.

Source: the epochs of the finality specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from p2pcommerce.ledger.epochs import epoch_of_set_key
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.codec import unpack

__all__ = ["Members", "Memberships"]

Members: TypeAlias = tuple[tuple[bytes, int], ...]
"""Public key (32 bytes) and stake of each validator, in the order in which certificates count them."""

_SET_BYTES_MAX: Final = 2**16
_EPOCHS_KEPT: Final = 8


class Memberships:
    """The validators of each epoch of one world."""

    def __init__(self, genesis: Genesis) -> None:
        """Know the genesis set, of epochs 0 and 1."""
        self._founders: Members = tuple((each.public_key, each.stake) for each in genesis.validators)
        self._sets: dict[int, Members] = dict.fromkeys((0, 1), self._founders)

    def learn(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Take what a final block changed in the state."""
        for key, value in changes.items():
            epoch = epoch_of_set_key(key)
            if epoch is not None and value is not None and epoch not in self._sets:
                rows: Any = unpack(value, _SET_BYTES_MAX)
                self._sets[epoch] = tuple((member, stake) for member, stake in rows)
                self._sets.pop(epoch - _EPOCHS_KEPT, None)

    def of(self, epoch: int) -> Members | None:
        """Return the validators of an epoch, None if they are not known, or not any more."""
        return self._sets.get(epoch)

    def are_founders(self, epoch: int) -> bool:
        """Tell whether the validators of an epoch are those of the genesis."""
        return self._sets.get(epoch) == self._founders
