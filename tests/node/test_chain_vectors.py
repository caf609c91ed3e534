"""A chain over three epochs, pinned: founded, built, certified, crossed by a carrier, with validators that change.

`python -m tests.node.test_chain_vectors` writes the file anew; a change of it is a change of the chain's rules.
"""

import dataclasses

from p2pcommerce.commerce import Bond, Commerce, Transfer
from p2pcommerce.commerce.wallet import build_transaction
from p2pcommerce.finality import Simplex
from p2pcommerce.finality.certificates import Vote, make_certificate
from p2pcommerce.finality.leader import pick_leader
from p2pcommerce.finality.proof import encode_proof
from p2pcommerce.finality.simplex.justify import Justify
from p2pcommerce.finality.simplex.messages import Seal, encode_seal, vrf_input
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.block import decode_block
from p2pcommerce.ledger.epochs import founding_state, seed_in, set_key, sets_in
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.node.chain import Chain, genesis_header
from p2pcommerce.node.epochs import EpochRules
from p2pcommerce.primitives.codec import encode
from p2pcommerce.primitives.crypto import ED25519, blake2b_256, signed_bytes
from p2pcommerce.primitives.sparse_merkle import STATE_PROOF
from tests.vector_files import load, save

TOKEN = 1_000_000
BLOCKS = 3
SEEDS = {ED25519.public_key(seed): seed for seed in (blake2b_256(b"validator %d" % number) for number in range(3))}
RICH = blake2b_256(b"somebody with money")
GENESIS = Genesis.new(
    "chain vectors",
    {key: stake * TOKEN for key, stake in zip(sorted(SEEDS), (4, 3, 3), strict=True)},
    {ED25519.public_key(RICH): 1_000 * TOKEN},
    time_ms=1_700_000_000_000,
    parameters=dataclasses.replace(ChainParameters.local(), epoch_blocks=BLOCKS),
)
HEIGHT = 2 * BLOCKS + 2
RECORDS = {
    "candidates": b"\x00c",
    "validators of epoch 2": set_key(2),
    "validators of epoch 3": set_key(3),
    "seed of epoch 1": b"\x00s" + (1).to_bytes(4, "big"),
    "seed of epoch 2": b"\x00s" + (2).to_bytes(4, "big"),
    "seed that grows": b"\x00r",
    "start of epoch 2": b"\x00t" + (2).to_bytes(4, "big"),
    "chain time": b"\x00k",
    "lowest epoch": b"\x00l",
}


class Story:
    """Builds and certifies block after block; the views of each epoch are numbered from 1."""

    def __init__(self):
        self.engine = Simplex(ED25519)
        application = Commerce()
        state = VersionedState(founding_state(GENESIS, application.genesis(GENESIS)))
        self.header = genesis_header(GENESIS, state.final.root)
        self.genesis_header = self.header
        self.chain = Chain(application, GENESIS, ED25519, state, self.header, b"", EpochRules(GENESIS, self.engine))
        self.view, self.justify = 0, Justify(None, None)
        self.blocks = []

    def certificate(self, kind, block_hash, epoch):
        validators, votes = self.chain.sets(epoch), []
        ballot = Ballot(epoch, self.view, kind, block_hash)
        for index, key in enumerate(validators.keys):
            signature = ED25519.sign(SEEDS[key], signed_bytes("vote", GENESIS.hash, ballot.data))
            votes.append(Vote(ballot, index, signature))
        return make_certificate(votes, validators)

    def seal(self, epoch, *, carrier=False):
        """Return the leader of the next view, and its seal."""
        self.view += 1
        seed = seed_in(self.chain.state.final, epoch)
        leader = pick_leader(self.chain.sets(epoch), seed, self.view)
        proof = ED25519.vrf_prove(SEEDS[leader], vrf_input(seed, self.view))
        return leader, encode_seal(Seal(self.view, self.view - 1, self.justify.hash, proof, carrier))

    def go_on(self, *transactions):
        epoch = self.chain.rules.epoch(self.header.height + 1)
        leader, seal = self.seal(epoch)
        executed = self.chain.build(
            self.header,
            proposer=leader,
            epoch=epoch,
            time_ms=self.header.time_ms + 500,
            seal=seal,
            transactions=transactions,
        ).executed
        header, between = executed.block.header, ()
        self.justify = Justify(self.certificate(VoteKind.NOTARIZE, header.hash, epoch), None)
        if header.height == BLOCKS:
            leader, seal = self.seal(epoch, carrier=True)
            carrier = self.chain.carry(header, proposer=leader, time_ms=header.time_ms + 500, seal=seal)
            between = (carrier.block.header,)
        final = self.certificate(VoteKind.FINALIZE, (*between, header)[0].hash, epoch)
        proof = encode_proof(final, between)
        self.chain.finalize(header.hash, proof)
        assert self.engine.verify(header, proof, self.chain.sets)
        self.header = header
        self.blocks.append({"bytes": executed.block.raw.hex(), "proof": proof.hex()})
        if self.chain.rules.ends_epoch(header.height):
            self.view, self.justify = 0, Justify(None, None)


def transactions(height):
    """Return what stands in a block: a payment, and stake that counts two epochs later."""
    to, strong = ED25519.public_key(b"2" * 32), min(SEEDS)
    payloads = {1: Transfer(to, TOKEN), 2: Bond(strong, 5 * TOKEN), 4: Transfer(to, 2 * TOKEN)}
    nonce = [*payloads].index(height) if height in payloads else 0
    return [build_transaction(payloads[height], GENESIS, RICH, nonce, 100)] if height in payloads else []


def vectors():
    story = Story()
    for height in range(1, HEIGHT + 1):
        story.go_on(*transactions(height))
    state = story.chain.state
    return {
        "genesis": GENESIS.to_json(),
        "genesis_header": story.genesis_header.raw.hex(),
        "blocks": story.blocks,
        "records": {
            name: {
                "key": key.hex(),
                "value": state.values[key].hex(),
                "proof": encode(STATE_PROOF, state.final.tree.prove(key)).hex(),
            }
            for name, key in RECORDS.items()
        },
    }


def test_the_bytes_are_those_of_the_file():
    assert vectors() == load("chain")


def test_the_pinned_blocks_are_executed_again_by_who_did_not_build_them():
    story = Story()
    chain, pinned = story.chain, load("chain")
    for each in pinned["blocks"]:
        block = decode_block(bytes.fromhex(each["bytes"]))
        assert chain.add(block)
        chain.execute(block.hash, lambda _: False, lambda _: None)
        assert story.engine.verify(block.header, bytes.fromhex(each["proof"]), chain.sets)
        chain.finalize(block.hash, bytes.fromhex(each["proof"]))
    assert chain.head.height == HEIGHT
    first, third = (sets_in(chain.state.final)(epoch) for epoch in (1, 2))
    assert first != third


if __name__ == "__main__":
    save("chain", vectors())
