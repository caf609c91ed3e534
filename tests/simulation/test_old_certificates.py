"""A certificate against a block that has long been final convicts, by what the node has on its disk alone."""

from __future__ import annotations

import pytest

from p2pcommerce.finality.certificates import Vote, make_certificate
from p2pcommerce.finality.simplex.messages import Certificates, encode_message, view_of
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from p2pcommerce.simulation.world import World
from p2pcommerce.wire.messages import Engine

from .worlds import SECOND, run, scenario

OTHER = blake2b_256(b"other")


def grown(epoch_blocks):
    """A world whose first node has restarted at height 12 or above, and the header of the second final block."""
    world = World(scenario(3, seconds=200, load_tps=5, stakes=(1,) * 4, nodes=4, epoch_blocks=epoch_blocks))
    stored = []
    world.subscribe(lambda committed: stored.append(committed.block.header))
    host = world.hosts[0]
    assert world.run_until(150 * SECOND, lambda: host.height >= 12)
    host.crash(power_loss=False)
    host.start()
    world.run_until(world.now_us + 3 * SECOND)
    return world, host, stored[1]


def rival(world, kind, view):
    """A certificate of epoch 0 by everybody but the first node."""
    members, votes = world.genesis.validators, []
    ballot = Ballot(0, view, kind, OTHER)
    for host in world.hosts[1:]:
        signature = world.scheme.sign(host.seed, signed_bytes("vote", world.genesis.hash, ballot.data))
        votes.append(Vote(ballot, members.index(host.key), signature))
    return make_certificate(votes, members)


@pytest.mark.parametrize("epoch_blocks", [7_200, 3])
@pytest.mark.parametrize("kind", [VoteKind.FINALIZE, VoteKind.NOTARIZE])
def test_a_node_that_restarted_convicts_who_signed_against_an_old_final_block(kind, epoch_blocks):
    world, host, header = grown(epoch_blocks)
    world.oracles.report = lambda *_: None  # the others are honest but for what is signed in their names here
    found = []
    world.on_offence = lambda _host, effect: found.append(effect)
    message = Engine(encode_message(Certificates((rival(world, kind, view_of(header)),))))
    host.receive(world.hosts[1].key, message)
    world.run_until(world.now_us + 5 * SECOND)
    assert world.defect is None
    offenders = {each.offence.offender for each in found if hasattr(each, "peer") and each.peer is None}
    assert offenders <= {each.key for each in world.hosts[1:]}
    assert 3 * len(offenders) > len(world.hosts), "what is stored has signatures of a quorum, not of everybody"
    assert host.is_halted == (kind is VoteKind.FINALIZE)


def test_an_f_of_a_carrier_above_the_end_of_an_old_epoch_accuses_and_stops_nobody():
    """Honest validators may finalize a carrier, of which a node that heard of the end before that knows nothing."""
    world, host, end = grown(2)
    assert end.height == 2
    found = []
    world.on_offence = lambda _host, effect: found.append(effect)
    message = Engine(encode_message(Certificates((rival(world, VoteKind.FINALIZE, view_of(end) + 1),))))
    host.receive(world.hosts[1].key, message)
    world.run_until(world.now_us + 5 * SECOND)
    assert host.core.engine_status().counters["doubts"] == 1
    assert world.defect is None
    assert not found
    assert not host.is_halted


def test_worlds_without_forks_look_nothing_up_in_vain():
    world = run(World(scenario(4, seconds=30, load_tps=5, stakes=(1,) * 4, nodes=4)))
    counters = world.hosts[0].core.engine_status().counters
    assert counters.get("doubts", 0) == counters.get("doubts_dropped", 0) == 0
