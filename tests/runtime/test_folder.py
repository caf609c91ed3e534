"""The folder and the disk of a running node: who may use it, what a damaged or a full one does, what a kill leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.runtime.assembly import assemble
from p2pcommerce.runtime.journal import JournalDamagedError, JournalWriteError
from p2pcommerce.runtime.lock import DirectoryInUseError
from p2pcommerce.runtime.store_error import StoreDamagedError, StoreFullError
from p2pcommerce.runtime.transport import TransportError
from tests.runtime.nodes import Note, Notes, config_of, open_files, open_memory, open_notes, pay, until

ROOT = Path(__file__).parents[2]


async def test_a_second_node_in_one_folder_is_refused(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path)):
        with pytest.raises(DirectoryInUseError, match="in use by process"):
            async with open_memory(config_of(tmp_path)):
                pass


async def test_a_port_in_use_is_one_line_and_leaves_the_folder_free(tmp_path, jumping_clock):
    async with p2p.open_node(config_of(tmp_path, listen=("tcp://127.0.0.1:0",))) as node:
        files = open_files()
        with pytest.raises(TransportError, match="the port is in use") as caught:
            async with p2p.open_node(config_of(tmp_path, 1, listen=("tcp://127.0.0.1:0", *node.listen_addresses))):
                pass
        assert "\n" not in str(caught.value)
        assert open_files() == files
        async with open_memory(config_of(tmp_path, 1)):
            pass


async def test_an_unknown_transport_is_one_line(tmp_path, jumping_clock):
    with pytest.raises(TransportError, match="has the transports tcp"):
        async with p2p.open_node(config_of(tmp_path)):
            pass


async def test_addresses_that_make_no_peer_record_are_refused_at_the_start(tmp_path, jumping_clock):
    names = tuple(f"tcp://{'a' * 60}.{'b' * 60}.{'c' * 60}.example{number}:7400" for number in range(8))
    with pytest.raises(p2p.ConfigError, match="at most"):
        async with open_memory(config_of(tmp_path, advertise=names)):
            pass


async def test_a_restarted_node_has_the_same_state(tmp_path, jumping_clock):
    async with open_notes(config_of(tmp_path)) as node:
        receipt = await node.wait_finalized(await node.submit(Note(b"a", b"1")))
        before = node.statistics()
    async with open_notes(config_of(tmp_path)) as node:
        after = node.statistics()
        assert after["height"] >= before["height"]
        assert await node.wait_finalized(receipt.tx_id) == receipt
        assert (await node.query("note", key="a")).value == "1"
        await node.wait_finalized(await node.submit(Note(b"a", b"2")))


async def test_a_damaged_address_book_is_put_aside(tmp_path, jumping_clock):
    config = config_of(tmp_path, log_file=True)
    config.folder.mkdir()
    (config.folder / "peers").write_bytes(b"nonsense")
    async with open_memory(config) as node:
        await node.wait_finalized(await node.submit(pay(5_000_000)))
    assert (config.folder / "peers.damaged").read_bytes() == b"nonsense"
    assert "put aside" in (config.folder / "node.log").read_text()


async def test_a_log_of_a_kind_that_nobody_knows_is_one_line(tmp_path, jumping_clock):
    config = config_of(tmp_path)
    assembly = assemble(config, None, None)
    assembly.journal.append([b"\xff unknown"])
    assembly.close()
    with pytest.raises(JournalDamagedError, match=r"finality\.wal.*unknown kind"):
        async with open_memory(config):
            pass


async def test_a_state_that_is_not_the_heads_is_one_line(tmp_path, jumping_clock):
    config = config_of(tmp_path)
    assembly = assemble(config, Notes(), None)
    assembly.store._connection.execute("UPDATE state SET value = x'00'")
    assembly.close()
    with pytest.raises(StoreDamagedError, match=r"chain\.sqlite3"):
        async with open_notes(config):
            pass


# --- disks ---


async def test_a_log_that_cannot_be_written_ends_the_context_with_that_error(tmp_path, jumping_clock):
    async def live():
        async with open_notes(config_of(tmp_path)) as node:
            await node.wait_height(1)
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, node._assembly.journal._descriptor)
            os.close(full)
            await trio.sleep_forever()

    files = open_files()
    with pytest.raises(JournalWriteError, match=r"finality\.wal"):
        await live()
    assert open_files() == files


async def test_a_store_that_is_full_ends_the_context_with_that_error(tmp_path, jumping_clock):
    async def live():
        async with open_notes(config_of(tmp_path)) as node:
            await node.wait_height(1)
            run = node._assembly.store._connection.execute
            (pages,) = run("PRAGMA page_count").fetchone()
            run(f"PRAGMA max_page_count = {pages}")
            while True:
                await node.wait_finalized(await node.submit(Note(b"a", b"x" * 8_000)))

    with pytest.raises(StoreFullError, match=r"chain\.sqlite3"):
        await live()
    async with open_notes(config_of(tmp_path)) as node:
        assert (await node.query("note", key="first")).value == "hello"


async def test_an_address_book_that_cannot_be_saved_stops_nothing(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path, log_file=True)) as node:
        (node._assembly.config.folder / "peers").mkdir()
        node._on_save_book(b"first")
        node._on_save_book(b"second")
        await until(lambda: node._book is None)
        await node.wait_finalized(await node.submit(pay(5_000_000)))
    assert "cannot be written" in (tmp_path / "0" / "node.log").read_text()


async def test_of_address_books_in_quick_succession_the_last_is_saved(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path)) as node:
        for number in range(5):
            node._on_save_book(str(number).encode())
        await until(lambda: node._book is None)
    assert (tmp_path / "0" / "peers").read_bytes() == b"4"


CHILD = """
import resource, sys
import trio
import p2pcommerce as p2p
from p2pcommerce.runtime.transport.memory import MemoryTransport
from tests.runtime.nodes import Note, Notes, config_of

