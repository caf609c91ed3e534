"""A post: what somebody published on a topic of an embedding application, signed by its origin.

The canonical array of version, topic, origin, sequence number, expiry, data and signature. The signature covers all
that stands before it, under the domain tag "post" and the genesis hash, so that a post is worth nothing on another
network. A post's id is the BLAKE2b-256 of its bytes.

Source: the networking specification (Gossip: the router moves opaque bytes with an id); the idea of an origin's
sequence number is that of libp2p's pubsub messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from p2pcommerce.primitives.codec import KEY, SIGNATURE, U64, Shape, blob, decode, encode, record, text, uint
from p2pcommerce.primitives.crypto import SignatureScheme, signed_bytes
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError
from p2pcommerce.primitives.ids import GenesisHash, PublicKey
from p2pcommerce.wire.topic_messages import POST_BYTES_MAX, TOPIC_BYTES_MAX

__all__ = ["POST_DATA_BYTES_MAX", "Post", "check_topic", "decode_post", "is_signed", "sign_post"]

POST_DATA_BYTES_MAX: Final = 16 * 1024
_VERSION: Final = 1
_DOMAIN: Final = "post"


@dataclass(frozen=True, slots=True)
class Post:
    """What was published.

    Attributes:
        version: 1.
        topic: its name, 1 to 64 bytes of UTF-8.
        origin: who published and signed it, 32 bytes.
        sequence: rises with each post of the origin; u64.
        expires_ms: Unix milliseconds from which on nobody passes it on.
        data: the application's bytes, at most 16 KiB.
        signature: 64 bytes.
        raw: the canonical bytes of all this.
    """

    version: int
    topic: str
    origin: PublicKey
    sequence: int
    expires_ms: int
    data: bytes
    signature: bytes
    raw: bytes = field(default=b"", compare=False, repr=False)


_FIELDS: Final[dict[str, Shape[Any]]] = {
    "version": uint(_VERSION, _VERSION),
    "topic": text(TOPIC_BYTES_MAX),
    "origin": KEY,
    "sequence": U64,
    "expires_ms": U64,
    "data": blob(POST_DATA_BYTES_MAX),
}
_SIGNED: Final[Shape[Any]] = record(tuple, **_FIELDS)
_POST: Final = record(Post, **_FIELDS, signature=SIGNATURE)


def check_topic(topic: str) -> None:
    """Say whether a topic can be named so.

    Raises:
        CodecError: it is empty, over 64 bytes of UTF-8, or holds what text on the wire may not.
    """
    if not topic:
        raise CodecError("a topic without a name")
    try:
        text(TOPIC_BYTES_MAX).read(topic)
    except CodecError as error:
        raise CodecError(f"the name of the topic {error}") from error


def _message(post: Post, genesis_hash: GenesisHash) -> bytes:
    return signed_bytes(_DOMAIN, genesis_hash, encode(_SIGNED, post))


def sign_post(
    scheme: SignatureScheme,
    seed: bytes,
    genesis_hash: GenesisHash,
    topic: str,
    data: bytes,
    sequence: int,
    expires_ms: int,
) -> Post:
    """Return a signed post.

    Args:
        scheme: signs.
        seed: the origin's secret, 32 bytes.
        genesis_hash: the network, 32 bytes.
        topic: at most 64 bytes of UTF-8.
        data: at most 16 KiB.
        sequence: above that of the origin's post before.
        expires_ms: Unix milliseconds.

    Raises:
        LocalProtocolError: the data is too large.
        CodecError: the topic's name will not do.
    """
    check_topic(topic)
    if len(data) > POST_DATA_BYTES_MAX:
        raise LocalProtocolError(
            f"a post of {len(data)} bytes, at most {POST_DATA_BYTES_MAX} allowed: send a reference"
        )
    origin = scheme.public_key(seed)
    bare = Post(_VERSION, topic, origin, sequence, expires_ms, data, b"")
    signed = replace(bare, signature=scheme.sign(seed, _message(bare, genesis_hash)))
    return replace(signed, raw=encode(_POST, signed))


def decode_post(raw: bytes) -> Post:
    """Return the post of untrusted bytes, its signature not checked.

    Raises:
        CodecError: it is malformed.
    """
    post = decode(_POST, raw, POST_BYTES_MAX)
    check_topic(post.topic)
    return replace(post, raw=raw)


def is_signed(scheme: SignatureScheme, genesis_hash: GenesisHash, post: Post) -> bool:
    """Tell whether the origin signed a post for this network (32 bytes)."""
    return scheme.verify(post.origin, _message(post, genesis_hash), post.signature)
