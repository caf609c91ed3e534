import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.ledger.validators import STAKE_MAX, VALIDATORS_MAX, Validator, ValidatorSet, ValidatorSetError


def key(number):
    return number.to_bytes(32, "big")


def set_of(*stakes):
    return ValidatorSet.of(Validator(key(number), stake) for number, stake in enumerate(stakes))


@pytest.mark.parametrize(
    ("stakes", "quorum"),
    [((1,), 1), ((1, 1), 2), ((1, 1, 1), 3), ((1, 1, 1, 1), 3), ((1,) * 7, 5), ((1,) * 100, 67), ((10, 20, 30), 41)],
)
def test_the_quorum_is_two_thirds_of_the_stake_rounded_down_plus_one(stakes, quorum):
    assert set_of(*stakes).quorum == quorum
    assert set_of(*stakes).total == sum(stakes)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, STAKE_MAX // 300), min_size=1, max_size=20))
def test_two_quorums_share_more_than_a_third_of_the_stake(stakes):
    validators = set_of(*stakes)
    assert 3 * validators.quorum > 2 * validators.total
    assert 3 * (validators.quorum - 1) <= 2 * validators.total
    assert 3 * (2 * validators.quorum - validators.total) > validators.total


def test_the_order_is_by_public_key():
    validators = ValidatorSet.of([Validator(key(3), 1), Validator(key(1), 2), Validator(key(2), 3)])
    assert validators.keys == [key(1), key(2), key(3)]
    assert [validators.index(key(number)) for number in (1, 2, 3, 4)] == [0, 1, 2, None]
    assert [validators.stake(key(number)) for number in (1, 2, 3, 4)] == [2, 3, 1, 0]
    assert [validator.stake for validator in validators] == [2, 3, 1]
    assert len(validators) == 3
    assert key(1) in validators
    assert key(4) not in validators


def test_a_set_out_of_order_is_refused():
    with pytest.raises(ValidatorSetError, match="ordered"):
        ValidatorSet((Validator(key(2), 1), Validator(key(1), 1)))


def test_a_key_named_twice_is_refused():
    with pytest.raises(ValidatorSetError, match="once"):
        ValidatorSet.of([Validator(key(1), 1), Validator(key(1), 2)])


@pytest.mark.parametrize("stake", [0, -1])
def test_a_validator_without_stake_is_refused(stake):
    with pytest.raises(ValidatorSetError, match="stake"):
        set_of(1, stake)


def test_a_set_has_1_to_256_members():
    assert len(set_of(*[1] * VALIDATORS_MAX)) == 256
    for count in (0, VALIDATORS_MAX + 1):
        with pytest.raises(ValidatorSetError, match="1 to 256"):
            set_of(*[1] * count)


def test_the_total_stays_below_2_to_63():
    assert set_of(STAKE_MAX - 1, 1).total == STAKE_MAX
    with pytest.raises(ValidatorSetError, match="adds up"):
        set_of(STAKE_MAX, 1)


def test_the_weight_counts_each_signer_once_and_strangers_nothing():
    validators = set_of(1, 10, 100)
    assert validators.weight([key(0), key(2), key(2), key(7), key(0)]) == 101
    assert validators.weight([]) == 0


def test_equal_sets_have_equal_hashes_and_any_change_another():
    assert set_of(1, 2) == set_of(1, 2)
    assert set_of(1, 2).hash == set_of(1, 2).hash
    assert len({set_of(1, 2), set_of(1, 2)}) == 1
    assert len({validators.hash for validators in (set_of(1, 2), set_of(2, 1), set_of(1, 2, 1), set_of(1))}) == 4
    assert set_of(1) != (Validator(key(0), 1),)
