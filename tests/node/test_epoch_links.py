"""Whole nodes over changing validators: they catch up over many epochs, and links lead from genesis to any of them."""

import random
from dataclasses import replace as change

import pytest

from p2pcommerce.commerce import Commerce
from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.finality import Simplex
from p2pcommerce.finality.simplex.messages import is_carrier
from p2pcommerce.ledger.epochs import boundary_of, read_set, set_key
from p2pcommerce.ledger.validators import ValidatorUpdate
from p2pcommerce.node.epoch_links import EpochLink, EpochLinkError, TrustAnchor, follow_links
from p2pcommerce.node.proof import ProofError, make_proof, verify_proof
from p2pcommerce.primitives.crypto import ED25519

from .cluster import Cluster, make_genesis, replace, seed_of

BLOCKS = 3
VALIDATORS = 4
BASE = make_genesis(VALIDATORS, scheme=ED25519)
GENESIS = replace(BASE, parameters=replace(BASE.parameters, epoch_blocks=BLOCKS, heartbeat_ms=300))
NAMES = [f"validator {number}" for number in range(VALIDATORS)] + ["follower 0", "follower 1"]
KEYS = sorted(ED25519.public_key(seed_of(name)) for name in NAMES)


class Drawn(Commerce):
    """Draws four of the six nodes for each epoch."""

    def end_block(self, state, context):
        updates = list(super().end_block(state, context))
        if (context.height - 1) % BLOCKS == 0:
            chosen = random.Random(int(context.epoch)).sample(KEYS, 4)
            updates += [ValidatorUpdate(key, 5 if key in chosen else 0) for key in KEYS]
        return updates


def links_of(host):
    """Read links from what a node has stored, as its runtime would."""
    stored = {each.block.header.height: each for each in host.disk.blocks}
    sets = {key: value for each in host.disk.blocks for key, value in each.changes.items() if key[:2] == b"\x00v"}
    found = []
    for epoch in range(host.node.chain.head.epoch):
        last = stored[boundary_of(epoch, BLOCKS)]
        following = GENESIS.validators if epoch == 0 else read_set(sets[set_key(epoch + 1)])
        found.append(EpochLink(last.block.header, last.proof, following.validators))
    return found


@pytest.fixture(scope="module")
def network():
    cluster = Cluster(genesis=GENESIS, scheme=ED25519, followers=2, make_application=Drawn).start()
    assert cluster.run_until(lambda: min(host.height for host in cluster.hosts) >= 8 * BLOCKS, 60)
    return cluster


@pytest.fixture
def host(network):
    return network.hosts[0]


def prove(host, links):
    chain, key = host.node.chain, ACCOUNT.key(KEYS[0])
    version = chain.state.final
    return make_proof("simplex", chain.head, chain.proof, key, version.get(key), version.tree.prove(key), links=links)


def test_every_node_votes_in_some_epoch_and_all_have_the_same_chain(network):
    assert len({host.node.chain.sets(epoch).hash for host in network.hosts for epoch in (4,)}) == 1
    voted = [host for host in network.hosts if host.node.engine_status().counters.get("votes_finalize", 0)]
    assert voted == network.hosts
    for host in network.hosts:
        assert not [each for each in host.disk.blocks if is_carrier(each.block.header)]


def test_a_proof_made_after_many_epochs_verifies_with_the_genesis(host):
    proven = verify_proof(prove(host, links_of(host)).raw, TrustAnchor.of(GENESIS))
    assert proven.height == host.node.chain.head.height


def test_a_proof_verifies_with_the_set_of_a_later_epoch(host):
    links = links_of(host)
    trust = follow_links(TrustAnchor.of(GENESIS), links, Simplex(), 4)
    assert trust.epoch == 4
    assert trust.validators == host.node.chain.sets(4)
    assert verify_proof(prove(host, links).raw, trust)
    assert verify_proof(prove(host, links[4:]).raw, trust)
    with pytest.raises(ProofError, match="epoch"):
        verify_proof(prove(host, links[4:]).raw, TrustAnchor.of(GENESIS))


def test_links_that_do_not_hold_lead_nowhere(host):
    links = links_of(host)
    strangers = tuple(change(each, stake=each.stake + 1) for each in links[2].validators)
    for broken in (
        [*links[:2], *links[3:]],
        [*links[:2], change(links[2], validators=strangers), *links[3:]],
        [*links[:2], change(links[2], validators=links[2].validators[::-1]), *links[3:]],
        [*links[:2], change(links[2], finality=links[1].finality), *links[3:]],
        [*links[:2], change(links[2], header=replace(links[2].header, time_ms=1)), *links[3:]],
        links[:-1],
    ):
        with pytest.raises((ProofError, EpochLinkError)):
            verify_proof(prove(host, broken).raw, TrustAnchor.of(GENESIS))


def test_a_new_node_and_one_that_was_away_catch_up_over_many_epochs_and_can_prove(network):
    away = network.hosts[5]
    away.crash()
    base = max(host.height for host in network.hosts)
    assert network.run_until(lambda: sorted(host.height for host in network.hosts)[1] >= base + 5 * BLOCKS, 60)
    away.start()
    new = network.hosts[4]
    new.crash()
    new.disk.blocks.clear()
    new.disk.log.clear()
    new.disk.guard.clear()
    new.start()
    target = max(host.height for host in network.hosts)
    assert network.run_until(lambda: min(new.height, away.height) >= target, 60)
    for host in (new, away):
        assert verify_proof(prove(host, links_of(host)).raw, TrustAnchor.of(GENESIS))
