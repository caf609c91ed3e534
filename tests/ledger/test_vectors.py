"""The encodings and hashes of the ledger, pinned: a change of any of them is another network.

The file holds hexadecimal text; its inputs are in `samples`. Signatures of Ed25519 are deterministic (RFC 8032).

    python -m tests.ledger.test_vectors    # writes the file anew
"""

import json
from pathlib import Path

import pytest

from p2pcommerce.ledger.block import decode_block, decode_header
from p2pcommerce.ledger.receipt import OUTCOME, outcome_hash, receipts_root
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.primitives.codec import encode
from tests.ledger import samples

FILE = Path(__file__).parent.parent / "vectors" / "ledger.json"
VECTORS = json.loads(FILE.read_text(encoding="utf-8"))
PRESENT = {
    "genesis_hash": samples.GENESIS.hash,
    "validators_hash": samples.GENESIS.validators.hash,
    "transaction": samples.PLAIN.raw,
    "transaction_id": samples.PLAIN.id,
    "transaction_sponsored": samples.SPONSORED.raw,
    "transaction_sponsored_id": samples.SPONSORED.id,
    "header": samples.BLOCK.header.raw,
    "block_hash": samples.BLOCK.hash,
    "block": samples.BLOCK.raw,
    "tx_root": samples.BLOCK.header.tx_root,
    "outcome_ok": encode(OUTCOME, samples.OUTCOMES[0]),
    "outcome_ok_hash": outcome_hash(samples.OUTCOMES[0]),
    "outcome_failed": encode(OUTCOME, samples.OUTCOMES[1]),
    "outcome_failed_hash": outcome_hash(samples.OUTCOMES[1]),
    "receipts_root": receipts_root(samples.OUTCOMES),
    "state_root": samples.STATE.final.root,
}


@pytest.mark.parametrize("name", PRESENT)
def test_the_encoding_is_pinned(name):
    assert PRESENT[name].hex() == VECTORS[name]


def test_every_vector_is_checked():
    assert set(VECTORS) == set(PRESENT) | {"genesis_json"}


def test_the_genesis_file_is_pinned():
    assert samples.GENESIS.to_json() == VECTORS["genesis_json"]
    assert samples.Genesis.from_json(VECTORS["genesis_json"].encode()) == samples.GENESIS


def test_the_pinned_bytes_are_read_back():
    assert decode_transaction(bytes.fromhex(VECTORS["transaction"])) == samples.PLAIN
    assert decode_transaction(bytes.fromhex(VECTORS["transaction_sponsored"])) == samples.SPONSORED
    assert decode_header(bytes.fromhex(VECTORS["header"])) == samples.BLOCK.header
    assert decode_block(bytes.fromhex(VECTORS["block"])) == samples.BLOCK


if __name__ == "__main__":
    texts = {name: value.hex() for name, value in PRESENT.items()} | {"genesis_json": samples.GENESIS.to_json()}
    FILE.write_text(json.dumps({name: texts[name] for name in VECTORS}, indent=1) + "\n", encoding="utf-8")
