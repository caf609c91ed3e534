"""Floor 2: the default application, what merchants, makers, carriers and buyers do on the chain.

- `application`: `Commerce`, the biggest idea: envelopes, fees, failures
- `order_machine`: the order's state machine, one table; `order_money`: what its effects do
- `registry`: the table of transaction types; each has a payload file: `key_set`, `transfer`, `validator_register`,
  `stake`, `evidence`, `store`, `product`, `attestation`, `terms`, `listing`, `order_place`, `order_ship`,
  `order_close`, `order_dispute`, `campaign`, `points`, `review`, `trace`, `trace_observe`, `trace_pack`,
  `trace_transform`
- `body`: what every payload has; `errors`: why one is refused; `weight`: what it costs
- `schema`: the table of state records; `kind`: what every record has; `account`, `validator`, `delegation`,
  `totals`, `rules`, `order`, `team`, `rating`, `item` and the payload files define them
- `pool`: stake in shares; `candidates`: who stands for the validator set; `rewards`: fees at the end of a block;
  `epoch_clock`: when unbonded stake is free
- `ledger`: the draft of one transaction; `founding`: the state at height 0; `audit`: conservation; `stake_audit`: the
  books of stake
- `gtin`: check digits; `sealed`: messages that only a store can read
- `item_ids`: how items are named; `item_origin`: what they were made of
- `history`: the custody history of an item, checked offline; `epcis`: the events that it refers to
- `queries`, `stake_queries`, `trade_queries`: questions about a state, `arguments` of theirs
- `wallet`: building transactions; `share_link`: a store, a listing and a referrer as a string
"""

from __future__ import annotations

from p2pcommerce.commerce.application import Commerce
from p2pcommerce.commerce.attestation import (
    Attestation,
    AttestIssue,
    AttestRevoke,
    Subject,
    SubjectKind,
    attestation_id,
)
from p2pcommerce.commerce.audit import audit_block, scan
from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.campaign import CampaignSet, CampaignSettle
from p2pcommerce.commerce.errors import CommerceError
from p2pcommerce.commerce.evidence import SubmitEvidence
from p2pcommerce.commerce.history import (
    HISTORY_ENTRY,
    HistoryEntry,
    HistoryError,
    Item,
    ItemStatus,
    entry_from,
    extends_history,
    fold,
    item_id,
    item_key,
    read_item,
    verify_history,
)
from p2pcommerce.commerce.key_set import KeySet
from p2pcommerce.commerce.listing import ListingSet, Team
from p2pcommerce.commerce.order_close import OrderCancel, OrderConfirm, OrderRefund, OrderSettle
from p2pcommerce.commerce.order_dispute import OrderDispute, OrderResolve
from p2pcommerce.commerce.order_machine import TRANSITIONS
from p2pcommerce.commerce.order_place import OrderLine, OrderPlace, PointsSpent
from p2pcommerce.commerce.order_ship import OrderShip
from p2pcommerce.commerce.points import PointsGrant, PointsOpen, PointsTransfer
from p2pcommerce.commerce.product import ProductId, ProductSet
from p2pcommerce.commerce.queries import QUERIES
from p2pcommerce.commerce.registry import BODIES, read_body
from p2pcommerce.commerce.review import ReviewPost
from p2pcommerce.commerce.schema import KINDS
from p2pcommerce.commerce.sealed import Sealed, box_secret, open_address, seal_address
from p2pcommerce.commerce.share_link import ShareLink, ShareLinkError, read_share_link, write_share_link
from p2pcommerce.commerce.stake import Bond, Unbond, Withdraw
from p2pcommerce.commerce.store import Operator, Rights, StoreSet
from p2pcommerce.commerce.team import NEW_TEAM
from p2pcommerce.commerce.terms import Arbiter, TermsSet
from p2pcommerce.commerce.totals import Totals
from p2pcommerce.commerce.trace import Lot, TraceCommission, TraceReceive, TraceReject, TraceShip
from p2pcommerce.commerce.trace_observe import TraceObserve
from p2pcommerce.commerce.trace_pack import TracePack, TraceUnpack
from p2pcommerce.commerce.trace_transform import Output, TraceDecommission, TraceSplit, TraceTransform
from p2pcommerce.commerce.transfer import Transfer
from p2pcommerce.commerce.validator_register import RegisterValidator
from p2pcommerce.commerce.wallet import Sponsor, build_transaction
from p2pcommerce.commerce.weight import fee_for

__all__ = [
    "BODIES",
    "HISTORY_ENTRY",
    "KINDS",
    "NEW_TEAM",
    "QUERIES",
    "TRANSITIONS",
    "Arbiter",
    "AttestIssue",
    "AttestRevoke",
    "Attestation",
    "Body",
    "Bond",
    "CampaignSet",
    "CampaignSettle",
    "Commerce",
    "CommerceError",
    "HistoryEntry",
    "HistoryError",
    "Item",
    "ItemStatus",
    "KeySet",
    "ListingSet",
    "Lot",
    "Operator",
    "OrderCancel",
    "OrderConfirm",
    "OrderDispute",
    "OrderLine",
    "OrderPlace",
    "OrderRefund",
    "OrderResolve",
    "OrderSettle",
    "OrderShip",
    "Output",
    "PointsGrant",
    "PointsOpen",
    "PointsSpent",
    "PointsTransfer",
    "ProductId",
    "ProductSet",
    "RegisterValidator",
    "ReviewPost",
    "Rights",
    "Sealed",
    "ShareLink",
    "ShareLinkError",
    "Sponsor",
    "StoreSet",
    "Subject",
    "SubjectKind",
    "SubmitEvidence",
    "Team",
    "TermsSet",
    "Totals",
    "TraceCommission",
    "TraceDecommission",
    "TraceObserve",
    "TracePack",
    "TraceReceive",
    "TraceReject",
    "TraceShip",
    "TraceSplit",
    "TraceTransform",
    "TraceUnpack",
    "Transfer",
    "Unbond",
    "Withdraw",
    "attestation_id",
    "audit_block",
    "box_secret",
    "build_transaction",
    "entry_from",
    "extends_history",
    "fee_for",
    "fold",
    "item_id",
    "item_key",
    "open_address",
    "read_body",
    "read_item",
    "read_share_link",
    "scan",
    "seal_address",
    "verify_history",
    "write_share_link",
]
