"""Evidence on its way from the core to the chain and to the embedding application.

The core says when an offence should be reported; here the node's own account signs and submits the transaction. A node
whose account cannot pay reports nothing: its peers have been told already, and one that can pay will.

Subscribers are bounded: whoever reads too slowly misses offences, and can still ask for the last ones.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import trio

from p2pcommerce.ledger.application import Application, Payload, Punishing
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.node.effects import OffenceFound, Report
from p2pcommerce.node.offences import words
from p2pcommerce.primitives.errors import CodecError, RejectionCode, TransactionExpiredError, TransactionRejectedError
from p2pcommerce.primitives.ids import PublicKey, TransactionId, short
from p2pcommerce.runtime.log import Log

__all__ = ["OFFENCES_WAITING_MAX", "Reporting", "plain_offence"]

OFFENCES_WAITING_MAX: Final = 512
"""Offences that wait for one subscriber; it misses what comes beyond."""

Submit: TypeAlias = Callable[[Payload], Awaitable[TransactionId]]
WaitFinal: TypeAlias = Callable[[TransactionId], Awaitable[Receipt]]


class Reporting:
    """Reports offences and tells subscribers of them."""

    def __init__(self, application: Application, log: Log, submit: Submit, wait_final: WaitFinal) -> None:
        """Prepare; `begin` gives it a nursery.

        Args:
            application: which payload reports evidence.
            log: where it says what came of it.
            submit: signs with the node's own key and submits.
            wait_final: waits for the receipt.
        """
        self._application = application
        self._log = log
        self._submit = submit
        self._wait_final = wait_final
        self._nursery: trio.Nursery | None = None
        self._busy: dict[tuple[PublicKey, int], None] = {}
        self._listeners: dict[int, trio.MemorySendChannel[OffenceFound]] = {}
        self._number = 0

    def begin(self, nursery: trio.Nursery | None) -> None:
        """Work in a nursery; None: no more, and every subscription ends."""
        self._nursery = nursery
        if nursery is None:
            for listener in self._listeners.values():
                listener.close()

    def take(self, effect: OffenceFound | Report) -> None:
        """Do what the core wants."""
        if isinstance(effect, Report):
            self.on_report(effect)
        else:
            self.on_offence(effect)

    # --- telling ---

    def on_offence(self, found: OffenceFound) -> None:
        """Tell subscribers."""
        for listener in self._listeners.values():
            try:
                listener.send_nowait(found)
            except trio.WouldBlock:
                self._log.warning("offences", "a subscriber reads too slowly, and misses an offence")

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[trio.MemoryReceiveChannel[OffenceFound]]:
        """Listen while the context is open; the iteration ends when the node stops."""
        send, receive = trio.open_memory_channel[OffenceFound](OFFENCES_WAITING_MAX)
        self._number += 1
        number = self._number
        self._listeners[number] = send
        try:
            yield receive
        finally:
            del self._listeners[number]
            send.close()
            receive.close()

    # --- reporting ---

    def on_report(self, report: Report) -> None:
        """Report an offence, unless a transaction that does so is on its way."""
        key = report.offence.offender, report.offence.epoch
        if self._nursery is not None and key not in self._busy:
            self._busy[key] = None
            self._nursery.start_soon(self._report, report)

    async def _report(self, report: Report) -> None:
        offence = report.offence
        try:
            if isinstance(self._application, Punishing):
                tx_id = await self._submit(self._application.report(report.evidence))
                self._log.info("offences", f"reported on the chain: {words(offence)}", tx=short(tx_id))
                self._say(report, await self._wait_final(tx_id))
        except trio.ClosedResourceError:
            return
        except (CodecError, TransactionRejectedError, TransactionExpiredError) as error:
            self._log.info("offences", f"not reported by this node's account: {error}; peers have been told")
        finally:
            del self._busy[offence.offender, offence.epoch]

    def _say(self, report: Report, receipt: Receipt) -> None:
        who = short(report.offence.offender)
        if receipt.code is RejectionCode.OK:
            self._log.info("offences", f"the chain punished validator {who}", height=receipt.height)
        else:
            self._log.info("offences", f"the report of validator {who} came to nothing: {receipt.detail}")


def plain_offence(found: OffenceFound) -> dict[str, object]:
    """Return an offence as plain values, for statistics."""
    offence = found.offence
    return {
        "offender": offence.offender.hex(),
        "epoch": offence.epoch,
        "rule": offence.kind,
        "words": words(offence),
        "heard_from": None if found.peer is None else found.peer.hex(),
    }
