"""From a payload to an accepted transaction: signing, waiting while the node pushes back, the verdict.

A submission that has returned is not lost: it is in the pool and, durably, in the journal of own transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from p2pcommerce.ledger.application import Payload
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.node.effects import Effect, Submitted
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.errors import RejectionCode, TransactionRejectedError
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.driver import Driver
from p2pcommerce.runtime.wallet import Wallet

__all__ = ["Submitting"]


@dataclass(slots=True, eq=False)
class _Submission:
    """One submission that waits for its verdict."""

    done: trio.Event = field(default_factory=trio.Event)
    verdict: Submitted | None = None


class Submitting:
    """Everybody who submits at one node."""

    def __init__(self, core: Node, driver: Driver, wallet: Wallet, clock: Clock, has_room: Callable[[], bool]) -> None:
        """Submit to `core`; `has_room` tells whether the disk keeps up."""
        self._core = core
        self._driver = driver
        self._wallet = wallet
        self._clock = clock
        self._has_room = has_room
        self._requests: dict[int, _Submission] = {}
        self._next_request = 1
        self._closed = False

    async def submit(
        self, payload: Payload | Transaction, account: PublicKey | None = None, *, private: bool = False
    ) -> TransactionId:
        """Submit a transaction and return its id (32 bytes) once it is in the pool, and durably in the journal.

        Args:
            payload: what to do, or a signed transaction.
            account: whose active key signs a payload, 32 bytes; None: the node's own account.
            private: send it by a stem; it is examined as for the pool, and in it once others have made it public.

        Raises:
            TransactionRejectedError: the pool refuses it.
            ClosedResourceError: the node has stopped.
        """
        if isinstance(payload, Transaction):
            await self._wait_room()
            self._wallet.note(payload)
            return await self._submit(payload, private=private)
        async with self._wallet.lock:
            await self._wait_room()  # before anything is built: whoever is cancelled here leaves no gap in the nonces
            return await self._submit(self._wallet.build(payload, account), private=private)

    async def _wait_room(self) -> None:
        self._check_open()
        while not (self._core.can_submit() and self._has_room()):
            await self._driver.wait_tick()
            self._check_open()

    async def _submit(self, transaction: Transaction, *, private: bool) -> TransactionId:
        request, self._next_request = self._next_request, self._next_request + 1
        submission = self._requests[request] = _Submission()
        try:
            now = self._clock.now()
            effects: list[Effect] = self._core.on_submit(request, transaction.raw, now, is_private=private)
            self._driver.give(effects)
            self._driver.wake()
            await submission.done.wait()
        finally:
            del self._requests[request]
        verdict = submission.verdict
        if verdict is None:
            raise trio.ClosedResourceError("the node has stopped")
        if verdict.code is not RejectionCode.OK:
            raise TransactionRejectedError(verdict.code, verdict.detail)
        return transaction.id

    def on_submitted(self, verdict: Submitted) -> None:
        """Give a submitter the verdict; an accepted transaction is durable."""
        if verdict.code is not RejectionCode.OK and verdict.code is not RejectionCode.DUPLICATE:
            self._wallet.forget(verdict.tx_id)
        submission = self._requests.get(verdict.request)
        if submission is not None:
            submission.verdict = verdict
            submission.done.set()

    def close(self) -> None:
        """The node stops: whoever waits for a verdict is told so."""
        self._closed = True
        for submission in self._requests.values():
            submission.done.set()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the node has stopped")
