"""`p2pcommerce tx status` and `tx watch`: where a transaction stands, as the running node knows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import ArgumentError, print_json
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import TransactionId
from p2pcommerce.runtime.control_client import connect_control
from p2pcommerce.runtime.transaction_status import TransactionState, TransactionStatus

__all__ = ["QUESTIONS", "ask"]

QUESTIONS: Final = ("status", "watch")
_ID_DIGITS: Final = 64
_LOST: Final = frozenset(
    {
        TransactionState.UNKNOWN,
        TransactionState.REFUSED,
        TransactionState.REPLACED,
        TransactionState.EVICTED,
        TransactionState.EXPIRED,
    }
)


def ask(question: str, words: Sequence[str], folder: Path, *, as_json: bool) -> int:
    """Print where a transaction stands.

    Args:
        question: one of `QUESTIONS`: the present state, or every one up to the last.
        words: the rest of the command line: the id.
        folder: of the running node.
        as_json: one object on the last line.

    Returns:
        0 if it is pending, in a block, or final and did what it should; 1 if not.

    Raises:
        ArgumentError: there is not one id of 64 hexadecimal digits.
        UsageError: no node runs in the folder.
    """
    if len(words) != 1 or len(words[0]) != _ID_DIGITS or not set(words[0].lower()) <= set("0123456789abcdef"):
        raise ArgumentError(f"tx {question}: give the id of one transaction, {_ID_DIGITS} hexadecimal digits")
    tx_id = TransactionId(bytes.fromhex(words[0]))
    if question == "status":
        return run_async(lambda: _status(tx_id, folder, as_json=as_json))
    return run_async(lambda: _watch(tx_id, folder, as_json=as_json))


async def _status(tx_id: TransactionId, folder: Path, *, as_json: bool) -> int:
    async with connect_control(folder) as control:
        status = await control.transaction_status(tx_id)
    if as_json:
        print_json(_plain(status))
    else:
        print(_words(status))
    return _exit_code(status)


async def _watch(tx_id: TransactionId, folder: Path, *, as_json: bool) -> int:
    last = TransactionStatus(tx_id=tx_id, state=TransactionState.UNKNOWN)
    async with connect_control(folder) as control, control.watch(tx_id) as statuses:
        async for last in statuses:
            if as_json:
                print_json(_plain(last))
            else:
                print(_words(last), flush=True)
    return _exit_code(last)


def _exit_code(status: TransactionStatus) -> int:
    return 1 if status.state in _LOST or status.code is not RejectionCode.OK else 0


def _words(status: TransactionStatus) -> str:
    where = "" if status.height is None else f" at height {status.height}"
    why = "" if status.code is RejectionCode.OK else f": {status.code.value}: {status.detail}"
    return f"{status.state.value}{where}{why}"


def _plain(status: TransactionStatus) -> dict[str, object]:
    return {
        "tx_id": status.tx_id.hex(),
        "state": status.state.value,
        "height": status.height,
        "code": status.code.value,
        "detail": status.detail,
        "replaced_by": None if status.replaced_by is None else status.replaced_by.hex(),
    }
