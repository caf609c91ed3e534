"""`Session`: one connection, from its first byte to its last, without a socket.

    received bytes -> receive_data -> events        send(message) -> lanes -> data_to_send -> bytes to send

First the handshake, then records; whoever drives it moves bytes between it and a stream, and closes the stream when it
raises. It has no clock: deadlines are the driver's matter. Anything a peer does wrong raises a RemoteProtocolError and
ends the session; the messages that came before the breach in the same bytes are lost with it.

Source: the networking specification (Identity and transport); the shape follows h11.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final, TypeAlias

from p2pcommerce.primitives.errors import LocalProtocolError, RemoteProtocolError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.primitives.quick import quick
from p2pcommerce.wire.handshake import Handshake, LocalPeer
from p2pcommerce.wire.lanes import FRAMES_BYTES_MAX, IncomingLanes, Lane, OutgoingLanes
from p2pcommerce.wire.messages import LIMITS, Message, decode_message, encode_message
from p2pcommerce.wire.parameters import WireParameters
from p2pcommerce.wire.records import RECORD_OVERHEAD_BYTES, RecordReader, RecordWriter

__all__ = ["Event", "HandshakeDone", "MessageReceived", "Session", "SessionState", "SessionStatistics"]

_RECORD_BYTES_MAX: Final = FRAMES_BYTES_MAX + RECORD_OVERHEAD_BYTES
_SEND_BYTES_MAX: Final = 4 * _RECORD_BYTES_MAX
_DEFAULTS: Final = WireParameters()


@unique
class SessionState(Enum):
    """How far a connection is."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    DEAD = "dead"
    """A protocol error ended it; only its statistics can still be asked for."""


