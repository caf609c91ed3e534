"""Questions about a state, answered with plain values; identifiers are hexadecimal.

Each question is one function in the table `QUERIES`; its arguments are given by name. What is not there is answered
with None, wrong questions with an error that says what exists.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.commerce.arguments import Arguments, read_key, read_text
from p2pcommerce.commerce.epoch_clock import epoch_now
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.history import item_id
from p2pcommerce.commerce.item import ITEM, ItemStatus, item_product, topmost
from p2pcommerce.commerce.item_ids import require_unit, unit_id
from p2pcommerce.commerce.item_origin import ORIGIN
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.product import PRODUCT, ProductId, require_gtin
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.stake_queries import offence, stake, validator, validators
from p2pcommerce.commerce.store import STORE, Rights
from p2pcommerce.commerce.trade_queries import attestation, campaign, listing, order, points, rating, team, terms
from p2pcommerce.ledger.application import QueryError

__all__ = ["QUERIES", "Query", "answer"]

Query: TypeAlias = tuple[tuple[str, ...], Callable[[Arguments, Ledger], object]]
"""The names of a question's arguments, and what answers it."""

_RULES: Final = tuple(field.name for field in dataclasses.fields(Rules))


def answer(name: str, arguments: Arguments, ledger: Ledger, queries: Mapping[str, Query] | None = None) -> object:
    """Answer a question about a state.

    Args:
        name: of the question.
        arguments: by name.
        ledger: the state.
        queries: the questions that there are; None: `QUERIES`.

    Raises:
        QueryError: no such question, or wrong arguments; the message says what exists.
    """
    table = QUERIES if queries is None else queries
    query = table.get(name)
    if query is None:
        raise QueryError(f"there is no query of that name ({name!r:.40}); there are: {', '.join(table)}")
    names, function = query
    unknown = [given for given in arguments if given not in names]
    if unknown:
        takes = ", ".join(names) or "none"
        raise QueryError(f"the query {name} has no argument {unknown[0]!r:.40}; its arguments: {takes}")
    return function(arguments, ledger)


def _product_id(arguments: Arguments) -> ProductId:
    issuer, gtin14 = read_key(arguments, "issuer"), read_text(arguments, "gtin")
    try:
        require_gtin(gtin14)
    except FormatError as error:
        raise QueryError(f"the argument gtin: {error}") from error
    return ProductId(issuer, gtin14)


def _account(arguments: Arguments, ledger: Ledger) -> object:
    account = ledger.get(ACCOUNT, read_key(arguments, "account"))
    if account is None:
        return {"balance_minor": 0, "nonce": 0, "exists": False, "active": None}
    active = None if account.active is None else account.active.hex()
    return {"balance_minor": account.balance_minor, "nonce": account.nonce, "exists": True, "active": active}


def _supply(_: Arguments, ledger: Ledger) -> object:
    totals, rules = ledger.totals, ledger.rules
    total_minor = totals.sum_minor(rules.byte_price)
    return {
        "balances_minor": totals.balances_minor,
        "bonded_minor": totals.bonded_minor,
        "rewards_minor": totals.rewards_minor,
        "escrow_minor": totals.escrow_minor,
        "campaigns_minor": totals.campaigns_minor,
        "points_minor": totals.points_minor,
        "deposits_minor": totals.state_bytes * rules.byte_price,
        "fee_pot_minor": totals.fee_pot_minor,
        "burned_minor": totals.burned_minor,
        "total_minor": total_minor,
        "genesis_minor": rules.supply_minor,
        "conserved": total_minor == rules.supply_minor,
    }


def _time(_: Arguments, ledger: Ledger) -> object:
    return {"time_ms": ledger.now_ms, "epoch": epoch_now(ledger)}


def _rules(_: Arguments, ledger: Ledger) -> object:
    rules = ledger.rules
    return {name: getattr(rules, name) for name in _RULES} | {"chain_id": rules.chain_id.hex()}


