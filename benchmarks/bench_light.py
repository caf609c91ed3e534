"""A light client: how fast it follows epochs, and what a proof of finality costs.

Method: a chain of epochs is signed beforehand with real keys (Ed25519), each link with the signatures of a quorum and a
set that changes by one member; links go through their bytes, as they come from the wire. Times are CPU seconds of this
process, the best of `--runs`.

    python benchmarks/bench_light.py [--json] [--epochs 1000] [--validators 21] [--signatures 100] [--runs 3]

Required: 1,000 epochs of 21 validators in under 5 s; a certificate with 100 signatures in at most 6.6 KiB, verified in
under 6 ms.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from p2pcommerce.finality.certificates import CERTIFICATE, Certificate, Vote, VoteVerifier, make_certificate
from p2pcommerce.finality.proof import encode_proof
from p2pcommerce.finality.voting import VOTE_DOMAIN, Ballot, VoteKind
from p2pcommerce.ledger.block import BLOCK_VERSION, Header
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.node.epoch_links import EpochLink, decode_link, encode_link
from p2pcommerce.node.light import LightClient
from p2pcommerce.primitives.codec import encode
from p2pcommerce.primitives.crypto import ED25519, blake2b_256, signed_bytes
from p2pcommerce.primitives.ids import ZERO_HASH, BlockHash, Epoch, GenesisHash, Height, PublicKey, Stake

FOLLOW_S_MAX = 5.0
CERTIFICATE_BYTES_MAX = 6_758
VERIFY_MS_MAX = 6.0
TIME_MS = 1_700_000_000_000


def seed_of(number: int) -> bytes:
    """Return the key seed of a member."""
    return blake2b_256(b"member %d" % number)


class Chain:
    """Epochs with real signatures."""

    def __init__(self, validators: int) -> None:
        """Found a network of so many validators."""
        self._keys: dict[int, PublicKey] = {}
        self._seeds: dict[PublicKey, bytes] = {}
        self._validators = validators
        parameters = ChainParameters()
        self.blocks = parameters.epoch_blocks
        self.genesis = Genesis.new("bench", self.set_of(0).validators, time_ms=TIME_MS, parameters=parameters)

    def set_of(self, epoch: int) -> ValidatorSet:
        """Return the validators of an epoch."""
        first = max(epoch - 1, 0)
        for number in range(first, first + self._validators):
            if number not in self._keys:
                self._keys[number] = ED25519.public_key(seed_of(number))
                self._seeds[self._keys[number]] = seed_of(number)
        members = [self._keys[number] for number in range(first, first + self._validators)]
        return ValidatorSet.of([Validator(key, Stake(1_000)) for key in members])

    def certificate(self, epoch: int, block_hash: BlockHash, count: int | None = None) -> Certificate:
        """Return the certificate of a block, signed by a quorum or by `count`."""
        validators = self.set_of(epoch)
        ballot = Ballot(epoch, 12_345, VoteKind.FINALIZE, block_hash)
        message = signed_bytes(VOTE_DOMAIN, self.genesis.hash, ballot.data)
        quorum = 2 * self._validators // 3 + 1 if count is None else count
        keys = validators.keys
        votes = [Vote(ballot, n, ED25519.sign(self._seeds[keys[n]], message)) for n in range(quorum)]
        return make_certificate(votes, validators)

    def link(self, epoch: int) -> bytes:
        """Return a link's bytes."""
        following = self.set_of(epoch + 1)
        header = Header(
            version=BLOCK_VERSION,
            genesis_hash=GenesisHash(self.genesis.hash),
            epoch=Epoch(epoch),
            height=Height((epoch + 1) * self.blocks),
            parent_hash=BlockHash(blake2b_256(b"parent")),
            proposer=self.set_of(epoch).keys[0],
            time_ms=TIME_MS + epoch * 3_600_000,
            tx_root=ZERO_HASH,
            receipts_root=ZERO_HASH,
            state_root=ZERO_HASH,
            validators_hash=self.set_of(epoch).hash,
            next_validators_hash=following.hash,
            engine_data=bytes(130),
        )
        finality = encode_proof(self.certificate(epoch, header.hash), ())
        return encode_link(EpochLink(header, finality, following.validators))


def best_s(runs: int, work: Callable[[], None]) -> float:
    """Return the least CPU seconds of some runs."""
    times = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Return every figure with its unit."""
    chain = Chain(options.validators)
    links = [chain.link(epoch) for epoch in range(options.epochs)]

    def follow() -> None:
        client = LightClient.of(chain.genesis)
        for link in map(decode_link, links):
            client.follow([link], link.header.time_ms * 1_000)  # as they come: an anchor of weeks ago is too old
        if client.epoch != options.epochs:
            raise SystemExit(f"it came to epoch {client.epoch} only")

    follow_s = best_s(options.runs, follow)
    large = Chain(options.signatures)
    certificate = large.certificate(0, BlockHash(blake2b_256(b"block")), options.signatures)

    def verify() -> None:
        VoteVerifier(large.genesis.validators, large.genesis.hash, ED25519).check(certificate)

    verify_ms = best_s(max(options.runs, 20), verify) * 1e3
    return {
        "follow": {"value": round(follow_s, 3), "unit": "s CPU", "required": FOLLOW_S_MAX},
        "epochs": {"value": options.epochs, "unit": "epochs"},
        "validators": {"value": options.validators, "unit": "validators"},
        "epoch": {"value": round(follow_s / options.epochs * 1e3, 3), "unit": "ms CPU"},
        "link": {"value": round(sum(map(len, links)) / len(links)), "unit": "bytes, mean"},
        "certificate": {
            "value": len(encode(CERTIFICATE, certificate)),
            "unit": "bytes",
            "required": CERTIFICATE_BYTES_MAX,
        },
        "signatures": {"value": options.signatures, "unit": "signatures"},
        "verify": {"value": round(verify_ms, 2), "unit": "ms CPU", "required": VERIFY_MS_MAX},
    }


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="What following a network without a node costs.")
    parser.add_argument("--epochs", type=int, default=1_000)
    parser.add_argument("--validators", type=int, default=21)
    parser.add_argument("--signatures", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    result = measure(options)
    if options.json:
        print(json.dumps(result))
        return 0
    for name, figure in result.items():
        if isinstance(figure, dict):
            required = f" (required: {figure['required']})" if "required" in figure else ""
            print(f"{name:>12}  {figure['value']} {figure['unit']}{required}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
