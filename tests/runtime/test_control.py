"""The control port over a fake node: every request, every refusal, every limit."""

from __future__ import annotations

import contextlib
import json
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.ledger.application import QueryError
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Event, Receipt
from p2pcommerce.ledger.transaction import UnsignedTransaction, sign_transaction
from p2pcommerce.node.trust import EpochEnd, TrustAnchor
from p2pcommerce.primitives.codec import CodecError, decode, encode, pack
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import (
    P2PError,
    RejectionCode,
    TransactionExpiredError,
    TransactionRejectedError,
)
from p2pcommerce.runtime import control as control_room
from p2pcommerce.runtime import control_client
from p2pcommerce.runtime.control import CONNECTIONS_MAX, HELLO_S, serve_control
from p2pcommerce.runtime.control_client import (
    ControlAnswerError,
    ControlError,
    ControlProtocolError,
    ControlTokenError,
    ControlVersionError,
    NodeNotRunningError,
    NodeStoppedError,
    connect_control,
)
from p2pcommerce.runtime.control_frames import (
    ANSWER,
    BLOCK,
    FRAME_BYTES_MAX,
    HELLO,
    MAGIC,
    RECEIPT,
    REQUEST,
    WELCOME,
    Answer,
    FrameStream,
    Hello,
    Request,
    json_text,
)
from p2pcommerce.runtime.identity import Identity

IDENTITY = Identity.from_seed(bytes(32))
GENESIS = Genesis.local("test", {IDENTITY.public_key: 10**6})
TRANSACTION = sign_transaction(
    UnsignedTransaction(
        chain_id=GENESIS.hash,
        type="token.transfer",
        sender=IDENTITY.public_key,
        nonce=0,
        fee=1_000,
        expires_height=100,
        body=(bytes(32), 5),
    ),
    IDENTITY.seed,
    ED25519,
)
ANCHOR = TrustAnchor(GENESIS.hash, GENESIS.validators, 3, 7, EpochEnd(b"e" * 32, 6, GENESIS.validators), 20)
RECEIPT_1 = Receipt(
    7, 1, b"b" * 32, TRANSACTION.id, RejectionCode.OK, (Event("token.transfer", (b"x", b"y" * 32)),), ""
)


class LaggedError(P2PError):
    code = "SUBSCRIBER_LAGGED"


@dataclass
class FakeBlock:
    height: int
    hash: bytes
    time_ms: int
    receipts: tuple[Receipt, ...]


@dataclass
class FakeAnswer:
    height: int
    value: object


@dataclass
class FakeProof:
    raw: bytes


class FakeNode:
    """Answers at once, but where a test holds it up."""

    def __init__(self) -> None:
        self.identity = IDENTITY
        self.genesis = GENESIS
        self.submitted: list[bytes] = []
        self.private: list[bytes] = []
        self.rejection: TransactionRejectedError | None = None
        self.gate = trio.Event()
        self.waiting = 0
        self.cancelled = trio.Event()
        self.blocks_send, self.blocks = trio.open_memory_channel[FakeBlock | P2PError](100)
        self.since: list[int | None] = []

    async def submit(self, item, /, *, private=False):
        if self.rejection is not None:
            raise self.rejection
        self.submitted.append(item.raw)
        if private:
            self.private.append(item.raw)
        return item.id

    async def wait_finalized(self, tx_id, /):
        if tx_id == bytes(32):
            raise TransactionExpiredError("its time is over")
        self.waiting += 1
        try:
            await self.gate.wait()
        except trio.Cancelled:
            self.cancelled.set()
            raise
        return RECEIPT_1

    async def query(self, name, /, **arguments):
        if name == "missing":
            raise QueryError("there is no query of that name")
        if name == "huge":
            return FakeAnswer(1, "x" * FRAME_BYTES_MAX)
        return FakeAnswer(12, {"name": name, "arguments": arguments, "key": b"\x01\x02"})

    async def prove(self, name, /, **arguments):
        return FakeProof(json.dumps([name, arguments]).encode())

    async def anchor(self):
        return ANCHOR

    def statistics(self):
        return {"height": 12, "mempool": {"count": 3}}

    @contextlib.asynccontextmanager
    async def subscribe(self, *kinds, since_height=None):
        self.since.append(since_height)

        async def blocks():
            async for block in self.blocks:
                if isinstance(block, P2PError):
                    raise block
                yield block

        async with contextlib.aclosing(blocks()) as iterator:
            yield iterator


