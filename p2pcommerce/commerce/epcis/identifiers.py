"""GS1 identifiers: EPC URNs and GS1 Digital Link URIs, one canonical form for both, and their check digits.

The canonical form is the constrained canonical Digital Link of the event hash: `https://id.gs1.org`, numeric keys, no
query string, and the one qualifier that identifies most finely. Whatever is no GS1 identifier (a `geo:` URI, a `urn:`
of another scheme, an EPC scheme without a GS1 key such as `gid` or `adi`) passes through unchanged.
This room does not know which trade items exist, and asks no resolver.

Source: GS1 EPC Tag Data Standard 2.0, section 6 (EPC URIs); GS1 Digital Link URI Syntax 1.2, sections 4 and 4.11; GS1
General Specifications, section 7.9 (check digit); CBV 2.0, Event Hash ID, rules 17 and 18.
Deviations: check digits are not demanded when a URI is made canonical, so that an event with a mistyped key still has
one hash; `parse_sgtin`, `parse_lgtin` and `parse_sscc`, which lead to ledger ids, demand them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote

from p2pcommerce.commerce.gtin import check_digit, is_gtin14, is_sscc18
from p2pcommerce.primitives.errors import UsageError

__all__ = [
    "CANONICAL_DOMAIN",
    "IdentifierError",
    "Lgtin",
    "Sgtin",
    "canonical_uri",
    "check_digit",
    "is_gtin14",
    "is_sscc18",
    "parse_lgtin",
    "parse_sgtin",
    "parse_sscc",
    "to_epc_urn",
]

CANONICAL_DOMAIN = "https://id.gs1.org"
"""Where every canonical Digital Link lives."""

SERIAL_CHARS_MAX = 20
"""Longest serial or lot number. Source: GS1 General Specifications, AI (21) and AI (10)."""


class IdentifierError(UsageError):
    """An identifier is not of the kind that is asked for, or its check digit is wrong."""

    code = "BAD_IDENTIFIER"


class Sgtin(NamedTuple):
    """One trade item: GTIN-14 (14 digits, right check digit) and serial (1 to 20 characters, not escaped)."""

    gtin14: str
    serial: str


class Lgtin(NamedTuple):
    """One lot of a trade item: GTIN-14 (14 digits, right check digit) and lot (1 to 20 characters, not escaped)."""

    gtin14: str
    lot: str


@dataclass(frozen=True, slots=True)
class _UrnRule:
    """How an EPC scheme maps to a GS1 key.

    Attributes:
        key: numeric application identifier of the key.
        fields: number of dot-separated fields of the URN; the last one may itself contain dots.
        body_digits: digits of company prefix and reference together, without the check digit.
        indicator_first: the reference's first digit goes before the company prefix (GTIN and SSCC).
        qualifier: application identifier of the serial, empty when the serial is joined to the key.
    """

    key: str
    fields: int
    body_digits: int
    indicator_first: bool = False
    qualifier: str = ""


_URN_RULES = {
    "sgtin": _UrnRule("01", 3, 13, indicator_first=True, qualifier="21"),
    "lgtin": _UrnRule("01", 3, 13, indicator_first=True, qualifier="10"),
    "upui": _UrnRule("01", 3, 13, indicator_first=True, qualifier="235"),
    "itip": _UrnRule("8006", 5, 13, indicator_first=True, qualifier="21"),
    "sscc": _UrnRule("00", 2, 17, indicator_first=True),
    "sgln": _UrnRule("414", 3, 12, qualifier="254"),
    "pgln": _UrnRule("417", 2, 12),
    "grai": _UrnRule("8003", 3, 12),
    "gdti": _UrnRule("253", 3, 12),
    "sgcn": _UrnRule("255", 3, 12),
    "gsrn": _UrnRule("8018", 2, 17),
    "gsrnp": _UrnRule("8017", 2, 17),
    "gsin": _UrnRule("402", 2, 16),
}
_JOINED_SCHEMES = {"giai": "8004", "ginc": "401"}
"""Schemes whose reference is free text behind the company prefix, without a check digit."""

_ALIASES = {
    "sscc": "00", "gtin": "01", "gdti": "253", "gcn": "255", "ginc": "401", "gsin": "402", "gln": "414",
    "party": "417", "grai": "8003", "giai": "8004", "itip": "8006", "cpid": "8010", "gsrnp": "8017", "gsrn": "8018",
    "cpv": "22", "lot": "10", "ser": "21", "tpx": "235", "glnx": "254", "cpsn": "8011", "srin": "8019",
}  # fmt: skip
"""Convenience names of Digital Link 1.2 (deprecated since, but still printed on goods)."""

_X82 = r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]"
_COMPANY_PREFIX = re.compile(r"[0-9]{4,12}")
_KEY_VALUES = {
    "00": re.compile(r"[0-9]{18}"),
    "01": re.compile(r"[0-9]{14}|[0-9]{12,13}|[0-9]{8}"),
    "253": re.compile(rf"[0-9]{{13}}{_X82}{{0,17}}"),
    "255": re.compile(r"[0-9]{13,25}"),
    "401": re.compile(rf"[0-9]{{4}}{_X82}{{0,26}}"),
    "402": re.compile(r"[0-9]{17}"),
    "414": re.compile(r"[0-9]{13}"),
    "417": re.compile(r"[0-9]{13}"),
    "8003": re.compile(rf"0[0-9]{{13}}{_X82}{{0,16}}"),
    "8004": re.compile(rf"[0-9]{{4}}{_X82}{{0,26}}"),
    "8006": re.compile(r"[0-9]{18}"),
    "8010": re.compile(r"[0-9]{4}[#\-/0-9A-Z]{0,26}"),
    "8017": re.compile(r"[0-9]{18}"),
    "8018": re.compile(r"[0-9]{18}"),
}
_QUALIFIER_VALUES = {
    "10": re.compile(rf"{_X82}{{1,20}}"),
    "21": re.compile(rf"{_X82}{{1,20}}"),
    "22": re.compile(rf"{_X82}{{1,20}}"),
    "235": re.compile(rf"{_X82}{{1,28}}"),
    "254": re.compile(rf"{_X82}{{1,20}}"),
    "7040": re.compile(rf"{_X82}{{4}}"),
    "8011": re.compile(r"[0-9]{1,12}"),
    "8019": re.compile(r"[0-9]{1,10}"),
}
_QUALIFIERS = {
    "01": ("21", "235", "10", "22"),
    "414": ("254", "7040"),
    "417": ("7040",),
    "8004": ("7040",),
    "8006": ("21", "10", "22"),
    "8010": ("8011",),
    "8017": ("8019",),
    "8018": ("8019",),
}
"""Qualifiers that a key may carry, the finest first."""
_KEPT_QUALIFIERS = frozenset({"10", "21", "235", "254", "8011"})
_URN = re.compile(r"urn:epc:(id|class|idpat):([a-z]+):(.+)")
_LINK = re.compile(r"https?://[^/?#]+((?:/[^/?#]+)+)(?:[?#].*)?", re.IGNORECASE)


def _escaped(text: str) -> str:
    # The apostrophe stays as it is: the published reference strings of the hash leave it alone.
    return quote(text, safe="'", encoding="latin-1")


def _unescaped(text: str) -> str:
    # Latin-1 maps every byte to one character and back, so that odd escapes survive instead of being replaced.
    return unquote(text, encoding="latin-1")


def _link(key: str, value: str, qualifier: str = "", serial: str = "") -> str:
    end = f"/{qualifier}/{_escaped(serial)}" if qualifier and serial else ""
    return f"{CANONICAL_DOMAIN}/{key}/{_escaped(value)}{end}"


def canonical_uri(uri: str) -> str:
    """Return the constrained canonical Digital Link of a GS1 identifier, or `uri` unchanged when it is none.

    Args:
        uri: an EPC URN (`urn:epc:id:`, `urn:epc:class:`, `urn:epc:idpat:`), a Digital Link of any domain, or any text.
    """
    return _canonical(uri) or uri


def _canonical(uri: str) -> str | None:
    """Return the canonical Digital Link of a GS1 identifier, None when it is none."""
    urn = _URN.fullmatch(uri)
    if urn is not None:
        return _from_urn(urn[1], urn[2], urn[3]) if uri.isascii() else None
    link = _LINK.fullmatch(uri)
    if link is not None and link[1].isascii():
        return _from_link([_unescaped(part) for part in link[1][1:].split("/")])
    return None


def _from_urn(kind: str, scheme: str, rest: str) -> str | None:
    """Return the Digital Link of an EPC URN, None when the URN is not of its scheme's form."""
    if scheme == "cpi":
        return _from_cpi(kind, rest.split("."))
    if scheme in _JOINED_SCHEMES:
        prefix, _, reference = rest.partition(".")
        key, value = _JOINED_SCHEMES[scheme], prefix + _unescaped(reference)
        return _link(key, value) if reference and _KEY_VALUES[key].fullmatch(value) else None
    rule = _URN_RULES.get(scheme)
    if rule is None:
        return None
    fields = rest.split(".", rule.fields - 1)
    if len(fields) != rule.fields or not _COMPANY_PREFIX.fullmatch(fields[0]):
        return None
    serial = "" if rule.fields == 2 else _unescaped(fields[-1])
    if kind == "idpat":
        if serial != "*":
            return None
        serial = ""
    elif rule.fields > 2 and not serial:
        return None
    return _from_body(scheme, rule, fields, serial)


