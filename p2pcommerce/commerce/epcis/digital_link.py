"""GS1 Digital Links of goods: in, from any domain, and out, at the canonical one; and EPC URNs of the same goods.

    https://id.gs1.org/01/09520001000010/21/7     a serial
    https://shop.example/p/01/9520001000010/10/L  a lot, with the GTIN-13 that is printed on it
    https://id.gs1.org/00/095200010000000010      a logistic unit
    urn:epc:id:sgtin:9520001.000001.7             the serial again

Compressed links, in which one piece of text stands for all keys, are refused and not guessed at.

Source: GS1 Digital Link URI Syntax 1.2, sections 4 and 5; GS1 Digital Link, Compression, section 4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from p2pcommerce.commerce.epcis.identifiers import (
    CANONICAL_DOMAIN,
    IdentifierError,
    canonical_uri,
    parse_lgtin,
    parse_sgtin,
    parse_sscc,
)
from p2pcommerce.commerce.gtin import gtin14_of, is_sscc18

__all__ = ["Goods", "parse_goods", "write_link"]

_COMPRESSED = re.compile(
    r"https?://[^/?#]+(?:/[^/?#]+)*/(?=[0-9_\-]*[A-Za-z])[A-Za-z0-9_\-]{10,}/?(?:[?#].*)?", re.IGNORECASE
)
_GTIN_ONLY = re.compile(rf"{re.escape(CANONICAL_DOMAIN)}/01/([0-9]+)")


@dataclass(frozen=True, slots=True, order=True)
class Goods:
    """What an identifier names: a serial, a lot, a logistic unit, or a product as such.

    Attributes:
        gtin14: 14 digits; empty for a logistic unit.
        serial: 1 to 20 characters, or empty.
        lot: 1 to 20 characters, or empty.
        sscc: 18 digits, or empty.
    """

    gtin14: str = ""
    serial: str = ""
    lot: str = ""
    sscc: str = ""


def parse_goods(uri: str) -> Goods:
    """Return what a Digital Link of any domain, or an EPC URN, names.

    Raises:
        IdentifierError: it names no goods, is compressed, or a check digit is wrong; the message says what is wrong.
    """
    text = uri.strip()
    link = canonical_uri(text)
    if link.startswith(f"{CANONICAL_DOMAIN}/00/"):
        return Goods(sscc=parse_sscc(link))
    if link.startswith(f"{CANONICAL_DOMAIN}/01/"):
        if "/21/" in link[len(CANONICAL_DOMAIN) + 4 :]:
            return Goods(*parse_sgtin(link))
        if "/10/" in link[len(CANONICAL_DOMAIN) + 4 :]:
            gtin14, lot = parse_lgtin(link)
            return Goods(gtin14, lot=lot)
        gtin = _GTIN_ONLY.fullmatch(link)
        if gtin is not None:
            return Goods(_checked_gtin(gtin[1]))
    if _COMPRESSED.fullmatch(text):
        raise IdentifierError(f"{text[:80]!a} is a compressed Digital Link; give it uncompressed, as /01/.../21/...")
    raise IdentifierError(
        f"{text[:80]!a} is no GTIN with a serial or lot, and no SSCC; give a Digital Link or an EPC URN"
    )


def _checked_gtin(digits: str) -> str:
    try:
        return gtin14_of(digits)
    except ValueError as error:
        raise IdentifierError(str(error)) from None


def write_link(goods: Goods, domain: str = CANONICAL_DOMAIN) -> str:
    """Return the uncompressed Digital Link of goods.

    Args:
        goods: what is named; a GTIN of 8, 12 or 13 digits is written as fourteen.
        domain: where its resolver is, with `https://` and without a slash behind; may have a path.

    Raises:
        IdentifierError: a check digit is wrong, or it names nothing.
    """
    if goods.sscc:
        if not is_sscc18(goods.sscc):
            raise IdentifierError(f"{goods.sscc[:40]!a} is no SSCC of 18 digits with a right check digit")
        return f"{domain}/00/{goods.sscc}"
    base = f"{domain}/01/{_checked_gtin(goods.gtin14)}"
    if goods.serial:
        return f"{base}/21/{quote(goods.serial, safe='')}"
    return f"{base}/10/{quote(goods.lot, safe='')}" if goods.lot else base
