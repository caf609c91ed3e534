"""What validators sign and what shows a block to be final, pinned, for both engines.

`python -m tests.finality.test_vectors` writes the files anew.
"""

from dataclasses import replace

import pytest

from p2pcommerce.finality import FFG, Simplex
from p2pcommerce.finality.certificates import CERTIFICATE, VOTE, Vote, make_certificate
from p2pcommerce.finality.evidence import DoubleSignature, convict, encode_evidence
from p2pcommerce.finality.ffg import evidence as ffg_evidence
from p2pcommerce.finality.ffg import messages as ffg
from p2pcommerce.finality.ffg import proof as ffg_proof
from p2pcommerce.finality.ffg.links import LinkVote, make_quorum_link
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN, Checkpoint, Link
from p2pcommerce.finality.leader import pick_leader
from p2pcommerce.finality.proof import encode_proof
from p2pcommerce.finality.simplex import messages as simplex
from p2pcommerce.finality.simplex.justify import Justify, open_signature
from p2pcommerce.finality.simplex.messages import Seal, encode_seal, vrf_input
from p2pcommerce.finality.simplex.misjustified import Fault, Misjustified, convict_misjustified, encode_misjustified
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.block import Header, decode_header, tx_root
from p2pcommerce.ledger.validators import VALIDATORS, Validator, ValidatorSet
from p2pcommerce.primitives.codec import encode
from p2pcommerce.primitives.crypto import ED25519, blake2b_256, signed_bytes
from p2pcommerce.primitives.ids import ZERO_HASH
from tests.vector_files import load, save

GENESIS = bytes(range(32))
SEED = blake2b_256(b"seed of the epoch")
STAKES = {1: 4, 2: 3, 3: 2, 4: 1}
SEEDS = {ED25519.public_key(bytes([number]) * 32): bytes([number]) * 32 for number in STAKES}
SET = ValidatorSet.of(Validator(ED25519.public_key(bytes([number]) * 32), stake) for number, stake in STAKES.items())
IDS = (blake2b_256(b"a"), blake2b_256(b"b"))
EPOCH = 3


def sign(key, kind, data):
    return ED25519.sign(SEEDS[key], signed_bytes(kind, GENESIS, data))


def header(height, parent, seal, **more):
    fields = {
        "version": 1,
        "genesis_hash": GENESIS,
        "epoch": EPOCH,
        "height": height,
        "parent_hash": parent,
        "proposer": SET.keys[0],
        "time_ms": 1_700_000_000_000 + 500 * height,
        "tx_root": tx_root(IDS),
        "receipts_root": ZERO_HASH,
        "state_root": blake2b_256(b"state"),
        "validators_hash": SET.hash,
        "next_validators_hash": SET.hash,
        "engine_data": seal,
    }
    return Header(**(fields | more))


def ballots_of(ballot):
    """Return the votes of all on one ballot."""
    return [Vote(ballot, index, sign(key, ballot.domain, ballot.data)) for index, key in enumerate(SET.keys)]


def certificate(ballot, count=None):
    """Return a certificate of the heaviest who reach the quorum."""
    votes = sorted(ballots_of(ballot), key=lambda vote: -SET.validators[vote.voter].stake)
    return make_certificate(votes[: count or 2], SET)


def nullification(view, anchors):
    votes = []
    for (index, key), anchor in zip(list(enumerate(SET.keys)), anchors, strict=True):
        ballot = Ballot(EPOCH, view, VoteKind.NULLIFY, anchor_hash(anchor))
        votes.append(Vote(ballot, index, sign(key, ballot.domain, ballot.data)))
    return make_certificate(votes, SET)


def seal_of(view, parent_view, justify, proposer, *, carrier=False):
    proof = ED25519.vrf_prove(SEEDS[proposer], vrf_input(SEED, view))
    return encode_seal(Seal(view, parent_view, justify.hash, proof, carrier))


class Story:
    """A view that is notarized, one that is nullified, one that is final, and what may not be signed."""

    def __init__(self):
        first = Justify(None, None)
        leader = pick_leader(SET, SEED, 1)
        self.base = blake2b_256(b"the last block of the epoch before")
        self.parent = header(601, self.base, seal_of(1, 0, first, leader), proposer=leader)
        self.notarization = certificate(Ballot(EPOCH, 1, VoteKind.NOTARIZE, self.parent.hash))
        self.skip = nullification(2, (1, 0, 1, 1))
        self.justify = Justify(self.notarization, self.skip)
        leader = pick_leader(SET, SEED, 3)
        self.block = header(602, self.parent.hash, seal_of(3, 1, self.justify, leader), proposer=leader)
        self.finalization = certificate(Ballot(EPOCH, 3, VoteKind.FINALIZE, self.block.hash))
        ballot = Ballot(EPOCH, 3, VoteKind.PROPOSE, self.block.hash)
        signature = sign(leader, "proposal", ballot.data)
        self.proposal = simplex.Proposal(self.block, self.justify, IDS, signature)
        self.wrong = header(602, self.parent.hash, seal_of(3, 1, first, leader), proposer=leader)


