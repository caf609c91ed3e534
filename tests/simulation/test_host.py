"""Hosts: the order of effects, durability, crashes, restarts."""

from __future__ import annotations

import pytest

from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.node import effects as out
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.vrf import VRF_KIND
from p2pcommerce.simulation.disk_queue import SYNC_US_MAX, first_durable
from p2pcommerce.simulation.disks import SimulatedDisk
from p2pcommerce.simulation.host import RestlessError
from p2pcommerce.simulation.journal import JournalDamageError, SimulatedJournal
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.world import World
from p2pcommerce.wire.messages import Ping

from .worlds import SECOND, run, scenario, started


def sent(world, kind=Ping):
    return sum(1 for what, *_ in world.seen if what == kind.__name__)


def watch(world):
    """Note what is transmitted, in order."""
    world.seen = []
    transmit = world.transmit

    def noting(host, peer, message):
        world.seen.append((type(message).__name__, host.number, world.now_us))
        transmit(host, peer, message)

    world.transmit = noting
    return world


# --- durability ---


def test_an_append_is_durable_before_a_later_transmit_of_the_same_list():
    world = watch(started())
    host = world.hosts[0]
    peer = next(iter(host.attached))
    host.act([out.Append(b"\x00vote"), out.Transmit(peer, Ping(7))])
    assert sent(world) == 0
    assert host.disk.waiting_bytes("finality.wal") > 0
    world.run_until(world.now_us + 2 * SYNC_US_MAX)
    assert sent(world) == 1
    assert host.disk.waiting_bytes("finality.wal") == 0


def test_a_transmit_before_an_append_does_not_wait_for_the_disk():
    world = watch(started())
    host = world.hosts[0]
    host.act([out.Transmit(next(iter(host.attached)), Ping(7)), out.Append(b"\x00vote")])
    assert sent(world) == 1


