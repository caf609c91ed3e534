"""Stake that is bonded by transactions votes two epochs later, over whole nodes; who contradicts itself is slashed."""

from p2pcommerce.commerce import RegisterValidator, SubmitEvidence, Unbond, build_transaction
from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.primitives.crypto import signed_bytes

from .cluster import KEYED, TOKEN, Cluster, make_genesis, replace, seed_of

BLOCKS = 3
BASE = make_genesis(4, accounts=("ann", "follower 0"))
GENESIS = replace(BASE, parameters=replace(BASE.parameters, epoch_blocks=BLOCKS, heartbeat_ms=200))
NEWCOMER = KEYED.public_key(seed_of("follower 0"))


def send(cluster, name, nonce, payload):
    transaction = build_transaction(payload, GENESIS, seed_of(name), nonce, 10**6, scheme=KEYED)
    cluster.hosts[0].submit(transaction)
    assert cluster.run_until(lambda: outcome_of(cluster.hosts[0], transaction.id) is not None, 10)
    outcome, height = outcome_of(cluster.hosts[0], transaction.id)
    assert outcome.ok, outcome
    return (height - 1) // BLOCKS


def outcome_of(host, tx_id):
    for each in host.disk.blocks:
        if tx_id in each.block.transaction_ids:
            return each.outcomes[each.block.transaction_ids.index(tx_id)], each.block.header.height
    return None


def votes(host):
    return host.node.engine_status().counters.get("votes_finalize", 0)


def reach(cluster, epoch):
    """Let time pass until every node is past the first block of an epoch."""
    return cluster.run_until(lambda: min(host.height for host in cluster.hosts) > epoch * BLOCKS, 60)


def test_an_account_bonds_votes_unbonds_and_leaves():
    cluster = Cluster(genesis=GENESIS, followers=1).start()
    newcomer = cluster.followers[0]
    epoch = send(cluster, "follower 0", 0, RegisterValidator(0, 500 * TOKEN))
    assert reach(cluster, epoch + 2)
    assert NEWCOMER not in newcomer.node.chain.sets(epoch + 1)
    assert newcomer.node.chain.sets(epoch + 2).stake(NEWCOMER) == 500 * TOKEN
    assert reach(cluster, epoch + 4)
    assert votes(newcomer) > 0
    epoch = send(cluster, "follower 0", 1, Unbond(NEWCOMER))
    assert reach(cluster, epoch + 3)
    assert NEWCOMER in newcomer.node.chain.sets(epoch + 1)
    assert NEWCOMER not in newcomer.node.chain.sets(epoch + 2)
    before = votes(newcomer)
    assert reach(cluster, epoch + 5)
    assert votes(newcomer) == before


def test_evidence_of_an_epoch_that_is_over_slashes_and_jails():
    cluster = Cluster(genesis=GENESIS, followers=1).start()
    assert reach(cluster, 2)
    guilty = seed_of("validator 3")
    ballots = [Ballot(1, 900, VoteKind.NOTARIZE, bytes([number]) * 32) for number in (1, 2)]
    signatures = [KEYED.sign(guilty, signed_bytes("vote", GENESIS.hash, ballot.data)) for ballot in ballots]
    key = KEYED.public_key(guilty)
    claim = DoubleSignature(key, ballots[0].data, signatures[0], ballots[1].data, signatures[1])
    epoch = send(cluster, "ann", 0, SubmitEvidence(encode_evidence(claim)))
    assert reach(cluster, epoch + 3)
    sets = cluster.hosts[0].node.chain.sets
    assert key in sets(epoch + 1)
    assert key not in sets(epoch + 2), "jailed"
