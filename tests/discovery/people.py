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


def where(number):
    """Return the address of a node: each is in an address group of its own."""
    return f"tcp://node{number}.example{number}.net:7400"


def record_of(number, *, addresses=None, sequence=1, life_us=7 * DAY, genesis_hash=GENESIS_HASH, now=START):
    places = (where(number),) if addresses is None else addresses
    return sign_record(ED25519, seed_of(number), genesis_hash, places, sequence, (now + life_us) // 1_000)
