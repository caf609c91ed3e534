"""What items were made of: the links of provenance.

A transaction that splits a lot or transforms items leaves one record of origin, under its own id, to which the items
that it made refer. Histories and records of origin together lead back to where goods
began.

Source: "Traceability" of the commerce specification.
Deviations: the links are one record per transaction and not a copy in each item that it made: 64 inputs and 256 outputs
would be 16,384 links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.item import ITEM_ID
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.primitives.codec import HASH, array, record_of

__all__ = ["LINKS_MAX", "LINK_BYTES", "ORIGIN", "ORIGIN_BYTES", "Link", "Origin"]

LINKS_MAX: Final = 64
"""Items that others are made of at once. Source: the specification's limit of ids."""
ORIGIN_BYTES: Final = 48
LINK_BYTES: Final = 136


@dataclass(frozen=True, slots=True)
class Link:
    """An item that others were made of.

    Attributes:
        item: its id, at most 96 bytes.
        head: of its history when they were made, that entry included; 32 bytes.
    """

    item: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """What a transaction made new items of; its id is the transaction's (32 bytes).

    Attributes:
        sources: the lot that was split, or the inputs of the transformation, in its order.
    """

    sources: tuple[Link, ...]


ORIGIN: Final = Kind(
    "origin",
    b"\x20",
    record_of(Origin, sources=array(record_of(Link, item=ITEM_ID, head=HASH), LINKS_MAX, 1)),
    size=lambda origin: ORIGIN_BYTES + LINK_BYTES * len(origin.sources),
)
