"""The order of effects does not depend on the hash seed of the interpreter."""

import os
import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tests.gossip.test_senders import run

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "from tests.gossip.test_determinism import digest; print(digest())"


def digest():
    rng = random.Random(5)
    return sha256(run(3, [rng.randrange(1_000) for _ in range(600)]).encode()).hexdigest()


def digest_under(hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_effects_are_the_same_under_any_hash_seed():
    assert digest_under(1) == digest_under(2) == digest()
