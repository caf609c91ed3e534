"""CBV vocabulary: bare strings, CBV URNs and CURIEs become the one Web URI that the event hash is made of.

`receiving`, `urn:epcglobal:cbv:bizstep:receiving`, `cbv:BizStep-receiving` and
`https://ref.gs1.org/cbv/BizStep-receiving` are the same word. This room does not hold the lists of words: a bare
string in a vocabulary field is expanded whether or not the CBV of today knows it, so that a newer word hashes alike.

Source: CBV 2.0, Event Hash ID, rules 14 to 16; the EPCIS 2.0 JSON-LD context (standard prefixes).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from p2pcommerce.commerce.epcis.identifiers import canonical_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STANDARD_PREFIXES", "Vocabulary", "canonical_text", "canonical_word", "expand_curie", "local_word"]

CBV = "https://ref.gs1.org/cbv/"
GS1_VOC = "https://gs1.org/voc/"

STANDARD_PREFIXES: Mapping[str, str] = {
    "cbv": CBV,
    "cbvmda": "urn:epcglobal:cbv:mda:",
    "epcis": "https://ref.gs1.org/epcis/",
    "gs1": GS1_VOC,
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
}
"""Prefixes that a document may use without declaring them. Source: the EPCIS 2.0 JSON-LD context."""


class Vocabulary(Enum):
    """A standard vocabulary; the value is what stands before its bare words in a Web URI."""

    BUSINESS_STEP = CBV + "BizStep-"
    DISPOSITION = CBV + "Disp-"
    TRANSACTION_TYPE = CBV + "BTT-"
    SOURCE_DESTINATION_TYPE = CBV + "SDT-"
    COMPONENT = CBV + "Comp-"
    MEASUREMENT = GS1_VOC
    """Sensor measurement types and alert types, which live in the GS1 Web Vocabulary."""


_URN_NAMES = {
    "bizstep": CBV + "BizStep-",
    "disp": CBV + "Disp-",
    "btt": CBV + "BTT-",
    "sdt": CBV + "SDT-",
    "er": CBV + "ER-",
    "comp": CBV + "Comp-",
}
_URN = re.compile(r"urn:epcglobal:cbv:(bizstep|disp|btt|sdt|er|comp):([A-Za-z0-9_]+)")
_CURIE = re.compile(r"([A-Za-z_][A-Za-z0-9_.\-]*):(?!//)(\S+)")
_BARE = re.compile(r"[A-Za-z0-9_\-]+")


def expand_curie(text: str, prefixes: Mapping[str, str]) -> str:
    """Return the full URI of a CURIE whose prefix is declared or standard, any other text unchanged."""
    curie = _CURIE.fullmatch(text)
    if curie is None:
        return text
    namespace = prefixes.get(curie[1], STANDARD_PREFIXES.get(curie[1]))
    return text if namespace is None else namespace + curie[2]


def canonical_text(text: str, prefixes: Mapping[str, str]) -> str:
    """Return a text value as it is hashed: CBV URN, CURIE and GS1 identifier in canonical form, other text as it is.

    Args:
        text: without surrounding white space.
        prefixes: the prefixes that the document declares, to their namespaces.
    """
    urn = _URN.fullmatch(text)
    if urn is not None:
        return _URN_NAMES[urn[1]] + urn[2]
    return canonical_uri(expand_curie(text, prefixes))


def canonical_word(vocabulary: Vocabulary, text: str, prefixes: Mapping[str, str]) -> str:
    """Return the Web URI of a word of a vocabulary field (without surrounding white space), in whatever form it is."""
    return vocabulary.value + text if _BARE.fullmatch(text) else canonical_text(text, prefixes)


def local_word(vocabulary: Vocabulary, text: str, prefixes: Mapping[str, str]) -> str:
    """Return the bare word of a vocabulary field, or the full URI of a word from somebody else's vocabulary."""
    return canonical_word(vocabulary, text.strip(), prefixes).removeprefix(vocabulary.value)
