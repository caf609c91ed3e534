"""Short ids and posts, pinned. `python -m tests.gossip.test_vectors` writes the file anew."""

from p2pcommerce.gossip.post import decode_post, is_signed, sign_post
from p2pcommerce.gossip.seen import short_id
from p2pcommerce.mempool.fee_floor import price_of
from p2pcommerce.primitives.crypto import ED25519, blake2b_256
from p2pcommerce.primitives.ids import GenesisHash, TransactionId
from tests.vector_files import load, save

GENESIS = GenesisHash(bytes(range(32)))
SEED = bytes([9]) * 32
KEYS = (bytes(16), bytes(range(16)))


def vectors():
    raws = [b"a transaction", bytes(250)]
    ids = [TransactionId(blake2b_256(raw)) for raw in raws]
    post = sign_post(ED25519, SEED, GENESIS, "prices of café", b"data", 70_000, 1_700_000_000_000)
    return {
        "genesis_hash": GENESIS.hex(),
        "ids": [
            {
                "item": raw.hex(),
                "id": tx_id.hex(),
                "short_ids": [{"key": key.hex(), "short_id": short_id(key, tx_id).hex()} for key in KEYS],
            }
            for raw, tx_id in zip(raws, ids, strict=True)
        ],
        "prices": [
            {"fee": fee, "weight": weight, "price": price_of(fee, weight)}
            for fee, weight in ((1_000, 551), (0, 1), (7, 7))
        ],
        "post": {"origin_seed": SEED.hex(), "bytes": post.raw.hex(), "id": blake2b_256(post.raw).hex()},
    }


def test_the_bytes_are_those_of_the_file():
    assert vectors() == load("gossip")


def test_the_pinned_post_is_read_back():
    post = decode_post(bytes.fromhex(load("gossip")["post"]["bytes"]))
    assert is_signed(ED25519, GENESIS, post)
    assert (post.topic, post.sequence, post.data) == ("prices of café", 70_000, b"data")


if __name__ == "__main__":
    save("gossip", vectors())
