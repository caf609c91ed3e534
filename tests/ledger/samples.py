"""A small chain's worth of fixed values: the tests of the ledger and the pinned vectors share them."""

from p2pcommerce.ledger.block import Block, Header, tx_root
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Event, Outcome, receipts_root
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.ledger.transaction import UnsignedTransaction, sign_transaction
from p2pcommerce.primitives.crypto import ED25519, blake2b_256
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import ZERO_HASH


def seed_of(number):
    return blake2b_256(b"ledger sample %d" % number)


def key_of(number):
    return ED25519.public_key(seed_of(number))


GENESIS = Genesis.local(
    "sample",
    {key_of(n): 1_000_000 * n for n in (1, 2, 3, 4)},
    {key_of(9): 5_000_000, key_of(8): 7},
    time_ms=1_700_000_000_000,
)


def unsigned(**changes):
    fields = {
        "chain_id": GENESIS.hash,
        "type": "token.transfer",
        "sender": key_of(9),
        "nonce": 0,
        "fee": 400,
        "expires_height": 100,
        "body": (key_of(8), 12_500, "Grüße"),
    }
    return UnsignedTransaction(**fields | changes)


PLAIN = sign_transaction(unsigned(), seed_of(9), ED25519)
SPONSORED = sign_transaction(
    unsigned(nonce=2**64 - 1, key=key_of(7), sponsor=key_of(8), sponsor_pays=True), seed_of(7), ED25519, seed_of(8)
)
OUTCOMES = (
    Outcome(RejectionCode.OK, (Event("token.transfer", (key_of(9), key_of(8))),)),
    Outcome(RejectionCode.NO_FUNDS, detail="the balance is 7"),
)
STATE = VersionedState({b"account/a": b"1", b"account/b": b"2", b"order/1": b"open"})


def header(**changes):
    fields = {
        "version": 1,
        "genesis_hash": GENESIS.hash,
        "epoch": 0,
        "height": 1,
        "parent_hash": ZERO_HASH,
        "proposer": key_of(1),
        "time_ms": 1_700_000_000_100,
        "tx_root": tx_root((PLAIN.id, SPONSORED.id)),
        "receipts_root": receipts_root(OUTCOMES),
        "state_root": STATE.final.root,
        "validators_hash": GENESIS.validators.hash,
        "next_validators_hash": GENESIS.validators.hash,
        "engine_data": b"engine",
    }
    return Header(**fields | changes)


BLOCK = Block(header(), (PLAIN.raw, SPONSORED.raw))
