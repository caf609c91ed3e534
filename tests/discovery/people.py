"""Nodes with real keys and records for the tests of discovery."""

from p2pcommerce.discovery import sign_record
from p2pcommerce.primitives.crypto import ED25519, blake2b_256

GENESIS_HASH = blake2b_256(b"discovery tests")
SECOND = 1_000_000
DAY = 86_400 * SECOND
START = 1_700_000_000 * SECOND


def seed_of(number):
    return blake2b_256(b"node %d" % number)


def key_of(number):
    return ED25519.public_key(seed_of(number))


def record_of(number, *, addresses=None, sequence=1, life_us=7 * DAY, genesis_hash=GENESIS_HASH, now=START):
    where = (f"tcp://node{number}.example:7400",) if addresses is None else addresses
    return sign_record(ED25519, seed_of(number), genesis_hash, where, sequence, (now + life_us) // 1_000)
