"""One HTTP request to a device of the local network: everything capped, one answer, no redirects.

Source: RFC 9112 (message format, chunked coding, reading until the connection ends).
"""

from __future__ import annotations

import re
from typing import Final

import trio

from p2pcommerce.runtime.finding.router import RouterError

__all__ = ["ANSWER_BYTES_MAX", "HTTP_S", "ask", "read_answer"]

ANSWER_BYTES_MAX: Final = 128 * 1024
"""Head and body of an answer; the description of a router is about 10 KiB."""
HTTP_S: Final = 5.0
"""Seconds for one request, connecting included."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?")
_LENGTH: Final = re.compile(rb"[0-9]{1,6}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,5})[ \t]*(?:;[^\r\n]*)?")
_READ_BYTES: Final = 16 * 1024


async def ask(host: str, port: int, request: bytes) -> tuple[int, bytes]:
    """Send a request; return status and body.

    Args:
        host: an IPv4 address.
        port: TCP.
        request: head and body; it asks for the connection to be closed.

    Raises:
        RouterError: no answer in time, too large, or no HTTP.
        OSError: of the socket.
    """
    with trio.move_on_after(HTTP_S):
        stream = await trio.open_tcp_stream(host, port)
        try:
            await stream.send_all(request)
            return await _answer(stream)
        except trio.BrokenResourceError as error:
            raise RouterError("the router broke the connection") from error
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
    raise RouterError(f"the router does not answer by HTTP within {HTTP_S:g} s")


async def _answer(stream: trio.SocketStream) -> tuple[int, bytes]:
    data = bytearray()
    while True:
        more = await stream.receive_some(_READ_BYTES)
        data += more
        if len(data) > ANSWER_BYTES_MAX:
            raise RouterError(f"the router answers with more than {ANSWER_BYTES_MAX} bytes")
        read = read_answer(bytes(data), is_whole=not more)
        if read is not None:
            return read


def read_answer(data: bytes, *, is_whole: bool) -> tuple[int, bytes] | None:
    """Read an answer; None: more must come.

    Args:
        data: what came so far.
        is_whole: nothing more will come.

    Raises:
        RouterError: it is none, or ends too early.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        if is_whole:
            raise RouterError("the router's answer is no HTTP")
        return None
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise RouterError("the router's answer is no HTTP")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        found = _unchunked(body)
    elif b"content-length" in fields:
        if _LENGTH.fullmatch(fields[b"content-length"]) is None:
            raise RouterError("the router's answer has no sensible length")
        length = int(fields[b"content-length"])
        found = body[:length] if len(body) >= length else None
    else:
        found = body if is_whole else None
    if found is None and is_whole:
        raise RouterError("the router's answer ends too early")
    return None if found is None else (int(status[1]), found)


def _unchunked(body: bytes) -> bytes | None:
    """Return what chunks hold; None: the last one is missing.

    Raises:
        RouterError: they are none.
    """
    parts: list[bytes] = []
    while True:
        line, end, rest = body.partition(b"\r\n")
        if not end:
            return None
        size = _CHUNK.fullmatch(line)
        if size is None:
            raise RouterError("the router's answer has chunks without a size")
        length = int(size[1], 16)
        if not length:
            return b"".join(parts)
        if len(rest) < length + 2:
            return None
        if rest[length : length + 2] != b"\r\n":
            raise RouterError("the router's answer has chunks that do not end")
        parts.append(rest[:length])
        body = rest[length + 2 :]
