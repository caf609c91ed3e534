"""Accounts: a balance and a nonce under a public key, and the key that signs for it if that is another one.

Never deleted, so that a nonce is never used twice. The deposit for an account comes out of its first credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.kind import U63, Holdings, Kind
from p2pcommerce.primitives.codec import KEY, U64, maybe, record_of
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["ACCOUNT", "ACCOUNT_BYTES", "ACTIVE_KEY_BYTES", "Account"]

ACCOUNT_BYTES: Final = 64
ACTIVE_KEY_BYTES: Final = 40


@dataclass(frozen=True, slots=True)
class Account:
    """One account; its id is its public key (32 bytes).

    Attributes:
        balance_minor: free minor units.
        nonce: the nonce of its next transaction.
        active: the key (32 bytes) that alone signs everything but `key.set`; None: the account's own.
    """

    balance_minor: int
    nonce: int
    active: PublicKey | None = None


ACCOUNT: Final = Kind(
    "account",
    b"\x02",
    record_of(Account, balance_minor=U63, nonce=U64, active=maybe(KEY)),
    size=lambda account: ACCOUNT_BYTES if account.active is None else ACCOUNT_BYTES + ACTIVE_KEY_BYTES,
    held=lambda account: Holdings(balances_minor=account.balance_minor),
)
