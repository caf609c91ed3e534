"""Junk for a mempool: transactions that cost their maker little or nothing, of each kind that there is.

    tiny       good signatures, funded senders, the least fee that the chain takes
    signature  everything good but the signature
    unfunded   good signatures of senders that have nothing
    gap        funded senders, fees beyond all others, behind a nonce that never comes: nobody can collect them
    payer      one sponsor of a new sender each, the least fee
    garbage    bytes

Source: mempool floods, among the adversaries of the deterministic simulator specification.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from p2pcommerce.commerce import Sponsor, Transfer, build_transaction
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["FUNDED", "JUNK", "NONCES", "RICH_MINOR", "SPONSOR_SEED", "junk", "sender_seed"]

NONCES: Final = 10
"""Transactions of one funded sender."""
FUNDED: Final = 10_000
"""Funded senders that there may be."""
RICH_MINOR: Final = 10**12
"""What a funded account has, minor units."""
SPONSOR_SEED: Final = b"sponsor of junk".ljust(32)
_GAP_FEE_MINOR: Final = 10**9
_EXPIRES: Final = 1_000
_GARBAGE_BYTES: Final = 250


def sender_seed(number: int, name: str = "junk") -> bytes:
    """Return the key seed (32 bytes) of an account."""
    return f"{name} {number}".encode().ljust(32)


class _Maker:
    """Makes junk of one network."""

    def __init__(self, genesis: Genesis, scheme: SignatureScheme, rng: random.Random) -> None:
        self.genesis = genesis
        self.scheme = scheme
        self.rng = rng
        self.shop = PublicKey(rng.randbytes(32))

    def pay(self, seed: bytes, nonce: int, fee: int | None = None, sponsor: Sponsor | None = None) -> bytes:
        payload = Transfer(to=self.shop, amount_minor=1)
        return build_transaction(
            payload, self.genesis, seed, nonce, _EXPIRES, fee=fee, sponsor=sponsor, scheme=self.scheme
        ).raw

    def tiny(self, number: int) -> bytes:
        return self.pay(sender_seed(number // NONCES % FUNDED), number % NONCES)

    def signature(self, number: int) -> bytes:
        raw = bytearray(self.tiny(number))
        raw[-1 - self.rng.randrange(32)] ^= 1 << self.rng.randrange(7)
        return bytes(raw)

    def unfunded(self, number: int) -> bytes:
        return self.pay(sender_seed(number, "poor"), 0)

    def gap(self, number: int) -> bytes:
        return self.pay(sender_seed(number // NONCES % FUNDED), 1 + number % NONCES, fee=_GAP_FEE_MINOR)

    def payer(self, number: int) -> bytes:
        return self.pay(sender_seed(number, "poor"), 0, sponsor=Sponsor(SPONSOR_SEED))

    def garbage(self, _: int) -> bytes:
        return self.rng.randbytes(_GARBAGE_BYTES)


JUNK: Final[Mapping[str, Callable[[_Maker, int], bytes]]] = MappingProxyType(
    {
        "tiny": _Maker.tiny,
        "signature": _Maker.signature,
        "unfunded": _Maker.unfunded,
        "gap": _Maker.gap,
        "payer": _Maker.payer,
        "garbage": _Maker.garbage,
    }
)
"""Name -> how the one of a number is made."""


def junk(kind: str, count: int, genesis: Genesis, scheme: SignatureScheme, rng: random.Random) -> Iterator[bytes]:
    """Yield so many pieces of junk of one kind (a key of `JUNK`)."""
    maker = _Maker(genesis, scheme, rng)
    return (JUNK[kind](maker, number) for number in range(count))
