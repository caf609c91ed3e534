"""Share links: a store, one of its listings and who recommends it, as a string that fits any channel.

    p2pcommerce:<172 characters>

No server resolves it and no registration precedes it: whoever has a node, or trusts one, finds from it the listing, the
goods' custody and the store's rating, and orders with the referrer named. A checksum catches what a person or a
messenger spoils; it proves nothing, and need not: the string only names what the chain is asked for, and a referrer
cannot be stopped from naming itself.

The characters are those of base 32 in lower case; upper case is read, too (QR codes store it shorter), and so are
spaces and line breaks that a messenger put in.

    version 1 | chain id 32 | store 32 | listing 4 | referrer 32 or zeros | checksum 6      107 bytes

Source: "Referral" of the commerce specification; RFC 4648 section 6 (base 32).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import ZERO_HASH, GenesisHash, PublicKey

__all__ = ["SHARE_LINK_CHARS_MAX", "ShareLink", "ShareLinkError", "read_share_link", "write_share_link"]

PREFIX: Final = "p2pcommerce:"
SHARE_LINK_CHARS_MAX: Final = 512
"""Characters that are looked at, spaces included: a link has 184."""
_VERSION: Final = b"\x01"
_CHECKSUM_BYTES: Final = 6
_BYTES: Final = 1 + 32 + 32 + 4 + 32 + _CHECKSUM_BYTES
_CHARS: Final = -(-_BYTES * 8 // 5)
_PADDING: Final = "=" * (-_CHARS % 8)


class ShareLinkError(UsageError):
    """A string that is no share link, or was spoilt on its way."""

    code = "SHARE_LINK"


@dataclass(frozen=True, slots=True)
class ShareLink:
    """What a share link names.

    Attributes:
        chain_id: genesis hash of the network, 32 bytes.
        store: account, 32 bytes.
        listing: number of the store's listing.
        referrer: who recommends it; account, 32 bytes; None: nobody.
    """

    chain_id: GenesisHash
    store: PublicKey
    listing: int
    referrer: PublicKey | None = None


def write_share_link(link: ShareLink) -> str:
    """Return the string (184 characters) of a share link.

    Raises:
        ShareLinkError: a field is out of range.
    """
    referrer = ZERO_HASH if link.referrer is None else link.referrer
    if not 0 <= link.listing < 2**32 or any(len(each) != 32 for each in (link.chain_id, link.store, referrer)):
        raise ShareLinkError("a share link has a listing from 0 to 2^32 - 1, and keys of 32 bytes")
    content = _VERSION + link.chain_id + link.store + link.listing.to_bytes(4, "big") + referrer
    encoded = base64.b32encode(content + _checksum(content)).decode("ascii")
    return PREFIX + encoded[:_CHARS].lower()


def read_share_link(text: str) -> ShareLink:
    """Read a share link from untrusted text.

    Raises:
        ShareLinkError: it is none, or was spoilt; the message says what is wrong.
    """
    if len(text) > SHARE_LINK_CHARS_MAX:
        raise ShareLinkError(f"a share link has {len(PREFIX) + _CHARS} characters, this has {len(text)}")
    plain = "".join(text.split()).lower()
    if not plain.startswith(PREFIX):
        raise ShareLinkError(f'a share link begins with "{PREFIX}"')
    encoded = plain[len(PREFIX) :]
    if len(encoded) != _CHARS:
        raise ShareLinkError(f"{_CHARS} characters follow the prefix of a share link, here {len(encoded)} do")
    try:
        data = base64.b32decode(encoded.upper() + _PADDING)
    except ValueError as error:
        raise ShareLinkError("a share link has the letters a to z and the digits 2 to 7 only") from error
    content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if checksum != _checksum(content) or base64.b32encode(data)[:_CHARS].decode("ascii").lower() != encoded:
        raise ShareLinkError("the checksum of the share link is wrong: a character was changed on its way")
    if content[:1] != _VERSION:
        raise ShareLinkError(f"the share link is of version {content[0]}, and this program reads version 1")
    referrer = content[69:101]
    return ShareLink(
        GenesisHash(content[1:33]),
        PublicKey(content[33:65]),
        int.from_bytes(content[65:69], "big"),
        None if referrer == ZERO_HASH else PublicKey(referrer),
    )


def _checksum(content: bytes) -> bytes:
    return blake2b_256(b"p2pcommerce/share-link" + content)[:_CHECKSUM_BYTES]
