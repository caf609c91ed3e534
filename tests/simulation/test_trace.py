import os
import subprocess
import sys

from p2pcommerce.simulation.trace import EVENTS_KEPT, Trace

PINNED = "87cb19ea945ea82b9402d1ec7eda013217c53657ceff7f81d449732f6950f595"


def of(*events):
    trace = Trace()
    for event in events:
        trace.record(*event)
    return trace


def test_the_hash_is_pinned():
    assert of((1, 2, "deliver", b"abc")).hash == PINNED


def test_equal_events_have_an_equal_hash_and_each_part_counts():
    event = (1, 2, "deliver", b"abc")
    others = [(2, 2, "deliver", b"abc"), (1, 3, "deliver", b"abc"), (1, 2, "crash", b"abc"), (1, 2, "deliver", b"abd")]
    assert of(event).hash == of(event).hash
    assert len({of(event).hash, of(event, event).hash, of().hash, *(of(other).hash for other in others)}) == 7


def test_who_sent_it_counts_and_is_told():
    one, other = Trace(), Trace()
    one.record(1, 2, "deliver", b"abc", source=3)
    other.record(1, 2, "deliver", b"abc", source=4)
    assert one.hash != other.hash
    assert one.tail() == ["0.000001 s  node 2  deliver  from node 3"]


def test_kind_and_detail_do_not_run_into_each_other():
    assert of((1, 2, "ab", b"c")).hash != of((1, 2, "a", b"bc")).hash


def test_words_are_not_hashed():
    silent, wordy = Trace(), Trace()
    silent.record(1, 2, "vote", b"x")
    wordy.record(1, 2, "vote", b"x", "N(3)")
    assert silent.hash == wordy.hash


def test_the_last_events_are_told_in_words():
    trace = Trace()
    trace.record(0, -1, "start")
    trace.record(12_345_678, 3, "vote", b"\x01", "N(3, 9f)")
    trace.record(12_345_679, 3, "deliver", bytes(40))
    assert trace.tail() == [
        "0.000000 s  world  start",
        "12.345678 s  node 3  vote  N(3, 9f)",
        f"12.345679 s  node 3  deliver  {'00' * 16}...",
    ]
    assert trace.tail(1) == trace.tail()[2:]
    assert trace.tail(0) == []


def test_only_the_last_events_are_kept():
    trace = Trace(events_kept=5)
    for time_us in range(20):
        trace.record(time_us, 0, "tick")
    assert (trace.count, len(trace.tail())) == (20, 5)
    assert trace.tail()[0].startswith("0.000015 s")
    assert EVENTS_KEPT >= 100


SMALL_WORLD = """
from p2pcommerce.simulation import *

streams, trace, queue = Streams(5), Trace(), EventQueue()
links = Links(table("aws"), streams, nodes=9)
clocks = [HostClock(streams, node, parse_faults("all")) for node in range(9)]
disks = [SimulatedDisk(streams, node, parse_faults("torn_write=1,bit_rot=1")) for node in range(9)]
for kind in FAULTS.values():
    if kind.part == "link" and kind.name != "partition":
        links.set_fault(LinkFault(kind=kind.name))
links.set_fault(partition("halves", range(9), streams.of("partition")))
queue.push(0, 0, b"start")
while trace.count < 500 and len(queue):
    at, _, node, data = queue.pop()
    disks[node].append("wal", data)
    if at % 7 == 0:
        disks[node].crash()
    kept = b"".join(disks[node].read(name) for name in disks[node].names())
    trace.record(clocks[node].read(at), node, "deliver", kept)
    for target in range(9 if len(queue) < 50 else 1):
        for arrival in links.transmit(node, target, len(data), at):
            queue.push(abs(arrival), target, links.corrupted(data) if arrival < 0 else data)
print(trace.count, trace.hash)
"""


def test_the_hash_is_the_same_in_every_process_and_under_any_hash_seed():
    lines = {
        subprocess.run(
            [sys.executable, "-c", SMALL_WORLD],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(lines) == 1
    assert int(lines.pop().split()[0]) > 300
