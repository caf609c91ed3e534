"""The transactions of this node's own users, from their acceptance until they are final, expired or dropped.

What was accepted from a user is kept in a journal of its own, so that it survives the end of the process: each is one
record, written before the user is told, and another when it is done with. A node that starts again submits what is left
to its pool, in the old order and as fast as admission takes it; from there the router offers it to everybody again.
A private one is not in the pool and is not offered: after a restart it waits to come from others, and then goes by a
stem again.

The journal's bytes are decided here, its writing is the runtime's: `AppendOwn` and `RewriteOwn`.

    record = 1 | submitted (u64, microseconds) | transaction        it was accepted
           | 2 | submitted (u64, microseconds) | transaction        it was accepted, and is to travel in private
           | 0 | id (32 bytes)                                      it is final, expired or dropped

Source: the networking specification (own transactions are journalled and survive a restart; `submit` never drops).
Deviations: what is left of the three hours of life begins anew with each restart, once; a transaction whose life was
over by the journal's own times is not submitted again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from p2pcommerce.ledger.transaction import transaction_id
from p2pcommerce.mempool import Mempool, MempoolParameters
from p2pcommerce.node.effects import AppendOwn, Dropped, Effect, Log, RewriteOwn
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import TransactionId, short

__all__ = ["OWN_BYTES_MAX", "OWN_COUNT_MAX", "OwnTransactions"]

OWN_COUNT_MAX: Final = 10_000
"""Own transactions that are neither final nor dropped; beyond that submitters are pushed back. As many are offered."""
OWN_BYTES_MAX: Final = 32 * 2**20
"""Bytes of these; the journal has at most a few times as many."""
_POOL_SHARE: Final = 2
"""Own transactions are never driven out, so they may be one in so many of the pool's."""
_DEAD_BYTES_MIN: Final = 256 * 1024
"""The journal is not rewritten for less."""
_KEPT: Final = b"\x01"
_PRIVATE: Final = b"\x02"
_DONE: Final = b"\x00"
_TIME_BYTES: Final = 8


