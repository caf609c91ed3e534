"""Points: what a store gives to its buyers, and any store takes.

A store opens its points once, at a value that never changes. Every point is backed: whoever issues one pays its value
into the reserve of the issuer, so that

    reserve = outstanding points x value of one, always

and another store needs no agreement to take them. Points move freely between accounts. Spent in an order they are
burned: their value moves from the reserve into the order's escrow, which pays any store at par; given back, they are
minted again out of the escrow.

An account that has no points of an issuer has no record there.

Source: "Trade" and property 3 of the commerce specification.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import ExistsError, ForbiddenError, FundsError, LimitError, NotFoundError
from p2pcommerce.commerce.kind import AMOUNT, U63, Holdings, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.store import require_store
from p2pcommerce.primitives.codec import KEY, record_of
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PUBLIC_KEY_BYTES, PublicKey

__all__ = [
    "POINTS_HELD",
    "POINTS_HELD_BYTES",
    "POINT_SCHEME",
    "PointScheme",
    "PointsGrant",
    "PointsHeld",
    "PointsOpen",
    "PointsTransfer",
    "burn_points",
    "mint_points",
    "require_scheme",
]

POINT_SCHEME_BYTES: Final = 56
POINTS_HELD_BYTES: Final = 80
_POINTS: Final = b"points"
"""Tally: what all accounts hold of an issuer is what the issuer says is outstanding."""
_MINOR_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PointScheme:
    """The points of one store; its id is the store's account (32 bytes).

    Attributes:
        unit_minor: value of one point, minor units, at least 1.
        outstanding: points that accounts hold.
    """

    unit_minor: int
    outstanding: int


@dataclass(frozen=True, slots=True)
class PointsHeld:
    """Points of one issuer with one account; its id is the issuer and the account (64 bytes).

    Attributes:
        count: points, at least 1.
    """

    count: int


POINT_SCHEME: Final = Kind(
    "point scheme",
    b"\x12",
    record_of(PointScheme, unit_minor=AMOUNT, outstanding=U63),
    size=lambda _: POINT_SCHEME_BYTES,
    held=lambda scheme: Holdings(points_minor=scheme.outstanding * scheme.unit_minor),
    tallies=lambda issuer, scheme: ((_POINTS + issuer, -scheme.outstanding),),
)
POINTS_HELD: Final = Kind(
    "points held",
    b"\x13",
    record_of(PointsHeld, count=AMOUNT),
    size=lambda _: POINTS_HELD_BYTES,
    tallies=lambda identifier, held: ((_POINTS + identifier[:PUBLIC_KEY_BYTES], held.count),),
)


def require_scheme(ledger: Ledger, issuer: PublicKey) -> PointScheme:
    """Return the points of a store.

    Raises:
        NotFoundError: it has none.
    """
    scheme = ledger.get(POINT_SCHEME, issuer)
    if scheme is None:
        raise NotFoundError(f"{issuer.hex()[:8]} has no points; points.open of a store makes them")
    return scheme


def mint_points(ledger: Ledger, issuer: PublicKey, holder: PublicKey, count: int, bill: PublicKey | None = None) -> int:
    """Give new points to somebody, and return their value, which the caller has taken from elsewhere.

    Args:
        ledger: the draft.
        issuer: the store whose points they are; it has opened them.
        holder: who gets them.
        count: at least 1.
        bill: who pays if the holder had none of them; None: the sender.

    Raises:
        LimitError: the reserve would reach 2^63.
    """
    scheme = require_scheme(ledger, issuer)
    outstanding = scheme.outstanding + count
    if outstanding * scheme.unit_minor > _MINOR_MAX:
        raise LimitError("so many points would be worth 2^63 minor units or more")
    ledger.put(POINT_SCHEME, issuer, replace(scheme, outstanding=outstanding))
    _add(ledger, issuer, holder, count, bill)
    return count * scheme.unit_minor


def burn_points(ledger: Ledger, issuer: PublicKey, holder: PublicKey, count: int) -> int:
    """Take points from somebody for good, and return their value, which the caller puts elsewhere.

    Raises:
        NotFoundError: the issuer has no points.
        FundsError: the holder has fewer.
    """
    scheme = require_scheme(ledger, issuer)
    _take(ledger, issuer, holder, count)
    ledger.put(POINT_SCHEME, issuer, replace(scheme, outstanding=scheme.outstanding - count))
    return count * scheme.unit_minor


def _add(ledger: Ledger, issuer: PublicKey, holder: PublicKey, count: int, bill: PublicKey | None) -> None:
    held = ledger.get(POINTS_HELD, issuer + holder)
    ledger.put(POINTS_HELD, issuer + holder, PointsHeld(count if held is None else held.count + count), bill)


def _take(ledger: Ledger, issuer: PublicKey, holder: PublicKey, count: int) -> None:
    held = ledger.get(POINTS_HELD, issuer + holder)
    if held is None or held.count < count:
        raise FundsError(f"{count} points are needed, {holder.hex()[:8]} has {0 if held is None else held.count}")
    if held.count == count:
        ledger.remove(POINTS_HELD, issuer + holder)
    else:
        ledger.put(POINTS_HELD, issuer + holder, PointsHeld(held.count - count))


@body("points.open", unit_minor=AMOUNT)
@dataclass(frozen=True, slots=True)
class PointsOpen(Body):
    """Open the points of the sender's store, once and for all.

    Attributes:
        unit_minor: value of one point, minor units, at least 1.
    """

    unit_minor: int

    @override
    def records(self) -> int:
        """The sender's account and the points."""
        return 2

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposit."""
        return POINT_SCHEME_BYTES * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Write the scheme; see `Body.apply`."""
        require_store(ledger, call.sender)
        if ledger.get(POINT_SCHEME, call.sender) is not None:
            raise ExistsError("the store has points already, and their value never changes")
        ledger.put(POINT_SCHEME, call.sender, PointScheme(self.unit_minor, 0))
        return (call.sender,)


