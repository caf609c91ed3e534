"""What a submitted transaction must pass before its signatures are looked at.

Each step is cheaper than what follows: duplicate, strict decoding, chain id, expiry, the application's check, fee
floor, nonce window, balance of the payer. Malformed bytes, bad signatures and other chains are REJECTed; whatever
depends on the state is IGNOREd, and so is what is signed by another key than the one that speaks for its account now:
the peer that brought it may be a block behind.

Source: the mempool rules of the networking specification (admission is a pipeline).
Deviations: the fee floor is checked after the application's check, which alone knows weights.
"""

from __future__ import annotations

from p2pcommerce.ledger.application import Admission, Application, Rejection
from p2pcommerce.ledger.state import StateView
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.mempool.candidate import Ahead, Candidate
from p2pcommerce.mempool.fee_floor import price_of
from p2pcommerce.mempool.intake import Waiting
from p2pcommerce.mempool.pool import Pool
from p2pcommerce.mempool.verdicts import Refused
from p2pcommerce.primitives.errors import CodecError, RejectionCode, Verdict
from p2pcommerce.primitives.ids import GenesisHash, Height

__all__ = ["Pipeline", "refuse"]


class Pipeline:
    """Examines transactions against a pool and a state."""

    __slots__ = ("_application", "_genesis_hash", "_pool")

    def __init__(self, pool: Pool, application: Application, genesis_hash: GenesisHash) -> None:
        """Examine for `pool` on the chain of a genesis (hash of 32 bytes), with the application's rules."""
        self._pool = pool
        self._application = application
        self._genesis_hash = genesis_hash

    def examine(self, waiting: Waiting, view: StateView, height: Height, ahead: Ahead, now: int) -> Candidate | Refused:
        """Take a transaction through the pipeline up to its signatures.

        Args:
            waiting: as it was submitted.
            view: the final state.
            height: of that state.
            ahead: what stands before it in its slice.
            now: microseconds.
        """
        if waiting.tx_id in self._pool or waiting.tx_id in ahead.ids:
            return refuse(waiting, RejectionCode.DUPLICATE, "is in the pool already")
        try:
            transaction = decode_transaction(waiting.raw, waiting.tx_id)
        except CodecError as error:
            return refuse(waiting, RejectionCode.BAD_FORMAT, str(error))
        if transaction.chain_id != self._genesis_hash:
            return refuse(waiting, RejectionCode.BAD_FORMAT, "is of another chain: its chain id is not this genesis")
        if transaction.expires_height <= height:
            detail = f"could be included up to height {transaction.expires_height}, {height} is final"
            return refuse(waiting, RejectionCode.EXPIRED, detail)
        answer = self._application.check(transaction, view, Height(height + 1))
        if isinstance(answer, Rejection):
            return refuse(waiting, answer.code, answer.detail)
        objection = self._object(transaction, answer, ahead, now)
        if objection is not None:
            return refuse(waiting, objection.code, objection.detail)
        is_first = not waiting.is_private and ahead.add(transaction, answer)
        return Candidate(waiting, transaction, answer, is_first=is_first)

    def _object(self, transaction: Transaction, admission: Admission, ahead: Ahead, now: int) -> Rejection | None:
        """Say what fee floor, nonces, balance or a full pool hold against a transaction."""
        if price_of(transaction.fee, admission.weight) < ahead.floor_price:
            floor_minor = self._pool.floor.minor(now)
            detail = f"fee {transaction.fee} for weight {admission.weight}, the floor is {floor_minor} per weight"
            return Rejection(RejectionCode.NO_FEE, detail)
        ahead_count = ahead.counts.get(transaction.sender, 0)
        if not ahead.has_room and self._pool.is_too_cheap(transaction, admission, ahead_count):
            return Rejection(RejectionCode.POOL_FULL, "the pool is full, and nothing cheaper in it can go: pay more")
        return self._pool.objection(
            transaction,
            admission,
            ahead_count,
            ahead.spends_minor.get(admission.payer, 0),
        )


def refuse(waiting: Waiting, code: RejectionCode, detail: str) -> Refused:
    """Refuse a transaction; but for a bad format it depends on the state: on which key speaks for an account, too."""
    verdict = Verdict.REJECT if code is RejectionCode.BAD_FORMAT else Verdict.IGNORE
    return Refused(waiting.tx_id, waiting.origin, verdict, code, detail, len(waiting.raw), waiting.is_private)
