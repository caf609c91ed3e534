"""Epochs: heights, the chain's own records, and who is in which set."""

import pytest

from p2pcommerce.ledger import epochs
from p2pcommerce.ledger.application import TIME_STEP_MS_MAX
from p2pcommerce.ledger.epochs import (
    CANDIDATES_MAX,
    EPOCHS_KEPT_MAX,
    SystemKeyError,
    boundary_of,
    candidates_in,
    chain_time_in,
    epoch_of,
    evidence_sets_in,
    founding_state,
    is_boundary,
    is_system_key,
    seed_in,
    set_key,
    sets_change_in,
    sets_in,
    settle,
)
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.state import State, VersionedState
from p2pcommerce.ledger.validators import STAKE_MAX, VALIDATORS_MAX, ValidatorUpdate
from p2pcommerce.primitives.crypto import blake2b_256

BLOCKS = 3
UNBONDING_S = 100
A, B, C = (bytes([number]) * 32 for number in (1, 2, 3))


class Ledger:
    """The chain's records, block after block."""

    def __init__(self, blocks=BLOCKS, step_ms=1_000, unbonding_s=UNBONDING_S):
        parameters = ChainParameters(epoch_blocks=blocks, unbonding_s=unbonding_s)
        self.genesis = Genesis.new("test", {A: 5, B: 3}, {C: 1}, parameters=parameters)
        self.versions = VersionedState(founding_state(self.genesis, {b"\x00": b"the application's", b"\x02x": b"y"}))
        self.height = 0
        self.step_ms = step_ms

    @property
    def view(self):
        return self.versions.final

    def block(self, *updates, output=b""):
        self.height += 1
        state = State(self.view)
        updates = [ValidatorUpdate(key, stake) for key, stake in updates]
        settle(state, self.genesis, height=self.height, step_ms=self.step_ms, updates=updates, output=output)
        self.versions.finalize(self.view.child(state.changes))

    def epoch(self, *updates):
        """Make the blocks of one epoch; what changes does so in the first."""
        self.block(*updates)
        for _ in range(self.genesis.parameters.epoch_blocks - 1):
            self.block()

    def members(self, epoch):
        return {each.public_key: each.stake for each in sets_in(self.view)(epoch)}


@pytest.mark.parametrize(
    ("height", "epoch", "ends"),
    [(0, 0, False), (1, 0, False), (3, 0, True), (4, 1, False), (6, 1, True), (7, 2, False)],
)
def test_an_epoch_is_so_many_heights_and_genesis_is_in_the_first(height, epoch, ends):
    assert epoch_of(height, BLOCKS) == epoch
    assert is_boundary(height, BLOCKS) is ends
    assert boundary_of(epoch, BLOCKS) == (epoch + 1) * BLOCKS


def test_from_the_first_block_on_the_state_says_that_sets_change_and_before_it_says_no():
    ledger = Ledger()
    assert not sets_change_in(ledger.view)
    ledger.block()
    assert sets_change_in(ledger.view)
    for _ in range(3 * BLOCKS):
        ledger.block()
    assert sets_change_in(ledger.view)


def test_the_genesis_set_decides_the_first_two_epochs():
    ledger = Ledger()
    assert ledger.members(0) == ledger.members(1) == {A: 5, B: 3}
    with pytest.raises(KeyError):
        sets_in(ledger.view)(2)
    for nonsense in (-1, 2**32):
        with pytest.raises(KeyError):
            sets_in(ledger.view)(nonsense)


def test_a_change_acts_from_the_epoch_after_the_next_one_on():
    ledger = Ledger()
    ledger.epoch((C, 7), (B, 0))
    assert ledger.members(1) == {A: 5, B: 3}
    assert ledger.members(2) == {A: 5, C: 7}
    ledger.epoch()
    assert ledger.members(3) == {A: 5, C: 7}


def test_a_change_in_the_last_block_of_an_epoch_counts():
    ledger = Ledger()
    ledger.block()
    ledger.block()
    ledger.block((C, 2))
    assert ledger.members(2) == {A: 5, B: 3, C: 2}


def test_of_two_changes_of_one_candidate_the_last_counts():
    ledger = Ledger()
    ledger.epoch((A, 9), (A, 4))
    assert ledger.members(2)[A] == 4


def test_an_empty_set_keeps_the_old_one():
    ledger = Ledger()
    ledger.epoch((A, 0), (B, 0))
    assert candidates_in(ledger.view) == {}
    assert ledger.members(2) == {A: 5, B: 3}


def test_stakes_that_no_set_can_hold_keep_the_old_one():
    ledger = Ledger()
    ledger.epoch((A, STAKE_MAX), (B, STAKE_MAX))
    assert ledger.members(2) == {A: 5, B: 3}


