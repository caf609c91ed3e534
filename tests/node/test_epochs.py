"""Epochs in the chain of one node: what headers must say, and which blocks may end an epoch."""

import random

import pytest

from p2pcommerce.finality import Simplex
from p2pcommerce.finality.engine import Context
from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.simplex.messages import Seal, encode_seal
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.block import Block
from p2pcommerce.ledger.epochs import SystemKeyError, founding_state, seed_in
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.ledger.validators import ValidatorUpdate
from p2pcommerce.node.chain import Chain, genesis_header
from p2pcommerce.node.epochs import EpochRules
from p2pcommerce.node.execution import InvalidBlockError
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.errors import LocalProtocolError

from .accounts import seed_of
from .cluster import KEYED, make_genesis, replace
from .parts import CountingCommerce

BLOCKS = 3


class Staking(CountingCommerce):
    """Reports the changes of stake that a test asks for, and writes what it should not."""

    def __init__(self):
        super().__init__()
        self.updates = []
        self.key = None

    def end_block(self, state, context):
        super().end_block(state, context)
        if self.key is not None:
            state.put(self.key, b"mine")
        return self.updates


class Site:
    """A chain that follows epochs of three blocks, and every validator's key."""

    def __init__(self):
        genesis = make_genesis()
        self.genesis = replace(genesis, parameters=replace(genesis.parameters, epoch_blocks=BLOCKS))
        self.application = Staking()
        self.chain = self.open()
        self.seeds = {
            KEYED.public_key(seed_of(name)): seed_of(name)
            for name in [*"abcdefgh", *[f"validator {number}" for number in range(4)]]
        }
        self.view = 0

    def open(self):
        """Return a chain of another node."""
        state = VersionedState(founding_state(self.genesis, self.application.genesis(self.genesis)))
        head = genesis_header(self.genesis, state.final.root)
        self.engine = Simplex(KEYED)
        rules = EpochRules(self.genesis, self.engine)
        return Chain(self.application, self.genesis, KEYED, state, head, b"", rules)

    def context(self):
        """Return what the engine is started with."""
        begun = self.chain.epoch_start
        return Context(
            key=None,
            genesis_hash=self.genesis.hash,
            parameters=self.genesis.parameters,
            epoch=begun.epoch,
            validators=begun.validators,
            following=begun.following,
            delivered=self.chain.head,
            proof=b"",
            scheme=KEYED,
            rng=random.Random(1),
            has_pending=lambda _: False,
            seed=begun.seed,
        )

    def seal(self, proposer, base, *, carrier=False):
        self.view += 1
        seed = seed_in(base, self.chain.rules.epoch(self.chain.head.height + 1))
        proof = KEYED.vrf_prove(self.seeds[proposer], seed + self.view.to_bytes(8, "big"))
        return encode_seal(Seal(self.view, 0, bytes(32), proof, carrier))

    def build(self, parent=None, *, epoch=None):
        parent = parent or self.chain.head
        base = self.chain.version(parent.hash)
        proposer = self.chain.sets(self.chain.epoch_start.epoch).keys[0]
        epoch = self.chain.rules.epoch(parent.height + 1) if epoch is None else epoch
        options = {"proposer": proposer, "epoch": epoch, "time_ms": parent.time_ms + 100}
        built = self.chain.build(parent, seal=self.seal(proposer, base), transactions=(), **options)
        return built.executed.block

    def carry(self, parent):
        proposer = self.chain.sets(parent.epoch).keys[0]
        seal = self.seal(proposer, self.chain.version(parent.hash), carrier=True)
        return self.chain.carry(parent, proposer=proposer, time_ms=parent.time_ms + 100, seal=seal)

    def extend(self, count=1):
        for _ in range(count):
            block = self.build()
            self.chain.finalize(block.hash, b"proof")
        return self.chain.head

    def judge(self, block):
        """Have a block executed as a foreign one."""
        self.chain.drop(block.hash)
        assert self.chain.add(block)
        return self.chain.execute(block.hash, lambda _: False, {}.get)


@pytest.fixture
def site():
    return Site()


def test_headers_name_the_set_of_their_epoch_and_the_next_one(site):
    newcomer = KEYED.public_key(seed_of("h"))
    site.application.updates = [ValidatorUpdate(newcomer, 9)]
    site.extend(BLOCKS)
    first, third = site.genesis.validators.hash, site.chain.sets(2).hash
    assert site.chain.head.next_validators_hash == first
    header = site.extend()
    assert (header.epoch, header.validators_hash, header.next_validators_hash) == (1, first, third)
    assert newcomer in site.chain.sets(2)
    assert newcomer not in site.chain.sets(1)
    site.extend(BLOCKS)
    assert site.chain.head.validators_hash == third


@pytest.mark.parametrize("field", ["validators_hash", "next_validators_hash", "epoch", "proposer"])
def test_a_header_that_says_otherwise_is_refused(site, field):
    block = site.build()
    value = {"epoch": 1, "proposer": KEYED.public_key(seed_of("h"))}.get(field, bytes(32))
    with pytest.raises(InvalidBlockError):
        site.judge(Block(replace(block.header, **{field: value}), ()))


