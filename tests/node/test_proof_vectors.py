"""The bytes of compact proofs, pinned: what was printed once must be checked by every later version.

`python -m tests.node.test_proof_vectors` writes the file anew; a change of it is a change of the format, which then
needs another version.
"""

import json
from pathlib import Path

import pytest

from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.ledger.block import decode_header
from p2pcommerce.node.proof import make_compact_proof, subject_of, verify_proof, verify_proof_by_header
from p2pcommerce.node.trust import TrustAnchor

from .proof_cases import GTIN, SERIAL, ProofLoad, key_of

FILE = Path(__file__).parents[1] / "vectors" / "proof.json"
SUBJECTS = {
    "item": ("item", {"issuer": key_of("maker").hex(), "gtin": GTIN, "serial": SERIAL}),
    "descendant": ("item", {"issuer": key_of("maker").hex(), "gtin": GTIN, "serial": SERIAL}),
    "balance": ("balance", {"account": key_of("maker").hex()}),
    "absence": ("balance", {"account": key_of("nobody").hex()}),
    "carries_validators": ("balance", {"account": key_of("maker").hex()}),
}


def vectors():
    """Return what the file holds."""
    load, small = ProofLoad(21), ProofLoad(4)
    balance = small.claim_of(ACCOUNT.key(key_of("maker")), ACCOUNT.write(Account(5_000_000, 7)), depth=3)
    proofs = {
        "item": make_compact_proof(load.claim(6, signatures=21), load.validators),
        "descendant": make_compact_proof(small.claim(3, depth=1, descendants=2), small.validators),
        "balance": make_compact_proof(balance, small.validators),
        "absence": make_compact_proof(small.claim_of(ACCOUNT.key(key_of("nobody")), None, depth=3), small.validators),
        "carries_validators": make_compact_proof(balance, small.validators, carries_validators=True),
    }
    return {
        "anchors": {str(len(each.validators)): json.loads(each.anchor.to_json()) for each in (load, small)},
        "header": balance.header.raw.hex(),
        "proofs": {name: {"raw": proof.raw.hex(), "text": proof.text} for name, proof in proofs.items()},
    }


PINNED = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def test_the_bytes_are_those_of_the_file():
    assert vectors() == PINNED


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_proofs_of_the_file_hold(name):
    anchor = TrustAnchor.from_json(json.dumps(PINNED["anchors"]["21" if name == "item" else "4"]))
    subject = subject_of(*SUBJECTS[name])
    forms = PINNED["proofs"][name]
    first, second = (
        verify_proof(form, anchor, subject=subject) for form in (bytes.fromhex(forms["raw"]), forms["text"])
    )
    assert first == second
    assert len(first.history) == {"item": 6, "descendant": 3}.get(name, 0)
    assert (first.value is None) == (name == "absence")


def test_the_header_of_the_file_is_enough_for_a_proof_that_carries_its_validators():
    header = decode_header(bytes.fromhex(PINNED["header"]))
    assert verify_proof_by_header(PINNED["proofs"]["carries_validators"]["text"], header).header == header


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
