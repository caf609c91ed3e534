"""Whether a node restores a state at all: by its mode, the gap, its engine and the age of its trust."""

import random

import pytest

from p2pcommerce.finality import Simplex
from p2pcommerce.node.epochs import EpochRules
from p2pcommerce.node.restoring import Restoring, _Trail
from p2pcommerce.node.subjectivity import Subjectivity
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.sync import Ask, Broken, GaveUp, RestoreMode, RestoreParameters
from p2pcommerce.wire.messages import Snapshot

from .accounts import KEYED, START_US, make_genesis
from .epoch_world import TIME_MS, EpochWorld
from .parts import Site

A, B = bytes([1]) * 32, bytes([2]) * 32


def restoring(mode=RestoreMode.SNAPSHOT, *, follows=True, checkpoint=None, gap_blocks=1_000):
    site = Site()
    if follows:
        site.chain.rules = EpochRules(site.genesis, Simplex(KEYED))
    parameters = RestoreParameters(mode=mode, gap_blocks=gap_blocks)
    trusted = Subjectivity(site.chain, site.genesis, checkpoint)
    return Restoring(parameters, site.chain, site.genesis, Simplex(KEYED), KEYED, random.Random(1), trusted)


def begun(room, now=START_US):
    """Return what it does once the time to settle is over."""
    if room.deadline is None:
        return []
    return room.on_deadline(max(now, room.deadline))


def test_a_full_node_and_one_without_epochs_never_restore():
    for room in (restoring(RestoreMode.FULL), restoring(follows=False)):
        room.on_status(A, 10**6, START_US)
        assert room.deadline is None
        assert not room.is_active


@pytest.mark.parametrize(
    ("mode", "gap", "asks"),
    [
        (RestoreMode.SNAPSHOT, 200, False),
        (RestoreMode.SNAPSHOT, 201, True),
        (RestoreMode.AUTO, 1_000, False),
        (RestoreMode.AUTO, 1_001, True),
    ],
)
def test_it_depends_on_the_gap(mode, gap, asks):
    room = restoring(mode)
    room.on_status(A, gap, START_US)
    assert bool(begun(room)) is asks


def test_blocks_wait_from_the_first_in_one_mode_and_for_an_offer_in_the_other():
    for mode, waits in ((RestoreMode.SNAPSHOT, True), (RestoreMode.AUTO, False)):
        room = restoring(mode)
        room.on_status(A, 10**6, START_US)
        assert room.is_active is waits
        assert [effect.peer for effect in begun(room) if isinstance(effect, Ask)] == [A]
        assert room.is_active is waits


def test_peers_that_come_later_are_asked_too_and_those_that_leave_are_not():
    room = restoring()
    room.on_status(A, 10**6, START_US)
    room.on_disconnected(A)
    room.on_status(B, 10**6, START_US)
    assert [effect.peer for effect in begun(room)] == [B]
    room.on_status(A, 10**6, START_US)
    assert [effect.peer for effect in room.on_deadline(START_US + 2 * MICROSECONDS)] == [A]


def test_trust_that_is_too_old_ends_it_with_what_to_do_and_a_checkpoint_mends_it():
    late = START_US + 100 * MICROSECONDS
    room = restoring()
    room.on_status(A, 10**6, late)
    (gave_up,) = begun(room, late)
    assert isinstance(gave_up, GaveUp)
    assert "checkpoint" in gave_up.reason
    room.on_status(A, 10**6, late)
    assert room.deadline is None  # by blocks from now on
    genesis = make_genesis()
    anchor = TrustAnchor(genesis.hash, genesis.validators, 3, late // 1_000)
    room = restoring(checkpoint=anchor)
    room.on_status(A, 10**6, late)
    assert isinstance(begun(room, late)[0], Ask)


def test_two_final_blocks_of_one_height_stop_the_node():
    room = restoring()
    room.on_status(A, 10**6, START_US)
    world = EpochWorld()
    begun(room)
    room._trail = room._attempt._trail = _Trail(world.client(epoch_blocks=1_000))
    room._attempt._genesis_hash = world.genesis.hash
    room._attempt.on_connected(B)
    room.on_deadline(START_US + 2 * MICROSECONDS)
    for peer, time_ms in ((A, 1), (B, 2)):
        header = world.header(0, 1_000, time_ms=TIME_MS + time_ms)
        effects = room.on_snapshot(peer, Snapshot(header.raw, world.certify(header), b"\x00"), START_US)
    (broken,) = effects
    assert isinstance(broken, Broken)
    assert "final at height 1000" in broken.reason
    assert room.deadline is None


def test_an_attempt_without_an_honest_peer_ends_once():
    room = restoring()
    room.on_status(A, 10**6, START_US)
    effects, now = begun(room), START_US
    while not any(isinstance(effect, GaveUp) for effect in effects):
        now = room.deadline
        effects = room.on_deadline(now)
    assert room.counters == {"restores_begun": 1, "restores_done": 0, "restores_given_up": 1}
    assert not room.is_active
