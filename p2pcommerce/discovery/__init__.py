"""Floor 2: finding peers and keeping connections to them.

- `discovery`: the core: what comes in, and what follows from it
- `address`: `tcp://host:port` and `memory://name`; `group`: what addresses of one hand have in common
- `record`: the signed peer record; `source`: who told of it; `intake`: its way into the book
- `book`: the address book; `entry`: one peer of it; `buckets`: where it lies; `contests`: test before evict;
  `book_file`: the book on disk; `saving`: when
- `asking`, `telling`, `exchange`: whom this node asks for records and whom it tells, and the limits of both
- `dial_plan`: whom to dial now; `selection`: whom of the book; `dialling`: addresses being dialled or resting
- `connections`: who is connected; `duplicate`: which of two connections with one peer stays
- `eviction`: who makes room; `guests`: who finds none, and may ask for records before it is closed
- `observed`, `reach`: at which address others see this node, and whether they reach it; `advertised`: what it says
- `reverse`: a node that nobody can dial dials out; `call_request`: the signed request to do so
- `seed_text`: what the TXT records of a DNS seed hold; `beacon`: datagrams of the local network
- `parameters`, `effects`: the numbers, and what it wants done
"""

from p2pcommerce.discovery.address import Address, AddressError, parse_address
from p2pcommerce.discovery.advertised import advertised
from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.book_file import BOOK_BYTES_MAX, BookError
from p2pcommerce.discovery.discovery import Discovery
from p2pcommerce.discovery.duplicate import keep_new
from p2pcommerce.discovery.effects import CloseOne, Dial, Effect, SaveBook, SendTo, TakeGuest, Which
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
from p2pcommerce.discovery.source import Source

__all__ = [
    "BOOK_BYTES_MAX",
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
    "Source",
    "TakeGuest",
    "Which",
    "advertised",
    "check_record",
    "decode_record",
    "keep_new",
    "parse_address",
    "sign_record",
]
