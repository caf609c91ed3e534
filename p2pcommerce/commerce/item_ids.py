"""The ids of items, which are tagged.

    1 | issuer | gtin | serial    a serial
    2 | issuer | gtin | lot       a lot, with a quantity
    3 | packer | sscc             a logistic unit, whose number its first packer gave it
    4 | tx | index                a part of a lot, split off by a transaction

Source: "Traceability" of the commerce specification. GS1 General Specifications, figure 7.11-1 (the 82 characters of
serials and lots).
"""

from __future__ import annotations

import re
from typing import Final

from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.gtin import is_sscc18
from p2pcommerce.commerce.product import ProductId
from p2pcommerce.primitives.codec import blob
from p2pcommerce.primitives.ids import PUBLIC_KEY_BYTES, PublicKey, TransactionId

__all__ = [
    "ITEM_ID",
    "SERIAL_CHARS_MAX",
    "is_lot",
    "is_unit",
    "lot_id",
    "part_id",
    "require_serial",
    "require_unit",
    "serial_id",
    "unit_id",
]

SERIAL_CHARS_MAX: Final = 20
ITEM_ID_BYTES_MAX: Final = 96
ITEM_ID: Final = blob(ITEM_ID_BYTES_MAX, 1)
_SERIAL_TAG: Final = b"\x01"
_LOT_TAG: Final = b"\x02"
_UNIT_TAG: Final = b"\x03"
_PART_TAG: Final = b"\x04"
_SERIAL: Final = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}")


def require_serial(serial: str) -> None:
    """Demand a serial or lot number: 1 to 20 of the 82 characters that GS1 allows.

    Raises:
        FormatError: it is none.
    """
    if _SERIAL.fullmatch(serial) is None:
        raise FormatError("a serial or lot is 1 to 20 of the characters that GS1 allows (ASCII, no space)")


def serial_id(product: ProductId, serial: str) -> bytes:
    """Return the id (at most 67 bytes) of a serial."""
    return _SERIAL_TAG + product.key + serial.encode("ascii")


def lot_id(product: ProductId, lot: str) -> bytes:
    """Return the id (at most 67 bytes) of a lot."""
    return _LOT_TAG + product.key + lot.encode("ascii")


def unit_id(packer: PublicKey, sscc: str) -> bytes:
    """Return the id (51 bytes) of a logistic unit, whose number has 18 digits."""
    return _UNIT_TAG + packer + sscc.encode("ascii")


def part_id(tx_id: TransactionId, index: int) -> bytes:
    """Return the id (35 bytes) of the part of a lot that a transaction split off at an index from 0."""
    return _PART_TAG + tx_id + index.to_bytes(2, "big")


def is_unit(item_id: bytes) -> bool:
    """Tell whether an id is that of a logistic unit."""
    return item_id[:1] == _UNIT_TAG


def is_lot(item_id: bytes) -> bool:
    """Tell whether an id is that of a lot or of a part of one."""
    return item_id[:1] in {_LOT_TAG, _PART_TAG}


def require_unit(item_id: bytes) -> None:
    """Demand the id of a logistic unit: the tag, an account, and 18 digits of which the last checks the others.

    Raises:
        FormatError: it is none.
    """
    if not is_unit(item_id) or not is_sscc18(item_id[1 + PUBLIC_KEY_BYTES :].decode("ascii", "replace")):
        raise FormatError(
            "the parent is the id of a logistic unit: 3, its packer, and an SSCC with a right check digit"
        )
