"""Stake on a whole network: who bonds votes two epochs later, who unbonds leaves, who contradicts itself is jailed."""

from __future__ import annotations

import dataclasses

import pytest

from p2pcommerce.commerce import Bond, RegisterValidator, SubmitEvidence, Unbond, Withdraw
from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.epochs import epoch_of
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.simulation import Cluster

TOKEN = 1_000_000
CHAIN = dataclasses.replace(ChainParameters.local(), epoch_blocks=10, unbonding_s=5, heartbeat_ms=300)


@pytest.fixture
def cluster():
    with Cluster(nodes=5, validators=4, seed=11, accounts=("ann",), chain=CHAIN) as cluster:
        yield cluster
        cluster.assert_agreement()


def done(cluster, payload, **who):
    outcome = cluster.run_until_final(cluster.submit(payload, **who))
    assert outcome.ok, outcome.detail


def in_set(cluster, node):
    # Of a node that never stops: one that has just started again may be epochs behind.
    found = cluster.query("validator", node=2, validator=cluster.key(node))
    return found is not None and found["in_set"]


def test_who_registers_votes_two_epochs_later_and_who_unbonds_stops(cluster):
    newcomer = cluster.key(4)
    done(cluster, RegisterValidator(500, 4 * TOKEN), node=4)
    registered = cluster.heights[0]
    assert not in_set(cluster, 4)
    cluster.run_until(lambda: in_set(cluster, 4))
    # The state that answers is at most the block ahead that the store is about to take.
    votes = epoch_of(cluster.heights[0] + 1, CHAIN.epoch_blocks)
    assert votes == epoch_of(registered, CHAIN.epoch_blocks) + 2
    # Two of eight tokens are missing: without the newcomer's four the rest is no quorum.
    cluster.crash(0)
    cluster.crash(1)
    height = cluster.heights[4]
    cluster.run_until(lambda: cluster.heights[4] > height + 15)
    cluster.restart(0)
    cluster.restart(1)
    done(cluster, Unbond(newcomer), node=4)
    cluster.run_until(lambda: not in_set(cluster, 4))
    cluster.crash(4)
    height = cluster.heights[2]
    cluster.run_until(lambda: cluster.heights[2] > height + 15)
    cluster.restart(4)
    cluster.run_for(10)
    before = cluster.query("account", account=newcomer)["balance_minor"]
    done(cluster, Withdraw(newcomer), node=4)
    assert cluster.query("account", account=newcomer)["balance_minor"] > before + 3 * TOKEN
    assert cluster.query("supply")["conserved"]


def test_a_delegator_loses_with_a_validator_that_signs_twice(cluster):
    offender = cluster.key(3)
    done(cluster, Bond(offender, 2 * TOKEN), node=0, sender="ann")
    ballots = [Ballot(0, 10**6, VoteKind.NOTARIZE, bytes([number]) * 32) for number in (1, 2)]
    host = cluster.world.hosts[3]
    signed = [
        cluster.world.scheme.sign(host.seed, signed_bytes(ballot.domain, cluster.genesis.hash, ballot.data))
        for ballot in ballots
    ]
    evidence = encode_evidence(DoubleSignature(offender, ballots[0].data, signed[0], ballots[1].data, signed[1]))
    forged = encode_evidence(DoubleSignature(cluster.key(2), ballots[0].data, signed[0], ballots[1].data, signed[1]))
    refused = cluster.run_until_final(cluster.submit(SubmitEvidence(forged), node=1))
    assert refused.code == RejectionCode.FORBIDDEN
    done(cluster, SubmitEvidence(evidence), node=1)
    again = cluster.run_until_final(cluster.submit(SubmitEvidence(evidence), node=2))
    assert again.code == RejectionCode.EXISTS
    (stake,) = cluster.query("stake", account=cluster.account("ann"))
    assert stake["bonded_minor"] == 2 * TOKEN * 9 // 10
    assert cluster.query("supply")["burned_minor"] == 3 * TOKEN // 10 - TOKEN // 20
    cluster.run_until(lambda: not in_set(cluster, 3))
    cluster.crash(3)
    height = cluster.heights[0]
    cluster.run_until(lambda: cluster.heights[0] > height + 15)
    cluster.restart(3)
