"""The table of the kinds of state records, by tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.commerce.attestation import ATTESTATION
from p2pcommerce.commerce.campaign import CAMPAIGN
from p2pcommerce.commerce.candidates import ROSTER
from p2pcommerce.commerce.delegation import DELEGATION
from p2pcommerce.commerce.epoch_clock import EPOCH_CLOCK, EPOCH_START
from p2pcommerce.commerce.evidence import OFFENCE
from p2pcommerce.commerce.item import ITEM
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.listing import LISTING
from p2pcommerce.commerce.order import DONE_ORDER, ORDER
from p2pcommerce.commerce.points import POINT_SCHEME, POINTS_HELD
from p2pcommerce.commerce.product import PRODUCT
from p2pcommerce.commerce.rating import RATING
from p2pcommerce.commerce.rules import RULES
from p2pcommerce.commerce.store import STORE
from p2pcommerce.commerce.team import TEAM
from p2pcommerce.commerce.terms import TERMS
from p2pcommerce.commerce.totals import TOTALS
from p2pcommerce.commerce.validator import VALIDATOR

__all__ = ["KINDS"]

KINDS: Final[Mapping[int, Kind[Any]]] = {
    kind.tag[0]: kind
    for kind in (
        TOTALS,
        RULES,
        ACCOUNT,
        VALIDATOR,
        ROSTER,
        STORE,
        PRODUCT,
        TERMS,
        LISTING,
        ORDER,
        DONE_ORDER,
        ITEM,
        DELEGATION,
        OFFENCE,
        EPOCH_CLOCK,
        EPOCH_START,
        TEAM,
        CAMPAIGN,
        POINT_SCHEME,
        POINTS_HELD,
        RATING,
        ATTESTATION,
    )
}
"""First byte of a state key -> kind."""
