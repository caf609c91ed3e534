"""Genesis, transactions, blocks and outcomes, from docs/protocol/chain.md; peer records and posts beside them."""

import json

from . import curve
from .channel import blake2b, signed
from .document import BODIES, PARAMETERS, TYPES, read
from .plain import decode, encode, need
from .trees import digest, root


def genesis_hash(text):
    """Return the chain id of a readable genesis."""
    told = json.loads(text)
    parameters = tuple(told["parameters"][name] for name in PARAMETERS)
    for (low, high), value in zip(PARAMETERS.values(), parameters, strict=True):
        need(low <= value <= high, "a parameter out of range")
    validators = tuple(sorted((bytes.fromhex(each["public_key"]), each["stake_minor"]) for each in told["validators"]))
    balances = tuple(sorted((bytes.fromhex(each["account"]), each["amount_minor"]) for each in told["balances"]))
    return digest(encode((1, told["network"], told["time_ms"], told["engine"], parameters, validators, balances)))


def read_validators(data):
    """Return a set as key and stake in the order of indices, its hash and its quorum."""
    members = [(each["public_key"], each["stake"]) for each in read("validators", data)]
    need(sorted(dict(members)) == [key for key, _ in members], "out of order")
    return members, digest(data), 2 * sum(stake for _, stake in members) // 3 + 1


def read_transaction(raw):
    """Return a transaction whose signatures are good."""
    transaction = read("transaction", raw, 16_384)
    values = decode(raw)
    need((transaction["sponsor"] is None) == (transaction["sponsor_signature"] is None), "half a sponsor")
    need(transaction["sponsor"] is not None or not transaction["sponsor_pays"], "no sponsor to pay")
    message = signed("transaction", transaction["chain_id"], b"".join(encode(value) for value in values[:11]))
    signer = transaction["key"] or transaction["sender"]
    need(curve.verify(signer, message, transaction["signature"]), "a bad signature")
    if transaction["sponsor"] is not None:
        need(curve.verify(transaction["sponsor"], message, transaction["sponsor_signature"]), "a bad signature")
    return transaction


def read_body(transaction):
    return TYPES.check(BODIES[transaction["type"]], transaction["body"])


def read_block(raw):
    """Return header, its hash, and the transactions of a block whose body is committed."""
    block = read("block", raw)
    head = encode(decode(raw)[0])
    need(root([digest(each) for each in block["transactions"]]) == block["header"]["tx_root"], "another body")
    return block["header"], digest(head), block["transactions"]


def receipts_root(outcomes):
    """Return the root over outcomes: each a code and the ids that its one event names, with the event's name."""
    return root([digest(encode((code, tuple(events)))) for code, events in outcomes])


def check_record(raw, genesis, now_ms):
    """Return the node that a peer record is of; raise with the code of what is wrong."""
    record = read("peer record", raw, 1_024)
    need(record["genesis_hash"] == genesis, "PEER_RECORD_NETWORK")
    need(record["expires_ms"] > now_ms, "PEER_RECORD_EXPIRED")
    need(record["expires_ms"] <= now_ms + 15 * 86_400_000, "PEER_RECORD_LIFE")
    message = signed("peer-record", genesis, encode(decode(raw)[:6]))
    need(curve.verify(record["public_key"], message, record["signature"]), "PEER_RECORD_SIGNATURE")
    return record


def check_post(raw, genesis):
    post = read("post", raw, 16_640)
    need(post["topic"], "a topic without a name")
    need(curve.verify(post["origin"], signed("post", genesis, encode(decode(raw)[:6])), post["signature"]), "bad")
    return post


def short_id(key, identifier):
    return blake2b(identifier, size=8, key=key)
