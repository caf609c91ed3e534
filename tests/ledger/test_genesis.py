import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.ledger import genesis as room
from p2pcommerce.ledger.genesis import ChainParameters, Genesis, GenesisError
from p2pcommerce.ledger.validators import STAKE_MAX, Validator
from p2pcommerce.primitives.errors import UsageError
from tests.ledger.samples import GENESIS, key_of

DOCUMENT = json.loads(GENESIS.to_json())
RANGES = room._PARAMETER_RANGES


def document(**changes):
    return json.dumps(DOCUMENT | changes).encode()


def parameters(**changes):
    return dataclasses.replace(ChainParameters(), **changes)


def test_the_readable_form_round_trips():
    assert Genesis.from_json(GENESIS.to_json().encode()) == GENESIS


def test_a_file_round_trips(tmp_path):
    path = tmp_path / "genesis.json"
    GENESIS.save(path)
    assert Genesis.load(path) == GENESIS
    assert Genesis.load(str(path)).hash == GENESIS.hash


def test_the_hash_ignores_white_space_and_the_order_of_members():
    shuffled = json.dumps(dict(reversed(DOCUMENT.items())), indent=7).encode()
    assert Genesis.from_json(shuffled).hash == GENESIS.hash


def test_the_hash_ignores_the_order_of_validators_and_balances():
    data = document(validators=DOCUMENT["validators"][::-1], balances=DOCUMENT["balances"][::-1])
    assert Genesis.from_json(data).hash == GENESIS.hash


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "other"},
        {"time_ms": 1},
        {"balances": {}},
        {"balances": {key_of(9): 5_000_001, key_of(8): 7}},
        *(
            {"parameters": {name: low if getattr(GENESIS.parameters, name) != low else low + 1}}
            for name, (low, _) in RANGES.items()
        ),
    ],
    ids=lambda change: str(list(change.get("parameters", change))),
)
def test_the_hash_commits_to_every_field(changes):
    if isinstance(changes.get("parameters"), dict):
        changed = dataclasses.replace(GENESIS.parameters, **changes["parameters"])
        longest = max(changed.term_s_max, changed.term_s_min, changed.confirm_s_min)
        changes = {"parameters": dataclasses.replace(changed, term_s_max=longest)}
    assert dataclasses.replace(GENESIS, **changes).hash != GENESIS.hash


def test_the_hash_commits_to_the_validators():
    stakes = {key_of(n): 1_000_000 * n + (n == 1) for n in (1, 2, 3, 4)}
    other = Genesis.local("sample", stakes, GENESIS.balances, time_ms=GENESIS.time_ms)
    assert other.hash != GENESIS.hash


def test_the_supply_is_balances_and_stake():
    assert GENESIS.supply_minor == 5_000_007 + 10_000_000


def test_local_parameters_are_those_for_one_machine():
    assert GENESIS.parameters == ChainParameters.local()
    assert Genesis.new("n", {key_of(1): 1}).parameters == ChainParameters()


def test_validators_are_a_mapping_or_a_list():
    listed = Genesis.new("n", [Validator(key_of(2), 5), Validator(key_of(1), 3)])
    assert listed == Genesis.new("n", {key_of(1): 3, key_of(2): 5})


@pytest.mark.parametrize("name", RANGES)
def test_every_parameter_keeps_its_range(name):
    low, high = RANGES[name]
    for value in (low - 1, high + 1):
        with pytest.raises(GenesisError, match=f"{name} must be an integer from {low} to {high}"):
            Genesis.new("n", {key_of(1): 1}, parameters=parameters(**{name: value}))


def test_the_ranges_name_every_parameter():
    assert list(RANGES) == [field.name for field in dataclasses.fields(ChainParameters)]


@pytest.mark.parametrize("name", ["term_s_min", "confirm_s_min"])
def test_the_longest_term_is_not_below_the_shortest(name):
    low = {"term_s_min": 100, "confirm_s_min": 100}
    Genesis.new("n", {key_of(1): 1}, parameters=parameters(**low, term_s_max=100))
    with pytest.raises(GenesisError, match="term_s_max must not be below term_s_min or confirm_s_min"):
        Genesis.new("n", {key_of(1): 1}, parameters=parameters(**low | {name: 101}, term_s_max=100))


def test_a_wide_network_gives_buyers_and_arbiters_a_day_and_a_local_one_a_second():
    assert (ChainParameters().term_s_min, ChainParameters().confirm_s_min) == (3_600, 86_400)
    assert (ChainParameters.local().term_s_min, ChainParameters.local().confirm_s_min) == (1, 1)


@pytest.mark.parametrize("name", ["", "e" * 17, "Simplex", "a b", "a\n", 7, None])
def test_the_engine_has_a_short_plain_name(name):
    with pytest.raises(GenesisError, match="engine must be a name of 1 to 16"):
        Genesis.new("n", {key_of(1): 1}, engine=name)
    document = json.loads(GENESIS.to_json()) | {"engine": name}
    with pytest.raises(GenesisError, match="engine must be a name of 1 to 16"):
        Genesis.from_json(json.dumps(document).encode())


def test_the_hash_commits_to_the_engine():
    named = Genesis.new("n", {key_of(1): 1}, engine="ffg")
    assert Genesis.from_json(named.to_json().encode()) == named
    assert named.hash != Genesis.new("n", {key_of(1): 1}).hash


@pytest.mark.parametrize("name", ["", "n" * 33, "a\nb"])
def test_the_network_has_a_short_name(name):
    with pytest.raises(GenesisError, match="network"):
        Genesis.new(name, {key_of(1): 1})