@pytest.fixture
async def node(tmp_path, nursery):
    fake = FakeNode()
    fake.folder = tmp_path
    fake.stopped = trio.Event()

    async def serve(task_status):
        await serve_control(fake, tmp_path, on_stop=fake.stopped.set, task_status=task_status)

    await nursery.start(serve)
    return fake


def read_file(folder: Path) -> tuple[int, bytes]:
    document = json.loads((folder / "control.json").read_text())
    return document["port"], bytes.fromhex(document["token"])


async def dial(folder: Path, **changes) -> tuple[trio.SocketStream, FrameStream]:
    port, token = read_file(folder)
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    frames = FrameStream(stream)
    await frames.send(HELLO, Hello(**({"magic": MAGIC, "version": 1, "token": token} | changes)))
    return stream, frames


async def greeted(folder: Path) -> tuple[trio.SocketStream, FrameStream]:
    stream, frames = await dial(folder)
    await frames.receive(WELCOME)
    return stream, frames


async def refusal(frames: FrameStream) -> str:
    answer = await frames.receive(ANSWER)
    assert answer.number == 0
    assert answer.status == "error"
    assert await frames.receive(ANSWER) is None
    return answer.value[0]


async def test_the_file_is_private_and_there_only_while_the_node_runs(tmp_path):
    async with trio.open_nursery() as inner:
        await inner.start(lambda task_status: serve_control(FakeNode(), tmp_path, task_status=task_status))
        path = tmp_path / "control.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert set(json.loads(path.read_text())) == {"version", "port", "token", "pid"}
        inner.cancel_scope.cancel()
    assert list(tmp_path.iterdir()) == []


async def test_a_node_that_stops_leaves_the_file_of_its_successor(tmp_path):
    path = tmp_path / "control.json"
    async with trio.open_nursery() as inner:
        await inner.start(lambda task_status: serve_control(FakeNode(), tmp_path, task_status=task_status))
        path.write_text("another's")
        inner.cancel_scope.cancel()
    assert path.read_text() == "another's"


async def test_the_client_learns_whose_port_it_is(node):
    async with connect_control(node.folder) as control:
        assert control.public_key == IDENTITY.public_key
        assert control.genesis_hash == GENESIS.hash


async def test_submit_gives_the_id(node):
    async with connect_control(node.folder) as control:
        assert await control.submit(TRANSACTION.raw) == TRANSACTION.id
    assert node.submitted == [TRANSACTION.raw]


async def test_a_rejection_keeps_code_and_sentence(node):
    node.rejection = TransactionRejectedError(RejectionCode.NO_FUNDS, "the payer has 3")
    async with connect_control(node.folder) as control:
        with pytest.raises(TransactionRejectedError) as caught:
            await control.submit(TRANSACTION.raw)
    assert caught.value.rejection is RejectionCode.NO_FUNDS
    assert caught.value.detail == "the payer has 3"


@pytest.mark.parametrize("raw", [b"", b"\xc1", TRANSACTION.raw[:-1], bytes(17 * 1024)])
async def test_bytes_that_are_no_transaction_are_rejected_as_such(node, raw):
    async with connect_control(node.folder) as control:
        with pytest.raises(TransactionRejectedError) as caught:
            await control.submit(raw)
        assert caught.value.rejection is RejectionCode.BAD_FORMAT
        await control.submit(TRANSACTION.raw)


async def test_wait_gives_the_receipt(node):
    node.gate.set()
    async with connect_control(node.folder) as control:
        assert await control.wait(TRANSACTION.id) == RECEIPT_1


async def test_wait_tells_of_expiry(node):
    async with connect_control(node.folder) as control:
        with pytest.raises(TransactionExpiredError, match="time is over"):
            await control.wait(bytes(32))


