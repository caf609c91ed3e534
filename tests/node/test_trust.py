"""Trust anchors as files: what is read back, and what is refused with a reason."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.node.trust import ANCHOR_BYTES_MAX, AnchorError, TrustAnchor

from .epoch_world import TIME_MS, EpochWorld

WORLD = EpochWorld(epochs=1)
GOOD = json.loads(WORLD.anchor.to_json())


def test_an_anchor_is_read_back(tmp_path):
    path = tmp_path / "anchor.json"
    path.write_text(WORLD.anchor.to_json(), encoding="utf-8")
    assert TrustAnchor.load(path) == WORLD.anchor
    assert WORLD.anchor.time_ms == TIME_MS


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "version 1"),
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
