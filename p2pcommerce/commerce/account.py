"""Accounts: a balance and a nonce under a public key.

Never deleted, so that a nonce is never used twice. The deposit for an account comes out of its first credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.kind import U63, Holdings, Kind
from p2pcommerce.primitives.codec import U64, record_of

__all__ = ["ACCOUNT", "ACCOUNT_BYTES", "Account"]

ACCOUNT_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Account:
    """One account; its id is its public key (32 bytes).

    Attributes:
        balance_minor: free minor units.
        nonce: the nonce of its next transaction.
    """

    balance_minor: int
    nonce: int


ACCOUNT: Final = Kind(
    "account",
    b"\x02",
    record_of(Account, balance_minor=U63, nonce=U64),
    size=lambda _: ACCOUNT_BYTES,
    held=lambda account: Holdings(balances_minor=account.balance_minor),
)
