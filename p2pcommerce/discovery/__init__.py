"""Floor 2: finding peers and keeping connections to them.

- `discovery`: the core: bootstrap, wanted peers, outbound and inbound places, peer exchange
- `address`: `tcp://host:port` and `memory://name`
- `record`: the signed peer record
- `book`: the bounded address book and its file
- `exchange`: the limits of peer exchange
- `dialling`: addresses being dialled or resting, and the backoff
- `selection`: whom to dial next
- `duplicate`: which of two connections with one peer stays
- `parameters`, `effects`: the numbers, and what it wants done
"""

from p2pcommerce.discovery.address import Address, AddressError, parse_address
from p2pcommerce.discovery.book import Book, BookError
from p2pcommerce.discovery.discovery import Discovery
from p2pcommerce.discovery.duplicate import keep_new
from p2pcommerce.discovery.effects import CloseOne, Dial, Effect, SaveBook, SendTo, Which
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.discovery.record import (
    PeerRecord,
    RecordAddressError,
    RecordError,
    RecordExpiredError,
    RecordNetworkError,
    RecordOwnerError,
    RecordSignatureError,
    RecordTooLargeError,
    RecordTooLongLivedError,
    check_record,
    decode_record,
    sign_record,
)

__all__ = [
    "Address",
    "AddressError",
    "Book",
    "BookError",
    "CloseOne",
    "Dial",
    "Discovery",
    "DiscoveryParameters",
    "Effect",
    "PeerRecord",
    "RecordAddressError",
    "RecordError",
    "RecordExpiredError",
    "RecordNetworkError",
    "RecordOwnerError",
    "RecordSignatureError",
    "RecordTooLargeError",
    "RecordTooLongLivedError",
    "SaveBook",
    "SendTo",
    "Which",
    "check_record",
    "decode_record",
    "keep_new",
    "parse_address",
    "sign_record",
]
