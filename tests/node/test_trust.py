"""Trust anchors as files: what is read back, and what is refused with a reason."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.ledger.validators import STAKE_MAX, Validator, ValidatorSet
from p2pcommerce.node.trust import ANCHOR_BYTES_MAX, AnchorError, EpochEnd, TrustAnchor
from p2pcommerce.primitives.crypto import blake2b_256

from .epoch_world import TIME_MS, EpochWorld

WORLD = EpochWorld(epochs=1)
GOOD = json.loads(WORLD.anchor.to_json())


def test_an_anchor_is_read_back(tmp_path):
    path = tmp_path / "anchor.json"
    path.write_text(WORLD.anchor.to_json(), encoding="utf-8")
    assert TrustAnchor.load(path) == WORLD.anchor
    assert WORLD.anchor.time_ms == TIME_MS


def test_the_end_of_the_epoch_before_is_read_back_and_its_members_are_checked():
    client = WORLD.client()
    client.follow(WORLD.links, WORLD.now)
    anchor = client.anchor
    assert anchor.before.block_hash == WORLD.links[0].header.hash
    assert TrustAnchor.from_json(anchor.to_json()) == anchor
    document = json.loads(anchor.to_json())
    for change, reason in (
        ({"before": None}, "before has the members"),
        ({"before": {}}, "before has the members"),
        ({"before": document["before"] | {"block_hash": "00"}}, "64 lower-case"),
        ({"before": document["before"] | {"time_ms": -1}}, "time_ms must be"),
        ({"before": document["before"] | {"validators": []}}, "1 to 256 members"),
        ({"epoch": 0}, "no epoch before"),
    ):
        with pytest.raises(AnchorError, match=reason):
            TrustAnchor.from_json(json.dumps(document | change))


def test_an_anchor_of_the_largest_sets_is_read():
    largest = ValidatorSet.of([Validator(blake2b_256(bytes([n])), STAKE_MAX // 256) for n in range(256)])
    end = EpochEnd(bytes(32), TIME_MS, largest)
    anchor = TrustAnchor(WORLD.genesis.hash, largest, 2**32 - 1, TIME_MS, end, epoch_blocks=2**31)
    assert len(anchor.to_json()) <= ANCHOR_BYTES_MAX
    assert TrustAnchor.from_json(anchor.to_json()) == anchor


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 1}, "version 2"),
        ({"epoch_blocks": 0}, "epoch_blocks must be an integer"),
        ({"epoch_blocks": None}, "epoch_blocks must be an integer"),
        ({"epoch_blocks": 2**31 + 1}, "epoch_blocks must be an integer"),
        ({"epoch": -1}, "epoch must be an integer"),
        ({"epoch": True}, "epoch must be an integer"),
        ({"time_ms": "now"}, "time_ms must be an integer"),
        ({"genesis_hash": "00"}, "64 lower-case"),
        ({"genesis_hash": "AB" * 32}, "64 lower-case"),
        ({"genesis_hash": 7}, "64 lower-case"),
        ({"validators": []}, "1 to 256 members"),
        ({"validators": {}}, "must be a list"),
        ({"validators": [{"public_key": "00" * 32}]}, "public_key and stake"),
        ({"validators": [{"public_key": "00" * 32, "stake": 0}]}, "stake must be an integer"),
        ({"more": 1}, "members"),
    ],
)
def test_a_malformed_anchor_is_refused_with_the_reason(change, reason):
    with pytest.raises(AnchorError, match=reason):
        TrustAnchor.from_json(json.dumps(GOOD | change))


def test_an_anchor_that_does_not_say_how_many_blocks_an_epoch_has_is_no_file():
    with pytest.raises(AnchorError, match=r"version 2 and the members .*epoch_blocks"):
        TrustAnchor.from_json(json.dumps({name: value for name, value in GOOD.items() if name != "epoch_blocks"}))
    assert GOOD["epoch_blocks"] == WORLD.genesis.parameters.epoch_blocks
    with pytest.raises(AnchorError, match="does not say how many blocks an epoch has: name epoch_blocks"):
        replace(WORLD.anchor, epoch_blocks=None).to_json()


def test_no_json_too_much_and_no_file_are_refused(tmp_path):
    with pytest.raises(AnchorError, match="no JSON"):
        TrustAnchor.from_json(b"{")
    with pytest.raises(AnchorError, match="at most"):
        TrustAnchor.from_json(b" " * (ANCHOR_BYTES_MAX + 1))
    with pytest.raises(AnchorError, match=r"nothing\.json: cannot be read"):
        TrustAnchor.load(tmp_path / "nothing.json")


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_whatever_stands_in_a_member_is_read_or_refused(value):
    for name in GOOD:
        try:
            TrustAnchor.from_json(json.dumps(GOOD | {name: value}))
        except AnchorError:
            continue
