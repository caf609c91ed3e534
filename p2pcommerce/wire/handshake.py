"""The handshake: are we on one network, and who are you?

Each end first sends a preamble of 5 bytes: the network's magic (4 bytes of a hash of the genesis hash) and the protocol
version, so that a wrong network or version is named instead of failing in a cipher. Then the three messages of Noise XX
follow, each behind its length (u16, big-endian, at most 2,048):

    ->  preamble, message 1 (no payload)
    <-  preamble, message 2 (payload)
    ->  message 3 (payload), records from here on

    payload  = [identity (32), signature (64), announcement key (16), peer record (at most 1,024)]
    prologue = "p2pcommerce" NUL | version (u8) | genesis hash (32)

The signature is by the identity, over the sender's role (0: initiator, 1: responder) and Noise static key under the
domain tag "handshake": whoever holds that static key speaks for that identity, in that role, on that network. The peer
record is opaque here.

Source: the networking specification (Identity and transport); the Noise Protocol Framework, revision 34, section 14
(the identity is bound to the channel by signing the static key).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.primitives.codec import KEY, SIGNATURE, blob, decode, encode, raw, record_of
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme, blake2b_256, signed_bytes, x25519_public
from p2pcommerce.primitives.errors import LocalProtocolError, RemoteProtocolError
from p2pcommerce.primitives.ids import GenesisHash, PeerId, short
from p2pcommerce.wire.messages import PEER_RECORD_BYTES_MAX
from p2pcommerce.wire.noise import CipherState, HandshakeState

__all__ = [
    "ANNOUNCEMENT_KEY_BYTES",
    "HANDSHAKE_MESSAGE_BYTES_MAX",
    "PREAMBLE_BYTES",
    "PROTOCOL_VERSION",
    "BadIdentityError",
    "Handshake",
    "HandshakeMessageError",
    "LocalPeer",
    "SelfConnectionError",
    "UnexpectedPeerError",
    "WrongNetworkError",
    "WrongVersionError",
    "preamble",
]

PROTOCOL_VERSION: Final = 1
"""Raised by whatever makes an end of the version before misread, refuse or miss something that it needs: other bytes,
bounds, lane or meaning of a kind of message, another handshake, a new kind below `lanes.OPTIONAL_KINDS_FROM`."""
PREAMBLE_BYTES: Final = 5
ANNOUNCEMENT_KEY_BYTES: Final = 16
HANDSHAKE_MESSAGE_BYTES_MAX: Final = 2_048
_MAGIC_BYTES: Final = 4
_PAYLOAD_BYTES_MAX: Final = PEER_RECORD_BYTES_MAX + 128


class WrongNetworkError(RemoteProtocolError):
    """The other end is on another network, or speaks another protocol."""

    code = "WRONG_NETWORK"


class WrongVersionError(RemoteProtocolError):
    """The other end speaks another version of the protocol."""

    code = "WRONG_VERSION"


class HandshakeMessageError(RemoteProtocolError):
    """A handshake message that is too large, or says something where nothing may be said."""

    code = "HANDSHAKE_MESSAGE"


class BadIdentityError(RemoteProtocolError):
    """The identity did not sign the key that the other end proved."""

    code = "BAD_IDENTITY"


class SelfConnectionError(RemoteProtocolError):
    """The other end is this node itself."""

    code = "SELF_CONNECTION"


class UnexpectedPeerError(RemoteProtocolError):
    """The other end is not the node that was dialled."""

    code = "UNEXPECTED_PEER"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPeer:
    """What all connections of one node have in common.

    Attributes:
        public_key: the node's identity, 32 bytes.
        sign: returns the identity's signature (64 bytes) of some bytes.
        genesis_hash: the network, 32 bytes.
        static_secret: X25519 secret of 32 bytes, fresh at each start of the node.
        peer_record: the node's signed peer record, at most 1,024 bytes.
        scheme: verifies the other end's signature.
    """

    public_key: PeerId
    sign: Callable[[bytes], bytes]
    genesis_hash: GenesisHash
    static_secret: bytes
    peer_record: bytes
    scheme: SignatureScheme = ED25519
    _introductions: dict[int, tuple[bytes, bytes]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def introduction(self, role: int) -> tuple[bytes, bytes]:
        """Return the static key (32 bytes) and the identity's signature of it (64 bytes): the same on all connections.

        Args:
            role: 0 for the initiator, 1 for the responder.
        """
        known = self._introductions.get(role)
        if known is None:
            static_public = x25519_public(self.static_secret)
            known = static_public, self.sign(_signed(self.genesis_hash, role, static_public))
            self._introductions[role] = known
        return known


@dataclass(frozen=True, slots=True)
class _Payload:
    identity: bytes
    signature: bytes
    announcement_key: bytes
    peer_record: bytes


_PAYLOAD: Final = record_of(
    _Payload,
    identity=KEY,
    signature=SIGNATURE,
    announcement_key=raw(ANNOUNCEMENT_KEY_BYTES),
    peer_record=blob(PEER_RECORD_BYTES_MAX),
)


def preamble(genesis_hash: GenesisHash) -> bytes:
    """Return the first 5 bytes that a node of this network sends."""
    return blake2b_256(b"p2pcommerce/magic" + genesis_hash)[:_MAGIC_BYTES] + bytes([PROTOCOL_VERSION])


def _prologue(genesis_hash: GenesisHash) -> bytes:
    return b"p2pcommerce\x00" + bytes([PROTOCOL_VERSION]) + genesis_hash


class Handshake:
    """One end of one handshake: bytes in, bytes out, until `is_complete`.

    Attributes:
        peer: the other end's identity, proven once complete.
        announcement_key: the other end's, 16 bytes.
        peer_record: the other end's, at most 1,024 bytes, not looked into.
    """

    __slots__ = (
        "_announcement_key",
        "_expected",
        "_initiator",
        "_local",
        "_noise",
        "_outgoing",
        "_preamble_seen",
        "announcement_key",
        "peer",
        "peer_record",
    )

    def __init__(
        self,
        local: LocalPeer,
        *,
        initiator: bool,
        announcement_key: bytes,
        ephemeral_secret: bytes,
        expected: PeerId | None = None,
    ) -> None:
        """Start; the first bytes to send are there at once.

        Args:
            local: this node.
            initiator: True at the end that dialled.
            announcement_key: 16 random bytes for this connection; the other end announces transactions under it.
            ephemeral_secret: 32 random bytes for this connection.
            expected: the identity that was dialled, None to take anyone.
        """
        if len(announcement_key) != ANNOUNCEMENT_KEY_BYTES or len(local.peer_record) > PEER_RECORD_BYTES_MAX:
            raise LocalProtocolError(
                f"an announcement key has {ANNOUNCEMENT_KEY_BYTES}, a peer record at most {PEER_RECORD_BYTES_MAX} bytes"
            )
        self._local = local
        self._initiator = initiator
        self._announcement_key = announcement_key
        self._expected = expected
        self._noise = HandshakeState(
            initiator=initiator,
            prologue=_prologue(local.genesis_hash),
            static_secret=local.static_secret,
            static_public=local.introduction(0 if initiator else 1)[0],
            ephemeral_secret=ephemeral_secret,
        )
        self._preamble_seen = False
        self._outgoing = preamble(local.genesis_hash)
        self.peer = PeerId(b"")
        self.announcement_key = b""
        self.peer_record = b""
        if initiator:
            self._write(b"")

    def is_complete(self) -> bool:
        """Tell whether the other end is known and `split` may be called."""
        return self._noise.is_complete()

    def data_to_send(self) -> bytes:
        """Return the bytes that wait to be sent, once."""
        data, self._outgoing = self._outgoing, b""
        return data

    def receive(self, data: bytes) -> int:
        """Take what it can use from the front of `data`, and return how many bytes that were.

        What follows the last handshake message belongs to the records.

        Raises:
            WrongNetworkError: the preamble is of another network or protocol.
            WrongVersionError: the preamble is of another version.
            HandshakeMessageError: a message is too large, or message 1 has a payload.
            CryptoError: a message does not authenticate.
            NoiseMessageError: a message is too short.
            CodecError: a payload is malformed.
            BadIdentityError: the identity did not sign the static key.
            SelfConnectionError: the identity is this node's own.
            UnexpectedPeerError: the identity is not the expected one.
        """
        place = 0
        if not self._preamble_seen:
            if not self._check_preamble(data[:PREAMBLE_BYTES]):
                return 0
            self._preamble_seen = True
            place = PREAMBLE_BYTES
        while not self.is_complete() and len(data) - place >= 2:
            size = int.from_bytes(data[place : place + 2], "big")
            if size > HANDSHAKE_MESSAGE_BYTES_MAX:
                raise HandshakeMessageError(
                    f"a handshake message of {size} bytes, at most {HANDSHAKE_MESSAGE_BYTES_MAX} allowed"
                )
            end = place + 2 + size
            if len(data) < end:
                break
            self._read(data[place + 2 : end])
            place = end
        return place

    def split(self) -> tuple[CipherState, CipherState]:
        """Return the ciphers for sending and for receiving."""
        return self._noise.split()

    def _check_preamble(self, received: bytes) -> bool:
        """Tell whether the preamble has arrived in full; a wrong byte is refused as soon as it is seen."""
        own = preamble(self._local.genesis_hash)
        if received[:_MAGIC_BYTES] != own[: min(len(received), _MAGIC_BYTES)]:
            raise WrongNetworkError(
                f"the other end begins with {received[:_MAGIC_BYTES].hex()}, this network with "
                f"{own[:_MAGIC_BYTES].hex()}: it is on another network; compare the genesis files"
            )
        if len(received) < PREAMBLE_BYTES:
            return False
        if received != own:
            raise WrongVersionError(
                f"the other end speaks version {received[_MAGIC_BYTES]} of the protocol, this node version "
                f"{PROTOCOL_VERSION}: the older of the two must be upgraded"
            )
        return True

    def _read(self, message: bytes) -> None:
        payload = self._noise.read_message(message)
        if not self._noise.remote_static:  # message 1: the initiator cannot yet say who it is
            if payload:
                raise HandshakeMessageError("the first handshake message has a payload, in clear")
        else:
            self._check_identity(decode(_PAYLOAD, payload, _PAYLOAD_BYTES_MAX))
        if not self.is_complete():
            self._write(self._own_payload())

    def _write(self, payload: bytes) -> None:
        message = self._noise.write_message(payload)
        self._outgoing += len(message).to_bytes(2, "big") + message

    def _own_payload(self) -> bytes:
        local = self._local
        _, signature = local.introduction(0 if self._initiator else 1)
        return encode(_PAYLOAD, _Payload(local.public_key, signature, self._announcement_key, local.peer_record))

    def _check_identity(self, payload: _Payload) -> None:
        local, identity = self._local, PeerId(payload.identity)
        role = 1 if self._initiator else 0
        signed = _signed(local.genesis_hash, role, self._noise.remote_static)
        if not local.scheme.verify(identity, signed, payload.signature):
            raise BadIdentityError(f"{short(identity)} did not sign the key of this connection")
        if identity == local.public_key:
            raise SelfConnectionError("the other end is this node itself")
        if self._expected is not None and identity != self._expected:
            raise UnexpectedPeerError(f"dialled {short(self._expected)}, but {short(identity)} answered")
        self.peer = identity
        self.announcement_key = payload.announcement_key
        self.peer_record = payload.peer_record


def _signed(genesis_hash: GenesisHash, role: int, static_public: bytes) -> bytes:
    return signed_bytes("handshake", genesis_hash, bytes([role]) + static_public)
