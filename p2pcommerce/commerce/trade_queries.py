"""Questions about trade: terms, listings, orders, teams, campaigns, points, ratings and certificates.

`queries` has the table of all questions.
"""

from __future__ import annotations

from p2pcommerce.commerce.arguments import Arguments, read_key, read_number, read_text
from p2pcommerce.commerce.attestation import ATTESTATION, Subject, SubjectKind, attestation_id
from p2pcommerce.commerce.campaign import CAMPAIGN
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.listing import LISTING
from p2pcommerce.commerce.order import DONE_ORDER, ORDER, Order, OrderStatus, due_ms
from p2pcommerce.commerce.points import POINT_SCHEME, POINTS_HELD
from p2pcommerce.commerce.product import ProductId
from p2pcommerce.commerce.rating import RATING
from p2pcommerce.commerce.team import TEAM
from p2pcommerce.commerce.terms import TERMS, numbered
from p2pcommerce.ledger.application import QueryError

__all__ = ["attestation", "campaign", "listing", "order", "points", "rating", "team", "terms"]


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _plain_product(product: ProductId | None) -> object:
    return None if product is None else {"issuer": product.issuer.hex(), "gtin": product.gtin14}


def terms(arguments: Arguments, ledger: Ledger) -> object:
    """Return the terms of a store of a number."""
    found = ledger.get(TERMS, numbered(read_key(arguments, "store"), read_number(arguments, "number")))
    if found is None:
        return None
    return {
        "ship_s": found.ship_s,
        "confirm_s": found.confirm_s,
        "dispute_s": found.dispute_s,
        "cancel_s": found.cancel_s,
        "referral_bps": found.referral_bps,
        "points_bps": found.points_bps,
        "arbiters": [{"account": each.account.hex(), "fee_bps": each.fee_bps} for each in found.arbiters],
        "campaign": _hex(found.campaign),
        "cashback_bps": found.cashback_bps,
        "bonus_bps": found.bonus_bps,
        "terms_hash": found.terms_hash.hex(),
    }


def listing(arguments: Arguments, ledger: Ledger) -> object:
    """Return the listing of a store of a number."""
    found = ledger.get(LISTING, numbered(read_key(arguments, "store"), read_number(arguments, "number")))
    if found is None:
        return None
    offer = found.team
    return {
        "product": _plain_product(found.product),
        "price_minor": found.price_minor,
        "stock": found.stock,
        "traced": found.traced,
        "terms": found.terms,
        "team": None
        if offer is None
        else {"size": offer.size, "price_minor": offer.price_minor, "window_s": offer.window_s},
        "revision": found.revision.hex(),
    }


def order(arguments: Arguments, ledger: Ledger) -> object:
    """Return an order that is open, or finished and waits for its review."""
    order_id = read_key(arguments, "order")
    found = ledger.get(ORDER, order_id)
    if found is not None:
        return _plain_order(ledger, found)
    done = ledger.get(DONE_ORDER, order_id)
    if done is None:
        return None
    return {
        "status": OrderStatus.DONE.name,
        "buyer": done.buyer.hex(),
        "store": done.store.hex(),
        "weight": done.weight,
        "until_ms": done.until_ms,
    }


def _plain_order(ledger: Ledger, found: Order) -> object:
    return {
        "status": OrderStatus(found.status).name,
        "buyer": found.buyer.hex(),
        "store": found.store.hex(),
        "payer": found.payer.hex(),
        "terms": found.terms,
        "cash_minor": found.cash_minor,
        "escrow_minor": found.escrow_minor,
        "placed_ms": found.placed_ms,
        "deadline_ms": due_ms(ledger, found),
        "lines": [
            {"listing": line.listing, "quantity": line.quantity, "product": _plain_product(line.product)}
            for line in found.lines
        ],
        "items": [item.hex() for item in found.items],
        "points": [
            {"issuer": each.issuer.hex(), "count": each.count, "unit_minor": each.unit_minor} for each in found.points
        ],
        "referrer": _hex(found.referrer),
        "arbiter": _hex(found.arbiter),
        "team": _hex(found.team),
        "campaign": _hex(found.campaign),
        "reward_minor": found.reward_minor,
    }


def team(arguments: Arguments, ledger: Ledger) -> object:
    """Return a team that has open orders."""
    found = ledger.get(TEAM, read_key(arguments, "team"))
    if found is None:
        return None
    return {
        "store": found.store.hex(),
        "listing": found.listing,
        "revision": found.revision.hex(),
        "size": found.size,
        "count": found.count,
        "open": found.open,
        "closes_ms": found.closes_ms,
        "full_ms": found.full_ms or None,
    }


def campaign(arguments: Arguments, ledger: Ledger) -> object:
    """Return a campaign that was not settled."""
    found = ledger.get(CAMPAIGN, read_key(arguments, "campaign"))
    if found is None:
        return None
    return {
        "owner": found.owner.hex(),
        "budget_minor": found.budget_minor,
        "start_ms": found.start_ms,
        "end_ms": found.end_ms,
        "open_orders": found.open,
    }


def points(arguments: Arguments, ledger: Ledger) -> object:
    """Return the points of an issuer and, if an account is named, how many of them it holds."""
    issuer = read_key(arguments, "issuer")
    scheme = ledger.get(POINT_SCHEME, issuer)
    if scheme is None:
        return None
    answer: dict[str, object] = {
        "unit_minor": scheme.unit_minor,
        "outstanding": scheme.outstanding,
        "reserve_minor": scheme.outstanding * scheme.unit_minor,
    }
    if arguments.get("account") is not None:
        held = ledger.get(POINTS_HELD, issuer + read_key(arguments, "account"))
        answer["held"] = 0 if held is None else held.count
    return answer


def rating(arguments: Arguments, ledger: Ledger) -> object:
    """Return the reviews of a store in sums, and their Bayesian mean in thousandths of a star."""
    found = ledger.get(RATING, read_key(arguments, "store"))
    if found is None:
        return None
    return {
        "mean_millistars": found.mean_millistars,
        "weight": found.weight,
        "weighted_stars": found.weighted_stars,
        "count": found.count,
    }


def attestation(arguments: Arguments, ledger: Ledger) -> object:
    """Return a certificate, named by its id or by issuer, kind and id of its subject, and schema."""
    if arguments.get("id") is not None:
        identifier: bytes = read_key(arguments, "id")
    else:
        identifier = attestation_id(read_key(arguments, "issuer"), _subject(arguments), read_text(arguments, "schema"))
    found = ledger.get(ATTESTATION, identifier)
    if found is None:
        return None
    return {
        "id": identifier.hex(),
        "issuer": found.issuer.hex(),
        "kind": SubjectKind(found.subject.kind).name,
        "subject": found.subject.id.hex(),
        "schema": found.schema,
        "hash": found.hash.hex(),
        "issued_ms": found.issued_ms,
        "expires_ms": found.expires_ms,
        "valid": ledger.now_ms <= found.expires_ms,
    }


def _subject(arguments: Arguments) -> Subject:
    kind, identifier = read_text(arguments, "kind"), read_text(arguments, "subject")
    try:
        return Subject(SubjectKind[kind.upper()], bytes.fromhex(identifier))
    except (KeyError, ValueError) as error:
        kinds = ", ".join(each.name.lower() for each in SubjectKind)
        raise QueryError(f"the argument kind must be one of {kinds}, and subject hexadecimal") from error
