"""Terms of trade: deadlines, rates and arbiters under which a store sells.

Immutable: a price limit alone would not guard a buyer against changed deadlines. A store sets new terms under a new
number and points its listings there.

The least and the most time of each deadline are parameters of the chain: a wide network has those of the specification,
and a demo's orders end within seconds.

Source: the specification's table of trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from p2pcommerce.commerce.body import Body, Call, body, require_increasing
from p2pcommerce.commerce.campaign import require_campaign
from p2pcommerce.commerce.errors import ExistsError, ForbiddenError, FormatError, LimitError, NotFoundError
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.points import require_scheme
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import require_store
from p2pcommerce.primitives.codec import HASH, KEY, U32, Shape, array, maybe, record_of, uint
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["TERMS", "Arbiter", "Terms", "TermsSet", "numbered", "require_terms"]

ARBITERS_MAX: Final = 4
RATES_BPS_MAX: Final = 5_000
"""All rates with the dearest arbiter, basis points. Source: the specification's table of trade."""
TERMS_BYTES: Final = 144
_ARBITER_BYTES: Final = 40
_BPS: Final = uint(10_000)


@dataclass(frozen=True, slots=True)
class Arbiter:
    """Somebody who may rule on disputes.

    Attributes:
        account: 32 bytes.
        fee_bps: basis points of the escrow.
    """

    account: PublicKey
    fee_bps: int


_ARBITER: Final[Shape[Arbiter]] = record_of(Arbiter, account=KEY, fee_bps=_BPS)


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of one store; their id is `numbered(store, number)`. The fields are those of `TermsSet`."""

    ship_s: int
    confirm_s: int
    dispute_s: int
    cancel_s: int
    referral_bps: int
    points_bps: int
    arbiters: tuple[Arbiter, ...]
    campaign: bytes | None
    cashback_bps: int
    bonus_bps: int
    terms_hash: bytes

    def fee_bps_of(self, arbiter: PublicKey) -> int | None:
        """Return the fee of an arbiter, basis points of the escrow; None: the terms do not name it."""
        for each in self.arbiters:
            if each.account == arbiter:
                return each.fee_bps
        return None


_FIELDS: Final[dict[str, Shape[Any]]] = {
    "ship_s": U32,
    "confirm_s": U32,
    "dispute_s": U32,
    "cancel_s": U32,
    "referral_bps": _BPS,
    "points_bps": _BPS,
    "arbiters": array(_ARBITER, ARBITERS_MAX),
    "campaign": maybe(HASH),
    "cashback_bps": _BPS,
    "bonus_bps": _BPS,
    "terms_hash": HASH,
}
TERMS: Final = Kind(
    "terms",
    b"\x07",
    record_of(Terms, **_FIELDS),
    size=lambda terms: TERMS_BYTES + _ARBITER_BYTES * len(terms.arbiters),
)


def numbered(store: PublicKey, number: int) -> bytes:
    """Return the id (36 bytes) of a store's terms or listing of a number."""
    return store + number.to_bytes(4, "big")


def require_terms(ledger: Ledger, store: PublicKey, number: int) -> Terms:
    """Return terms of a store.

    Raises:
        NotFoundError: it has none of this number.
    """
    terms = ledger.get(TERMS, numbered(store, number))
    if terms is None:
        raise NotFoundError(f"the store has no terms {number}; terms.set makes them")
    return terms


@body("terms.set", number=U32, **_FIELDS)
@dataclass(frozen=True, slots=True)
class TermsSet(Body):
    """Set terms of the sender's store, once and for all.

    Attributes:
        number: of these terms.
        ship_s: seconds from placing to shipping at most.
        confirm_s: seconds from shipping until the order is taken as confirmed.
        dispute_s: seconds that an arbiter has.
        cancel_s: seconds after placing from which the buyer may cancel an unshipped order; at most `ship_s`.
        referral_bps: to a referrer, basis points of the escrow.
        points_bps: in points to the buyer, basis points of the cash; needs points of the store.
        arbiters: at most 4, by account; none: no disputes.
        campaign: of the sender, that pays rewards while it runs; its id, 32 bytes.
        cashback_bps: from the campaign to the buyer, basis points of the escrow.
        bonus_bps: from the campaign to the referrer, basis points of the escrow.
        terms_hash: SHA-256 of the text of the terms, 32 bytes.
    """

    number: int
    ship_s: int
    confirm_s: int
    dispute_s: int
    cancel_s: int
    referral_bps: int = 0
    points_bps: int = 0
    arbiters: tuple[Arbiter, ...] = ()
    campaign: bytes | None = None
    cashback_bps: int = 0
    bonus_bps: int = 0
    terms_hash: bytes = bytes(32)

    @override
    def check(self, rules: Rules) -> None:
        """Deadlines and rates are within the chain's limits, and rewards have a campaign."""
        require_increasing([arbiter.account for arbiter in self.arbiters], "arbiters")
        rates = (self.referral_bps, self.points_bps, self.cashback_bps, self.bonus_bps)
        if sum(rates) + max((arbiter.fee_bps for arbiter in self.arbiters), default=0) > RATES_BPS_MAX:
            raise LimitError(f"all rates with the dearest arbiter add up to more than {RATES_BPS_MAX} basis points")
        _require_time("ship_s", self.ship_s, rules.term_s_min, rules.term_s_max)
        for name, value in (("confirm_s", self.confirm_s), ("dispute_s", self.dispute_s)):
            _require_time(name, value, rules.confirm_s_min, rules.term_s_max)
        if self.cancel_s > self.ship_s:
            raise LimitError("cancel_s must not be above ship_s")
        if (self.campaign is not None) != bool(self.cashback_bps or self.bonus_bps):
            raise FormatError("cashback or bonus and a campaign go together")

    @override
    def records(self) -> int:
        """The sender's account and the terms."""
        return 2

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """Their deposit."""
        return TERMS.size(self._terms()) * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Write the terms; see `Body.apply`."""
        require_store(ledger, call.sender)
        identifier = numbered(call.sender, self.number)
        if ledger.get(TERMS, identifier) is not None:
            raise ExistsError(f"the store has terms {self.number} already, and terms never change; take another number")
        if self.points_bps:
            require_scheme(ledger, call.sender)
        if self.campaign is not None and require_campaign(ledger, self.campaign).owner != call.sender:
            raise ForbiddenError("the campaign is another store's")
        ledger.put(TERMS, identifier, self._terms())
        return (call.sender,) if self.campaign is None else (call.sender, self.campaign)

    def _terms(self) -> Terms:
        return Terms(
            self.ship_s,
            self.confirm_s,
            self.dispute_s,
            self.cancel_s,
            self.referral_bps,
            self.points_bps,
            self.arbiters,
            self.campaign,
            self.cashback_bps,
            self.bonus_bps,
            self.terms_hash,
        )


def _require_time(name: str, value_s: int, least_s: int, most_s: int) -> None:
    if not least_s <= value_s <= most_s:
        raise LimitError(f"{name} must be from {least_s} to {most_s} seconds")