def pair(kind, one, other):
    key = SET.keys[1]
    first, second = Ballot(EPOCH, *one), Ballot(EPOCH, *other)
    claim = DoubleSignature(
        key, first.data, sign(key, first.domain, first.data), second.data, sign(key, second.domain, second.data)
    )
    return {"rule": kind, "offender": key.hex(), "bytes": encode_evidence(claim).hex()}


def evidence(story):
    notarize, nullify, finalize, propose = VoteKind
    one, other = blake2b_256(b"one"), blake2b_256(b"other")
    ballot = Ballot(EPOCH, 3, VoteKind.NOTARIZE, story.wrong.hash)
    key = SET.keys[2]
    fault = Fault(story.wrong, Justify(None, None).heads, None)
    e6 = Misjustified(key, ballot.data, sign(key, "vote", ballot.data), fault)
    spoilt = replace(story.notarization, signatures=(story.notarization.signatures[0], bytes(64)))
    justify = Justify(spoilt, story.skip)
    leader = story.block.proposer
    header_ = header(602, story.parent.hash, seal_of(3, 1, justify, leader), proposer=leader)
    ballot = Ballot(EPOCH, 3, VoteKind.PROPOSE, header_.hash)
    fault = Fault(header_, justify.heads, open_signature(spoilt, 1, of_parent=True))
    opened = Misjustified(leader, ballot.data, sign(leader, "proposal", ballot.data), fault)
    good = Fault(story.block, story.justify.heads, open_signature(story.notarization, 1, of_parent=True))
    honest = Misjustified(
        leader, Ballot(EPOCH, 3, VoteKind.PROPOSE, story.block.hash).data, story.proposal.signature, good
    )
    return [
        pair("E1", (5, notarize, one), (5, notarize, other)),
        pair("E2", (5, finalize, one), (5, finalize, other)),
        pair("E3", (5, finalize, one), (7, nullify, anchor_hash(4))),
        pair("E4", (5, finalize, one), (5, notarize, other)),
        pair("E5", (5, propose, one), (5, propose, other)),
        {"rule": "E6", "offender": key.hex(), "bytes": encode_misjustified(e6).hex()},
        {"rule": "E6", "offender": leader.hex(), "bytes": encode_misjustified(opened).hex()},
        {"rule": None, "offender": leader.hex(), "bytes": encode_misjustified(honest).hex()},
        pair(None, (5, notarize, one), (5, nullify, anchor_hash(4))),
        pair(None, (5, finalize, one), (7, nullify, anchor_hash(5))),
        pair(None, (5, notarize, one), (6, notarize, other)),
    ]


def simplex_vectors():
    story = Story()
    vote = ballots_of(Ballot(EPOCH, 3, VoteKind.FINALIZE, story.block.hash))[0]
    weak = certificate(Ballot(EPOCH, 3, VoteKind.FINALIZE, story.block.hash), count=1)
    broken = replace(story.finalization, signatures=(bytes(64), *story.finalization.signatures[1:]))
    messages = [
        simplex.Cast(vote, None),
        simplex.Cast(ballots_of(Ballot(EPOCH, 2, VoteKind.NULLIFY, anchor_hash(1)))[1], story.notarization),
        simplex.Certificates((story.notarization, story.skip)),
        story.proposal,
        simplex.Status(EPOCH, 4, 3, 3, 0),
        simplex.Answer(EPOCH, 7, (vote,)),
        simplex.Boundary(story.block, encode_proof(story.finalization, ())),
        simplex.Shown(EPOCH, 3, story.block.hash, story.proposal.signature),
    ]
    proofs = {
        "of the block": (story.block, encode_proof(story.finalization, ()), True),
        "of its parent": (story.parent, encode_proof(story.finalization, (story.block,)), True),
        "of another block": (story.wrong, encode_proof(story.finalization, ()), False),
        "below the quorum": (story.block, encode_proof(weak, ()), False),
        "with a bad signature": (story.block, encode_proof(broken, ()), False),
        "of a notarization": (story.parent, encode_proof(story.notarization, ()), False),
    }
    return {
        "genesis_hash": GENESIS.hex(),
        "epoch": EPOCH,
        "seed": SEED.hex(),
        "validators": encode(VALIDATORS, SET.validators).hex(),
        "validators_hash": SET.hash.hex(),
        "quorum": SET.quorum,
        "leaders": [pick_leader(SET, SEED, view).hex() for view in range(1, 13)],
        "vote": encode(VOTE, vote).hex(),
        "certificates": [
            encode(CERTIFICATE, each).hex() for each in (story.notarization, story.skip, story.finalization)
        ],
        "messages": [{"name": type(each).__name__, "bytes": simplex.encode_message(each).hex()} for each in messages],
        "proofs": [
            {"name": name, "header": head.raw.hex(), "bytes": proof.hex(), "holds": holds}
            for name, (head, proof, holds) in proofs.items()
        ],
        "evidence": evidence(story),
    }


