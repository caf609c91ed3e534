"""FFG: a vote against a checkpoint that has long been final convicts, by what the node has on its disk alone."""

from __future__ import annotations

import pytest

from p2pcommerce.finality.ffg.links import LinkVote, make_quorum_link
from p2pcommerce.finality.ffg.messages import Cast, Links, encode_message
from p2pcommerce.finality.ffg.proof import decode_proof
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN, Checkpoint, Link
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from p2pcommerce.primitives.ids import BlockHash
from p2pcommerce.simulation.world import World
from p2pcommerce.wire.messages import Engine

from .worlds import SECOND, run, scenario

OTHER = BlockHash(blake2b_256(b"other"))


@pytest.fixture
def grown():
    """A world whose first node has restarted above checkpoint 5, and the links of the final chain by their targets."""
    world = World(scenario(3, seconds=300, load_tps=5, stakes=(1,) * 4, nodes=4, engine="ffg"))
    links = {}

    def note(committed):
        for quorum in decode_proof(committed.proof).links if committed.proof else ():
            links[quorum.link.target.index] = quorum

    world.subscribe(note)
    host = world.hosts[0]
    assert world.run_until(280 * SECOND, lambda: host.height >= 40)
    host.crash(power_loss=False)
    host.start()
    world.run_until(world.now_us + 5 * SECOND)
    world.oracles.report = lambda *_: None  # the others are honest but for what is signed in their names here
    return world, host, links


def vote(world, host, link):
    signature = world.scheme.sign(host.seed, signed_bytes(LINK_DOMAIN, world.genesis.hash, link.data))
    return LinkVote(link, world.genesis.validators.index(host.key), signature)


def told(world, host, message):
    """Give a node a message of the second one; return whom it convicts of what by itself."""
    found = []
    world.on_offence = lambda teller, effect: found.append(effect) if teller is host else None
    host.receive(world.hosts[1].key, Engine(encode_message(message)))
    world.run_until(world.now_us + 5 * SECOND)
    assert world.defect is None
    own = [each.offence for each in found if hasattr(each, "peer") and each.peer is None]
    return {each.offender: each.kind for each in own}


def signer_of(world, quorum):
    """Return a node other than the first, of those who signed; the first is the one that hears."""
    keys = world.genesis.validators.keys
    return next(each for each in world.hosts[1:] if keys.index(each.key) in quorum.signers)


def counters(host):
    return host.core.engine_status().counters


@pytest.mark.parametrize("kind", ["F1", "F2"])
def test_an_old_vote_that_is_shown_late_convicts_its_voter(grown, kind):
    world, host, links = grown
    world.hosts[1] = signer_of(world, links[2 if kind == "F1" else 3])  # who sends it is its voter
    # A target that was not voted for yet: no double vote, but a link around those that are stored.
    around = Link(0, Checkpoint(0, OTHER), Checkpoint(20, OTHER))
    link = Link(0, links[2].link.source, Checkpoint(2, OTHER)) if kind == "F1" else around
    assert told(world, host, Cast(vote(world, world.hosts[1], link))) == {world.hosts[1].key: kind}
    assert not host.is_halted


def test_a_rival_final_checkpoint_of_the_past_convicts_a_third_and_stops_the_node(grown):
    world, host, links = grown
    members = world.genesis.validators
    first = Link(0, links[2].link.source, Checkpoint(2, OTHER))
    last = Link(0, Checkpoint(2, OTHER), Checkpoint(3, OTHER))
    rival = [make_quorum_link([vote(world, each, link) for each in world.hosts[1:]], members) for link in (first, last)]
    offenders = told(world, host, Links(tuple(rival)))
    assert set(offenders) <= {each.key for each in world.hosts[1:]}
    assert 3 * len(offenders) >= len(world.hosts)
    assert host.is_halted


def test_a_forged_rival_costs_its_sender_the_connection_and_convicts_nobody(grown):
    world, host, _ = grown
    members = world.genesis.validators
    last = Link(0, Checkpoint(2, OTHER), Checkpoint(3, OTHER))
    votes = [LinkVote(last, members.index(each.key), bytes(64)) for each in world.hosts[1:]]
    assert told(world, host, Links((make_quorum_link(votes, members),))) == {}
    assert counters(host)["refused_certificate_signature"] == 1
    assert not host.is_halted


def test_the_links_of_the_final_chain_are_looked_up_once_and_accuse_nobody(grown):
    world, host, links = grown
    assert told(world, host, Links((links[2],))) == {}
    before = counters(host)["doubts"]
    assert told(world, host, Links((links[2],))) == {}
    assert counters(host)["doubts"] == before > 0
    assert not host.is_halted


def test_worlds_of_ffg_without_forks_look_little_up():
    world = run(World(scenario(4, seconds=60, liveness=30, load_tps=5, stakes=(1,) * 4, nodes=4, engine="ffg")))
    assert counters(world.hosts[0]).get("doubts", 0) == counters(world.hosts[0]).get("doubts_dropped", 0) == 0
