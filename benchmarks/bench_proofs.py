"""Offline proofs: how large they are, whether they fit one QR code, and what checking one costs.

Method: proofs are made of claims with real keys and signatures (`proof_load`): an item whose events three parties
signed in turn, a Simplex header, a certificate that every validator signed, a state tree of a given depth. Sizes are
exact; the cost is CPU milliseconds of this process, the best of `--runs`. `full_bytes` is the full form for a verifier
with the same anchor: without a single link.

    python benchmarks/bench_proofs.py [--json] [--runs 20]

Required: 6 events, 21 validators and depth 20 in at most 2,953 bytes (a QR code of version 40-L in the byte mode), and
as text in at most 4,296 characters (the same code in the alphanumeric mode).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Final

from proof_load import ProofLoad, key_of

from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.node.compact import Claim
from p2pcommerce.node.proof import Proof, make_compact_proof, make_proof, verify_proof

QR_BYTES_MAX: Final = 2_953
QR_CHARACTERS_MAX: Final = 4_296
CASES: Final = (
    (6, 21, 20, 0),
    (6, 21, 20, 1),
    (1, 21, 20, 0),
    (9, 21, 20, 0),
    (12, 21, 20, 0),
    (24, 21, 20, 0),
    (6, 4, 20, 0),
    (24, 4, 20, 0),
    (6, 21, 10, 0),
    (6, 21, 30, 0),
    (6, 100, 20, 0),
)
"""Events, validators, depth, blocks between the item's and the certificate's."""


def verify_ms(proof: Proof, load: ProofLoad, runs: int) -> float:
    """Return the least CPU milliseconds of checking a proof."""
    times = []
    for _ in range(runs):
        begun = time.process_time()
        verify_proof(proof.raw, load.anchor)
        times.append(time.process_time() - begun)
    return min(times) * 1e3


def full_bytes(claim: Claim) -> int:
    """Return the bytes of the full form without links."""
    key, value, state = claim.key, claim.value, claim.state
    return len(make_proof(claim.engine, claim.header, claim.finality, key, value, state, claim.history).raw)


def row(claim: Claim, load: ProofLoad, runs: int) -> dict[str, object]:
    """Return the figures of one claim."""
    proof = make_compact_proof(claim, load.validators)
    return {
        "bytes": len(proof.raw),
        "characters": len(proof.text),
        "fits_as_bytes": len(proof.raw) <= QR_BYTES_MAX,
        "fits_as_text": len(proof.text) <= QR_CHARACTERS_MAX,
        "full_bytes": full_bytes(claim),
        "verify_ms_cpu": round(verify_ms(proof, load, runs), 2),
    }


def measure(runs: int) -> dict[str, object]:
    """Return every figure."""
    rows = []
    for events, validators, depth, descendants in CASES:
        load = ProofLoad(validators)
        claim = load.claim(events, depth, signatures=validators, descendants=descendants)
        about = {"events": events, "validators": validators, "depth": depth, "descendants": descendants}
        rows.append(about | row(claim, load, runs))
    load = ProofLoad(21)
    balance = load.claim_of(ACCOUNT.key(key_of("maker")), ACCOUNT.write(Account(5_000_000, 7)), signatures=21)
    asked = rows[0]
    return {
        "item": {"value": asked["bytes"], "unit": "bytes", "required": QR_BYTES_MAX},
        "item_text": {"value": asked["characters"], "unit": "characters", "required": QR_CHARACTERS_MAX},
        "balance": row(balance, load, runs),
        "items": rows,
    }


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="How large offline proofs are.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    result = measure(options.runs)
    if options.json:
        print(json.dumps(result))
        return 0
    for name, figure in result.items():
        for line in figure if isinstance(figure, list) else [figure]:
            print(name, *(f"{key}={value}" for key, value in line.items()) if isinstance(line, dict) else ())
    return 0


if __name__ == "__main__":
    sys.exit(main())
