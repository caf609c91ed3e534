"""The mempool: which transactions wait for a block.

Submitted bytes queue per origin (`submit`, `has_room`). At the end of a tick one slice passes the pipeline
(`admission`), then the signatures of the whole slice are verified behind the `Verifier` seam; then follows the pool.

It knows nothing of messages, blocks or disks: verdicts go back as effects, and the node passes them on.

Source: the mempool rules of the networking specification, the pool rules in `pool`.
Deviations: a slice interleaves origins by deficit round-robin, so that verdicts are in order of submission within a
slice and origin, not over all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from p2pcommerce.ledger.application import Application, Rejection
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.state import StateView
from p2pcommerce.ledger.transaction import TRANSACTION_BYTES_MAX, Transaction
from p2pcommerce.mempool.admission import Pipeline, refuse
from p2pcommerce.mempool.candidate import Ahead, Candidate
from p2pcommerce.mempool.intake import Intake, Waiting
from p2pcommerce.mempool.parameters import MempoolParameters
from p2pcommerce.mempool.pool import Pool
from p2pcommerce.mempool.recheck import Recheck
from p2pcommerce.mempool.selection import Selection
from p2pcommerce.mempool.verdicts import Admitted, Dropped, Effect, Examined, Origin, Refused
from p2pcommerce.mempool.verifier import InlineVerifier, VerifiedIds, Verifier
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import LocalProtocolError, RejectionCode, Verdict
from p2pcommerce.primitives.ids import GENESIS_HEIGHT, Height, PublicKey, TransactionId
from p2pcommerce.primitives.quick import quick

__all__ = ["Mempool"]

_admitted = quick(Admitted)


class Mempool:
    """The core that admits, keeps and offers transactions; `index` has the ids of what it keeps."""

    __slots__ = (
        "_application",
        "_counts",
        "_height",
        "_intake",
        "_now",
        "_parameters",
        "_pipeline",
        "_pool",
        "_refused",
        "_verified",
        "_verifier",
        "_view",
        "_wake_us",
        "index",
    )

    def __init__(
        self,
        parameters: MempoolParameters,
        application: Application,
        genesis: Genesis,
        scheme: SignatureScheme,
        verifier: Verifier | None = None,
    ) -> None:
        """Start empty; nothing is admitted before `set_view`.

        Args:
            parameters: the bounds.
            application: says what is worth keeping.
            genesis: chain id and fee floor.
            scheme: verifies signatures inline.
            verifier: takes the place of the inline one.
        """
        self._parameters = parameters
        self._application = application
        self._verifier = InlineVerifier(scheme) if verifier is None else verifier
        self._pool = Pool(parameters, genesis.parameters.fee_floor)
        self._pipeline = Pipeline(self._pool, application, genesis.hash)
        self.index = self._pool.index
        self._intake = Intake(parameters)
        self._verified = VerifiedIds(parameters.verified_count_max)
        self._view: StateView | None = None
        self._height = GENESIS_HEIGHT
        self._refused: list[Effect] = []
        self._counts: Counter[str] = Counter()
        self._wake_us: int | None = None
        self._now = 0

    def __contains__(self, tx_id: TransactionId) -> bool:
        return tx_id in self._pool

    def __len__(self) -> int:
        return len(self._pool)

    @property
    def total_bytes(self) -> int:
        """Bytes of the transactions in the pool."""
        return self._pool.total_bytes

    @property
    def ready_count(self) -> int:
        """Transactions in the pool without a gap in their sender's nonces before them, as seen from the final state."""
        return self._pool.ready_count

    @property
    def fee_floor(self) -> int:
        """The least fee per weight that is taken, minor units, as of the last `now` that was handed in."""
        return self._pool.floor.minor(self._now)

    @property
    def has_raised_floor(self) -> bool:
        """Whether a full pool has raised the fee floor above the chain's own."""
        return self._pool.floor.is_raised

    def raised_floor(self, now: int, ahead_us: int) -> int:
        """Return what a raised floor will have fallen to some time ahead, in fixed point; 0: to the chain's own.

        Args:
            now: microseconds.
            ahead_us: so long after it.
        """
        self._now = now
        self._pool.floor.price(now)
        return self._pool.floor.raised_at(now + ahead_us)

    def price(self, tx_id: TransactionId) -> int | None:
        """Return a pooled transaction's fee per weight in fixed point by its id (32 bytes)."""
        entry = self._pool.get(tx_id)
        return None if entry is None else entry.price

    def get(self, tx_id: TransactionId) -> Transaction | None:
        """Return a pooled transaction by its id (32 bytes)."""
        entry = self._pool.get(tx_id)
        return None if entry is None else entry.transaction

    def raw(self, tx_id: TransactionId) -> bytes | None:
        """Return a pooled transaction's bytes by its id (32 bytes)."""
        entry = self._pool.get(tx_id)
        return None if entry is None else entry.transaction.raw

    def is_verified(self, tx_id: TransactionId) -> bool:
        """Tell whether the signatures of a transaction (id of 32 bytes) are known to be good."""
        return tx_id in self._pool or tx_id in self._verified

    def remember_verified(self, tx_id: TransactionId) -> None:
        """Learn that somebody else (block validation) verified the signatures of a transaction (id of 32 bytes)."""
        self._verified.add(tx_id)

    # --- admission ---

    def has_room(self, origin: Origin) -> bool:
        """Tell whether one more message of this origin may be read: if not, push back."""
        return self._intake.has_room(origin)

    def submit(self, raw: bytes, origin: Origin, tx_id: TransactionId, now: int, *, is_private: bool = False) -> None:
        """Queue untrusted bytes for admission; the verdict comes from `on_deadline`.

        Args:
            raw: the transaction.
            origin: the peer that sent it; None: it was submitted here.
            tx_id: BLAKE2b-256 of `raw`.
            now: microseconds.
            is_private: examine it and keep nothing of it; the verdict is `Examined` or `Refused`.
        """
        self._now = now
        size = len(raw)
        if size > TRANSACTION_BYTES_MAX:
            detail = f"{size} bytes, at most {TRANSACTION_BYTES_MAX} allowed"
            self._refused.append(
                Refused(tx_id, origin, Verdict.REJECT, RejectionCode.BAD_FORMAT, detail, size, is_private)
            )
        elif not self._intake.put(raw, tx_id, origin, is_private=is_private):
            detail = "too many wait for admission: try again"
            self._refused.append(
                Refused(tx_id, origin, Verdict.IGNORE, RejectionCode.POOL_FULL, detail, size, is_private)
            )
        self._wake_us = self._wake_us or now

    @property
    def deadline(self) -> int | None:
        """When `on_deadline` has something to do; at once while transactions wait and there is a view."""
        wake_us = None if self._view is None and not self._refused else self._wake_us
        oldest_us = self._pool.oldest_us
        return wake_us if oldest_us is None else earliest(wake_us, oldest_us + self._parameters.life_us)

    def on_deadline(self, now: int) -> list[Effect]:
        """Admit one slice, and drop what has been here for all of its life."""
        self._now = now
        effects: list[Effect] = [*self._outlive(now), *self._refused]
        self._refused = []
        if self._view is not None and len(self._intake):
            effects += self._admit(self._intake.take(self._parameters.slice_max), self._view, now)
        self._wake_us = now if len(self._intake) else None
        self._note(effects)
        return effects

    def _admit(self, slice_: list[Waiting], view: StateView, now: int) -> list[Effect]:
        has_room = self._pool.has_room(len(slice_), sum([len(waiting.raw) for waiting in slice_]))
        ahead = Ahead(self._pool.floor.price(now), has_room=has_room)
        examined = [self._pipeline.examine(waiting, view, self._height, ahead, now) for waiting in slice_]
        unverified = [
            item.transaction
            for item in examined
            if type(item) is Candidate and item.transaction.id not in self._verified
        ]
        good = dict(zip([transaction.id for transaction in unverified], self._verifier.verify(unverified), strict=True))
        effects: list[Effect] = []
        is_calm = True  # nothing was driven out by what was added before
        for item in examined:
            if not isinstance(item, Candidate):
                effects.append(item)
            elif not good.get(item.transaction.id, True):
                refused = refuse(item.waiting, RejectionCode.BAD_SIGNATURE, "a signature is not good")
                effects.append(replace(refused, verdict=Verdict.REJECT))
            else:
                is_calm = self._insert(item, effects, now, is_calm=is_calm) and is_calm
        return effects

    def _insert(self, candidate: Candidate, effects: list[Effect], now: int, *, is_calm: bool) -> bool:
        """Put a candidate into the pool; tell whether nothing had to go for it."""
        waiting, transaction = candidate.waiting, candidate.transaction
        if waiting.is_private:
            self._verified.add(transaction.id)
            effects.append(Examined(transaction.id, waiting.raw, waiting.origin))
            return True
        answer = self._pool.add(
            transaction, candidate.admission, waiting.origin, now, is_judged=is_calm and candidate.is_first
        )
        if isinstance(answer, Rejection):
            self._verified.add(transaction.id)
            effects.append(refuse(waiting, answer.code, answer.detail))
            return True
        effects.append(_admitted(transaction.id, transaction, waiting.origin, candidate.admission.weight))
        effects += answer
        return not answer

    # --- blocks ---

    def set_view(self, view: StateView, height: Height) -> None:
        """Set the state that admission checks against: the final one, and its height.

        Raises:
            LocalProtocolError: `height` is below that of an earlier call.
        """
        if height < self._height:
            raise LocalProtocolError(f"the final height went back from {self._height} to {height}")
        self._view = view
        self._height = height

    def on_block(
        self,
        height: Height,
        view: StateView,
        final_ids: Sequence[TransactionId],
        touched: Sequence[PublicKey],
        now: int,
    ) -> list[Dropped]:
        """Follow the final head.

        Args:
            height: of the block that became final.
            view: the state after it.
            final_ids: its transactions (32 bytes each); they leave the pool silently.
            touched: senders and payers (32 bytes each) of its transactions, and accounts that lost balance otherwise.
            now: microseconds.

        Returns:
            What left the pool without being in the block.

        Raises:
            LocalProtocolError: see `set_view`.
        """
        self._now = now
        self.set_view(view, height)
        for tx_id in final_ids:
            self._pool.remove_final(tx_id)
            self._verified.add(tx_id)
        dropped: list[Dropped] = []
        for entry in self._pool.expired(height):
            self._pool.remove(entry)
            expires = entry.transaction.expires_height
            detail = f"could be included up to height {expires}, {height} is final"
            dropped.append(Dropped(entry.transaction.id, RejectionCode.EXPIRED, detail))
        recheck = Recheck(self._pool, self._application, view, Height(height + 1), self._parameters.recheck_max)
        recheck.run(touched)
        dropped += recheck.dropped
        dropped += self._pool.settle()
        self._note(dropped)
        return dropped

    def discard(self, tx_id: TransactionId, code: RejectionCode, detail: str) -> list[Dropped]:
        """Drop a transaction (id of 32 bytes) that cannot stand in a block, and what loses its place by that."""
        entry = self._pool.get(tx_id)
        if entry is None:
            return []
        self._pool.remove(entry)
        dropped = [Dropped(tx_id, code, detail), *self._pool.settle()]
        self._note(dropped)
        return dropped

    def select(
        self,
        excluded: Callable[[TransactionId], bool],
        base_nonces: Callable[[PublicKey], int | None],
        bytes_max: int,
        weight_max: int,
        count_max: int,
    ) -> list[Transaction]:
        """Choose transactions for a block by fee per weight, each sender's in order of nonce.

        Args:
            excluded: whether a transaction (id of 32 bytes) is in an unfinal ancestor already.
            base_nonces: a sender's (32 bytes) next nonce on the branch; None: it sent nothing there.
            bytes_max: bytes of transactions at most.
            weight_max: sum of weights at most.
            count_max: transactions at most.
        """
        selection = Selection(self._pool, excluded, base_nonces)
        return selection.take(bytes_max, weight_max, count_max, self._parameters.select_misfits_max)

    # --- counting ---

    def statistics(self) -> Mapping[str, int]:
        """Return counters by name: what is here, what waits, and every refusal and loss by its code."""
        return {
            "transactions": len(self._pool),
            "bytes": self._pool.total_bytes,
            "waiting": len(self._intake),
            "waiting_bytes": self._intake.total_bytes,
            "fee_floor": self.fee_floor,
            "evicted": self._pool.evicted,
            "replaced": self._pool.replaced,
            **{name: self._counts[name] for name in sorted(self._counts)},
        }

    def _outlive(self, now: int) -> list[Dropped]:
        oldest_us = self._pool.oldest_us
        if oldest_us is None or oldest_us + self._parameters.life_us > now:
            return []
        dropped: list[Dropped] = []
        for entry in self._pool.outlived(now):
            self._pool.remove(entry)
            detail = "waited too long: sign and submit it again"
            dropped.append(Dropped(entry.transaction.id, RejectionCode.EXPIRED, detail))
        return dropped + self._pool.settle()

    def _note(self, effects: Sequence[Effect]) -> None:
        """Count effects, and remember that what is dropped was verified."""
        counts = self._counts
        admitted = 0
        for effect in effects:
            match effect:
                case Admitted():
                    admitted += 1
                case Examined():
                    counts["examined"] += 1
                case Refused():
                    counts[f"refused.{effect.code.value}"] += 1
                case Dropped():
                    counts[f"dropped.{effect.code.value}"] += 1
                    self._verified.add(effect.tx_id)
        if admitted:
            counts["admitted"] += admitted
