"""Servers of other protocols on loopback, honest and not: what a resolver or a router of a test answers."""

from __future__ import annotations

from contextlib import asynccontextmanager

import trio

DATAGRAM_BYTES_MAX = 65_535


@asynccontextmanager
async def udp_server(answer, host="127.0.0.1"):
    """Answer datagrams on a free port; gives the port.

    Args:
        answer: datagram, sender -> a list of datagrams to send back.
        host: where to listen.
    """
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.bind((host, 0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_serve, sock, answer)
            yield sock.getsockname()[1]
            nursery.cancel_scope.cancel()


async def _serve(sock, answer):
    while True:
        data, sender = await sock.recvfrom(DATAGRAM_BYTES_MAX)
        for reply in answer(data, sender):
            await sock.sendto(reply, sender)


@asynccontextmanager
async def tcp_server(handle, port=0):
    """Serve streams on a port of loopback (0: a free one); gives the port."""
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()
