"""States of transactions over the control port and on the command line, of a running node."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.cli.main import main
from p2pcommerce.ledger.receipt import Event, Receipt
from p2pcommerce.primitives.codec import decode, encode
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.runtime.control_client import connect_control
from p2pcommerce.runtime.control_status import STATUS, loss_of
from p2pcommerce.runtime.transaction_status import TransactionState, TransactionStatus
from tests.runtime.nodes import config_of, genesis_of, identity, open_memory, open_notes, signed

ROOT = Path(__file__).parents[2]
RECEIPT = Receipt(7, 1, b"b" * 32, b"t" * 32, RejectionCode.OK, (Event("a", (b"x",)),), "")


@pytest.mark.parametrize(
    "status",
    [
        TransactionStatus(tx_id=b"t" * 32, state=TransactionState.UNKNOWN),
        TransactionStatus(tx_id=b"t" * 32, state=TransactionState.INCLUDED, height=7),
        TransactionStatus(tx_id=b"t" * 32, state=TransactionState.FINAL, height=7, receipt=RECEIPT),
        TransactionStatus(
            tx_id=b"t" * 32,
            state=TransactionState.REPLACED,
            code=RejectionCode.BAD_NONCE,
            detail="replaced",
            replaced_by=b"u" * 32,
        ),
    ],
)
def test_a_status_is_what_it_was_on_the_other_end(status):
    assert decode(STATUS, encode(STATUS, status), 4_096) == status


def test_every_loss_is_the_same_error_on_the_other_end():
    for error in (
        p2p.TransactionExpiredError("too late"),
        p2p.TransactionUnknownError("never seen"),
        p2p.TransactionDroppedError(RejectionCode.POOL_FULL, "pay more"),
    ):
        again = loss_of(error.code, str(error))
        assert (type(again), again.code, str(again)) == (type(error), error.code, str(error))
    assert loss_of("BAD_REQUEST", "") is None
    assert loss_of("DROPPED_NONSENSE", "") is None


async def test_a_client_asks_for_states_waits_and_watches(tmp_path, jumping_clock):
    async with (
        open_notes(config_of(tmp_path, control=True)) as node,
        connect_control(node._assembly.config.folder) as control,
    ):
        transaction, other = signed(node.genesis, 3, 0), signed(node.genesis, 4, 0)
        assert (await control.transaction_status(transaction.id)).state is TransactionState.UNKNOWN
        async with control.watch(transaction.id) as statuses:
            assert (await anext(statuses)).state is TransactionState.UNKNOWN
            await control.submit(transaction.raw)
            states = [status async for status in statuses]
        assert states[-1] == await control.transaction_status(transaction.id)
        assert states[-1].receipt == await control.wait(transaction.id)
        with pytest.raises(p2p.TransactionUnknownError, match="unknown here"):
            await control.wait(other.id)


async def cli(*words):
    """Run the command; return its exit code and what it printed."""
    done = await trio.run_process(
        [sys.executable, "-m", "p2pcommerce", *words], cwd=ROOT, capture_stdout=True, check=False
    )
    return done.returncode, done.stdout.decode()


async def test_the_command_line_tells_where_a_transaction_stands(tmp_path):
    config = config_of(tmp_path, 1, genesis=genesis_of(0), control=True)
    folder = str(config.folder)
    async with open_notes(config) as node:
        transaction = signed(node.genesis, 3, 0)
        assert await cli("tx", "status", transaction.id.hex(), "--dir", folder) == (1, "unknown\n")
        await node.submit(transaction)
        assert await cli("tx", "status", transaction.id.hex(), "--dir", folder) == (0, "pending\n")
        newer = signed(node.genesis, 3, 0, fee=5_000)
        await node.submit(newer)
        code, printed = await cli("tx", "watch", transaction.id.hex(), "--json", "--dir", folder)
        told = json.loads(printed)
        assert (code, told["state"], told["code"]) == (1, "replaced", "BAD_NONCE")
        assert told["replaced_by"] == newer.id.hex()


async def test_the_command_line_submits_in_private(tmp_path):
    genesis = genesis_of(0)
    config = config_of(tmp_path, 0, genesis=genesis, control=True)
    config.folder.mkdir(exist_ok=True)
    genesis.save(config.folder / "genesis.json")
    identity(0).save(config.folder / "node.key", "secret")
    (tmp_path / "passphrase").write_text("secret")
    words = [
        "tx",
        "token.transfer",
        f"to={identity(1).public_key.hex()}",
        "amount_minor=1",
        "--dir",
        str(config.folder),
    ]
    words += ["--passphrase-file", str(tmp_path / "passphrase"), "--no-wait", "--json"]
    async with open_memory(config) as node:
        code, printed = await cli(*words, "--private")
        tx_id = json.loads(printed)["tx_id"]
        assert code == 0
        assert node.statistics()["mempool"] == 0  # nobody is here to whom it could go
        assert await cli("tx", "status", tx_id, "--dir", str(config.folder)) == (0, "pending\n")


@pytest.mark.parametrize("words", [["status"], ["status", "ab"], ["watch", "x" * 64], ["status", "a" * 64, "b" * 64]])
def test_an_id_that_is_none_is_said(tmp_path, capsys, words):
    assert main(["tx", *words, "--dir", str(tmp_path)]) == 2
    assert "64 hexadecimal digits" in capsys.readouterr().err
