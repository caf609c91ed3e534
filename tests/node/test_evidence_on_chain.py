"""Evidence on the chain: however many validators, it fits a transaction, and counts as long as stake is bound."""

import random
from dataclasses import replace

import pytest

from p2pcommerce.commerce import Commerce, SubmitEvidence, Unbond, Withdraw, build_transaction
from p2pcommerce.finality import Simplex
from p2pcommerce.finality.certificates import Certificate, Vote, VoteVerifier, make_certificate
from p2pcommerce.finality.engine import Context
from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.simplex.messages import Justify, Seal, encode_seal
from p2pcommerce.finality.simplex.misjustified import Misjustified, encode_misjustified, fault_of
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.application import TIME_STEP_MS_MAX
from p2pcommerce.ledger.epochs import chain_time_in, founding_state, seed_in
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.ledger.transaction import TRANSACTION_BYTES_MAX
from p2pcommerce.node.chain import Chain, genesis_header
from p2pcommerce.node.epochs import EpochRules
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from p2pcommerce.primitives.errors import RejectionCode

from .accounts import KEYED, make_genesis, seed_of

N, Z = VoteKind.NOTARIZE, VoteKind.NULLIFY
DAY_MS = 86_400_000
BLOCKS = 3
VIEW, PARENT_VIEW = 7, 3


class Court:
    """A chain of as many validators as wanted that hears evidence."""

    def __init__(self, validators=4, unbonding_s=60):
        names = [f"validator {number}" for number in range(validators)]
        self.seeds = {KEYED.public_key(seed_of(name)): seed_of(name) for name in names}
        genesis = make_genesis(validators, accounts=("ann", *names))
        parameters = replace(genesis.parameters, epoch_blocks=BLOCKS, unbonding_s=unbonding_s)
        self.genesis = replace(genesis, parameters=parameters)
        self.application = Commerce()
        self.engine = Simplex(KEYED)
        self.rules = EpochRules(self.genesis, self.engine)
        state = VersionedState(founding_state(self.genesis, self.application.genesis(self.genesis)))
        head = genesis_header(self.genesis, state.final.root)
        self.chain = Chain(self.application, self.genesis, KEYED, state, head, b"", self.rules)
        self.engine.start(self.context(), [], {}, 0)
        self.view = 0
        self.nonces = {}

    def context(self):
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

    @property
    def validators(self):
        return self.genesis.validators

    @property
    def state(self):
        return self.chain.state.final

    def block(self, *transactions, step_ms=100):
        """Make a block final; return the outcomes of its transactions."""
        parent = self.chain.head
        self.view += 1
        epoch = self.rules.epoch(parent.height + 1)
        proposer = self.chain.sets(epoch).keys[0]
        output = KEYED.vrf_prove(self.seeds[proposer], seed_in(self.state, epoch) + self.view.to_bytes(8, "big"))
        seal = encode_seal(Seal(self.view, 0, bytes(32), output, carrier=False))
        built = self.chain.build(
            parent,
            proposer=proposer,
            epoch=epoch,
            time_ms=parent.time_ms + step_ms,
            seal=seal,
            transactions=transactions,
        )
        self.chain.finalize(built.executed.block.hash, b"proof")
        return built.executed.outcomes

    def transaction(self, name, payload):
        nonce = self.nonces.get(name, 0)
        self.nonces[name] = nonce + 1
        return build_transaction(payload, self.genesis, seed_of(name), nonce, 10**6, scheme=KEYED)

    def send(self, name, payload, step_ms=100):
        (outcome,) = self.block(self.transaction(name, payload), step_ms=step_ms)
        return outcome

    # --- what validators sign ---

    def signature(self, voter, ballot):
        signed = signed_bytes(ballot.domain, self.genesis.hash, ballot.data)
        return KEYED.sign(self.seeds[self.validators.keys[voter]], signed)

    def vote(self, kind, view, digest, voter):
        ballot = Ballot(0, view, kind, digest)
        return Vote(ballot, voter, self.signature(voter, ballot))

    def certificate(self, kind, view, digest):
        votes = [self.vote(kind, view, digest, voter) for voter in range(len(self.validators))]
        return make_certificate(votes, self.validators)

    def double_vote(self, voter, epoch=0):
        """Return evidence of two notarizations."""
        ballots = [Ballot(epoch, 900, N, bytes([number]) * 32) for number in (1, 2)]
        signatures = [self.signature(voter, ballot) for ballot in ballots]
        key = self.validators.keys[voter]
        return encode_evidence(DoubleSignature(key, ballots[0].data, signatures[0], ballots[1].data, signatures[1]))

    def misjustified(self, voter, spoil):
        """Return evidence against who notarized a header on a justify that was spoilt."""
        parent_hash = self.chain.head.hash
        skip = self.certificate(Z, VIEW - 1, anchor_hash(PARENT_VIEW))
        justify = Justify(spoil(self.certificate(N, PARENT_VIEW, parent_hash)), skip)
        seal = encode_seal(Seal(VIEW, PARENT_VIEW, justify.hash, bytes(80), carrier=False))
        header = replace(self.chain.head, height=1, parent_hash=parent_hash, engine_data=seal)
        fault = fault_of(header, justify, VoteVerifier(self.validators, self.genesis.hash, KEYED))
        ballot = Ballot(0, VIEW, N, header.hash)
        key = self.validators.keys[voter]
        return encode_misjustified(Misjustified(key, ballot.data, self.signature(voter, ballot), fault))

    def is_jailed(self, voter):
        asked = {"validator": self.validators.keys[voter]}
        return self.application.query("validator", asked, self.state)["jailed"]


