"""`p2pcommerce blob` and `message` against a node that runs."""

from __future__ import annotations

import hashlib
import json
import sys

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.cli.commands import run_command
from p2pcommerce.commerce import StoreSet
from tests.runtime.nodes import config_of

DATA = bytes(range(251)) * 12_000  # three pieces of the control port


async def command(tmp_path, *words):
    """Run a command as a process of its own; return its exit code, stdout and stderr."""
    line = [sys.executable, "-m", "p2pcommerce", *map(str, words), "--dir", str(tmp_path / "0")]
    done = await trio.run_process(line, capture_stdout=True, capture_stderr=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
async def key(tmp_path, nursery):
    async def run(task_status):
        async with p2p.open_node(config_of(tmp_path, control=True, listen=())) as node:
            payload = StoreSet(name="Corner", box_key=node.box_key, profile_hash=bytes(32))
            assert (await node.wait_finalized(await node.submit(payload))).ok
            task_status.started(node.identity.public_key.hex())
            await trio.sleep_forever()

    return await nursery.start(run)


async def test_a_file_goes_in_and_comes_out_by_its_hash(tmp_path, key):
    (tmp_path / "in").write_bytes(DATA)
    digest = hashlib.sha256(DATA).hexdigest()
    assert await command(tmp_path, "blob", "put", tmp_path / "in") == (0, f"{digest}\n".encode(), "")
    assert await command(tmp_path, "blob", "get", digest, "-o", tmp_path / "out") == (0, b"", "")
    assert (tmp_path / "out").read_bytes() == DATA
    assert await command(tmp_path, "blob", "get", digest) == (0, DATA, "")
    code, told, _ = await command(tmp_path, "blob", "put", tmp_path / "in", "--life", "60", "--json")
    assert (code, json.loads(told)) == (0, {"hash": digest, "bytes": len(DATA)})
    code, _, told = await command(tmp_path, "blob", "get", digest, "--bytes-max", 5)
    assert (code, told) == (2, f"p2pcommerce: the blob has {len(DATA)} bytes, at most 5 are wanted\n")


async def test_a_message_goes_to_a_store_and_is_read_and_dropped(tmp_path, key):
    (tmp_path / "address").write_text("1 High St")
    code, told, _ = await command(tmp_path, "message", "send", key, tmp_path / "address")
    address_hash = told.decode().strip()
    assert (code, len(address_hash)) == (0, 64)
    code, told, _ = await command(tmp_path, "message", "list")
    assert told.decode().startswith(f"{address_hash}  9 bytes, until 20")
    assert await command(tmp_path, "message", "read", address_hash, "--drop") == (0, b"1 High St", "")
    code, told, _ = await command(tmp_path, "message", "list", "--json")
    assert json.loads(told) == {"messages": []}
    code, _, told = await command(tmp_path, "message", "read", address_hash)
    assert "no message of this id" in told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("blob", "put", "{}/none"), "cannot be read: No such file"),
        (("blob", "put", "{}/empty"), "is empty"),
        (("blob", "put", "{}/large"), "too large"),
        (("blob", "get", "12"), "64 hexadecimal digits"),
        (("blob", "get", "00" * 32, "--json"), "name a file with -o"),
        (("blob", "put", "{}/one", "--life", "0"), "no whole number"),
        (("message", "send", "what", "{}/one"), "neither a key"),
        (("message", "list"), "no node runs"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(tmp_path, capsys, words, says):
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(bytes(8 * 2**20 + 1))
    (tmp_path / "one").write_bytes(b"1")
    found = run_command([*[word.format(tmp_path) for word in words], "--dir", str(tmp_path)])
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert found == 2


async def test_a_message_to_nobodys_store_is_refused(tmp_path, key):
    (tmp_path / "one").write_bytes(b"1")
    code, _, told = await command(tmp_path, "message", "send", "11" * 32, tmp_path / "one")
    assert code != 0
    assert "has no store" in told
