"""TCP over loopback and the memory transport: what both promise, and what each says when it fails."""

from __future__ import annotations

import errno
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import SimpleNamespace

import pytest
import trio

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.runtime.transport import TransportError, tcp
from p2pcommerce.runtime.transport.memory import MemoryTransport
from p2pcommerce.runtime.transport.tcp import TcpListener, TcpTransport
from tests.runtime.nodes import open_files


@pytest.fixture(params=["tcp", "memory"])
def place(request):
    if request.param == "tcp":
        return SimpleNamespace(transport=TcpTransport(), address="tcp://127.0.0.1:0")
    return SimpleNamespace(transport=MemoryTransport(), address="memory://here")


async def connect(place):
    listener = await place.transport.listen(place.address)
    near = await place.transport.dial(listener.address)
    far, address = await listener.accept()
    assert address.startswith(place.transport.scheme + "://")
    return listener, near, far


async def test_bytes_arrive_in_both_directions(place):
    listener, near, far = await connect(place)
    async with closing(listener, near, far):
        await near.send_all(b"there")
        assert await far.receive_some(3) == b"the"
        assert await far.receive_some() == b"re"
        assert far.send_nowait(b"back") == 4
        assert await near.receive_some() == b"back"


@asynccontextmanager
async def closing(*things):
    async with AsyncExitStack() as stack:
        for thing in things:
            stack.push_async_callback(thing.aclose)
        yield


async def test_nothing_waits_in_memory_without_bound(place):
    listener, near, far = await connect(place)
    async with closing(listener, near, far):
        sent = 0
        while taken := near.send_nowait(bytes(100_000)):
            sent += taken
            assert sent < 64 * 2**20
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send_all, bytes(5_000_000))
            received = 0
            while received < sent + 5_000_000:
                received += len(await far.receive_some())


async def test_the_end_is_an_empty_read_and_sending_breaks(place):
    listener, near, far = await connect(place)
    async with closing(listener):
        await near.send_all(b"last words")
        await near.aclose()
        await near.aclose()
        assert await far.receive_some() == b"last words"
        assert await far.receive_some() == b""
        with pytest.raises(trio.BrokenResourceError):
            await far.send_all(bytes(10_000_000))
        for use in (near.send_all(b"x"), near.receive_some(), near.wait_send_all_might_not_block()):
            with pytest.raises(trio.ClosedResourceError):
                await use
        with pytest.raises(trio.ClosedResourceError):
            near.send_nowait(b"x")
        await far.aclose()


async def test_closing_wakes_whoever_reads_and_writes(place):
    listener, near, far = await connect(place)
    woken = []

    async def use(call, *arguments):
        with pytest.raises(trio.ClosedResourceError):
            await call(*arguments)
        woken.append(call)

    async with closing(listener, far), trio.open_nursery() as nursery:
        nursery.start_soon(use, near.receive_some)
        nursery.start_soon(use, near.send_all, bytes(50_000_000))
        await trio.testing.wait_all_tasks_blocked(0.02)
        await near.aclose()
    assert len(woken) == 2


async def test_nobody_there_is_one_line(place):
    listener = await place.transport.listen(place.address)
    await listener.aclose()
    await listener.aclose()
    with pytest.raises(TransportError, match=listener.address.replace(".", r"\.")) as caught:
        await place.transport.dial(listener.address)
    assert "\n" not in str(caught.value)


async def test_an_address_in_use_is_one_line(place):
    listener = await place.transport.listen(place.address)
    async with closing(listener):
        with pytest.raises(TransportError, match="in use"):
            await place.transport.listen(listener.address)
    again = await place.transport.listen(listener.address)
    await listener.aclose()  # closing the old one again takes nothing from the new one
    near = await place.transport.dial(again.address)
    await near.aclose()
    await again.aclose()


async def test_connections_that_nobody_accepted_are_closed_with_the_listener(place):
    listener = await place.transport.listen(place.address)
    near = await place.transport.dial(listener.address)
    await listener.aclose()
    with suppress(trio.BrokenResourceError):  # TCP resets it
        assert await near.receive_some() == b""
    await near.aclose()


