"""Conduct, commitments and proofs: each rule is seen when it is broken, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.finality.certificates import Vote, make_certificate
from p2pcommerce.finality.proof import decode_proof, encode_proof
from p2pcommerce.finality.voting import VOTE_DOMAIN, Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import set_key
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.validators import VALIDATORS, Validator
from p2pcommerce.primitives.codec import encode
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.ids import BlockHash, Height, PublicKey
from p2pcommerce.simulation.certified import proof_complaint
from p2pcommerce.simulation.commitments import CommitmentJudge
from p2pcommerce.simulation.conduct import ConductJudge
from p2pcommerce.simulation.memberships import Memberships
from p2pcommerce.simulation.options import node_seed
from p2pcommerce.simulation.world import World

from .worlds import SECOND, run, scenario

KEYS = [PublicKey(bytes([number]) * 32) for number in range(4)]
FOUNDERS = Memberships(Genesis.local("four", dict.fromkeys(KEYS, 1_000_000)))
ONE, OTHER = b"1" * 32, b"2" * 32


def n(view, digest=ONE):
    return Ballot(0, view, VoteKind.NOTARIZE, digest).data


def f(view, digest=ONE):
    return Ballot(0, view, VoteKind.FINALIZE, digest).data


def z(view, anchor=0):
    return Ballot(0, view, VoteKind.NULLIFY, anchor_hash(anchor)).data


@pytest.mark.parametrize(
    ("signed", "complaint"),
    [
        ([n(1), f(1), n(2), z(3, 1), n(4)], ""),
        ([n(1), n(1), f(1), f(1)], ""),
        ([n(1), z(1), n(1)], ""),
        ([n(2), n(1)], "after the one of view 2"),
        ([n(1), n(1, OTHER)], "after the one of view 1"),
        ([z(2), n(2)], "after Z of view 2"),
        ([n(1), z(1), f(1)], "after Z of view 1"),
        ([n(1), f(1), z(2)], "from view 0, after F of view 1"),
        ([n(1), f(1, OTHER)], "against N of view 1"),
        ([f(2), n(1)], "against F of view 2"),
    ],
)
def test_an_honest_validator_signs_in_the_order_of_the_rules(signed, complaint):
    judge = ConductJudge(FOUNDERS)
    for data in signed[:-1]:
        assert judge.see(KEYS[0], data) == ""
    assert complaint in judge.see(KEYS[0], signed[-1])
    assert bool(judge.see(KEYS[1], signed[-1])) is False


def test_after_a_start_more_than_two_thirds_must_have_answered():
    judge = ConductJudge(FOUNDERS)
    answer = b"\x05rest"
    for key in KEYS[1:2]:
        judge.on_engine(key, 0, 1, answer)
    judge.on_engine(KEYS[2], 0, 1, b"\x04no answer")
    assert not judge.has_recovered(KEYS[0], 0, 1, 0)
    judge.on_engine(KEYS[2], 0, 1, answer)
    assert judge.has_recovered(KEYS[0], 0, 1, 0)
    assert not judge.has_recovered(KEYS[0], 0, 2, 0)
    assert not judge.has_recovered(KEYS[0], 1, 1, 0)


@pytest.fixture(scope="module")
def chain():
    world = run(World(scenario(5, seconds=10, liveness=0)))
    return world, world.hosts[0].storage.blocks


def headers(chain):
    """A block, two blocks on it, and a child of the first of them."""
    parent: Header = chain[1][0].block.header
    first: Header = chain[1][1].block.header
    beside = replace(first, time_ms=first.time_ms + 1)
    child = replace(first, height=Height(first.height + 1), parent_hash=BlockHash(first.hash))
    return parent, first, beside, child


@pytest.mark.parametrize("late", [False, True])
def test_nobody_votes_beside_what_a_quorum_finalized(chain, late):
    parent, first, beside, child = headers(chain)
    judge = CommitmentJudge(FOUNDERS)
    for header in (parent, first, beside, child):
        judge.learn(header)
    good, bad = (KEYS[3], n(6, child.hash)), (KEYS[3], n(6, beside.hash))
    finals = [(key, f(5, first.hash)) for key in KEYS[:3]]
    votes = [good, *finals] if late else [*finals, good]
    assert [judge.see(*vote, is_honest=True) for vote in votes] == [""] * 4
    judge = CommitmentJudge(FOUNDERS)
    for header in (parent, first, beside, child):
        judge.learn(header)
    votes = [bad, *finals] if late else [*finals, bad]
    assert "beside" in [judge.see(*vote, is_honest=True) for vote in votes][-1]


def test_an_adversarys_vote_and_less_than_a_quorum_break_no_promise(chain):
    parent, first, beside, _ = headers(chain)
    judge = CommitmentJudge(FOUNDERS)
    for header in (parent, first, beside):
        judge.learn(header)
    for key in KEYS[:2]:
        assert judge.see(key, f(5, first.hash), is_honest=True) == ""
    assert judge.see(KEYS[3], n(6, beside.hash), is_honest=True) == ""
    assert judge.see(KEYS[2], n(7, beside.hash), is_honest=False) == ""


def test_two_finalized_blocks_of_one_view_are_seen(chain):
    judge = CommitmentJudge(FOUNDERS)
    seen = [judge.see(key, f(5, digest), is_honest=True) for digest in (ONE, OTHER) for key in KEYS[:3]]
    assert [bool(words) for words in seen] == [False] * 5 + [True]


def test_a_proof_counts_signers_and_signatures_on_this_network(chain):
    world, blocks = chain
    committed = next(each for each in blocks if not decode_proof(each.proof).headers)
    header, genesis, scheme = committed.block.header, world.genesis, world.scheme
    members = Memberships(genesis).of(0)
    assert proof_complaint(header, committed.proof, members, scheme) == ""
    assert "cannot be read" in proof_complaint(header, b"\x00", members, scheme)
    assert "does not finalize" in proof_complaint(replace(header, time_ms=1), committed.proof, members, scheme)
    seeds = {scheme.public_key(node_seed(number)): node_seed(number) for number in range(4)}

    def proof(ballot, network, count):
        signers = list(genesis.validators)[:count]
        votes = [
            Vote(ballot, index, scheme.sign(seeds[each.public_key], signed_bytes(VOTE_DOMAIN, network, ballot.data)))
            for index, each in enumerate(signers)
        ]
        return encode_proof(make_certificate(votes, genesis.validators), ())

    ballot = Ballot(0, 9, VoteKind.FINALIZE, header.hash)
    assert proof_complaint(header, proof(ballot, genesis.hash, 3), members, scheme) == ""
    assert "2 of 4 of the stake" in proof_complaint(header, proof(ballot, genesis.hash, 2), members, scheme)
    assert "did not sign" in proof_complaint(header, proof(ballot, bytes(32), 3), members, scheme)
    notarized = Ballot(0, 9, VoteKind.NOTARIZE, header.hash)
    assert "does not finalize" in proof_complaint(header, proof(notarized, genesis.hash, 3), members, scheme)


def test_what_is_signed_is_durable_and_a_disk_that_lies_is_an_excuse():
    world = World(scenario(7, load_tps=0))
    world.run_until(4 * SECOND)
    host = world.hosts[0]
    host.signature("vote", z(10**6, 10**6 - 1))
    assert [each.oracle for each in world.oracles.violations] == ["durable", "durable"]
    world.oracles.violations.clear()
    host.disk.fired["lost_fsync"] += 1
    host.signature("vote", z(10**6 + 1, 10**6 - 1))
    assert not world.oracles.violations


def test_stake_is_counted_by_the_set_that_a_boundary_block_wrote():
    memberships = Memberships(Genesis.local("four", dict.fromkeys(KEYS, 1_000_000)))
    assert memberships.of(1) == memberships.of(0)
    assert memberships.of(2) is None
    memberships.learn({set_key(2): encode(VALIDATORS, (Validator(KEYS[3], 5),)), b"\x01other": b"", set_key(1): None})
    assert memberships.of(2) == ((KEYS[3], 5),)
    assert memberships.are_founders(1)
    assert not memberships.are_founders(2)
    judge = CommitmentJudge(memberships)
    judge.see(KEYS[3], Ballot(2, 1, VoteKind.FINALIZE, ONE).data, is_honest=True)
    words = judge.see(KEYS[3], Ballot(2, 1, VoteKind.FINALIZE, OTHER).data, is_honest=True)
    assert "by a quorum each" in words
