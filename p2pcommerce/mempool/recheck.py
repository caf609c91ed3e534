"""What a new final block means for the pool: only the senders and payers that it touched are looked at again."""

from __future__ import annotations

from collections.abc import Sequence

from p2pcommerce.ledger.application import Application, Rejection
from p2pcommerce.ledger.state import StateView
from p2pcommerce.mempool.entry import SenderQueue
from p2pcommerce.mempool.pool import Pool
from p2pcommerce.mempool.verdicts import Dropped
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import Height, PublicKey

__all__ = ["Recheck"]


class Recheck:
    """One pass over the pool after a block; the caller settles the pool afterwards."""

    __slots__ = ("_application", "_balances", "_height", "_pool", "_recheck_max", "_view", "dropped")

    def __init__(self, pool: Pool, application: Application, view: StateView, height: Height, recheck_max: int) -> None:
        """Look at the pool with the eyes of `application` on the state after the block.

        Args:
            pool: changed by the pass.
            application: judges.
            view: the final state.
            height: of the next block.
            recheck_max: transactions of one sender that are put to the application at most.
        """
        self._pool = pool
        self._application = application
        self._view = view
        self._height = height
        self._recheck_max = recheck_max
        self._balances: dict[PublicKey, int] = {}
        self.dropped: list[Dropped] = []

    def run(self, touched: Sequence[PublicKey]) -> None:
        """Recheck what the touched accounts (32 bytes each) sent and pay for."""
        accounts = dict.fromkeys(touched)
        for account in accounts:
            queue = self._pool.queue(account)
            if queue is not None:
                self._sender(queue)
        for account in accounts:
            self._learn_balance(account)
        for payer, balance_minor in self._balances.items():
            for entry in self._pool.overspent(payer, balance_minor):
                self._pool.remove(entry)
                self._say(entry.transaction.id, RejectionCode.NO_FUNDS, "the payer's balance no longer covers it")

    def _sender(self, queue: SenderQueue) -> None:
        """Put a sender's first transactions to the application again."""
        good = 0
        for nonce in queue.nonces.copy():
            if good >= self._recheck_max:
                return
            entry = queue.entries[nonce]
            answer = self._application.check(entry.transaction, self._view, self._height)
            if isinstance(answer, Rejection):
                self._pool.remove(entry)
                self._say(entry.transaction.id, answer.code, answer.detail)
                continue
            good += 1
            self._pool.advance(queue, answer.nonce)
            self._pool.spends(entry, answer.spend_minor)
            self._balances[entry.payer] = answer.balance_minor

    def _learn_balance(self, payer: PublicKey) -> None:
        """Ask for a payer's balance by way of what it pays for, unless it is known."""
        if payer in self._balances:
            return
        for entry in self._pool.payers.paid_by(payer)[: self._recheck_max]:
            if payer in self._balances:
                return
            answer = self._application.check(entry.transaction, self._view, self._height)
            if isinstance(answer, Rejection):
                self._pool.remove(entry)
                self._say(entry.transaction.id, answer.code, answer.detail)
            else:
                self._balances[payer] = answer.balance_minor

    def _say(self, tx_id: bytes, code: RejectionCode, detail: str) -> None:
        self.dropped.append(Dropped(tx_id, code, detail))  # type: ignore[arg-type] # an id of the pool
