"""Blobs: CPU of fetching them from another node over TCP with encryption.

Method: two nodes of one process; one puts blobs, the other fetches each, checks it, and stores it durably. CPU is that
of the process: both ends, their disks and ciphers included, the puts not. The floor is the CPU of what cannot be left
out, measured in the same run: sealing and opening the bytes once with the transport's cipher, and hashing them four
times (the whole and its chunks where they are read, and again where they arrive).

    python benchmarks/bench_blobs.py [--json] [--blobs 16] [--bytes 8388608] [--runs 3]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
import time
from pathlib import Path

import trio

from p2pcommerce import Genesis, Identity, NodeConfig, open_node
from p2pcommerce.primitives.crypto import aead_open, aead_seal

RECORD_BYTES = 16_366
HASHED = 4


def config_of(folder: Path, name: str, genesis: Genesis, identity: Identity) -> NodeConfig:
    """Return the configuration of one node."""
    return NodeConfig(
        identity=identity,
        genesis=genesis,
        data_dir=folder / name,
        listen=("tcp://127.0.0.1:0",),
        control=False,
        log_file=False,
    )


async def fetch(folder: Path, blobs: list[bytes]) -> float:
    """Return the CPU seconds of fetching all blobs."""
    one, other = Identity.generate(), Identity.generate()
    genesis = Genesis.local("bench", {one.public_key: 10**9}, engine="solo")
    server = config_of(folder, "server", genesis, one)
    client = config_of(folder, "client", genesis, other)
    async with open_node(server) as here, open_node(client) as there:
        hashes = [await here.put_blob(blob) for blob in blobs]
        await there.get_blob(await here.put_blob(b"hello"), providers=here.listen_addresses)
        begun = time.process_time()
        for blob_hash, blob in zip(hashes, blobs, strict=True):
            if await there.get_blob(blob_hash) != blob:
                raise SystemExit("a blob came back changed")
        return time.process_time() - begun


def floor_s(blobs: list[bytes]) -> float:
    """Return the CPU seconds of sealing, opening and hashing alone."""
    key, nonce = bytes(32), bytes(12)
    begun = time.process_time()
    for blob in blobs:
        for start in range(0, len(blob), RECORD_BYTES):
            aead_open(key, nonce, b"", aead_seal(key, nonce, b"", blob[start : start + RECORD_BYTES]))
        for _ in range(HASHED):
            hashlib.sha256(blob).digest()
    return time.process_time() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--blobs", type=int, default=16, help="how many (default 16)")
    parser.add_argument("--bytes", type=int, default=8 * 2**20, help="of each (default 8388608, the cap)")
    parser.add_argument("--runs", type=int, default=3, help="the best counts (default 3)")
    options = parser.parse_args()
    rng = random.Random(1)
    blobs = [rng.randbytes(options.bytes) for _ in range(options.blobs)]
    times = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            times.append(trio.run(fetch, Path(folder), blobs))
    mib = options.blobs * options.bytes / 2**20
    floor = min(floor_s(blobs) for _ in range(options.runs))
    figures = {
        "benchmark": "blobs",
        "blobs": options.blobs,
        "bytes": options.bytes,
        "fetch_mib_per_cpu_s": round(mib / min(times), 1),
        "floor_mib_per_cpu_s": round(mib / floor, 1),
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
