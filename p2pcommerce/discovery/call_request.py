"""A signed request to be dialled: how it is made and checked.

It names its target and its time, and carries the requester's own record: what may be dialled for it is in that record
and nowhere else, so that nobody can have others dialled in somebody else's name.

Source: the discovery section of the networking specification (reverse dialling through a mutual peer).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from p2pcommerce.discovery.record import PeerRecord, check_owner, check_record, decode_record
from p2pcommerce.primitives.codec import pack
from p2pcommerce.primitives.crypto import SignatureScheme, signed_bytes
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import GenesisHash, PeerId
from p2pcommerce.wire.messages import CallBack

__all__ = ["CALL_LIFE_MS", "CallSignatureError", "check_call", "is_fresh", "sign_call"]

CALL_LIFE_MS: Final = 60_000
"""A request counts so long before and after its time: passing it on takes less than a second, clocks differ."""
_DOMAIN: Final = "call-back"


class CallSignatureError(RemoteProtocolError):
    """A request to be dialled that the owner of its record did not sign."""

    code = "CALL_SIGNATURE"


def _message(genesis_hash: GenesisHash, target: bytes, issued_ms: int, record: bytes) -> bytes:
    return signed_bytes(_DOMAIN, genesis_hash, pack((target, issued_ms, record)))


def sign_call(
    sign: Callable[[bytes], bytes], genesis_hash: GenesisHash, target: PeerId, issued_ms: int, record: bytes
) -> CallBack:
    """Return a request.

    Args:
        sign: signs bytes with the key of the record's owner, 64 bytes.
        genesis_hash: this network, 32 bytes.
        target: who is to dial, 32 bytes.
        issued_ms: Unix milliseconds.
        record: this node's own, as signed.
    """
    return CallBack(target, issued_ms, record, sign(_message(genesis_hash, target, issued_ms, record)))


def is_fresh(call: CallBack, now: int) -> bool:
    """Tell whether a request counts now (microseconds)."""
    return abs(call.issued_ms - now // 1_000) <= CALL_LIFE_MS


def check_call(
    call: CallBack, scheme: SignatureScheme, genesis_hash: GenesisHash, now: int, requester: PeerId | None = None
) -> PeerRecord:
    """Return the record of a request's sender after checking both; the cheap checks come first.

    Args:
        call: untrusted.
        scheme: the network's signature scheme.
        genesis_hash: this network, 32 bytes.
        now: microseconds.
        requester: who it must be, 32 bytes; None: anybody.

    Raises:
        CodecError: the record is malformed.
        RecordError: it is not good, or not the requester's; `RecordExpiredError` is nobody's fault.
        CallSignatureError: the request is not signed by the record's owner.
    """
    parsed = decode_record(call.peer_record)
    check_owner(parsed, requester)
    check_record(parsed, scheme, genesis_hash, now)
    message = _message(genesis_hash, call.target, call.issued_ms, call.peer_record)
    if not scheme.verify(parsed.public_key, message, call.signature):
        raise CallSignatureError("a request to be dialled with a bad signature")
    return parsed