def _store(arguments: Arguments, ledger: Ledger) -> object:
    store = ledger.get(STORE, read_key(arguments, "store"))
    if store is None:
        return None
    return {
        "name": store.name,
        "box_key": store.box_key.hex(),
        "profile_hash": store.profile_hash.hex(),
        "uri": store.uri,
        "operators": [
            {
                "key": operator.key.hex(),
                "rights": [right.name for right in Rights if right & operator.rights],
            }
            for operator in store.operators
        ],
    }


def _product(arguments: Arguments, ledger: Ledger) -> object:
    product = ledger.get(PRODUCT, _product_id(arguments).key)
    return None if product is None else {"content_hash": product.content_hash.hex(), "uri": product.uri}


def _item_id(arguments: Arguments) -> bytes:
    if "id" in arguments:
        try:
            return bytes.fromhex(read_text(arguments, "id"))
        except ValueError:
            raise QueryError("the argument id must be hexadecimal") from None
    if arguments.get("sscc") is not None:
        return _unit_id(arguments)
    product = _product_id(arguments)
    serial, lot = (None if arguments.get(name) is None else read_text(arguments, name) for name in ("serial", "lot"))
    try:
        return item_id(product.issuer, product.gtin14, serial=serial, lot=lot)
    except FormatError as error:
        raise QueryError(f"the arguments serial and lot: {error}") from error


def _unit_id(arguments: Arguments) -> bytes:
    identifier = unit_id(read_key(arguments, "issuer"), read_text(arguments, "sscc"))
    try:
        require_unit(identifier)
    except FormatError:
        raise QueryError("the argument sscc must be 18 digits with a right check digit") from None
    return identifier


def _item(arguments: Arguments, ledger: Ledger) -> object:
    identifier = _item_id(arguments)
    item = ledger.get(ITEM, identifier)
    if item is None:
        return None
    top, within = topmost(ledger, item), None if item.within is None else item.within.hex()
    packed = item.status == ItemStatus.PACKED
    return {
        "id": identifier.hex(),
        "product": item_product(identifier, item).hex() or None,
        "owner": top.owner.hex(),
        "custodian": top.custodian.hex(),
        "status": ItemStatus(item.status).name,
        "pending_to": None if item.pending_to is None else item.pending_to.hex(),
        "transfers_owner": item.transfers_owner,
        "order": None if packed else within,
        "parent": within if packed else None,
        "level": item.level,
        "children": item.children,
        "origin": None if item.origin is None else item.origin.hex(),
        "quantity": item.quantity,
        "sold": item.sold,
        "head": item.head.hex(),
        "n": item.n,
    }


def _origin(arguments: Arguments, ledger: Ledger) -> object:
    origin = ledger.get(ORIGIN, read_key(arguments, "origin"))
    if origin is None:
        return None
    return {"sources": [{"item": link.item.hex(), "head": link.head.hex()} for link in origin.sources]}


def _record(arguments: Arguments, ledger: Ledger) -> object:
    try:
        key = bytes.fromhex(read_text(arguments, "key"))
    except ValueError:
        raise QueryError("the argument key must be hexadecimal") from None
    value = ledger.view.get(key)
    return None if value is None else {"value": value.hex()}


QUERIES: Final[Mapping[str, Query]] = {
    "account": (("account",), _account),
    "supply": ((), _supply),
    "store": (("store",), _store),
    "product": (("issuer", "gtin"), _product),
    "terms": (("store", "number"), terms),
    "listing": (("store", "number"), listing),
    "order": (("order",), order),
    "team": (("team",), team),
    "campaign": (("campaign",), campaign),
    "points": (("issuer", "account"), points),
    "rating": (("store",), rating),
    "attestation": (("id", "issuer", "kind", "subject", "schema"), attestation),
    "item": (("issuer", "gtin", "serial", "lot", "sscc", "id"), _item),
    "origin": (("origin",), _origin),
    "record": (("key",), _record),
    "validators": ((), validators),
    "validator": (("validator",), validator),
    "offence": (("validator", "epoch"), offence),
    "stake": (("account", "validator"), stake),
    "time": ((), _time),
    "rules": ((), _rules),
}
"""Name of the question -> the names of its arguments, and its function."""