def test_the_candidates_with_the_most_stake_make_the_set():
    ledger = Ledger()
    many = [(blake2b_256(b"%d" % number), 10 + number) for number in range(VALIDATORS_MAX + 20)]
    ledger.epoch(*many)
    assert ledger.members(2) == dict(sorted(many[20:]))


def test_of_equal_stakes_the_lower_keys_are_taken():
    ledger = Ledger()
    keys = sorted(blake2b_256(b"%d" % number) for number in range(VALIDATORS_MAX + 9))
    ledger.epoch((A, 0), (B, 0), *((key, 1) for key in keys))
    assert list(ledger.members(2)) == keys[:VALIDATORS_MAX]


def test_candidates_are_bounded():
    ledger = Ledger()
    ledger.block(*((blake2b_256(b"%d" % number), 10 + number) for number in range(CANDIDATES_MAX + 5)))
    found = candidates_in(ledger.view)
    assert len(found) == CANDIDATES_MAX
    assert min(found.values()) == 15
    assert A not in found


def test_the_seed_chains_the_outputs_of_the_epoch_in_order():
    ledger = Ledger()
    assert seed_in(ledger.view, 0) == ledger.genesis.hash
    seed = bytes(ledger.genesis.hash)
    for output in (b"one", b"two", b"three"):
        with pytest.raises(KeyError):
            seed_in(ledger.view, 1)
        ledger.block(output=output)
        seed = blake2b_256(seed + output)
    assert seed_in(ledger.view, 1) == seed


def test_the_chains_time_is_the_sum_of_the_steps_of_its_blocks():
    ledger = Ledger()
    assert chain_time_in(ledger.view) == chain_time_in(VersionedState({}).final) == 0
    for step_ms in (5, 0, 60_000):
        ledger.step_ms = step_ms
        ledger.block()
    assert chain_time_in(ledger.view) == 60_005


def test_evidence_counts_until_the_unbonding_time_after_the_first_block_of_the_next_epoch():
    ledger = Ledger(step_ms=10_000)
    ledger.epoch()
    started_ms = chain_time_in(ledger.view) + 10_000
    assert evidence_sets_in(ledger.view, 10**9, UNBONDING_S)(0), "the next epoch has not begun"
    ledger.block()
    while (left_ms := started_ms + UNBONDING_S * 1_000 - chain_time_in(ledger.view)) > 0:
        assert ledger.members(0)
        assert evidence_sets_in(ledger.view, 0, UNBONDING_S)(0)
        assert evidence_sets_in(ledger.view, left_ms - 1, UNBONDING_S)(0)
        with pytest.raises(KeyError):
            evidence_sets_in(ledger.view, left_ms, UNBONDING_S)(0)
        ledger.block()
    assert left_ms == 0
    with pytest.raises(KeyError):
        evidence_sets_in(ledger.view, 0, UNBONDING_S)(0)
    assert evidence_sets_in(ledger.view, 0, UNBONDING_S)(1), "but of the next epoch"
    ledger.epoch()
    for gone in (sets_in(ledger.view), lambda epoch: seed_in(ledger.view, epoch)):
        with pytest.raises(KeyError):
            gone(0)
    assert not [key for key in ledger.versions.values if is_system_key(key) and key[2:] == bytes(4)]


def test_evidence_counts_for_21_days_of_the_chains_time():
    days_21_s = 21 * 86_400
    ledger = Ledger(blocks=7_200, step_ms=TIME_STEP_MS_MAX, unbonding_s=days_21_s)
    ledger.epoch()
    ledger.block()
    for _ in range(days_21_s // 60 - 1):
        ledger.block()
    assert evidence_sets_in(ledger.view, TIME_STEP_MS_MAX - 1, days_21_s)(0)
    ledger.block()
    with pytest.raises(KeyError):
        evidence_sets_in(ledger.view, 0, days_21_s)(0)
    assert ledger.members(0), "its records go at the end of the epoch"


def test_of_too_many_epochs_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(epochs, "EPOCHS_KEPT_MAX", 4)
    ledger = Ledger(blocks=2, step_ms=1)
    for _ in range(12):
        ledger.epoch()
    kept = [epoch for epoch in range(14) if set_key(epoch) in ledger.versions.values]
    assert kept == [8, 9, 10, 11, 12, 13], "four that are over, the present one and the next"
    assert EPOCHS_KEPT_MAX >= 21 * 24, "the evidence age, in epochs of an hour"


def test_an_application_cannot_write_the_chains_records():
    genesis = Ledger().genesis
    with pytest.raises(SystemKeyError):
        founding_state(genesis, {b"\x00v" + bytes(4): b"mine"})
    assert is_system_key(b"\x00x")
    assert not is_system_key(b"\x00")
    assert not is_system_key(b"\x01x")
    assert not is_system_key(b"")
