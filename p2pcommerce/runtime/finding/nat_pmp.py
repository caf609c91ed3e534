"""NAT-PMP: asks the router for a port by two datagrams.

    ask its address   version 0, op 0                                     12 bytes come back
    map a TCP port    version 0, op 2, 0 (2), internal (2), external (2), lifetime s (4)   16 bytes come back

Answers count only if they come from the router and fit the question; others are passed over, a bounded number of them.

Source: RFC 6886 sections 3.1 to 3.5.

Deviations: a question is sent 5 times, within 7.75 s (the RFC: 9 times, within 128 s): a router in the same house that
is silent for that long does not speak NAT-PMP, and the whole is tried again later. The router's epoch is not kept:
mappings are renewed so often that one which a restart of the router has lost comes back by itself.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

import trio

from p2pcommerce.runtime.finding.router import LEASE_S, Mapping, RouterError, check_external

__all__ = ["ANSWERS_MAX", "FIRST_WAIT_S", "PORT", "TRIES", "NatPmp"]

PORT: Final = 5351
TRIES: Final = 5
FIRST_WAIT_S: Final = 0.25
ANSWERS_MAX: Final = 32
"""Datagrams that are looked at for one question."""
_DATAGRAM_BYTES_MAX: Final = 1_100
_REASONS: Final = {
    1: "it speaks another version",
    2: "it is set to refuse",
    3: "it has no address of its own",
    4: "it has no port left",
    5: "it knows no such request",
}
_OP_ADDRESS: Final = 0
_OP_TCP: Final = 2
_ANSWER: Final = 128
_ADDRESS_FORM: Final = struct.Struct("!BBHI4s")
_REQUEST_FORM: Final = struct.Struct("!BBHHHI")
_MAP_FORM: Final = struct.Struct("!BBHIHHI")


class NatPmp:
    """A router that speaks NAT-PMP."""

    name = "nat-pmp"

    def __init__(self, gateway: str, port: int = PORT) -> None:
        """Ask the router at an IPv4 address and UDP port."""
        self._gateway = gateway
        self._port = port

    async def map(self, port: int, external_port: int) -> Mapping:
        """See `Router`."""
        _, _, _, _, packed = _ADDRESS_FORM.unpack(await self._ask(bytes((0, _OP_ADDRESS)), _ADDRESS_FORM.size))
        got_port, lease_s = await self._map(port, external_port, LEASE_S)
        host = str(ipaddress.IPv4Address(packed))
        check_external(host, got_port)
        if not lease_s:
            raise RouterError("the router gives the port for no time at all")
        return Mapping(host, got_port, min(lease_s, LEASE_S))

    async def unmap(self, port: int, external_port: int) -> None:
        """See `Router`."""
        del external_port  # by RFC 6886 section 3.4 it is zero, as the lifetime is
        await self._map(port, 0, 0)

    async def _map(self, port: int, external_port: int, lifetime_s: int) -> tuple[int, int]:
        """Return the external port and the seconds that it is given for."""
        request = _REQUEST_FORM.pack(0, _OP_TCP, 0, port, external_port, lifetime_s)
        answer = await self._ask(request, _MAP_FORM.size, struct.pack("!H", port))
        _, _, _, _, _, got_port, lease_s = _MAP_FORM.unpack(answer)
        return got_port, lease_s

    async def _ask(self, request: bytes, size: int, told: bytes = b"") -> bytes:
        """Send a request until it is answered, and return the answer, which is a success.

        Args:
            request: its second byte is its operation.
            size: bytes of a success.
            told: what must stand behind the epoch: the answer is to this question.
        """
        looked_at = 0
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.connect((self._gateway, self._port))
            for attempt in range(TRIES):
                await sock.send(request)
                with trio.move_on_after(FIRST_WAIT_S * 2**attempt):
                    while looked_at < ANSWERS_MAX:
                        looked_at += 1
                        data = await sock.recv(_DATAGRAM_BYTES_MAX)
                        if _is_answer(data, request[1], size, told):
                            return data
        raise RouterError("the router does not answer by NAT-PMP")


def _is_answer(data: bytes, operation: int, size: int, told: bytes) -> bool:
    """Tell whether a datagram is the success that was asked for.

    Raises:
        RouterError: it is a refusal of what was asked for.
    """
    if len(data) < 4 or data[0] != 0 or data[1] != _ANSWER + operation:
        return False
    result = int.from_bytes(data[2:4], "big")
    if result:
        raise RouterError(f"the router refuses by NAT-PMP: {_REASONS.get(result, f'result {result}')}")
    return len(data) == size and data[8 : 8 + len(told)] == told
