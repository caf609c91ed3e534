"""Peer records, pinned. `python -m tests.discovery.test_vectors` writes the file anew."""

import pytest

from p2pcommerce.discovery.address import AddressError, parse_address
from p2pcommerce.discovery.record import RecordError, check_record, decode_record, sign_record
from p2pcommerce.primitives.crypto import ED25519, blake2b_256
from p2pcommerce.primitives.ids import GenesisHash
from tests.vector_files import load, save

GENESIS = GenesisHash(bytes(range(32)))
SEED = bytes([7]) * 32
NOW_MS = 1_700_000_000_000
DAY_MS = 86_400_000
RECORDS = {
    "three addresses": (
        ("tcp://192.0.2.7:7400", "tcp://[2001:db8::7]:7400", "tcp://seed.example:7400"),
        1,
        14 * DAY_MS,
        "",
    ),
    "no address": ((), 2, 14 * DAY_MS, ""),
    "expired": ((), 3, 0, "PEER_RECORD_EXPIRED"),
    "too long-lived": ((), 4, 15 * DAY_MS + 1, "PEER_RECORD_LIFE"),
    "of another network": ((), 5, DAY_MS, "PEER_RECORD_NETWORK"),
    "badly signed": ((), 6, DAY_MS, "PEER_RECORD_SIGNATURE"),
}
ADDRESSES = (
    "tcp://192.0.2.7:7400", "tcp://[2001:DB8:0::7]:7400", "tcp://Seed.Example:07400", "memory://alice",
    "tcp://[::ffff:192.0.2.7]:7400", "tcp://a.b.example.org:1", "tcp://127.0.0.1:7400", "tcp://192.0.2.256:7400",
    "tcp://192.0.2.7", "tcp://2001:db8::7:7400", "udp://192.0.2.7:7400", "tcp://192.0.2.7:65536", "tcp://-a.example:1",
    "tcp://0.0.0.0:7400", "tcp://[::]:7400", "tcp://a.example:0", "tcp://1.2.3:1", "tcp://a.7:1", "tcp://010.0.0.1:1",
    "tcp://[fe80::1%eth0]:1", "tcp://[::1]:1", "tcp://[1:0:0:2::]:1", "tcp://example.org.:1", "tcp://a_b.example:1",
    "tcp://bücher.example:1", "tcp://:1", "tcp://[::1]1", "tcp://a.example:", "tcp://a.example:+1", "memory://A",
    "memory://a.b_c-9", "memory://", "tcp://" + "a" * 64 + ".example:1", "tcp://" + "a" * 63 + ".example:1", "nowhere",
)  # fmt: skip


def address(text):
    try:
        place = parse_address(text)
    except AddressError:
        return None
    return {"canonical": str(place), "can_be_dialled": place.can_be_dialled}


def record(name):
    addresses, sequence, life_ms, _ = RECORDS[name]
    network = GenesisHash(blake2b_256(b"other")) if name == "of another network" else GENESIS
    made = sign_record(ED25519, SEED, network, addresses, sequence, NOW_MS + life_ms).raw
    return made[:-1] + bytes([made[-1] ^ 1]) if name == "badly signed" else made


def vectors():
    return {
        "genesis_hash": GENESIS.hex(),
        "seed": SEED.hex(),
        "now_ms": NOW_MS,
        "records": {name: {"bytes": record(name).hex(), "refused": refused} for name, (*_, refused) in RECORDS.items()},
        "addresses": {text: address(text) for text in ADDRESSES},
    }


def test_the_bytes_are_those_of_the_file():
    assert vectors() == load("discovery")


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_the_file_counts_or_is_refused_by_its_code(name):
    parsed = decode_record(bytes.fromhex(load("discovery")["records"][name]["bytes"]))
    refused = RECORDS[name][3]
    if not refused:
        check_record(parsed, ED25519, GENESIS, NOW_MS * 1_000)
        return
    with pytest.raises(RecordError) as caught:
        check_record(parsed, ED25519, GENESIS, NOW_MS * 1_000)
    assert caught.value.code == refused


if __name__ == "__main__":
    save("discovery", vectors())