def _from_body(scheme: str, rule: _UrnRule, fields: list[str], serial: str) -> str | None:
    prefix, reference = fields[0], fields[1]
    body = reference[:1] + prefix + reference[1:] if rule.indicator_first else prefix + reference
    if len(body) != rule.body_digits or not body.isdigit() or not body.isascii():
        return None
    value = body + check_digit(body)
    if scheme == "grai":
        value = "0" + value
    if scheme == "itip":
        value += fields[2] + fields[3]
    if scheme == "sgln" and serial == "0":
        # By the EPC standard, extension 0 means the location itself.
        serial = ""
    if not rule.qualifier:
        value += serial
    elif serial and not _QUALIFIER_VALUES[rule.qualifier].fullmatch(serial):
        return None
    return _link(rule.key, value, rule.qualifier, serial) if _KEY_VALUES[rule.key].fullmatch(value) else None


def _from_cpi(kind: str, fields: list[str]) -> str | None:
    if len(fields) != 3 or not _COMPANY_PREFIX.fullmatch(fields[0]):
        return None
    value, serial = fields[0] + _unescaped(fields[1]), fields[2]
    if kind == "idpat" and serial == "*":
        serial = ""
    elif not _QUALIFIER_VALUES["8011"].fullmatch(serial):
        return None
    return _link("8010", value, "8011", serial) if _KEY_VALUES["8010"].fullmatch(value) else None