def link(source, target, name=b"target"):
    return Link(0, Checkpoint(source, blake2b_256(b"source %d" % source)), Checkpoint(target, blake2b_256(name)))


def link_pair(kind, one, other):
    key = SET.keys[0]
    claim = DoubleSignature(
        key, one.data, sign(key, LINK_DOMAIN, one.data), other.data, sign(key, LINK_DOMAIN, other.data)
    )
    return {"rule": kind, "offender": key.hex(), "bytes": ffg_evidence.LINK_EVIDENCE.encode(claim).hex()}


def quorum_link(on, count=4):
    votes = [LinkVote(on, index, sign(key, LINK_DOMAIN, on.data)) for index, key in enumerate(SET.keys)]
    return make_quorum_link(votes[:count], SET)


def ffg_vectors():
    headers, parent = [], blake2b_256(b"below")
    for height in range(8, 17):
        seal = ffg.encode_seal(ffg.Seal(height, ffg.links_hash(())))
        headers.append(header(height, parent, seal, epoch=0, time_ms=1_000 * height))
        parent = headers[-1].hash
    source, target = Checkpoint(1, headers[0].hash), Checkpoint(2, headers[8].hash)
    last = Link(0, source, target)
    good = ffg_proof.encode_proof([quorum_link(last)], headers[1:])
    weak = ffg_proof.encode_proof([quorum_link(last, 1)], headers[1:])
    ballot = Ballot(0, headers[8].height, VoteKind.PROPOSE, headers[8].hash)
    messages = [
        ffg.Cast(quorum_link(last).votes[0]),
        ffg.Links((quorum_link(last),)),
        ffg.Proposal(headers[8], (), IDS, sign(SET.keys[0], "proposal", ballot.data)),
        ffg.Status(0, 2, 16, headers[8].hash, 0),
        ffg.Answer(0, 7, (), (ffg.ProposalHead(8, headers[7].hash, sign(SET.keys[0], "proposal", ballot.data)),)),
        ffg.Ask(0, headers[8].hash),
    ]
    return {
        "genesis_hash": GENESIS.hex(),
        "validators": encode(VALIDATORS, SET.validators).hex(),
        "messages": [{"name": type(each).__name__, "bytes": ffg.encode_message(each).hex()} for each in messages],
        "proofs": [
            {"name": "of the checkpoint", "header": headers[0].raw.hex(), "bytes": good.hex(), "holds": True},
            {"name": "below the quorum", "header": headers[0].raw.hex(), "bytes": weak.hex(), "holds": False},
            {"name": "of a block above", "header": headers[1].raw.hex(), "bytes": good.hex(), "holds": False},
        ],
        "evidence": [
            link_pair("F1", link(0, 2), link(1, 2, b"other")),
            link_pair("F2", link(0, 4), link(1, 3)),
            link_pair(None, link(0, 1), link(1, 2)),
        ],
    }


FILES = {"finality": simplex_vectors, "ffg": ffg_vectors}


@pytest.mark.parametrize("name", FILES)
def test_the_bytes_are_those_of_the_file(name):
    assert FILES[name]() == load(name)


@pytest.mark.parametrize(("name", "engine"), [("finality", Simplex()), ("ffg", FFG())])
def test_the_engine_judges_what_the_file_says(name, engine):
    pinned = load(name)
    epoch = pinned.get("epoch", 0)
    sets = {epoch: SET}.__getitem__
    for proof in pinned["proofs"]:
        found = engine.verify(decode_header(bytes.fromhex(proof["header"])), bytes.fromhex(proof["bytes"]), sets)
        assert (proof["name"], found) == (proof["name"], proof["holds"])


@pytest.mark.parametrize("name", FILES)
def test_evidence_of_the_file_convicts_of_its_rule(name):
    pinned = load(name)
    sets = {pinned.get("epoch", 0): SET}.__getitem__
    for claim in pinned["evidence"]:
        data = bytes.fromhex(claim["bytes"])
        judges = (convict, convict_misjustified) if name == "finality" else (ffg_evidence.convict,)
        offences = [offence for judge in judges if (offence := judge(data, sets, GENESIS, ED25519))]
        assert [(each.kind, each.offender.hex()) for each in offences] == (
            [(claim["rule"], claim["offender"])] if claim["rule"] else []
        )


if __name__ == "__main__":
    for file, make in FILES.items():
        save(file, make())
