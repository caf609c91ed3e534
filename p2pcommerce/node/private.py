"""Private transactions: the way from a user or a peer through admission to their stems, and from there to the pool.

Admission examines them as it does others and keeps nothing; those of this node's users are journalled and answered
here, as they are not in the pool for some time.

Source: the networking specification (Dandelion++ per submit).
"""

from __future__ import annotations

from p2pcommerce import gossip
from p2pcommerce.gossip import Router
from p2pcommerce.mempool import Examined, Mempool, Refused
from p2pcommerce.node.effects import Effect
from p2pcommerce.node.own import OwnTransactions
from p2pcommerce.node.submissions import Submissions
from p2pcommerce.primitives.errors import RejectionCode, Verdict
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["PrivateTransactions"]


class PrivateTransactions:
    """What is not public yet, between the rooms that have to do with it."""

    def __init__(self, router: Router, mempool: Mempool, own: OwnTransactions, submissions: Submissions) -> None:
        """Connect the rooms."""
        self._router = router
        self._mempool = mempool
        self._own = own
        self._submissions = submissions

    def resume(self, now: int) -> None:
        """Take up what users of an earlier life submitted in private."""
        for tx_id, raw in self._own.private():
            self._router.stems.resume(tx_id, raw, now)

    def submit(self, tx_id: TransactionId, raw: bytes, now: int) -> None:
        """Take a transaction (id of 32 bytes) of a user; the router is told when admission has examined it."""
        self._mempool.submit(raw, None, tx_id, now, is_private=True)

    def do(self, effect: gossip.Examine | gossip.Fluff, now: int) -> None:
        """Do what stems want."""
        match effect:
            case gossip.Examine(items, origin):
                for tx_id, raw in items:
                    self._mempool.submit(raw, origin, tx_id, now, is_private=True)
            case gossip.Fluff(fluffs):
                for tx_id, raw, origin in fluffs:
                    self._mempool.submit(raw, origin, tx_id, now)

    def on_verdict(self, effect: Examined | Refused, now: int) -> tuple[list[Effect], list[gossip.Effect]]:
        """Take what admission says; return what the node does, and what the router wants."""
        told: list[Effect] = []
        match effect:
            case Examined(tx_id, raw, origin):
                if origin is None:
                    told += self._own.on_examined(tx_id, raw, now)
                    told += self._submissions.answer(tx_id, RejectionCode.OK, "")
                return told, self._router.stems.on_examined(tx_id, raw, origin, Verdict.ACCEPT, now)
            case Refused(tx_id, origin, verdict, code, detail):
                if origin is None:
                    told += self._own.on_refused(tx_id, code, detail)
                    told += self._submissions.answer(tx_id, code, detail)
                return told, self._router.stems.on_examined(tx_id, b"", origin, verdict, now)