async def test_many_requests_are_in_flight_at_once(node):
    async with connect_control(node.folder) as control, trio.open_nursery() as inner:
        for _ in range(50):
            inner.start_soon(control.wait, TRANSACTION.id)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert (await control.statistics())["height"] == 12
        assert node.waiting == 50
        node.gate.set()


async def test_a_cancelled_request_is_cancelled_at_the_node(node):
    async with connect_control(node.folder) as control:
        async with trio.open_nursery() as inner:
            inner.start_soon(control.wait, TRANSACTION.id)
            while not node.waiting:
                await control.statistics()
            inner.cancel_scope.cancel()
        await node.cancelled.wait()
        assert (await control.statistics())["height"] == 12


async def test_more_requests_than_the_limit_are_refused_by_name(node, monkeypatch):
    monkeypatch.setattr(control_room, "REQUESTS_MAX", 3)
    async with connect_control(node.folder) as control, trio.open_nursery() as inner:
        for _ in range(3):
            inner.start_soon(control.wait, TRANSACTION.id)
        while node.waiting < 3:
            with contextlib.suppress(ControlAnswerError):
                await control.statistics()
        with pytest.raises(ControlAnswerError) as caught:
            await control.statistics()
        assert caught.value.code == "BUSY"
        node.gate.set()


async def test_query_gives_height_and_value_with_bytes_in_hexadecimal(node):
    async with connect_control(node.folder) as control:
        answer = await control.query("account", account="ab", deep=[1, {"x": None}])
    assert answer.height == 12
    assert answer.value == {"name": "account", "arguments": {"account": "ab", "deep": [1, {"x": None}]}, "key": "0102"}


@pytest.mark.parametrize(("name", "code"), [("missing", "QUERY"), ("huge", "OVERSIZED"), ("n" * 65, "BAD_REQUEST")])
async def test_a_refused_query_names_its_code_and_the_connection_lives(node, name, code):
    async with connect_control(node.folder) as control:
        with pytest.raises(ControlAnswerError) as caught:
            await control.query(name)
        assert caught.value.code == code
        assert (await control.query("time")).height == 12


async def test_an_anchor_comes_as_it_is(node):
    async with connect_control(node.folder) as control:
        assert await control.anchor() == ANCHOR


async def test_prove_gives_the_bytes(node):
    async with connect_control(node.folder) as control:
        assert json.loads(await control.prove("item", serial="7")) == ["item", {"serial": "7"}]


async def test_a_subscription_gives_blocks_with_codes(node):
    failed = Receipt(8, 0, b"c" * 32, TRANSACTION.id, RejectionCode.NO_STOCK, (), "sold out")
    async with connect_control(node.folder) as control, control.subscribe(3) as blocks:
        await node.blocks_send.send(FakeBlock(7, b"b" * 32, 1_000, (RECEIPT_1, failed)))
        block = await anext(blocks)
    assert (block.height, block.hash, block.time_ms) == (7, b"b" * 32, 1_000)
    assert block.results == ((TRANSACTION.id, RejectionCode.OK), (TRANSACTION.id, RejectionCode.NO_STOCK))
    assert node.since == [3]


async def test_a_subscriber_that_the_node_leaves_behind_is_told(node):
    async with connect_control(node.folder) as control, control.subscribe() as blocks:
        await node.blocks_send.send(LaggedError("too slow"))
        with pytest.raises(ControlAnswerError) as caught:
            await anext(blocks)
        assert caught.value.code == "SUBSCRIBER_LAGGED"


async def test_a_reader_that_does_not_read_ends_its_subscription_and_nothing_else(node, monkeypatch):
    monkeypatch.setattr(control_client, "SUBSCRIPTION_BLOCKS_MAX", 4)
    async with connect_control(node.folder) as control, control.subscribe() as blocks:
        for height in range(6):
            await node.blocks_send.send(FakeBlock(height, b"b" * 32, 0, ()))
        while node.blocks.statistics().current_buffer_used:
            await control.statistics()
        await control.statistics()
        for _ in range(4):
            await anext(blocks)
        with pytest.raises(ControlAnswerError, match="subscribe again"):
            await anext(blocks)


