"""Evidence: slashes, jail, and who profits."""

import dataclasses

import pytest

from p2pcommerce.commerce import Bond, RegisterValidator, SubmitEvidence, Transfer, Unbond, Withdraw
from p2pcommerce.commerce.evidence import EVIDENCE_BYTES_MAX, OFFENCE, OFFENCE_BYTES, offence_id
from p2pcommerce.finality.evidence import DoubleSignature, convict, encode_evidence
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.application import InvalidTransactionError, QueryError
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Offence, Validator, ValidatorSet, ValidatorUpdate
from p2pcommerce.primitives.crypto import ED25519, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from tests.commerce.world import TOKEN, World, key, seed

STAKE = 1_000 * TOKEN
V = key("validator")
FEE = 5_000


@pytest.fixture
def world():
    return World("validator", "alice", "bob", "carol")


def report(world, reporter="alice", *, offender="validator", epoch=0, evidence=b"evidence"):
    world.offences[evidence] = Offence(key(offender), epoch, "E1")
    world.do(reporter, SubmitEvidence(evidence), fee=FEE)


def test_an_offender_loses_a_tenth_half_for_the_reporter_half_burned(world):
    before = world.balance("alice")
    report(world)
    assert world.balance("alice") == before - FEE - 10 * OFFENCE_BYTES + STAKE // 20
    supply = world.query("supply")
    assert (supply["bonded_minor"], supply["burned_minor"]) == (STAKE * 9 // 10, STAKE // 20)
    record = world.get(OFFENCE, offence_id(V, 0))
    assert (record.kind, record.slashed_minor, record.reward_minor) == ("E1", STAKE // 10, STAKE // 20)
    assert record.reporter == key("alice")


def test_an_offender_leaves_the_set_and_is_jailed_for_good(world):
    report(world)
    assert world.updates == [ValidatorUpdate(V, 0)]
    found = world.query("validator", validator=V)
    assert (found["jailed"], found["candidate"]) == (True, False)
    assert [each["jailed"] for each in world.query("validators")] == [True]
    world.refused("BAD_STATE", "validator", RegisterValidator(0, TOKEN))
    world.refused("BAD_STATE", "validator", Bond(V, TOKEN))


def test_one_epoch_is_punished_once_whatever_evidence_comes(world):
    report(world)
    world.offences[b"more"] = Offence(V, 0, "E2")
    world.refused("EXISTS", "bob", SubmitEvidence(b"more"))
    world.refused("EXISTS", "bob", SubmitEvidence(b"evidence"))


def test_another_epoch_is_punished_again(world):
    report(world)
    report(world, "bob", epoch=1, evidence=b"more")
    assert world.query("supply")["bonded_minor"] == STAKE * 81 // 100


def test_two_votes_that_the_engine_convicts_for_fit_into_a_transaction():
    twin = ED25519.public_key(seed("twin"))
    world = World("alice", stakes={"twin": STAKE})
    ballots = [Ballot(0, 5, VoteKind.NOTARIZE, bytes([n]) * 32) for n in (1, 2)]
    signed = [ED25519.sign(seed("twin"), signed_bytes(b.domain, world.genesis.hash, b.data)) for b in ballots]
    evidence = encode_evidence(DoubleSignature(twin, ballots[0].data, signed[0], ballots[1].data, signed[1]))
    validators = ValidatorSet.of([Validator(twin, STAKE)])
    offence = convict(evidence, lambda epoch: validators, world.genesis.hash, ED25519)
    assert (offence.offender, offence.kind) == (twin, "E1")
    # The world's own names have other keys.
    world.offences[evidence] = dataclasses.replace(offence, offender=key("twin"))
    world.do("alice", SubmitEvidence(evidence))
    assert world.query("validator", validator=key("twin"))["jailed"]


def test_evidence_that_proves_nothing_is_refused(world):
    world.refused("FORBIDDEN", "alice", SubmitEvidence(b"nothing"))


def test_evidence_against_nobody_of_this_application_is_refused(world):
    world.offences[b"evidence"] = Offence(key("stranger"), 0, "E1")
    world.refused("NOT_FOUND", "alice", SubmitEvidence(b"evidence"))


def test_evidence_that_is_empty_or_too_long_makes_a_block_invalid(world):
    for size in (0, EVIDENCE_BYTES_MAX + 1):
        with pytest.raises(InvalidTransactionError, match="evidence"):
            world.try_("alice", SubmitEvidence(bytes(size)), fee=10**6)


def test_evidence_is_never_judged_outside_of_a_block(world):
    world.offences[b"evidence"] = Offence(V, 0, "E1")
    transaction = world.build("alice", SubmitEvidence(b"evidence"))
    world.app.check(transaction, world.chain.final, world.height + 1)
    assert world.get(OFFENCE, offence_id(V, 0)) is None


def test_the_name_of_an_offence_fits_its_record_whatever_the_engine_calls_it(world):
    world.offences[b"evidence"] = Offence(V, 0, "a name far too long, and \u00e4 beside")
    world.do("alice", SubmitEvidence(b"evidence"))
    assert world.get(OFFENCE, offence_id(V, 0)).kind == "a name far too l"


def test_who_reports_itself_gets_nothing(world):
    before = world.balance("validator")
    report(world, "validator")
    assert world.balance("validator") == before - FEE - 10 * OFFENCE_BYTES
    assert world.query("supply")["burned_minor"] == STAKE // 10


def test_who_reports_itself_from_another_account_loses_more_than_it_gets(world):
    """With little stake of its own and much of delegators, half of all that is slashed would be a gain."""
    world.do("carol", RegisterValidator(0, TOKEN))
    world.do("bob", Bond(key("carol"), 900 * TOKEN))
    before = world.balance("alice")
    report(world, "alice", offender="carol")
    got = world.balance("alice") - before + FEE + 10 * OFFENCE_BYTES
    lost = TOKEN // 10
    assert got == lost // 2
    assert world.query("supply")["burned_minor"] == 901 * TOKEN // 10 - got


def test_own_stake_that_is_unbonding_counts_for_the_reward(world):
    world.do("carol", RegisterValidator(0, 10 * TOKEN))
    world.do("bob", Bond(key("carol"), 900 * TOKEN))
    world.do("carol", Unbond(key("carol")))
    before = world.balance("alice")
    report(world, "alice", offender="carol")
    assert world.balance("alice") - before + FEE + 10 * OFFENCE_BYTES == 10 * TOKEN // 20


def test_a_validator_that_has_no_stake_any_more_is_jailed_all_the_same(world):
    world.do("carol", RegisterValidator(0, TOKEN))
    world.do("carol", Unbond(key("carol")))
    world.enter(1)
    world.enter(2)
    world.wait(ChainParameters.local().unbonding_s)
    world.do("carol", Withdraw(key("carol")))
    report(world, offender="carol")
    record = world.get(OFFENCE, offence_id(key("carol"), 0))
    assert (record.slashed_minor, record.reward_minor) == (0, 0)
    world.refused("BAD_STATE", "carol", RegisterValidator(0, TOKEN))


def test_the_rest_of_the_division_is_burned():
    parameters = dataclasses.replace(ChainParameters.local(), slash_bps=333, reporter_bps=3_333)
    world = World("alice", "bob", parameters=parameters, stakes={"validator": 1_234_567})
    report(world)
    slashed = 1_234_567 * 333 // 10_000
    record = world.get(OFFENCE, offence_id(V, 0))
    assert (record.slashed_minor, record.reward_minor) == (slashed, slashed * 3_333 // 10_000)
    assert world.query("supply")["burned_minor"] == slashed - record.reward_minor


def test_fees_of_a_jailed_proposer_wait_for_the_next_one(world):
    world.do("bob", RegisterValidator(0, TOKEN))
    report(world)
    earned = world.query("validator", validator=V)["rewards_minor"]
    world.block(world.build("alice", Transfer(key("bob"), 1), fee=7_000))
    assert world.query("validator", validator=V)["rewards_minor"] == earned
    assert world.query("supply")["fee_pot_minor"] == 7_000 + FEE
    world.block(proposer="bob")
    assert world.query("supply")["fee_pot_minor"] == 0
    assert world.query("validator", validator=key("bob"))["rewards_minor"] == 7_000 + FEE


def test_an_offence_can_be_asked_for_and_is_known_to_be_punished(world):
    asked = {"validator": V, "epoch": 0}
    offence = Offence(V, 0, "E1")
    assert world.query("offence", **asked) is None
    assert not world.app.is_punished(offence, world.chain.final)
    report(world)
    assert world.query("offence", **asked) == {
        "rule": "E1",
        "height": world.height,
        "slashed_minor": STAKE // 10,
        "reporter": key("alice").hex(),
        "reward_minor": STAKE // 20,
    }
    assert world.app.is_punished(offence, world.chain.final)
    assert not world.app.is_punished(Offence(V, 1, "E1"), world.chain.final)


@pytest.mark.parametrize("epoch", [None, -1, "-1", "x", "", True, 2**32, "9" * 11])
def test_an_offence_is_asked_for_by_an_epoch(world, epoch):
    with pytest.raises(QueryError, match="epoch"):
        world.query("offence", validator=V, epoch=epoch)


def test_a_report_is_made_of_evidence_that_fits(world):
    assert world.app.report(b"proof") == SubmitEvidence(b"proof")
    for size in (0, EVIDENCE_BYTES_MAX + 1):
        with pytest.raises(CodecError, match="the chain takes"):
            world.app.report(bytes(size))
