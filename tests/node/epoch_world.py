"""A chain of epochs made by hand: validator sets that change, headers, certificates, links, and one state."""

from __future__ import annotations

from dataclasses import replace

from p2pcommerce.finality.certificates import Vote, make_certificate
from p2pcommerce.finality.proof import encode_proof
from p2pcommerce.finality.voting import VOTE_DOMAIN, Ballot, VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.node.epoch_links import EpochLink
from p2pcommerce.node.light import LightClient
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from p2pcommerce.primitives.ids import ZERO_HASH
from p2pcommerce.primitives.sparse_merkle import SparseMerkleTree

from .accounts import KEYED, seed_of

BLOCKS = 10
TIME_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
US = 1_000


class EpochWorld:
    """Epochs of ten blocks; each set has `members` validators, one of them new in each epoch."""

    def __init__(self, epochs=6, members=4, scheme=KEYED, state=None):
        self.scheme = scheme
        self.members = members
        self.state = {b"name": b"value"} if state is None else state
        self.tree = SparseMerkleTree.EMPTY.update(self.state)
        self.seeds = {}
        first = self.set_of(0)
        parameters = replace(ChainParameters(), epoch_blocks=BLOCKS)
        self.genesis = Genesis.new("epochs", first.validators, time_ms=TIME_MS, parameters=parameters)
        self.links = []
        for epoch in range(epochs):
            header = self.header(epoch, (epoch + 1) * BLOCKS)
            self.links.append(EpochLink(header, self.certify(header), self.set_of(epoch + 1).validators))

    @property
    def anchor(self):
        return TrustAnchor.of(self.genesis)

    @property
    def now(self):
        """An hour after the last link, microseconds."""
        return (TIME_MS + (len(self.links) + 1) * HOUR_MS) * US

    def client(self, *, epoch_blocks=BLOCKS, **more):
        """Return a light client; one with longer epochs takes the heights above for those of the first one."""
        return LightClient(replace(self.anchor, epoch_blocks=epoch_blocks), scheme=self.scheme, **more)

    def set_of(self, epoch):
        # As the ledger has it, the second set is the genesis set too.
        first = max(epoch - 1, 0)
        validators = []
        for number in range(first, first + self.members):
            seed = seed_of(f"member {number}")
            key = self.scheme.public_key(seed)
            self.seeds[key] = seed
            validators.append(Validator(key, 1))
        return ValidatorSet.of(validators)

    def header(self, epoch, height, **more):
        fields = {
            "version": 1,
            "genesis_hash": self.genesis.hash,
            "epoch": epoch,
            "height": height,
            "parent_hash": blake2b_256(b"parent"),
            "proposer": self.set_of(epoch).keys[0],
            "time_ms": TIME_MS + epoch * HOUR_MS + height,
            "tx_root": ZERO_HASH,
            "receipts_root": ZERO_HASH,
            "state_root": self.tree.root,
            "validators_hash": self.set_of(epoch).hash,
            "next_validators_hash": self.set_of(epoch + 1).hash,
            "engine_data": b"",
        }
        return Header(**(fields | more))

    def certify(self, header, *, view=None, signers=None, epoch=None):
        """Return a proof that a header is final, signed by a quorum of its epoch's set."""
        epoch = header.epoch if epoch is None else epoch
        validators = self.set_of(epoch)
        ballot = Ballot(epoch, header.height if view is None else view, VoteKind.FINALIZE, header.hash)
        message = signed_bytes(VOTE_DOMAIN, self.genesis.hash, ballot.data)
        count = validators.quorum if signers is None else signers
        votes = [Vote(ballot, n, self.scheme.sign(self.seeds[validators.keys[n]], message)) for n in range(count)]
        return encode_proof(make_certificate(votes, validators), ())
