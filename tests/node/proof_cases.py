"""The claims of the benchmark, for tests of proofs: one builder makes both."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _load():
    spec = importlib.util.spec_from_file_location("proof_load", ROOT / "benchmarks" / "proof_load.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


proof_load = _load()
ProofLoad, key_of, digest = proof_load.ProofLoad, proof_load.key_of, proof_load.digest
EPOCH, GTIN, SERIAL = proof_load.EPOCH, proof_load.GTIN, proof_load.SERIAL