async def test_stop_reaches_the_node(node):
    async with connect_control(node.folder) as control:
        await control.stop()
    assert node.stopped.is_set()


async def test_stop_is_refused_where_the_node_is_part_of_another_program(tmp_path, nursery):
    await nursery.start(lambda task_status: serve_control(FakeNode(), tmp_path, task_status=task_status))
    async with connect_control(tmp_path) as control:
        with pytest.raises(ControlAnswerError) as caught:
            await control.stop()
    assert caught.value.code == "BAD_REQUEST"


async def test_a_node_that_stops_ends_requests_with_a_named_error(tmp_path):
    fake = FakeNode()
    async with trio.open_nursery() as inner:
        await inner.start(lambda task_status: serve_control(fake, tmp_path, task_status=task_status))
        async with connect_control(tmp_path) as control:
            with trio.CancelScope(shield=True):
                inner.cancel_scope.cancel()
                with pytest.raises(NodeStoppedError):
                    await control.wait(TRANSACTION.id)


async def test_without_a_node_the_error_says_how_to_start_it(tmp_path):
    with pytest.raises(NodeNotRunningError, match="p2pcommerce run"):
        async with connect_control(tmp_path):
            pass


async def test_a_file_left_by_a_killed_node_means_no_node(node):
    port, _ = read_file(node.folder)
    document = json.loads((node.folder / "control.json").read_text())
    with trio.socket.socket() as free:
        await free.bind(("127.0.0.1", 0))
        document["port"] = free.getsockname()[1]
    (node.folder / "control.json").write_text(json.dumps(document))
    assert document["port"] != port
    with pytest.raises(NodeNotRunningError):
        async with connect_control(node.folder):
            pass


async def test_a_wrong_token_is_refused(node):
    path = node.folder / "control.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"token": "00" * 32}))
    with pytest.raises(ControlTokenError):
        async with connect_control(node.folder):
            pass


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"version": 2}, ControlVersionError),
        ({"version": 0}, ControlProtocolError),
        ({"port": 0}, ControlProtocolError),
        ({"port": "7"}, ControlProtocolError),
        ({"token": "00"}, ControlProtocolError),
        ({"token": 7}, ControlProtocolError),
    ],
)
async def test_a_bad_control_file_is_refused_by_name(node, change, error):
    path = node.folder / "control.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error, match=r"control\.json"):
        async with connect_control(node.folder):
            pass


@pytest.mark.parametrize("text", ["", "[]", "{", "7", '{"version": 1}', "[" * 1_000])
async def test_a_control_file_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "control.json").write_text(text)
    with pytest.raises(ControlError, match="no control file"):
        async with connect_control(tmp_path):
            pass


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"token": bytes(32)}, "WRONG_TOKEN"), ({"magic": "http"}, "WRONG_TOKEN"), ({"version": 2}, "VERSION")],
)
async def test_a_bad_hello_is_answered_and_closed(node, changes, code):
    stream, frames = await dial(node.folder, **changes)
    async with stream:
        assert await refusal(frames) == code


async def test_who_says_nothing_is_closed_in_time(autojump_clock):
    near, far = trio.testing.memory_stream_pair()
    started = trio.current_time()
    server = control_room._Server(FakeNode(), bytes(32), None)
    async with trio.open_nursery() as inner:
        inner.start_soon(server.serve, far)
        assert await refusal(FrameStream(near)) == "NO_TOKEN"
    assert trio.current_time() - started >= HELLO_S