def test_a_seal_without_the_proposers_random_output_is_refused(site):
    block = site.build()
    seal = encode_seal(Seal(99, 0, bytes(32), bytes(80), carrier=False))
    with pytest.raises(InvalidBlockError, match="random output"):
        site.judge(Block(replace(block.header, engine_data=seal), ()))


def test_two_nodes_find_the_same_seed(site):
    other = site.open()
    while site.chain.head.height < 2 * BLOCKS:
        block = site.build()
        site.chain.finalize(block.hash, b"proof")
        assert other.add(block)
        other.execute(block.hash, lambda _: False, {}.get)
        other.finalize(block.hash, b"proof")
    assert other.epoch_start == site.chain.epoch_start
    assert len({seed_in(other.state.final, epoch) for epoch in (0, 1, 2)}) == 3


def test_any_descendant_of_the_last_block_but_a_carrier_is_refused_in_its_epoch(site):
    site.extend(BLOCKS - 1)
    last = site.build()
    for epoch in (0, 1):
        child = Block(replace(last.header, height=BLOCKS + 1, parent_hash=last.hash, epoch=epoch, time_ms=10**15), ())
        with pytest.raises(InvalidBlockError, match="carrier"):
            site.judge(child)


def test_a_carrier_stands_on_the_last_block_and_on_a_carrier(site):
    site.extend(BLOCKS - 1)
    last = site.build()
    one = site.carry(last.header)
    two = site.carry(one.block.header)
    for executed in (one, two):
        header = executed.block.header
        assert (header.height, header.state_root, executed.block.transactions) == (BLOCKS, last.header.state_root, ())
        assert site.judge(executed.block).version is site.chain.version(last.hash)
    site.chain.finalize(last.hash, b"proof")
    assert site.chain.head == last.header
    assert site.chain.block(one.block.hash) is None
    assert site.extend().epoch == 1


def test_a_block_of_the_next_epoch_on_a_carrier_is_refused(site):
    site.extend(BLOCKS - 1)
    last = site.build()
    carrier = site.carry(last.header).block.header
    child = replace(last.header, height=BLOCKS + 1, parent_hash=carrier.hash, epoch=1, time_ms=10**15)
    with pytest.raises(InvalidBlockError, match="carrier"):
        site.judge(Block(child, ()))


def test_a_carrier_anywhere_else_is_refused(site):
    block = site.build()
    assert site.carry(block.header) is None
    false = replace(block.header, parent_hash=block.hash, time_ms=block.header.time_ms + 100)
    with pytest.raises(InvalidBlockError, match="height"):
        site.judge(Block(false, ()))
    site.chain.drop(block.hash)
    site.extend(BLOCKS)
    assert site.carry(site.chain.head) is None, "the last block is final: there is nothing to carry"


@pytest.mark.parametrize("field", ["state_root", "receipts_root", "validators_hash", "next_validators_hash", "epoch"])
def test_a_carrier_with_roots_of_its_own_is_refused(site, field):
    site.extend(BLOCKS - 1)
    last = site.build()
    carrier = site.carry(last.header).block
    value = 1 if field == "epoch" else bytes([7]) * 32
    with pytest.raises(InvalidBlockError):
        site.judge(Block(replace(carrier.header, **{field: value}), ()))


def test_evidence_is_judged_by_the_sets_in_the_parents_state_while_they_are_young(site):
    offender = site.genesis.validators.keys[0]
    rules = site.chain.rules
    ballots = [Ballot(0, 5, VoteKind.NOTARIZE, bytes([number]) * 32) for number in (1, 2)]
    signed = [signed_bytes("vote", site.genesis.hash, ballot.data) for ballot in ballots]
    signatures = [KEYED.sign(site.seeds[offender], each) for each in signed]
    claim = DoubleSignature(offender, ballots[0].data, signatures[0], ballots[1].data, signatures[1])
    evidence = encode_evidence(claim)
    site.extend(BLOCKS)
    site.extend(1)
    unbonding_ms = site.genesis.parameters.unbonding_s * 1_000
    state = site.chain.state.final
    assert rules.convict(state, 0)(evidence) is None, "an engine that has not started knows no network"
    site.engine.start(site.context(), [], {}, 0)
    assert rules.convict(state, unbonding_ms - 1)(evidence).kind == "E1"
    assert rules.convict(state, unbonding_ms)(evidence) is None


def test_an_application_that_writes_the_chains_records_is_stopped(site):
    site.application.key = b"\x00c"
    with pytest.raises((SystemKeyError, LocalProtocolError)):
        site.build()


def test_a_chain_whose_engine_follows_no_epochs_stays_in_the_first_with_the_genesis_set():
    genesis = make_genesis()
    rules = EpochRules(genesis)
    assert rules.epoch(10**6) == 0
    assert not rules.ends_epoch(genesis.parameters.epoch_blocks)
    assert rules.sets(VersionedState({}).final)(7) == genesis.validators
    assert rules.horizon(5) == 2**32 - 1


def test_the_horizon_is_the_end_of_the_next_epoch(site):
    assert site.chain.rules.horizon(0) == 2 * BLOCKS
    assert site.chain.rules.horizon(BLOCKS - 1) == 2 * BLOCKS
    assert site.chain.rules.horizon(BLOCKS) == 3 * BLOCKS