class OwnTransactions:
    """What this node's users have submitted and must not lose."""

    def __init__(self, mempool: Mempool, parameters: MempoolParameters) -> None:
        """Begin with none; `restore` follows where a journal is."""
        self._mempool = mempool
        self._count_max = min(OWN_COUNT_MAX, parameters.count_max // _POOL_SHARE)
        self._bytes_max = min(OWN_BYTES_MAX, parameters.bytes_max // _POOL_SHARE)
        self._life_us = parameters.life_us
        self._kept: dict[TransactionId, bytes] = {}  # the records, in the order of acceptance
        self._bytes = 0
        self._dead_bytes = 0
        self._again: deque[TransactionId] = deque()
        self._unjudged: dict[TransactionId, None] = {}  # restored and private ones that the pool has not judged

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, tx_id: TransactionId) -> bool:
        return tx_id in self._kept

    @property
    def total_bytes(self) -> int:
        """Bytes of their records."""
        return self._bytes

    def has_room(self, waiting: int) -> bool:
        """Tell whether one more may be submitted while so many others wait for their verdict."""
        return len(self._kept) + waiting < self._count_max and self._bytes < self._bytes_max

    def raws(self) -> list[bytes]:
        """Return the transactions as signed, in the order of acceptance."""
        return [_raw(record) for record in self._kept.values()]

    # --- a new life ---

    def restore(self, records: Sequence[bytes], now: int) -> list[Effect]:
        """Take up what the journal holds; what is left is submitted by `feed`."""
        unreadable = 0
        for record in records:
            if record[:1] in (_KEPT, _PRIVATE) and len(record) > 1 + _TIME_BYTES:
                self._kept[transaction_id(_raw(record))] = record
            elif record[:1] == _DONE and len(record) == 1 + len(TransactionId(bytes(32))):
                self._kept.pop(TransactionId(record[1:]), None)
            else:
                unreadable += 1
        effects: list[Effect] = []
        if unreadable:
            said = f"{unreadable} records of the journal of own transactions are not of this version: left out"
            effects.append(Log("WARNING", "own", said))
        self._bytes = sum(map(len, self._kept.values()))
        old = [tx_id for tx_id, record in self._kept.items() if _submitted_us(record) + self._life_us <= now]
        for tx_id in old:
            effects += self._let_go(tx_id, "it waited too long")
        if len(records) > len(self._kept):
            effects.append(self._rewrite())
        self._again.extend([tx_id for tx_id, record in self._kept.items() if record[:1] != _PRIVATE])
        self._unjudged = dict.fromkeys(self._kept)
        if self._kept:
            effects.append(Log("INFO", "own", f"{len(self._kept)} own transactions are submitted again"))
        return effects

    def feed(self, now: int) -> list[TransactionId]:
        """Submit to the pool what it has room for; return what was submitted."""
        fed: list[TransactionId] = []
        while self._again and self._mempool.has_room(None):
            tx_id = self._again.popleft()
            record = self._kept.get(tx_id)
            if record is not None:
                self._mempool.submit(_raw(record), None, tx_id, now)
                fed.append(tx_id)
        return fed

    def private(self) -> list[tuple[TransactionId, bytes]]:
        """Return id (32 bytes) and bytes of those that are to travel in private."""
        return [(tx_id, _raw(record)) for tx_id, record in self._kept.items() if record[:1] == _PRIVATE]

    # --- what becomes of them ---

    def on_admitted(self, tx_id: TransactionId, raw: bytes, now: int) -> list[Effect]:
        """Keep a transaction (id of 32 bytes) that is in the pool for a user."""
        self._unjudged.pop(tx_id, None)
        return self._keep(tx_id, raw, _KEPT, now)

    def on_examined(self, tx_id: TransactionId, raw: bytes, now: int) -> list[Effect]:
        """Keep a transaction (id of 32 bytes) that is good, and that the pool will judge once it need not hide."""
        self._unjudged[tx_id] = None
        return self._keep(tx_id, raw, _PRIVATE, now)

    def _keep(self, tx_id: TransactionId, raw: bytes, tag: bytes, now: int) -> list[Effect]:
        if tx_id in self._kept:
            return []
        record = tag + now.to_bytes(_TIME_BYTES, "big") + raw
        self._kept[tx_id] = record
        self._bytes += len(record)
        return [AppendOwn(record)]

    def on_refused(self, tx_id: TransactionId, code: RejectionCode, detail: str) -> list[Effect]:
        """Drop one that was submitted again, or was private, and is refused now, unless the pool has it from a peer."""
        if tx_id not in self._unjudged:
            return []
        del self._unjudged[tx_id]
        if code is RejectionCode.DUPLICATE:
            return []
        if code in (RejectionCode.BAD_NONCE, RejectionCode.EXPIRED):
            return self._let_go(tx_id, detail)
        return self._drop(tx_id, code, detail)

    def on_dropped(self, tx_id: TransactionId, code: RejectionCode, detail: str) -> list[Effect]:
        """Forget one that left the pool, and say why in the log."""
        if tx_id not in self._kept:
            return []
        return [_words(tx_id, code, detail), *self._forget(tx_id)]

    def on_final(self, tx_ids: Iterable[TransactionId]) -> list[Effect]:
        """Forget those that are final; must follow what makes their block durable."""
        return [effect for tx_id in tx_ids if tx_id in self._kept for effect in self._forget(tx_id)]

    def _let_go(self, tx_id: TransactionId, detail: str) -> list[Effect]:
        """Forget one of an earlier life that may be final: that life ended between the block and the record of it.

        Nobody is told that it was dropped: whoever asks, asks the store.
        """
        said = f"own transaction {short(tx_id)} is not submitted again; it may be final: {detail}"
        return [Log("INFO", "own", said), *self._forget(tx_id)]

    def _drop(self, tx_id: TransactionId, code: RejectionCode, detail: str) -> list[Effect]:
        return [_words(tx_id, code, detail), Dropped(tx_id, code, detail), *self._forget(tx_id)]

    def _forget(self, tx_id: TransactionId) -> list[Effect]:
        size = len(self._kept.pop(tx_id))
        self._unjudged.pop(tx_id, None)
        self._bytes -= size
        self._dead_bytes += size
        if self._dead_bytes > max(_DEAD_BYTES_MIN, self._bytes):
            return [self._rewrite()]
        return [AppendOwn(_DONE + tx_id)]

    def _rewrite(self) -> Effect:
        self._dead_bytes = 0
        return RewriteOwn(tuple(self._kept.values()))


def _raw(record: bytes) -> bytes:
    return record[1 + _TIME_BYTES :]


def _submitted_us(record: bytes) -> int:
    return int.from_bytes(record[1 : 1 + _TIME_BYTES], "big")


def _words(tx_id: TransactionId, code: RejectionCode, detail: str) -> Log:
    return Log("INFO", "own", f"own transaction {short(tx_id)} is dropped: {code.value}: {detail}")
