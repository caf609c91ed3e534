"""The bytes of links, proofs and chunks, pinned: what was written once must be checked by every later version.

`python -m tests.node.test_light_vectors` writes the file anew; a change of it is a change of the format, which then
needs another version.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from p2pcommerce.node.epoch_links import decode_link, encode_link
from p2pcommerce.node.light import LightClient
from p2pcommerce.node.proof import make_proof, verify_proof
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.sync.chunks import Cut, read_chunk, read_depths

from .epoch_world import BLOCKS, EpochWorld

FILE = Path(__file__).parents[1] / "vectors" / "light.json"
STATE = {b"key %d" % number: b"value %d" % number for number in range(20)}
EPOCHS = 3


def vectors():
    """Return what the file holds."""
    world = EpochWorld(EPOCHS, scheme=ED25519, state=STATE)
    header = world.header(EPOCHS, EPOCHS * BLOCKS + 5)
    finality = world.certify(header)
    proofs = {
        name: make_proof("simplex", header, finality, key, STATE.get(key), world.tree.prove(key), links=world.links)
        for name, key in (("presence", b"key 7"), ("absence", b"nothing"))
    }
    cut = Cut(STATE.items())
    return {
        "anchor": json.loads(world.anchor.to_json()),
        "links": [encode_link(link).hex() for link in world.links],
        "header": header.raw.hex(),
        "proofs": {name: proof.raw.hex() for name, proof in proofs.items()},
        "snapshot": {"root": cut.root.hex(), "depths": cut.depths.hex(), "chunks": [raw.hex() for raw in cut.chunks()]},
    }


PINNED = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


@pytest.fixture
def anchor():
    return TrustAnchor.from_json(json.dumps(PINNED["anchor"]))


def test_the_bytes_are_those_of_the_file():
    assert vectors() == PINNED


def test_a_light_client_follows_the_links_of_the_file(anchor):
    client = LightClient(anchor)
    assert client.follow([decode_link(bytes.fromhex(raw)) for raw in PINNED["links"]], anchor.time_ms * 1_000) == EPOCHS


def test_the_proofs_of_the_file_hold(anchor):
    present, absent = (verify_proof(bytes.fromhex(PINNED["proofs"][name]), anchor) for name in ("presence", "absence"))
    assert (present.value, absent.value) == (b"value 7", None)
    assert present.block_hash == absent.block_hash


def test_the_chunks_of_the_file_hold():
    snapshot = PINNED["snapshot"]
    places = read_depths(bytes.fromhex(snapshot["depths"]))
    (pairs,) = [
        read_chunk(bytes.fromhex(raw), bytes.fromhex(snapshot["root"]), place)
        for raw, place in zip(snapshot["chunks"], places, strict=True)
    ]
    assert dict(pairs) == STATE


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
