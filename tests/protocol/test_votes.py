"""docs/protocol/finality.md and ffg.md, against their vectors."""

import pytest

from tests.vector_files import load

from . import chain, curve, links, votes
from .document import FFG, SIMPLEX, read
from .plain import RefusedError
from .trees import digest

SIMPLEX_FILE, FFG_FILE = load("finality"), load("ffg")
GENESIS = bytes.fromhex(SIMPLEX_FILE["genesis_hash"])
MEMBERS, SET_HASH, QUORUM = chain.read_validators(bytes.fromhex(SIMPLEX_FILE["validators"]))


def holds(judge, proof):
    try:
        judge(bytes.fromhex(proof["header"]), bytes.fromhex(proof["bytes"]), MEMBERS, SET_HASH, QUORUM)
    except RefusedError:
        return False
    return True


def test_the_set_its_hash_and_its_quorum():
    assert (SET_HASH.hex(), QUORUM) == (SIMPLEX_FILE["validators_hash"], SIMPLEX_FILE["quorum"])


def test_who_leads():
    seed = bytes.fromhex(SIMPLEX_FILE["seed"])
    assert [votes.leader(MEMBERS, seed, view).hex() for view in range(1, 13)] == SIMPLEX_FILE["leaders"]


def test_a_vote():
    vote = read("vote", bytes.fromhex(SIMPLEX_FILE["vote"]))
    data = votes.ballot(vote["epoch"], vote["view"], vote["kind"], vote["hash"])
    assert votes.read_ballot(data) == (vote["epoch"], vote["view"], vote["kind"], vote["hash"])
    assert votes.is_signed(GENESIS, MEMBERS[vote["voter"]][0], data, vote["signature"])
    assert not votes.is_signed(GENESIS, MEMBERS[vote["voter"] - 1][0], data, vote["signature"])


@pytest.mark.parametrize("raw", SIMPLEX_FILE["certificates"], ids=["N", "Z", "F"])
def test_certificates_hold_and_not_with_another_bit(raw):
    certificate = read("certificate", bytes.fromhex(raw))
    votes.check_certificate(certificate, MEMBERS, QUORUM, GENESIS)
    for changed in ({"view": certificate["view"] + 1}, {"bitmap": b"\x01"}, {"epoch": 0}):
        with pytest.raises(RefusedError):
            votes.check_certificate(certificate | changed, MEMBERS, QUORUM, GENESIS)


@pytest.mark.parametrize("message", SIMPLEX_FILE["messages"], ids=lambda message: message["name"])
def test_messages_of_simplex(message):
    assert votes.read_message(bytes.fromhex(message["bytes"]))[0] == message["name"]


def test_a_proposal_its_justify_and_its_random_output():
    raw = next(bytes.fromhex(each["bytes"]) for each in SIMPLEX_FILE["messages"] if each["name"] == "Proposal")
    _, proposal = votes.read_message(raw)
    header = proposal["header"]
    seal = read("seal", header["engine_data"])
    seed = bytes.fromhex(SIMPLEX_FILE["seed"])
    assert header["proposer"] == votes.leader(MEMBERS, seed, seal["view"])
    assert header["tx_root"] == chain.root(proposal["transaction_ids"])
    plain = chain.decode(raw[1:])
    assert votes.justify_hash(plain[1]) == seal["justify_hash"]
    votes.check_justify(proposal["justify"], header, seal, MEMBERS, QUORUM)
    assert curve.vrf_output(header["proposer"], seed + seal["view"].to_bytes(8, "big"), seal["vrf"]) is not None
    data = votes.ballot(header["epoch"], seal["view"], votes.PROPOSE, digest(chain.encode(plain[0])))
    assert votes.is_signed(GENESIS, header["proposer"], data, proposal["signature"])


@pytest.mark.parametrize("proof", SIMPLEX_FILE["proofs"], ids=lambda proof: proof["name"])
def test_proofs_of_finality(proof):
    assert holds(votes.check_proof, proof) is proof["holds"]


@pytest.mark.parametrize("claim", SIMPLEX_FILE["evidence"], ids=lambda claim: str(claim["rule"]))
def test_evidence(claim):
    found = votes.convict(bytes.fromhex(claim["bytes"]), MEMBERS, QUORUM, GENESIS)
    assert (found and (found[0], found[1].hex())) == (claim["rule"] and (claim["rule"], claim["offender"]))


@pytest.mark.parametrize("message", FFG_FILE["messages"], ids=lambda message: message["name"])
def test_messages_of_ffg(message):
    assert links.read_message(bytes.fromhex(message["bytes"]))[0] == message["name"]


@pytest.mark.parametrize("proof", FFG_FILE["proofs"], ids=lambda proof: proof["name"])
def test_proofs_of_ffg(proof):
    assert holds(links.check_proof, proof) is proof["holds"]


@pytest.mark.parametrize("claim", FFG_FILE["evidence"], ids=lambda claim: str(claim["rule"]))
def test_evidence_of_links(claim):
    found = links.convict(bytes.fromhex(claim["bytes"]), MEMBERS, GENESIS)
    assert (found and (found[0], found[1].hex())) == (claim["rule"] and (claim["rule"], claim["offender"]))


def test_every_message_of_the_pages_has_its_vector():
    for kinds, pinned in ((SIMPLEX, SIMPLEX_FILE), (FFG, FFG_FILE)):
        assert {row["name"] for row in kinds.values()} == {each["name"] for each in pinned["messages"]}
