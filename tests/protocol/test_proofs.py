"""docs/protocol/catching-up.md and proofs.md, against their vectors; and that nothing here knows the library."""

import re
from pathlib import Path

import pytest

from tests.vector_files import load

from . import proofs
from .document import read
from .plain import RefusedError

LIGHT, COMPACT = load("light"), load("proof")


def test_links_lead_from_epoch_to_epoch_and_none_may_be_left_out():
    anchor = proofs.Anchor.of(LIGHT["anchor"])
    raws = [bytes.fromhex(raw) for raw in LIGHT["links"]]
    for raw in raws:
        anchor = anchor.follow(raw)
    assert anchor.epoch == LIGHT["anchor"]["epoch"] + len(raws)
    with pytest.raises(RefusedError):
        proofs.Anchor.of(LIGHT["anchor"]).follow(raws[1])


def test_the_chunks_of_a_snapshot():
    snapshot = LIGHT["snapshot"]
    places = proofs.chunk_places(bytes.fromhex(snapshot["depths"]))
    root, pairs = bytes.fromhex(snapshot["root"]), []
    for raw, place in zip(snapshot["chunks"], places, strict=True):
        pairs += proofs.read_chunk(bytes.fromhex(raw), place, root)
    assert sorted(pairs) == sorted((b"key %d" % number, b"value %d" % number) for number in range(20))
    assert proofs.subtree_of(pairs, 0) == root


@pytest.mark.parametrize("depths", ["", "01", "0102", "010101", "0001", "020101"])
def test_depths_that_divide_no_tree(depths):
    with pytest.raises(RefusedError):
        proofs.chunk_places(bytes.fromhex(depths))


@pytest.mark.parametrize(("name", "shown"), [("presence", (b"key 7", b"value 7")), ("absence", (b"nothing", None))])
def test_full_proofs(name, shown):
    raw = bytes.fromhex(LIGHT["proofs"][name])
    assert proofs.check_full(raw, proofs.Anchor.of(LIGHT["anchor"])) == shown
    with pytest.raises(RefusedError):
        proofs.check_full(
            raw.replace(b"key 7", b"key 8") if shown[1] else raw.replace(b"nothing", b"key 7xx"),
            proofs.Anchor.of(LIGHT["anchor"]),
        )


@pytest.mark.parametrize("name", COMPACT["proofs"])
def test_compact_proofs_as_bytes_and_as_text(name):
    anchor = proofs.Anchor.of(COMPACT["anchors"]["21" if name == "item" else "4"])
    raw = bytes.fromhex(COMPACT["proofs"][name]["raw"])
    assert proofs.from_text(COMPACT["proofs"][name]["text"]) == raw
    key, value = proofs.check_compact(raw, anchor)
    assert key[0] in {0x02, proofs.ITEM}
    assert (value is None) is (name == "absence")


def test_a_header_is_enough_where_the_validators_are_carried():
    header = read("header", bytes.fromhex(COMPACT["header"]))
    raw = bytes.fromhex(COMPACT["proofs"]["carries_validators"]["raw"])
    assert proofs.check_compact(raw, header=header)[1] is not None
    with pytest.raises(RefusedError):
        proofs.check_compact(raw, header=header | {"validators_hash": bytes(32)})


def test_a_changed_byte_of_a_compact_proof_is_refused():
    anchor = proofs.Anchor.of(COMPACT["anchors"]["4"])
    raw = bytearray.fromhex(COMPACT["proofs"]["balance"]["raw"])
    for place in range(0, len(raw), 37):
        changed = bytes(raw[:place]) + bytes([raw[place] ^ 1]) + bytes(raw[place + 1 :])
        with pytest.raises(RefusedError):
            proofs.check_compact(changed, anchor)


def test_nothing_here_imports_the_library():
    for path in Path(__file__).parent.glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) +(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert "p2p" + "commerce" not in imported, path.name