@dataclass(frozen=True, slots=True)
class HandshakeDone:
    """The other end has proven who it is; messages may be sent.

    Attributes:
        peer: its identity, 32 bytes.
        announcement_key: announce transactions to it under this key, 16 bytes.
        peer_record: its peer record as sent, at most 1,024 bytes, not checked.
    """

    peer: PeerId
    announcement_key: bytes
    peer_record: bytes


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A well-formed message came."""

    message: Message


Event: TypeAlias = HandshakeDone | MessageReceived
_received: Final = quick(MessageReceived)


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """Counters since the connection began; bytes are those on the stream, the handshake included.

    Messages of optional kinds that are not known here count as skipped, and not as messages.
    """

    records_in: int
    records_out: int
    bytes_in: int
    bytes_out: int
    messages_in: int
    messages_out: int
    messages_skipped: int


class Session:
    """One end of one connection."""

    __slots__ = (
        "_bytes_in",
        "_bytes_out",
        "_greeting",
        "_handshake",
        "_incoming",
        "_messages_in",
        "_messages_out",
        "_outgoing",
        "_reader",
        "_state",
        "_unread",
        "_writer",
    )

    _handshake: Handshake | None
    _reader: RecordReader
    _writer: RecordWriter

    def __init__(
        self,
        local: LocalPeer,
        *,
        initiator: bool,
        announcement_key: bytes,
        ephemeral_secret: bytes,
        expected: PeerId | None = None,
        parameters: WireParameters = _DEFAULTS,
    ) -> None:
        """Begin a connection; `data_to_send` has the first bytes at once.

        Args:
            local: this node.
            initiator: True at the end that dialled.
            announcement_key: 16 random bytes for this connection.
            ephemeral_secret: 32 random bytes for this connection.
            expected: the identity that was dialled, None to take anyone.
            parameters: bounds of the outgoing lanes.

        Raises:
            LocalProtocolError: the announcement key or the peer record has a wrong size.
        """
        self._handshake = Handshake(
            local,
            initiator=initiator,
            announcement_key=announcement_key,
            ephemeral_secret=ephemeral_secret,
            expected=expected,
        )
        self._state = SessionState.HANDSHAKE
        self._unread = b""  # the beginning of the next handshake message
        self._greeting = b""  # the end of the handshake, to be sent before the first record
        self._incoming = IncomingLanes(LIMITS)
        self._outgoing = OutgoingLanes(parameters.lane_bytes_max())
        self._bytes_in = self._bytes_out = 0
        self._messages_in = self._messages_out = 0

    @property
    def state(self) -> SessionState:
        """How far the connection is."""
        return self._state

    def receive_data(self, data: bytes) -> list[Event]:
        """Take bytes from the stream and return what they complete.

        Raises:
            RemoteProtocolError: the peer broke a rule (see `Handshake.receive`, `RecordReader.receive`,
                `IncomingLanes.receive`, `decode_message`); the session is dead.
            LocalProtocolError: the session was dead already.
        """
        if self._state is SessionState.DEAD:
            raise LocalProtocolError("this session ended with an error; close its connection")
        self._bytes_in += len(data)
        events: list[Event] = []
        try:
            if self._handshake is not None:
                data = self._shake_hands(self._handshake, data, events)
                if not data:
                    return events
            receive_frames = self._incoming.receive
            for plaintext in self._reader.receive(data):
                for message in receive_frames(plaintext):
                    events.append(_received(decode_message(message)))
                    self._messages_in += 1
        except RemoteProtocolError:
            self._state = SessionState.DEAD
            raise
        return events

    def send(self, message: Message) -> bool:
        """Queue a message in its kind's lane; False, and nothing done, if the lane is full.

        Raises:
            LocalProtocolError: the handshake is not done, the session is dead, or the message is larger than its kind.
        """
        return self.send_encoded(message.LANE, encode_message(message))

    def send_encoded(self, lane: Lane, data: bytes) -> bool:
        """Queue the bytes of `encode_message`, so that one encoding serves many peers.

        Args:
            lane: the LANE of the message's kind.
            data: the encoded message.

        Raises:
            LocalProtocolError: the handshake is not done, or the session is dead.
        """
        if self._state is not SessionState.OPEN:
            raise LocalProtocolError(f"messages can be sent while a session is open; this one is {self._state.value}")
        if not self._outgoing.push(lane, data):
            return False
        self._messages_out += 1
        return True

    def data_to_send(self, bytes_max: int = _SEND_BYTES_MAX) -> bytes:
        """Return the next bytes for the stream, once; b"" when there is nothing.

        Fetch bytes only when the stream takes them: what is still in its lane can be overtaken by the more urgent.

        Args:
            bytes_max: stop before a record (at most 16 KiB) that might go beyond; at least one is returned.

        Raises:
            LocalProtocolError: the session is dead.
        """
        if self._state is SessionState.DEAD:
            raise LocalProtocolError("this session ended with an error; close its connection")
        if self._handshake is not None:
            data = self._handshake.data_to_send()
            self._bytes_out += len(data)
            return data
        parts: list[bytes] = []
        size = 0
        if self._greeting:
            parts.append(self._greeting)
            size = len(self._greeting)
            self._greeting = b""
        take, seal = self._outgoing.take, self._writer.seal
        while not parts or size + _RECORD_BYTES_MAX <= bytes_max:
            plaintext = take()
            if not plaintext:
                break
            record = seal(plaintext)
            parts.append(record)
            size += len(record)
        self._bytes_out += size
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def has_data_to_send(self) -> bool:
        """Tell whether messages wait in a lane (of the handshake nothing waits: fetch after each `receive_data`)."""
        return bool(self._outgoing)

    def lane_bytes(self, lane: Lane) -> int:
        """Return the bytes that wait in a lane, for back-pressure."""
        return self._outgoing.lane_bytes(lane)

    @property
    def held_bytes(self) -> int:
        """Bytes kept for this connection: what waits to be sent, and what came and is not complete."""
        outgoing, unread = self._outgoing.total_bytes, len(self._unread)
        if self._handshake is not None:
            return outgoing + unread
        return outgoing + self._reader.pending_bytes + self._incoming.unfinished_bytes

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the messages that wait to be sent."""
        return self._outgoing.total_bytes

    @property
    def waiting_messages(self) -> int:
        """Messages that wait to be sent."""
        return self._outgoing.count

    def statistics(self) -> SessionStatistics:
        """Return the counters of this connection; works in every state."""
        shaken = self._handshake is None
        return SessionStatistics(
            records_in=self._reader.count if shaken else 0,
            records_out=self._writer.count if shaken else 0,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            messages_in=self._messages_in,
            messages_out=self._messages_out,
            messages_skipped=self._incoming.skipped,
        )

    def _shake_hands(self, handshake: Handshake, data: bytes, events: list[Event]) -> bytes:
        """Take part in the handshake; return what follows its last message."""
        data = self._unread + data
        used = handshake.receive(data)
        rest = data[used:]
        if not handshake.is_complete():
            self._unread = rest  # at most one incomplete handshake message: `receive` takes whole ones, and caps them
            return b""
        sending, receiving = handshake.split()
        self._writer, self._reader = RecordWriter(sending), RecordReader(receiving)
        self._greeting = handshake.data_to_send()
        self._handshake = None
        self._unread = b""
        self._state = SessionState.OPEN
        events.append(HandshakeDone(handshake.peer, handshake.announcement_key, handshake.peer_record))
        return rest
