"""docs/protocol/trees.md, chain.md, discovery.md, gossip.md and reconciliation.md, against their vectors."""

import random

import pytest

from tests.vector_files import as_json, load

from . import addresses, chain, symbols, trees
from .document import BODIES, STATE, TYPES, read
from .plain import RefusedError, decode

LEDGER, TREES, GOSSIP, DISCOVERY = (load(name) for name in ("ledger", "trees", "gossip", "discovery"))


def of(text):
    return None if text is None else bytes.fromhex(text)


@pytest.mark.parametrize("row", TREES["rows"], ids=lambda row: str(len(row["leaves"])))
def test_rows_of_leaves(row):
    leaves, top = [of(leaf) for leaf in row["leaves"]], of(row["root"])
    assert trees.root(leaves) == top
    for index, count, siblings in row["proofs"]:
        beside = [of(each) for each in siblings]
        assert trees.includes(top, leaves[index], index, count, beside)
        assert not trees.includes(top, leaves[index], index, count + 1, beside)
        assert not trees.includes(top, leaves[index - 1], index, count, beside) or count == 1


@pytest.mark.parametrize("state", TREES["states"], ids=lambda state: str(len(state["pairs"])))
def test_states_and_what_is_in_them_or_not(state):
    assert trees.state_root([(of(key), of(value)) for key, value in state["pairs"]]) == of(state["root"])
    for proof in state["proofs"]:
        other = proof["other"] and tuple(of(each) for each in proof["other"])
        siblings = [of(each) for each in proof["siblings"]]
        assert trees.proven_root(of(proof["key"]), of(proof["value"]), siblings, other) == of(state["root"])


def test_the_genesis_hash_of_a_readable_genesis():
    assert chain.genesis_hash(LEDGER["genesis_json"]).hex() == LEDGER["genesis_hash"]


@pytest.mark.parametrize("name", ["transaction", "transaction_sponsored"])
def test_transactions_and_their_ids(name):
    raw = of(LEDGER[name])
    assert trees.digest(raw).hex() == LEDGER[f"{name}_id"]
    transaction = chain.read_transaction(raw)
    assert (transaction["sponsor"] is not None) is (name == "transaction_sponsored")
    with pytest.raises(RefusedError):
        chain.read_transaction(raw.replace(transaction["sender"], bytes(32)))


def test_header_and_block():
    header, block_hash, transactions = chain.read_block(of(LEDGER["block"]))
    assert block_hash.hex() == LEDGER["block_hash"] == trees.digest(of(LEDGER["header"])).hex()
    assert trees.root([trees.digest(each) for each in transactions]).hex() == LEDGER["tx_root"]
    assert read("header", of(LEDGER["header"]), 1_024) == header


def test_outcomes():
    kept = [decode(of(LEDGER[name])) for name in ("outcome_ok", "outcome_failed")]  # with a sentence behind
    committed = [(code, events) for code, events, _ in kept]
    assert chain.receipts_root(committed).hex() == LEDGER["receipts_root"]


@pytest.mark.parametrize("name", DISCOVERY["records"])
def test_peer_records_count_or_are_refused(name):
    record, genesis = DISCOVERY["records"][name], of(DISCOVERY["genesis_hash"])
    if not record["refused"]:
        chain.check_record(of(record["bytes"]), genesis, DISCOVERY["now_ms"])
        return
    with pytest.raises(RefusedError, match=record["refused"]):
        chain.check_record(of(record["bytes"]), genesis, DISCOVERY["now_ms"])


@pytest.mark.parametrize("text", DISCOVERY["addresses"])
def test_addresses_and_their_one_form(text):
    expected = DISCOVERY["addresses"][text]
    if expected is None:
        with pytest.raises(RefusedError):
            addresses.canonical(text)
        return
    assert addresses.canonical(text) == (expected["canonical"], expected["can_be_dialled"])


def test_short_ids_prices_and_a_post():
    for each in GOSSIP["ids"]:
        assert trees.digest(of(each["item"])).hex() == each["id"]
        for short in each["short_ids"]:
            assert chain.short_id(of(short["key"]), of(each["id"])).hex() == short["short_id"]
    assert [each["fee"] * 65_536 // each["weight"] for each in GOSSIP["prices"]] == [
        each["price"] for each in GOSSIP["prices"]
    ]
    post = chain.check_post(of(GOSSIP["post"]["bytes"]), of(GOSSIP["genesis_hash"]))
    assert (post["topic"], trees.digest(of(GOSSIP["post"]["bytes"])).hex()) == ("prices of café", GOSSIP["post"]["id"])
    with pytest.raises(RefusedError):
        chain.check_post(of(GOSSIP["post"]["bytes"]), bytes(32))


# --- reconciliation ---

CODED = load("reconcile")
KEY = of(CODED["announcement_key"])


@pytest.mark.parametrize("vector", CODED["short_ids"], ids=lambda vector: vector["short_id"])
def test_which_symbols_a_short_id_is_in(vector):
    short = chain.short_id(KEY, of(vector["transaction_id"]))
    assert (short.hex(), symbols.check(short).hex()) == (vector["short_id"], vector["check"])
    assert symbols.places(short, CODED["length"]) == vector["symbols"]


@pytest.mark.parametrize("vector", CODED["sets"], ids=lambda vector: str(vector["size"]))
def test_the_symbols_of_a_set(vector):
    shorts = [chain.short_id(KEY, number.to_bytes(32, "big")) for number in range(vector["size"])]
    row = symbols.symbols(shorts, vector["count"])
    assert symbols.write(row, 0, vector["size"]).hex() == vector["bytes"]
    assert symbols.read(of(vector["bytes"]), 0, vector["size"]) == row


def test_symbols_give_away_what_two_sets_differ_in():
    rng = random.Random(7)
    shorts = [rng.randbytes(8) for _ in range(60)]
    theirs, ours = shorts[:55], shorts[10:]
    rows = [symbols.symbols(each, 60) for each in (theirs, ours)]
    assert symbols.differences(*rows) == (sorted(shorts[:10]), sorted(shorts[55:]))
    assert symbols.differences(*[row[:8] for row in rows]) is None


# --- bodies and state ---


def test_every_type_of_transaction_is_read_by_its_row():
    seen = set()
    for block in load("commerce")["blocks"]:
        for raw in block["transactions"]:
            transaction = chain.read_transaction(of(raw))
            chain.read_body(transaction)
            seen.add(transaction["type"])
    assert seen == set(BODIES)


def test_a_state_record_is_read_by_its_row():
    account = TYPES.read(STATE[0x02], of("93" + "05" + "07" + "c0"))
    assert as_json(list(account.values())) == [5, 7, None]