def test_no_more_supply_than_63_bits():
    Genesis.new("n", {key_of(1): 1}, {key_of(2): STAKE_MAX - 1})
    with pytest.raises(GenesisError, match="add up"):
        Genesis.new("n", {key_of(1): 1}, {key_of(2): STAKE_MAX})


@pytest.mark.parametrize("amount", [0, -1, 2**63])
def test_a_balance_is_a_positive_amount(amount):
    with pytest.raises(GenesisError):
        Genesis.new("n", {key_of(1): 1}, {key_of(2): amount})


def test_balances_are_bounded(monkeypatch):
    monkeypatch.setattr(room, "_BALANCES", room.array(room.pair(room.KEY, room.U64), 2))
    Genesis.new("n", {key_of(1): 1}, {key_of(n): 1 for n in (2, 3)})
    with pytest.raises(GenesisError, match="0 to 2 items"):
        Genesis.new("n", {key_of(1): 1}, {key_of(n): 1 for n in (2, 3, 4)})


@pytest.mark.parametrize("validators", [{}, {key_of(1): 0}, {key_of(1): -5}, {key_of(1): 2**63}])
def test_bad_validators_are_refused(validators):
    with pytest.raises(GenesisError, match="genesis"):
        Genesis.new("n", validators)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "line 1 column 1"),
        (b'{"network": }', "line 1 column 13"),
        (b'{\n  "network": "n",\n  oops\n}', "line 3 column 3"),
        (b"\xff\xfe\x00", "not readable JSON"),
        (b"[" * 200_000, "not readable JSON"),
        (b'{"network": ' + b"9" * 5_000 + b"}", "not readable JSON"),
        (b"[]", "genesis must be an object"),
        (b'{"network": 1, "network": 2}', '"network" is given twice'),
        (b"{}", 'genesis lacks "network"'),
        (document(extra=1), 'unknown member "extra"'),
        (document(network=5), "network must be text"),
        (document(time_ms=-1), "time_ms must be an integer"),
        (document(time_ms=1.0), "time_ms must be an integer"),
        (document(time_ms=True), "time_ms must be an integer"),
        (document(parameters=[]), "parameters must be an object"),
        (document(parameters=DOCUMENT["parameters"] | {"epoch": 1}), 'parameters has an unknown member "epoch"'),
        (document(parameters=DOCUMENT["parameters"] | {"epoch_blocks": "7"}), "parameters: epoch_blocks must be"),
        (
            document(parameters={k: v for k, v in DOCUMENT["parameters"].items() if k != "fee_floor"}),
            'lacks "fee_floor"',
        ),
        (document(validators={}), "validators must be a list"),
        (document(validators=[]), "1 to 256 members"),
        (document(validators=[5]), r"validators\[0\] must be an object"),
        (document(validators=[DOCUMENT["validators"][0], {"public_key": "00"}]), r"validators\[1\] lacks"),
        (document(validators=[DOCUMENT["validators"][0]] * 2), "each named once"),
        (document(validators=[{"public_key": "00", "stake_minor": 1}]), r"validators\[0\].public_key must be 64"),
        (document(validators=[{"public_key": "zz" * 32, "stake_minor": 1}]), "64 hexadecimal"),
        (document(validators=[{"public_key": " " + "00" * 32, "stake_minor": 1}]), "64 hexadecimal"),
        (document(validators=[{"public_key": "00" * 32, "stake_minor": "1"}]), "stake_minor must be an integer"),
        (document(balances=DOCUMENT["balances"] * 2), r"balances\[2\]: account .* is named twice"),
        (document(balances=[{"account": 5, "amount_minor": 1}]), r"balances\[0\].account must be 64"),
        (document(balances=[{"account": "00" * 32, "amount_minor": 1.5}]), "amount_minor must be an integer"),
    ],
)
def test_a_malformed_file_is_refused_with_place_and_reason(data, reason, tmp_path):
    path = tmp_path / "genesis.json"
    path.write_bytes(data)
    with pytest.raises(GenesisError, match=reason) as caught:
        Genesis.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_over_the_cap_is_refused(monkeypatch):
    monkeypatch.setattr(room, "GENESIS_BYTES_MAX", 100)
    with pytest.raises(GenesisError, match="at most 100 allowed"):
        Genesis.from_json(GENESIS.to_json().encode())


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path):
    with pytest.raises(GenesisError, match=r"missing\.json: cannot be read"):
        Genesis.load(tmp_path / "missing.json")
    with pytest.raises(GenesisError, match="cannot be written"):
        GENESIS.save(tmp_path / "no folder" / "genesis.json")


def test_a_genesis_error_is_a_usage_error():
    assert issubclass(GenesisError, UsageError)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.binary(min_size=32, max_size=32), st.integers(1, 2**40), min_size=1, max_size=8),
    st.dictionaries(st.binary(min_size=32, max_size=32), st.integers(1, 2**40), max_size=8),
    st.integers(0, 2**64 - 1),
)
def test_any_genesis_round_trips(validators, balances, time_ms):
    genesis = Genesis.new("any", validators, balances, time_ms=time_ms)
    read = Genesis.from_json(genesis.to_json().encode())
    assert read == genesis
    assert read.hash == genesis.hash


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*DOCUMENT, "x"]), inner, max_size=5)
        ),
        max_leaves=10,
    )
)
def test_any_json_is_a_genesis_or_a_named_error(value):
    with pytest.raises(GenesisError):
        Genesis.from_json(json.dumps(value).encode())


def test_half_of_a_surrogate_pair_is_refused_by_name():
    text = Genesis.local("half", {bytes(32): 10**9}).to_json().replace('"half"', '"half\\ud800"')
    with pytest.raises(GenesisError, match="UTF-8 can write"):
        Genesis.from_json(text.encode())