async def main(folder, files_max):
    async with p2p.open_node(config_of(folder), application=Notes(), transports=(MemoryTransport(),)) as node:
        number = (await node.query("note", key="last")).value or "0"
        if files_max:
            resource.setrlimit(resource.RLIMIT_FSIZE, (files_max, files_max))
        while True:
            number = str(int(number) + 1)
            receipt = await node.wait_finalized(await node.submit(Note(b"last", number.encode())))
            print(number, receipt.tx_id.hex(), receipt.height, flush=True)

try:
    trio.run(main, sys.argv[1], int(sys.argv[2]))
except p2p.UsageError as error:
    print(type(error).__name__, error)
    sys.exit(2)
"""


def child(folder, files_max=0):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(files_max)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_nothing_final_is_lost_when_the_process_is_killed(tmp_path, jumping_clock):
    lines = []
    for round_ in range(2):
        with child(tmp_path) as process:
            lines += [process.stdout.readline().split() for _ in range(4 + round_)]
            process.kill()
    async with open_notes(config_of(tmp_path)) as node:
        for _, tx_id, height in lines:
            receipt = await node.wait_finalized(bytes.fromhex(tx_id))
            assert receipt.height == int(height)
        assert int((await node.query("note", key="last")).value) >= int(lines[-1][0])
        assert [int(number) for number, _, _ in lines] == sorted({int(number) for number, _, _ in lines})
        await node.wait_finalized(await node.submit(Note(b"a", b"1")))


async def test_a_disk_that_is_full_is_one_error_in_one_line(tmp_path, jumping_clock):
    with child(tmp_path, files_max=150_000) as process:
        out, err = process.communicate()
    assert process.returncode == 2, err
    *_, last = out.strip().splitlines()
    assert last.split()[0] in {"JournalWriteError", "StoreError", "StoreFullError"}
    assert not err
    async with open_notes(config_of(tmp_path)) as node:
        assert int((await node.query("note", key="last")).value) > 0
