"""Products: what a GTIN of an issuer means.

The key is (issuer, gtin), so that nobody squats a GTIN for the whole network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.gtin import GTIN_CHARS, is_gtin14
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import URI_BYTES_MAX, Rights, acting_for
from p2pcommerce.primitives.codec import HASH, KEY, Shape, maybe, record_of, text
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey

__all__ = [
    "GTIN",
    "PRODUCT",
    "PRODUCT_ID",
    "Product",
    "ProductId",
    "ProductSet",
    "require_gtin",
]

PRODUCT_BYTES: Final = 216
GTIN: Final = text(GTIN_CHARS)


@dataclass(frozen=True, slots=True, order=True)
class ProductId:
    """The name of a product.

    Attributes:
        issuer: account, 32 bytes.
        gtin14: 14 digits.
    """

    issuer: PublicKey
    gtin14: str

    @property
    def key(self) -> bytes:
        """The id in the state, 46 bytes."""
        return self.issuer + self.gtin14.encode("ascii")


PRODUCT_ID: Final[Shape[ProductId]] = record_of(ProductId, issuer=KEY, gtin14=GTIN)


@dataclass(frozen=True, slots=True)
class Product:
    """One product; its id is `ProductId.key`. The fields are those of `ProductSet`."""

    content_hash: bytes
    uri: str


PRODUCT: Final = Kind(
    "product",
    b"\x06",
    record_of(Product, content_hash=HASH, uri=text(URI_BYTES_MAX)),
    size=lambda _: PRODUCT_BYTES,
)


def require_gtin(gtin14: str) -> None:
    """Demand a GTIN-14.

    Raises:
        FormatError: not 14 digits, or the check digit is wrong.
    """
    if not is_gtin14(gtin14):
        raise FormatError("a gtin14 is 14 digits, of which the last is the check digit of the others")


@body("product.set", gtin14=GTIN, content_hash=HASH, uri=text(URI_BYTES_MAX), store=maybe(KEY))
@dataclass(frozen=True, slots=True)
class ProductSet(Body):
    """Describe a product of the sender, or change its description.

    Attributes:
        gtin14: 14 digits.
        content_hash: SHA-256 of the description, 32 bytes.
        uri: where the description can be had, at most 128 bytes.
        store: for which an operator acts (CATALOG); None: the sender itself.
    """

    gtin14: str
    content_hash: bytes
    uri: str = ""
    store: PublicKey | None = None

    @override
    def check(self, rules: Rules) -> None:
        """The GTIN has a right check digit."""
        require_gtin(self.gtin14)

    @override
    def records(self) -> int:
        """The sender's account and the product."""
        return 2

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposit of a new product."""
        name = ProductId(self.store or call.sender, self.gtin14)
        return 0 if ledger.get(PRODUCT, name.key) is not None else PRODUCT_BYTES * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Write the product; see `Body.apply`."""
        issuer = acting_for(ledger, call.sender, self.store, Rights.CATALOG)
        name = ProductId(issuer, self.gtin14)
        ledger.put(PRODUCT, name.key, Product(self.content_hash, self.uri))
        return (call.sender, issuer, name.key)