def junk(certificate: Certificate) -> Certificate:
    signatures = tuple(blake2b_256(b"%d" % number) * 2 for number in range(256))
    return replace(certificate, bitmap=b"\xff" * 32, signatures=signatures)


def forged(certificate: Certificate) -> Certificate:
    return replace(certificate, signatures=(*certificate.signatures[:-1], bytes(64)))


@pytest.mark.parametrize(("count", "spoil"), [(4, junk), (4, forged), (100, forged), (165, forged), (256, forged)])
def test_a_wrong_justify_of_any_size_is_punished_by_a_transaction(count, spoil):
    court = Court(count)
    evidence = court.misjustified(1, spoil)
    transaction = court.transaction("ann", court.application.report(evidence))
    assert len(transaction.raw) < TRANSACTION_BYTES_MAX // 4
    (outcome,) = court.block(transaction)
    assert outcome.ok, outcome
    assert court.is_jailed(1)
    assert not court.is_jailed(0)


# --- how long it counts ---


@pytest.mark.parametrize("blocks", range(1, BLOCKS + 3))
def test_a_halt_of_30_days_after_an_offence_does_not_let_the_offender_go(blocks):
    court = Court(unbonding_s=21 * 86_400)
    evidence = court.double_vote(1)
    for _ in range(blocks):
        court.block()
    court.block(step_ms=30 * DAY_MS)
    assert court.chain.head.time_ms - court.genesis.time_ms > 30 * DAY_MS
    assert chain_time_in(court.state) < 2 * TIME_STEP_MS_MAX
    assert court.send("ann", SubmitEvidence(evidence)).ok
    assert court.is_jailed(1)


def test_a_halt_at_once_after_an_offence_and_many_after_it_count_a_minute_each():
    court = Court(unbonding_s=600)
    evidence = court.double_vote(1)
    for _ in range(BLOCKS):
        court.block(step_ms=30 * DAY_MS)
    for _ in range(10):  # of these the first begins the epoch that follows
        court.block(step_ms=DAY_MS)
    assert court.send("ann", SubmitEvidence(evidence), step_ms=TIME_STEP_MS_MAX - 1).ok
    assert court.is_jailed(1)


def test_evidence_that_is_older_than_stake_waits_convicts_nobody():
    court = Court(unbonding_s=600)
    evidence = court.double_vote(1)
    for _ in range(BLOCKS):
        court.block()
    for _ in range(10):
        court.block(step_ms=DAY_MS)
    outcome = court.send("ann", SubmitEvidence(evidence), step_ms=TIME_STEP_MS_MAX)
    assert outcome.code is RejectionCode.FORBIDDEN
    assert not court.is_jailed(1)


@pytest.mark.parametrize("halt_ms", [100, 30_000, TIME_STEP_MS_MAX, 30 * DAY_MS])
@pytest.mark.parametrize("seed", range(4))
def test_evidence_counts_until_the_very_block_in_which_the_stake_can_be_withdrawn(seed, halt_ms):
    """Stake that was unbonded in epoch 0 votes in epoch 1 at last: evidence of that epoch is judged while it waits."""
    rng = random.Random(seed)
    court = Court(unbonding_s=600)
    key = court.validators.keys[1]
    name = next(f"validator {n}" for n in range(4) if KEYED.public_key(seed_of(f"validator {n}")) == key)
    assert court.send(name, Unbond(key)).ok
    evidence = court.double_vote(1, epoch=1)
    while court.chain.head.height < 2 * BLOCKS:
        court.block(step_ms=rng.choice((100, halt_ms)))
    for _ in range(200):
        step_ms = rng.choice((1, 100, halt_ms, TIME_STEP_MS_MAX))
        counts = court.rules.convict(court.state, min(step_ms, TIME_STEP_MS_MAX))(evidence) is not None
        outcome = court.send(name, Withdraw(key), step_ms=step_ms)
        assert counts is not outcome.ok, outcome
        if outcome.ok:
            break
    else:
        pytest.fail("it is never free")
