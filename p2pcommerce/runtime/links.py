"""The links of one node: connections made, numbered, attached to peers, and ended.

A link is a connection with its number. It is made when a stream was accepted or dialled, within what the node may hold
(`Resources`); it is attached once the core has taken its peer in, so that what the core sends to a peer finds it.

Who runs them and tells the core is the driver.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import trio

from p2pcommerce.node.resources import ResourceLimits, Resources
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import PeerId, short
from p2pcommerce.runtime.connection import Connection, Owner
from p2pcommerce.runtime.log import Log
from p2pcommerce.runtime.traffic import Traffic
from p2pcommerce.runtime.transport import Transport, TransportError
from p2pcommerce.wire import LocalPeer, Session

__all__ = ["DIAL_S", "Links"]

DIAL_S: Final = 10.0
"""Seconds that opening a connection may take."""
_KEY_BYTES: Final = 16
_SECRET_BYTES: Final = 32


class Links:
    """All connections, with or without a peer behind them.

    Attributes:
        attached: peer -> its connection, once the core has taken it in; only `Links` writes it.
        counters: connections ended and refused, by code.
        resources: what connections take, and may take.
    """

    def __init__(
        self,
        *,
        local: Callable[[], LocalPeer],
        transports: Mapping[str, Transport],
        limits: ResourceLimits,
        log: Log,
        owner: Owner,
    ) -> None:
        """Start without any.

        Args:
            local: what every handshake of this node says, as it stands now.
            transports: by scheme.
            limits: what connections may take.
            log: is told of dials that failed and of connections that ended.
            owner: is given what comes over them.
        """
        self.attached: dict[PeerId, Connection] = {}
        self.counters: Counter[str] = Counter()
        self.resources = Resources(limits)
        self._local = local
        self._transports = transports
        self._log = log
        self._owner = owner
        self._all: dict[int, Connection] = {}
        self._next = 1
        self._traffic = Traffic()
        self._announcement_key = secrets.token_bytes(_KEY_BYTES)

    def accept(self, stream: trio.abc.Stream, address: str, now: int) -> Connection | None:
        """Make a connection of a caller's stream; None if there is no place for it: then the stream is to be closed.

        Args:
            stream: moves the bytes.
            address: where the caller is seen.
            now: microseconds.
        """
        link = self._number()
        admission = self.resources.admit(link, address, now)
        displaced = None if admission.displaced is None else self._all.get(admission.displaced)
        if displaced is not None:
            displaced.close("DISPLACED", "a newer caller took its place in the handshake")
        if admission.refused:
            self.counters["closed_too_many_callers"] += 1
            self._log.debug("connection", "refused", address=address, code=admission.refused)
            return None
        return self._connection(stream, address, link)

    async def dial(self, address: str, expected: PeerId | None) -> Connection | None:
        """Connect to an address, `tcp://host:port`, where this peer (32 bytes) must be; None if nobody answers."""
        stream: trio.abc.Stream | None = None
        try:
            with trio.move_on_after(DIAL_S):
                stream = await self._transport(address).dial(address)
        except UsageError as error:
            self._log.debug("dialler", str(error))
        if stream is None:
            self.counters["dial_failed"] += 1
            return None
        link = self._number()
        self.resources.dialled(link, address)
        return self._connection(stream, address, link, outbound=True, expected=expected)

    def _transport(self, address: str) -> Transport:
        scheme = address.partition("://")[0]
        transport = self._transports.get(scheme)
        if transport is None:
            raise TransportError(
                f'"{scheme}" is no transport of this node; it has {", ".join(sorted(self._transports))}'
            )
        return transport

    def _number(self) -> int:
        link, self._next = self._next, self._next + 1
        return link

    def _connection(
        self,
        stream: trio.abc.Stream,
        address: str,
        link: int,
        *,
        outbound: bool = False,
        expected: PeerId | None = None,
    ) -> Connection:
        connection = self._all[link] = Connection(
            link=link,
            stream=stream,
            session=Session(
                self._local(),
                initiator=outbound,
                announcement_key=self._announcement_key,
                ephemeral_secret=secrets.token_bytes(_SECRET_BYTES),
                expected=expected,
            ),
            owner=self._owner,
            outbound=outbound,
            address=address,
            announcement_key=self._announcement_key,
            hold=partial(self.resources.hold, link),
        )
        return connection

    def attach(self, peer: PeerId, link: int) -> bool:
        """Let what is for a peer go over a link; False if it has ended meanwhile."""
        connection = self._all.get(link)
        if connection is None:
            return False
        self.attached[peer] = connection
        return True

    def close(self, link: int, code: str, reason: str) -> None:
        """End a link that the core does not want; it knows, and need not be told."""
        connection = self._all.pop(link, None)
        if connection is not None:
            self._detach(connection)
            connection.close(code, reason)

    def ended(self, connection: Connection) -> bool:
        """Forget a connection whose stream is closed; tell whether it ended by itself, so that the core must know."""
        code, reason = connection.reason or ("CLOSED", "")
        self.counters[f"closed_{code.lower()}"] += 1
        who = "?" if connection.peer is None else short(connection.peer)
        self._log.debug("connection", reason, peer=who, address=connection.address, code=code)
        self._traffic.end(connection.session)
        if self._all.pop(connection.link, None) is None:
            return False
        self._detach(connection)
        return True

    def _detach(self, connection: Connection) -> None:
        if connection.peer is not None and self.attached.get(connection.peer) is connection:
            del self.attached[connection.peer]

    def traffic(self) -> dict[str, int]:
        """Return the bytes, records and messages that connections have moved."""
        return self._traffic.statistics(connection.session for connection in self._all.values())