@body("points.grant", to=KEY, count=AMOUNT)
@dataclass(frozen=True, slots=True)
class PointsGrant(Body):
    """Give points of the sender's store to somebody; the sender pays their value into the reserve.

    Attributes:
        to: account, 32 bytes; it need not exist yet.
        count: points, at least 1.
    """

    to: PublicKey
    count: int

    @override
    def records(self) -> int:
        """The sender's account, the scheme, and what the receiver holds."""
        return 3

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The value, and the deposit of a new holder."""
        scheme = ledger.get(POINT_SCHEME, call.sender)
        value_minor = 0 if scheme is None else self.count * scheme.unit_minor
        return value_minor + _holder_deposit_minor(ledger, call.sender, self.to)

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Buy and give; see `Body.apply`."""
        ledger.debit(call.sender, mint_points(ledger, call.sender, self.to, self.count))
        return (call.sender, self.to)


@body("points.transfer", issuer=KEY, to=KEY, count=AMOUNT)
@dataclass(frozen=True, slots=True)
class PointsTransfer(Body):
    """Give points that the sender holds to somebody else.

    Attributes:
        issuer: the store whose points they are; account, 32 bytes.
        to: account, 32 bytes; it need not exist yet.
        count: points, at least 1.
    """

    issuer: PublicKey
    to: PublicKey
    count: int

    @override
    def records(self) -> int:
        """The sender's account, and what both hold."""
        return 3

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposit of a new holder."""
        return _holder_deposit_minor(ledger, self.issuer, self.to)

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Move them; see `Body.apply`."""
        if self.to == call.sender:
            raise ForbiddenError("points are transferred to somebody else")
        require_scheme(ledger, self.issuer)
        _take(ledger, self.issuer, call.sender, self.count)
        _add(ledger, self.issuer, self.to, self.count, None)
        return (call.sender, self.issuer, self.to)


def _holder_deposit_minor(ledger: Ledger, issuer: PublicKey, holder: PublicKey) -> int:
    is_new = ledger.get(POINTS_HELD, issuer + holder) is None
    return POINTS_HELD_BYTES * ledger.rules.byte_price if is_new else 0