def _from_link(parts: list[str]) -> str | None:
    """Return the canonical link of a path, whose first parts may be a resolver's own; None when it holds no key."""
    for start in range(len(parts) - 1):
        key = _ALIASES.get(parts[start], parts[start])
        rule = _KEY_VALUES.get(key)
        tail = parts[start + 2 :]
        if rule is None or len(tail) % 2 or not rule.fullmatch(parts[start + 1]):
            continue
        value = parts[start + 1].zfill(14) if key == "01" else parts[start + 1]
        qualifiers = _link_qualifiers(key, tail)
        if qualifiers is not None:
            finest = next((q for q in _QUALIFIERS.get(key, ()) if q in qualifiers and q in _KEPT_QUALIFIERS), "")
            return _link(key, value, finest, qualifiers.get(finest, ""))
    return None


def _link_qualifiers(key: str, tail: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for place in range(0, len(tail), 2):
        qualifier = _ALIASES.get(tail[place], tail[place])
        if qualifier not in _QUALIFIERS.get(key, ()) or not _QUALIFIER_VALUES[qualifier].fullmatch(tail[place + 1]):
            return None
        found[qualifier] = tail[place + 1]
    return found


def _canonical_parts(uri: str, kind: str) -> list[str]:
    canonical = _canonical(uri.strip())
    if canonical is None:
        raise IdentifierError(f"{uri[:80]!a} is no GS1 identifier; give {kind} as EPC URN or GS1 Digital Link")
    return canonical[len(CANONICAL_DOMAIN) + 1 :].split("/")


def _qualified_gtin(uri: str, qualifier: str, kind: str) -> tuple[str, str]:
    parts = _canonical_parts(uri, kind)
    if len(parts) != 4 or parts[0] != "01" or parts[2] != qualifier:
        raise IdentifierError(f"{uri[:80]!a} is not {kind}")
    if not is_gtin14(parts[1]):
        raise IdentifierError(f"GTIN {parts[1]} has a wrong check digit: it must end in {check_digit(parts[1][:-1])}")
    return parts[1], _unescaped(parts[3])


def parse_sgtin(uri: str) -> Sgtin:
    """Return the GTIN-14 and the serial of a serialised trade item.

    Raises:
        IdentifierError: `uri` names something else, or the check digit is wrong.
    """
    return Sgtin(*_qualified_gtin(uri, "21", "a GTIN with a serial (SGTIN)"))


def parse_lgtin(uri: str) -> Lgtin:
    """Return the GTIN-14 and the lot of a lot of trade items.

    Raises:
        IdentifierError: `uri` names something else, or the check digit is wrong.
    """
    return Lgtin(*_qualified_gtin(uri, "10", "a GTIN with a lot (LGTIN)"))


def parse_sscc(uri: str) -> str:
    """Return the 18 digits of a logistic unit.

    Raises:
        IdentifierError: `uri` names something else, or the check digit is wrong.
    """
    parts = _canonical_parts(uri, "an SSCC")
    if len(parts) != 2 or parts[0] != "00":
        raise IdentifierError(f"{uri[:80]!a} is not an SSCC")
    if not is_sscc18(parts[1]):
        raise IdentifierError(f"SSCC {parts[1]} has a wrong check digit: it must end in {check_digit(parts[1][:-1])}")
    return parts[1]


def to_epc_urn(uri: str, prefix_digits: int) -> str:
    """Return the EPC URN of an SGTIN, LGTIN or SSCC.

    Args:
        uri: EPC URN or Digital Link.
        prefix_digits: length of the GS1 company prefix (6 to 12); a Digital Link does not say it.

    Raises:
        IdentifierError: the identifier is of another kind, its check digit is wrong, or the length is impossible.
    """
    if not 6 <= prefix_digits <= 12:
        raise IdentifierError(f"a company prefix has 6 to 12 digits, not {prefix_digits}")
    parts = _canonical_parts(uri, "an SGTIN, LGTIN or SSCC")
    if parts[0] == "00":
        sscc = parse_sscc(uri)
        return f"urn:epc:id:sscc:{sscc[1 : 1 + prefix_digits]}.{sscc[0]}{sscc[1 + prefix_digits : -1]}"
    is_lot = len(parts) == 4 and parts[2] == "10"
    gtin, suffix = parse_lgtin(uri) if is_lot else parse_sgtin(uri)
    kind = "class:lgtin" if is_lot else "id:sgtin"
    body = f"{gtin[1 : 1 + prefix_digits]}.{gtin[0]}{gtin[1 + prefix_digits : -1]}"
    escaped = quote(suffix, safe="!'()*+,:;=", encoding="latin-1")
    return f"urn:epc:{kind}:{body}.{escaped}"
