"""Who leads a view: a validator drawn with the weight of its stake.

Source: the leader rule of the finality specification (SHA-512 of seed and view, modulo the total stake). The bias of
the modulus is below 2^-448.
"""

from __future__ import annotations

import hashlib

from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["pick_leader"]


def pick_leader(validators: ValidatorSet, seed: bytes, view: int) -> PublicKey:
    """Return the leader's public key (32 bytes).

    Args:
        validators: the epoch's set.
        seed: the epoch's randomness; of epoch 0, the genesis hash.
        view: number of the view.
    """
    digest = hashlib.sha512(seed + view.to_bytes(8, "big")).digest()
    point = int.from_bytes(digest, "big") % validators.total
    for validator in validators:
        point -= validator.stake
        if point < 0:
            break
    return validator.public_key