async def test_a_large_first_frame_is_refused_before_it_is_read(node):
    port, _ = read_file(node.folder)
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all((1_000_000).to_bytes(4, "big"))
        assert await refusal(FrameStream(stream)) == "OVERSIZED"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ((FRAME_BYTES_MAX + 1).to_bytes(4, "big"), "OVERSIZED"),
        (b"\0\0\0\x01\xc1", "MALFORMED"),
        (b"\0\0\0\x06\x93\xcd\x00\x01\xa0\x90", "NOT_CANONICAL"),
        (b"\0\0\0\x04\x93\x00\xa0\x90", "BAD_REQUEST"),
        (b"\0\0\0\x01\x80", "MALFORMED"),
    ],
)
async def test_a_malformed_request_closes_the_connection_with_a_named_error(node, data, code):
    stream, frames = await greeted(node.folder)
    async with stream:
        await stream.send_all(data)
        assert await refusal(frames) == code


async def test_a_transaction_may_be_submitted_in_private(node):
    async with connect_control(node.folder) as control:
        assert await control.submit(TRANSACTION.raw, private=True) == TRANSACTION.id
        assert node.private == [TRANSACTION.raw]
        await control.submit(TRANSACTION.raw)
    assert node.private == [TRANSACTION.raw]
    assert node.submitted == [TRANSACTION.raw] * 2


async def test_a_request_number_in_use_closes_the_connection(node):
    stream, frames = await greeted(node.folder)
    async with stream:
        for _ in range(2):
            await frames.send(REQUEST, Request(1, "wait", (TRANSACTION.id,)))
        assert await refusal(frames) == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("submit", ()),
        ("submit", ("text", False)),
        ("submit", (b"raw", 1)),
        ("wait", (b"short",)),
        ("query", ("name", 7)),
        ("query", ("name", "[]")),
        ("query", ("name", "{")),
        ("query", (7, "{}")),
        ("prove", ("item",)),
        ("statistics", (1,)),
        ("subscribe", (-1,)),
        ("subscribe", (2**32,)),
        ("cancel", ("x",)),
        ("fly", ()),
    ],
)
async def test_a_request_with_wrong_arguments_is_an_error_of_that_request(node, kind, arguments):
    stream, frames = await greeted(node.folder)
    async with stream:
        await frames.send(REQUEST, Request(1, kind, arguments))
        answer = await frames.receive(ANSWER)
        assert (answer.number, answer.status) == (1, "error")
        await frames.send(REQUEST, Request(2, "statistics", ()))
        assert (await frames.receive(ANSWER)).status == "ok"


async def test_more_programs_than_the_limit_are_refused(node):
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            await stack.enter_async_context(connect_control(node.folder))
        stream, frames = await dial(node.folder)
        async with stream:
            assert await refusal(frames) == "BUSY"
    async with connect_control(node.folder) as control:
        assert (await control.statistics())["height"] == 12


async def test_what_answers_and_is_no_node_is_named(tmp_path, nursery):
    async def chatter(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    listeners = await nursery.start(trio.serve_tcp, chatter, 0)
    port = listeners[0].socket.getsockname()[1]
    document = {"version": 1, "port": port, "token": "00" * 32, "pid": 1}
    (tmp_path / "control.json").write_text(json.dumps(document))
    with pytest.raises(ControlProtocolError):
        async with connect_control(tmp_path):
            pass


async def test_an_error_of_the_callers_own_leaves_the_context_as_it_is(node):
    with pytest.raises(KeyError, match="mine"):
        async with connect_control(node.folder):
            raise KeyError("mine")


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_random_bytes_decode_strictly_or_not_at_all(data):
    for shape in (HELLO, REQUEST, ANSWER, RECEIPT, BLOCK):
        with contextlib.suppress(CodecError):
            assert encode(shape, decode(shape, data, 200)) == data


@given(st.integers(1, 2**32 - 1), st.sampled_from(["ok", "item", "error"]), st.binary(max_size=50))
@settings(max_examples=100, deadline=None)
def test_an_answer_reads_back(number, status, value):
    answer = Answer(number, status, (value, None, 7))
    assert ANSWER.read(ANSWER.plain(answer)) == answer
    assert pack(ANSWER.plain(answer))


def test_a_receipt_reads_back():
    assert RECEIPT.read(RECEIPT.plain(RECEIPT_1)) == RECEIPT_1


def test_what_has_no_json_form_is_refused():
    with pytest.raises(P2PError, match="no JSON value"):
        json_text(object())