def test_what_follows_an_append_is_never_done_if_the_host_crashes_before_the_sync():
    world = watch(started())
    host = world.hosts[0]
    host.act([out.Append(b"\x00vote"), out.Transmit(next(iter(host.attached)), Ping(7))])
    host.crash()
    world.run_until(world.now_us + SECOND // 50)
    assert sent(world) == 0


@pytest.mark.parametrize("steps", range(5))
def test_a_host_can_crash_between_any_two_steps(steps):
    world = watch(started())
    host = world.hosts[0]
    peers = list(host.attached)[:2]
    host.arm_crash(steps)
    host.act([*[out.Transmit(peer, Ping(7)) for peer in peers], out.Append(b"\x00v"), out.Transmit(peers[0], Ping(8))])
    world.run_until(world.now_us + 2 * SYNC_US_MAX)
    # Steps: two pings, the write, the sync, then each effect of the batch again.
    assert sent(world) == min(steps, 2)
    assert not host.is_up


def test_a_crash_before_the_sync_loses_the_guards_memory_and_the_signature_with_it():
    world = started()
    host = world.hosts[0]
    ballot = Ballot(0, 10**6, VoteKind.NOTARIZE, bytes(32))
    signed = world.oracles.judge.count
    host.act([out.SignRequest(99, "vote", ballot.data)])
    assert host.disk.waiting_bytes("guard") > 0
    host.crash()
    world.run_until(world.now_us + 2 * SYNC_US_MAX)
    assert world.oracles.judge.count == signed


def test_a_random_output_is_proved_and_is_no_ballot():
    world = started()
    host, signed = world.hosts[0], world.oracles.judge.count
    proof = host.signature(VRF_KIND, b"input")
    assert world.scheme.vrf_verify(world.scheme.public_key(host.seed), b"input", proof) is not None
    assert world.oracles.judge.count == signed


def test_a_rewrite_waits_until_the_blocks_before_it_are_stored():
    world = run_with_load(seconds=4)
    host = world.hosts[0]
    assert world.run_until(world.now_us + 4 * SECOND, lambda: not host.disk_backlog)
    committed = host.storage.blocks[-1]
    before = host.disk.size("finality.wal")
    stored = []
    world.on_stored = lambda at, blocks: at is host and stored.append((blocks, host.disk.size("finality.wal")))
    host._queue.give([out.Commit((committed,)), out.Rewrite((b"\x00only",))])
    assert host.disk.size("finality.wal") == before
    world.oracles.violations.clear()  # the block is committed a second time here
    world.run_until(world.now_us + 10 * SYNC_US_MAX, lambda: host.disk.size("finality.wal") < before)
    assert stored[0] == ([committed], before)
    assert host.disk.size("finality.wal") < before


def test_the_queue_takes_over_at_the_first_effect_that_must_be_on_the_disk():
    ping, append = out.Transmit(b"", Ping(1)), out.Append(b"")
    assert first_durable([ping, ping, append, ping]) == 2
    assert first_durable([ping]) == 1
    assert first_durable([]) == 0


# --- restarts ---


def test_a_restarted_host_stands_where_its_disk_stands():
    world = run_with_load(seconds=8)
    host = world.hosts[2]
    height, head = host.storage.blocks[-1].block.header.height, host.storage.blocks[-1].block.hash
    assert height > 3
    host.stays_down = True
    host.crash()
    host.stays_down = False
    host.start()
    assert (host.height, host.head) == (height, head)
    assert host.node.chain.state.final.root == host.node.chain.head.state_root


def run_with_load(seconds):
    return run(World(scenario(3, seconds=seconds, liveness=0, load_tps=10)))


def test_a_host_that_halted_never_starts_again():
    world = started()
    host = world.hosts[0]
    host.act([out.Halt("because")])
    assert host.is_halted
    host.start()
    assert not host.is_up
    assert [each.oracle for each in world.oracles.violations] == ["halt"]


def test_a_full_disk_stops_the_host_and_it_comes_back():
    world = started()
    host = world.hosts[1]
    host.disk.set_faults({"disk_full": 1.0})
    host.act([out.Append(b"\x00" + bytes(100))])
    assert not host.is_up
    host.disk.set_faults({})
    world.run_until(world.now_us + 6 * SECOND)
    assert host.is_up
    assert not world.oracles.violations


def test_a_stale_backup_is_put_in_the_place_of_the_disk():
    world = run_with_load(seconds=6)
    host = world.hosts[0]
    host.disk.snapshot()
    height = len(host.storage.blocks)
    world.run_until(world.now_us + 4 * SECOND)
    host.stays_down = True
    host.crash()
    assert host.disk.restore_backup()
    host.stays_down = False
    host.start()
    assert host.height == height


def test_a_damaged_log_keeps_the_host_down():
    world = started(seconds=6)
    host = world.hosts[0]
    host.stays_down = True
    host.crash()
    data = bytearray(host.disk.read("finality.wal"))
    data[40] ^= 1
    host.disk.replace("finality.wal", bytes(data))
    host.stays_down = False
    host.start()
    assert host.is_damaged
    assert not host.is_up


def test_a_core_that_never_rests_is_a_violation():
    world = started()
    host = world.hosts[0]
    host.node.on_deadline = lambda now: []
    host.node._board.pulse._beats.clear()
    host.node._board.discovery._deadline = 0
    host.rewind()
    world.run_until(world.now_us + SECOND)
    assert world.oracles.violations[0].oracle == "exception"
    assert RestlessError.__name__ in world.oracles.violations[0].detail


def test_an_effect_of_the_disk_is_never_done_aside_of_its_queue():
    host = started().hosts[0]
    with pytest.raises(LocalProtocolError):
        host.perform(out.Append(b""))


# --- the journal ---


def journal(seed=1, faults=None):
    disk = SimulatedDisk(Streams(seed), 0, faults)
    return disk, SimulatedJournal(disk, "log", Streams(seed).of("salt"))


def reopened(disk, seed=1):
    return SimulatedJournal(disk, "log", Streams(seed).of("again"))


def test_a_journal_gives_back_its_records_in_order():
    disk, log = journal()
    log.append([b"one", b"two"])
    log.append([b""])
    log.sync()
    disk.crash()
    assert reopened(disk).records == [b"one", b"two", b""]


@pytest.mark.parametrize("seed", range(40))
def test_a_torn_tail_is_cut_and_never_taken_for_damage(seed):
    disk, log = journal(seed, {"torn_write": 1.0})
    log.append([b"kept"])
    log.sync()
    log.append([bytes([seed]) * 3_000])
    disk.crash()
    again = reopened(disk, seed)
    assert again.records in ([b"kept"], [b"kept", bytes([seed]) * 3_000])
    again.append([b"next"])
    again.sync()
    assert reopened(disk, seed).records[-1] == b"next"


def test_damage_before_a_good_frame_is_refused():
    disk, log = journal()
    for record in (b"one", b"two", b"three"):
        log.append([record])
        log.sync()
    data = bytearray(disk.read("log"))
    data[45] ^= 1
    disk.replace("log", bytes(data))
    with pytest.raises(JournalDamageError):
        reopened(disk)


def test_a_bad_header_is_refused():
    disk, _ = journal()
    disk.replace("log", b"x" + disk.read("log")[1:])
    with pytest.raises(JournalDamageError):
        reopened(disk)


def test_what_is_found_at_opening_is_durable_before_anybody_acts_on_it():
    disk, log = journal()
    log.append([b"in the page cache"])
    disk.crash(power_loss=False)
    assert reopened(disk).records == [b"in the page cache"]
    disk.crash()
    assert reopened(disk).records == [b"in the page cache"]


def test_compacting_replaces_everything():
    disk, log = journal()
    log.append([b"old"] * 100)
    log.sync()
    log.compact([b"new"])
    log.append([b"newer"])
    log.sync()
    disk.crash()
    assert reopened(disk).records == [b"new", b"newer"]