async def test_sixteen_calls_at_once_are_all_accepted(place):
    files = open_files()
    listener = await place.transport.listen(place.address)
    dialled = [await place.transport.dial(listener.address) for _ in range(16)]
    accepted = [(await listener.accept())[0] for _ in range(16)]
    for stream in [*dialled, *accepted]:
        await stream.aclose()
    await listener.aclose()
    assert open_files() == files


# --- TCP alone ---


@pytest.mark.parametrize(
    "address", ["tcp://", "tcp://127.0.0.1", "tcp://:80", "tcp://h:x", "tcp://h:70000", "nonsense"]
)
async def test_what_is_no_address_is_refused(address):
    with pytest.raises(UsageError, match="write tcp://host:port"):
        await TcpTransport().dial(address)


async def test_a_host_that_does_not_exist_is_one_line(monkeypatch):
    async def nowhere(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", nowhere)
    with pytest.raises(TransportError, match="the host cannot be found"):
        await TcpTransport().dial("tcp://nowhere.invalid:1")


async def test_of_several_addresses_a_dead_one_does_not_stop_the_next(monkeypatch):
    listener = await TcpTransport().listen("tcp://127.0.0.1:0")
    port = int(listener.address.rpartition(":")[2])
    dead = await TcpTransport().listen("tcp://127.0.0.1:0")
    await dead.aclose()

    async def both(*_, **__):
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", int(dead.address.rpartition(":")[2]))), (*kind, ("127.0.0.1", port))]

    monkeypatch.setattr(trio.socket, "getaddrinfo", both)
    stream = await TcpTransport().dial(f"tcp://two.example:{port}")
    await stream.aclose()
    await listener.aclose()


async def test_of_several_addresses_a_silent_one_is_given_up_in_time(monkeypatch, autojump_clock):
    asked = []

    async def silent(candidate, target):
        asked.append(target)
        await trio.sleep_forever()

    async def both(*_, **__):
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", 1)), (*kind, ("127.0.0.1", 2))]

    monkeypatch.setattr(trio.socket, "getaddrinfo", both)
    monkeypatch.setattr(tcp, "_connect", silent)
    files = open_files()
    with pytest.raises(TransportError, match="no answer within"):
        await TcpTransport().dial("tcp://two.example:1")
    assert len(asked) == 2
    assert trio.current_time() == pytest.approx(2 * tcp._CONNECT_S)
    assert open_files() == files


class Failing:
    """A listening socket whose first calls fail."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)
        self.near, self.far = socket.socketpair()

    def getsockname(self):
        return ("127.0.0.1", 1)

    def fileno(self):
        return self.near.fileno()

    def accept(self):
        if self.numbers:
            raise OSError(self.numbers.pop(0), "failed")
        return self.near, ("127.0.0.1", 2)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN])
async def test_a_caller_that_is_gone_and_a_lack_of_files_end_no_listener(autojump_clock, number):
    listening = Failing(number, number)
    stream, address = await TcpListener(listening).accept()
    assert address == "tcp://127.0.0.1:2"
    await stream.aclose()
    listening.far.close()


async def test_any_other_failure_of_a_listener_is_raised(autojump_clock):
    listening = Failing(errno.EINVAL)
    with pytest.raises(OSError, match="failed"):
        await TcpListener(listening).accept()
    listening.near.close()
    listening.far.close()


async def test_a_stream_tells_the_address_that_a_name_led_to():
    listener = await TcpTransport().listen("tcp://127.0.0.1:0")
    port = listener.address.rpartition(":")[2]
    near = await TcpTransport().dial(f"tcp://localhost:{port}")
    far, _ = await listener.accept()
    async with closing(listener, near, far):
        assert near.remote == f"tcp://127.0.0.1:{port}"


async def test_what_comes_after_a_read_that_took_everything_is_read_and_so_is_the_end():
    listener = await TcpTransport().listen("tcp://127.0.0.1:0")
    near = await TcpTransport().dial(listener.address)
    far, _ = await listener.accept()
    async with closing(listener, near, far):
        for size in (1, 7, 8, 9, 30):  # reads of 8 bytes take all of it, or leave some
            await near.send_all(bytes(size))
            got = b""
            with trio.fail_after(30):
                while len(got) < size:
                    got += await far.receive_some(8)
            assert got == bytes(size)
        await near.aclose()
        with trio.fail_after(30):
            assert await far.receive_some(8) == b""
            assert await far.receive_some(8) == b""
