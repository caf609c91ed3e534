"""Stores: a merchant's name and keys, and the operators who may do a part of the owner's work.

A store is its owner's account. Operators' transactions name the store; what is not in their rights is for the owner's
own key: terms, prices, ownership of goods, partial refunds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body, require_increasing
from p2pcommerce.commerce.errors import ForbiddenError, FormatError, NotFoundError
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.rating import RATING, RATING_BYTES, Rating
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.primitives.codec import HASH, KEY, Shape, array, record_of, text, uint
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey

__all__ = [
    "OPERATORS_MAX",
    "STORE",
    "URI_BYTES_MAX",
    "Operator",
    "Rights",
    "Store",
    "StoreSet",
    "acting_for",
    "require_store",
]

NAME_BYTES_MAX: Final = 64
URI_BYTES_MAX: Final = 128
OPERATORS_MAX: Final = 4
STORE_BYTES: Final = 304
OPERATOR_BYTES: Final = 40


class Rights(IntFlag):
    """What an operator may do."""

    CATALOG = 1
    """Change stock and products."""
    FULFIL = 2
    """Ship orders, and refund them in full while they are PLACED."""
    TRACE = 4
    """All of trace.* but transfers of ownership and decommission."""


_ALL_RIGHTS: Final = int(Rights.CATALOG | Rights.FULFIL | Rights.TRACE)


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who works for a store.

    Attributes:
        key: account, 32 bytes.
        rights: a sum of `Rights`, at least one.
    """

    key: PublicKey
    rights: int


_OPERATOR: Final[Shape[Operator]] = record_of(Operator, key=KEY, rights=uint(_ALL_RIGHTS, 1))
_OPERATORS: Final = array(_OPERATOR, OPERATORS_MAX)


@dataclass(frozen=True, slots=True)
class Store:
    """One store; its id is the owner's account (32 bytes). The fields are those of `StoreSet`."""

    name: str
    box_key: bytes
    profile_hash: bytes
    uri: str
    operators: tuple[Operator, ...]


STORE: Final = Kind(
    "store",
    b"\x05",
    record_of(
        Store,
        name=text(NAME_BYTES_MAX),
        box_key=KEY,
        profile_hash=HASH,
        uri=text(URI_BYTES_MAX),
        operators=_OPERATORS,
    ),
    size=lambda store: STORE_BYTES + OPERATOR_BYTES * len(store.operators),
)


def require_store(ledger: Ledger, owner: PublicKey) -> Store:
    """Return a store.

    Raises:
        NotFoundError: this account has none.
    """
    store = ledger.get(STORE, owner)
    if store is None:
        raise NotFoundError(f"{owner.hex()[:8]} has no store; store.set opens one")
    return store


def acting_for(ledger: Ledger, sender: PublicKey, store: PublicKey | None, right: Rights) -> PublicKey:
    """Return for whom a sender acts: itself, or the store that it names and of which it is an operator.

    Raises:
        NotFoundError: there is no such store.
        ForbiddenError: the sender is no operator of it with that right.
    """
    if store is None or store == sender:
        return sender
    for operator in require_store(ledger, store).operators:
        if operator.key == sender and operator.rights & right:
            return store
    raise ForbiddenError(f"the sender is no operator of this store with the right {right.name}")


@body(
    "store.set",
    name=text(NAME_BYTES_MAX),
    box_key=KEY,
    profile_hash=HASH,
    uri=text(URI_BYTES_MAX),
    operators=_OPERATORS,
)
@dataclass(frozen=True, slots=True)
class StoreSet(Body):
    """Open the sender's store, or change it.

    Attributes:
        name: 1 to 64 bytes of UTF-8.
        box_key: X25519 key (32 bytes) to which buyers seal their address.
        profile_hash: SHA-256 of the store's profile, 32 bytes.
        uri: where the profile can be had, at most 128 bytes.
        operators: at most 4, by key.
    """

    name: str
    box_key: bytes
    profile_hash: bytes
    uri: str = ""
    operators: tuple[Operator, ...] = ()

    @override
    def check(self, rules: Rules) -> None:
        """A store has a name, and each operator stands once."""
        if not self.name:
            raise FormatError("a store must have a name")
        require_increasing([operator.key for operator in self.operators], "operators")

    @override
    def records(self) -> int:
        """The sender's account, the store and its rating."""
        return 3

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The growth of the store's deposit, and that of a new one's rating."""
        before = ledger.get(STORE, call.sender)
        growth = STORE.size(self._store()) - (0 if before is None else STORE.size(before))
        return (max(growth, 0) + (RATING_BYTES if before is None else 0)) * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Write the store; see `Body.apply`."""
        if any(operator.key == call.sender for operator in self.operators):
            raise ForbiddenError("the owner is no operator: every right is the owner's already")
        if ledger.get(STORE, call.sender) is None:
            ledger.put(RATING, call.sender, Rating(0, 0, 0))
        ledger.put(STORE, call.sender, self._store())
        return (call.sender, *[operator.key for operator in self.operators])

    def _store(self) -> Store:
        return Store(self.name, self.box_key, self.profile_hash, self.uri, self.operators)
