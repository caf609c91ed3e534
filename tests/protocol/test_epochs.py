"""A chain over three epochs, against its vectors: seeds, leaders, changing sets, a carrier, what the chain writes."""

import pytest

from tests.vector_files import load

from . import chain
from .document import read
from .epochs import Follower
from .plain import RefusedError, decode, encode

FILE = load("chain")
RECORDS = FILE["records"]


def follow():
    follower = Follower(FILE["genesis"], bytes.fromhex(FILE["genesis_header"]))
    for each in FILE["blocks"]:
        epoch = (follower.header["height"] + 1) // follower.blocks - 1
        following = RECORDS.get(f"validators of epoch {epoch + 2}")
        raw = bytes.fromhex(following["value"]) if following else None
        follower.take(bytes.fromhex(each["bytes"]), bytes.fromhex(each["proof"]), raw)
    return follower


def test_the_chain_is_followed_from_genesis_by_headers_and_proofs():
    follower = follow()
    assert follower.header["height"] == len(FILE["blocks"])
    assert follower.sets[0][1] != follower.sets[2][1], "the stake of block 2 counts from epoch 2 on"
    strongest = max(stake for _, stake in follower.sets[2][0])
    assert strongest == max(stake for _, stake in follower.sets[0][0]) + 5_000_000


def test_the_end_of_the_first_epoch_is_shown_by_a_carrier():
    header, _, _ = chain.read_block(bytes.fromhex(FILE["blocks"][2]["bytes"]))
    proof = read("finality proof", bytes.fromhex(FILE["blocks"][2]["proof"]))
    (carrier,) = proof["headers"]
    assert (carrier["height"], carrier["state_root"]) == (header["height"], header["state_root"])
    assert read("seal", carrier["engine_data"])["carrier"] is True


def test_what_the_chain_writes_of_itself_is_what_its_blocks_give():
    follower = follow()
    proven = {name: follower.proven(record) for name, record in RECORDS.items()}
    assert proven["seed of epoch 1"] == follower.seeds[1]
    assert proven["seed of epoch 2"] == follower.seeds[2]
    assert proven["seed that grows"] == follower.growing
    assert proven["start of epoch 2"] == encode(follower.starts[2])
    assert proven["chain time"] == encode(follower.time_ms)
    assert decode(proven["lowest epoch"]) == 0
    assert proven["candidates"] == proven["validators of epoch 3"], "nothing changed since"
    with pytest.raises(RefusedError):
        follower.proven(RECORDS["candidates"] | {"value": RECORDS["validators of epoch 2"]["value"] + "00"})


def test_a_block_that_is_left_out_is_noticed():
    follower = Follower(FILE["genesis"], bytes.fromhex(FILE["genesis_header"]))
    second = FILE["blocks"][1]
    with pytest.raises(RefusedError):
        follower.take(bytes.fromhex(second["bytes"]), bytes.fromhex(second["proof"]), None)
