"""Observing items: where they are and how they are, said by somebody who can see them.

Source: "Traceability" of the commerce specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.attestation import OBSERVE, Subject, SubjectKind, is_attested
from p2pcommerce.commerce.body import Call, body, require_increasing
from p2pcommerce.commerce.errors import ForbiddenError, FormatError, StateError
from p2pcommerce.commerce.item import ITEM, ITEM_ID, ItemStatus, issuer_of, require_item, topmost
from p2pcommerce.commerce.kind import U63
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import Rights, acting_for
from p2pcommerce.commerce.trace import IDS_MAX, Traced
from p2pcommerce.primitives.codec import HASH, KEY, array, maybe, text
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["WORD_BYTES_MAX", "TraceObserve"]

WORD_BYTES_MAX: Final = 64
"""Bytes of a business step or a disposition at most; the longest word of CBV 2.0 has 27."""


@body(
    "trace.observe",
    ids=array(ITEM_ID, IDS_MAX, 1),
    biz_step=text(WORD_BYTES_MAX),
    disposition=text(WORD_BYTES_MAX),
    event_hash=HASH,
    event_time_ms=U63,
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class TraceObserve(Traced):
    """Record an event of items that moves nothing.

    By who holds them, or by the holder of an attestation "observe" of their owner or issuer.

    Attributes:
        ids: 1 to 64 item ids, strictly increasing; packed ones, too.
        biz_step: CBV business step, at most 64 bytes; empty if only the disposition is said.
        disposition: CBV disposition, at most 64 bytes; empty if only the step is said.
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
        store: for which an operator acts (TRACE); None: the sender itself.
    """

    ids: tuple[bytes, ...]
    biz_step: str
    disposition: str
    event_hash: bytes
    event_time_ms: int
    store: PublicKey | None = None

    @override
    def check(self, rules: Rules) -> None:
        """Each item stands once, and something is said of it."""
        require_increasing(self.ids, "ids")
        if not self.biz_step and not self.disposition:
            raise FormatError("an observation has a business step or a disposition")

    @override
    def records(self) -> int:
        """Two per item, as for every list of ids."""
        return 2 * len(self.ids)

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Extend the items' histories and change nothing else; see `Body.apply`."""
        observer = acting_for(ledger, call.sender, self.store, Rights.TRACE)
        entry = self.entry(call)
        subject = Subject(SubjectKind.ACCOUNT, observer)
        for item_id in self.ids:
            item = require_item(ledger, item_id)
            if item.status == ItemStatus.ENDED:
                raise StateError("the item is ended")
            top = topmost(ledger, item)
            if observer != top.custodian and not (
                is_attested(ledger, top.owner, subject, OBSERVE)
                or is_attested(ledger, issuer_of(item_id, item), subject, OBSERVE)
            ):
                raise ForbiddenError(
                    'an item is observed by its holder, or with an attestation "observe" of its owner or issuer'
                )
            seen = item.after(
                entry,
                owner=item.owner,
                custodian=item.custodian,
                status=ItemStatus(item.status),
                pending_to=item.pending_to,
                transfers_owner=item.transfers_owner,
                within=item.within,
            )
            ledger.put(ITEM, item_id, seen)
        return (call.sender, observer, *self.ids)
