"""A chain of headers over changing validators, from docs/protocol/chain.md and finality.md."""

import json

from . import chain, curve, votes
from .document import read
from .plain import encode, need
from .trees import ZERO, digest, proven_root


class Follower:
    """Follows blocks from genesis, with nothing but their headers, proofs and what is proven of the state."""

    def __init__(self, genesis_json, genesis_header):
        told = json.loads(genesis_json)
        self.blocks = told["parameters"]["epoch_blocks"]
        self.genesis = chain.genesis_hash(genesis_json)
        members = sorted((bytes.fromhex(each["public_key"]), each["stake_minor"]) for each in told["validators"])
        founding = chain.read_validators(encode(tuple(members)))
        self.sets = {0: founding, 1: founding}
        self.seeds, self.growing, self.starts, self.time_ms = {0: self.genesis}, self.genesis, {}, 0
        self.header, self.hash = read("header", genesis_header), digest(genesis_header)
        state_root = self.header["state_root"]
        expected = (1, self.genesis, 0, 0, ZERO, ZERO, told["time_ms"], ZERO, ZERO, state_root, *[founding[1]] * 2, b"")
        need(encode(expected) == genesis_header, "another header of height 0")

    def take(self, raw, proof, following):
        """Take the next block; `following`: the set that its epoch's end freezes, once it is known."""
        header, block_hash, transactions = chain.read_block(raw)
        for transaction in transactions:
            need(chain.read_transaction(transaction)["chain_id"] == self.genesis, "of another chain")
        need(header["genesis_hash"] == self.genesis and header["parent_hash"] == self.hash, "no child")
        need(header["height"] == self.header["height"] + 1 and header["time_ms"] > self.header["time_ms"], "place")
        epoch = header["epoch"]
        need(epoch == (header["height"] - 1) // self.blocks, "another epoch")
        members, set_hash, quorum = self.sets[epoch]
        need(header["validators_hash"] == set_hash, "another set")
        need(epoch + 1 not in self.sets or header["next_validators_hash"] == self.sets[epoch + 1][1], "another set")
        seal = read("seal", header["engine_data"])
        need(header["proposer"] == votes.leader(members, self.seeds[epoch], seal["view"]), "not the leader")
        alpha = self.seeds[epoch] + seal["view"].to_bytes(8, "big")
        output = curve.vrf_output(header["proposer"], alpha, seal["vrf"])
        need(output is not None and not seal["carrier"], "no random output")
        head = encode(chain.decode(raw)[0])
        votes.check_proof(head, proof, members, set_hash, quorum)
        self.time_ms += min(header["time_ms"] - self.header["time_ms"], 60_000)
        if epoch and self.header["height"] % self.blocks == 0:
            self.starts[epoch] = self.time_ms
        self.header, self.hash, self.growing = header, block_hash, digest(self.growing + output)
        if header["height"] % self.blocks == 0:
            self.seeds[epoch + 1] = self.growing
            if following is not None:
                self.sets[epoch + 2] = chain.read_validators(following)

    def proven(self, record):
        """Return the value of a record that is proven under the last header."""
        key, value = bytes.fromhex(record["key"]), bytes.fromhex(record["value"])
        proof = read("state proof", bytes.fromhex(record["proof"]))
        other = proof["other"] and tuple(proof["other"].values())
        need(proven_root(key, value, proof["siblings"], other) == self.header["state_root"], "not in the state")
        return value
