"""The table of transaction types: one line per type.

To add a type, write its payload file (see `body`) and add its line here. An embedding application that wants more types
gives `Commerce` its own table; there is no global one that code changes at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from p2pcommerce.commerce.attestation import AttestIssue, AttestRevoke
from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.campaign import CampaignSet, CampaignSettle
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.evidence import SubmitEvidence
from p2pcommerce.commerce.key_set import KeySet
from p2pcommerce.commerce.listing import ListingSet
from p2pcommerce.commerce.order_close import OrderCancel, OrderConfirm, OrderRefund, OrderSettle
from p2pcommerce.commerce.order_dispute import OrderDispute, OrderResolve
from p2pcommerce.commerce.order_place import OrderPlace
from p2pcommerce.commerce.order_ship import OrderShip
from p2pcommerce.commerce.points import PointsGrant, PointsOpen, PointsTransfer
from p2pcommerce.commerce.product import ProductSet
from p2pcommerce.commerce.review import ReviewPost
from p2pcommerce.commerce.stake import Bond, Unbond, Withdraw
from p2pcommerce.commerce.store import StoreSet
from p2pcommerce.commerce.terms import TermsSet
from p2pcommerce.commerce.trace import TraceCommission, TraceReceive, TraceShip
from p2pcommerce.commerce.transfer import Transfer
from p2pcommerce.commerce.validator_register import RegisterValidator
from p2pcommerce.primitives.errors import CodecError

__all__ = ["BODIES", "read_body"]

BODIES: Final[Mapping[str, type[Body]]] = {
    cls.TYPE: cls
    for cls in (
        KeySet,
        Transfer,
        RegisterValidator,
        Bond,
        Unbond,
        Withdraw,
        SubmitEvidence,
        StoreSet,
        ProductSet,
        AttestIssue,
        AttestRevoke,
        TermsSet,
        ListingSet,
        OrderPlace,
        OrderShip,
        OrderConfirm,
        OrderCancel,
        OrderRefund,
        OrderDispute,
        OrderResolve,
        OrderSettle,
        CampaignSet,
        CampaignSettle,
        PointsOpen,
        PointsGrant,
        PointsTransfer,
        ReviewPost,
        TraceCommission,
        TraceShip,
        TraceReceive,
    )
}
"""Type name -> payload class."""


def read_body(name: str, plain: tuple[object, ...], bodies: Mapping[str, type[Body]] = BODIES) -> Body:
    """Read a transaction's body by its type.

    Raises:
        FormatError: no such type, or the body is not of its form.
    """
    cls = bodies.get(name)
    if cls is None:
        raise FormatError("there is no transaction type of that name")
    try:
        payload: Body = cls.SHAPE.read(plain)
    except CodecError as error:
        raise FormatError(f"{name}: {error}") from error
    return payload
