import random
from collections import Counter

import pytest

from p2pcommerce.simulation.link_faults import LinkFault, isolate
from p2pcommerce.simulation.links import FRAME_BYTES, NODES_MAX, LinkMode, Links, LinksError
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.tables import table, uniform

MBIT = 1_000_000
FAST = 10**12


def links(nodes=4, latency=None, seed=1, **options):
    options.setdefault("bandwidth_bps", FAST)
    return Links(latency or uniform(10_000), Streams(seed), nodes=nodes, **options)


def test_a_small_message_on_an_empty_link_takes_the_table_s_delay():
    subject = Links(table("ethereum8"), Streams(1), nodes=[0, 2], bandwidth_bps=FAST)
    assert subject.transmit(0, 1, 100, 5_000_000) == [5_165_000]
    assert subject.delay_us(0, 1) == 165_000


def test_delays_have_the_median_and_90th_percentile_of_the_table():
    subject = links(latency=uniform(10_000, 4_000))
    delays = sorted(subject.transmit(0, 1, 10, at)[0] - at for at in range(0, 20_000 * 100_000, 100_000))
    assert delays[10_000] == pytest.approx(10_000, rel=0.01)
    assert delays[18_000] == pytest.approx(14_000, rel=0.02)
    assert delays[0] > 8_000
    assert delays[-1] < 10_000 + 6 * 4_000


def test_equal_seeds_give_equal_arrivals_and_others_do_not():
    def run(seed):
        subject = links(20, table("aws"), seed)
        rng = random.Random(1)
        pairs = [(rng.randrange(20), rng.randrange(20)) for _ in range(500)]
        return [subject.transmit(source, target, 250, at * 100) for at, (source, target) in enumerate(pairs)]

    assert run(3) == run(3) != run(4)


def test_messages_of_one_link_arrive_in_order():
    subject = links(latency=uniform(10_000, 20_000))
    arrivals = [subject.transmit(0, 1, 10, at)[0] for at in range(0, 100_000, 100)]
    assert arrivals == sorted(arrivals)
    assert len(set(arrivals)) > 5


def test_a_sender_s_upload_is_a_queue():
    subject = links(bandwidth_bps=[8 * MBIT, FAST, FAST, FAST], frame_bytes=0)  # a byte each microsecond
    assert [subject.transmit(0, target, 1_000, 0)[0] for target in (1, 2, 3)] == [11_000, 12_000, 13_000]
    assert subject.backlog_us(0, 1, 500) == 2_500
    assert subject.backlog_us(0, 1, 3_000) == 0
    assert subject.transmit(0, 1, 1_000, 50_000) == [61_000]


def test_a_receiver_s_download_is_shared_by_all_senders():
    subject = links(nodes=51, bandwidth_bps=FAST, download_bps=8 * MBIT, frame_bytes=0)
    last = max(subject.transmit(source, 0, 1_000, 0)[0] for source in range(1, 51))
    assert 50_000 + 8_000 < last < 50_000 + 12_000


def test_a_message_from_far_away_does_not_hold_up_one_that_arrives_earlier():
    subject = Links(table("ethereum8"), Streams(1), nodes=[2, 0, 2], bandwidth_bps=MBIT, frame_bytes=0)
    far = subject.transmit(1, 0, 100, 0)[0]
    near = subject.transmit(2, 0, 100, 0)[0]
    assert far >= 165_000
    assert near < 5_000


def test_upload_and_download_of_one_message_overlap():
    subject = links(bandwidth_bps=8 * MBIT, frame_bytes=0)
    assert subject.transmit(0, 1, 1_000_000, 0)[0] == pytest.approx(1_010_000, rel=0.01)


def test_arrival_times_are_rounded_up():
    subject = links(bandwidth_bps=3 * MBIT, frame_bytes=0)
    assert subject.transmit(0, 1, 1, 0) == [10_003]


def test_each_message_has_a_frame_and_is_counted():
    subject = links()
    subject.transmit(0, 1, 100, 0)
    subject.transmit(0, 2, 100, 0)
    assert subject.sent_bytes == [2 * (100 + FRAME_BYTES), 0, 0, 0]


@pytest.mark.parametrize(
    "options",
    [
        {"nodes": 0},
        {"nodes": NODES_MAX + 1, "latency": uniform(1)},
        {"bandwidth_bps": 0},
        {"bandwidth_bps": [1]},
        {"download_bps": [1, 1, 1, -1]},
        {"latency": uniform(1_000, 2_001)},
    ],
)
def test_links_that_cannot_be_are_refused(options):
    with pytest.raises(LinksError):
        links(**options)


def test_nodes_are_placed_by_the_seed_or_where_they_are_told():
    assert links(30, table("aws"), 1).regions == links(30, table("aws"), 1).regions
    assert links(30, table("aws"), 1).regions != links(30, table("aws"), 2).regions
    assert Links(table("aws"), Streams(1), nodes=[3, 4]).regions == (3, 4)


def test_a_fault_that_is_switched_on_and_off_again_leaves_no_trace():
    plain, subject = links(latency=table("aws")), links(latency=table("aws"))
    subject.set_fault(LinkFault(kind="loss", intensity=1))
    subject.set_fault(isolate(1))
    assert set(subject.faults) == {"loss", "partition"}
    subject.clear_fault("loss")
    subject.clear_fault()
    assert subject.faults == {}
    arrivals = [[each.transmit(0, 1, 250, at)[0] for at in range(0, 10**6, 1_000)] for each in (plain, subject)]
    assert arrivals[0] == arrivals[1]
    assert not subject.fired


def test_faults_do_not_change_the_jitter_of_what_they_spare():
    plain, lossy = links(latency=table("aws")), links(latency=table("aws"), mode=LinkMode.MESSAGE)
    lossy.set_fault(LinkFault(kind="loss", intensity=0.5))
    pairs = [
        (plain.transmit(0, 1, 250, at), lossy.transmit(0, 1, 250, at)) for at in range(0, 100 * 10**6, 500_000)
    ]  # far enough apart that none holds up the next
    spared = [(before, after) for before, after in pairs if after]
    assert 60 < len(spared) < 140
    assert all(before == after for before, after in spared)


def test_a_corrupted_message_is_marked_by_its_sign_and_one_bit_is_flipped():
    subject = links()
    subject.set_fault(LinkFault(kind="corruption", intensity=1))
    assert subject.transmit(0, 1, 100, 0) == [-10_000]
    data = bytes(100)
    changed = subject.corrupted(data)
    assert sum(byte.bit_count() for byte in changed) == 1
    assert len(changed) == 100
    assert subject.corrupted(b"") == b""


def test_a_reset_link_keeps_no_order_with_what_was_sent_before():
    subject = links(latency=uniform(1_000_000))
    subject.set_fault(LinkFault(kind="slow_link", links=frozenset({(0, 1)})))
    slow = subject.transmit(0, 1, 10_000, 0)[0]
    assert subject.backlog_us(0, 1, 0) > 10_000_000
    subject.clear_fault("slow_link")
    assert subject.transmit(0, 1, 10, 1)[0] == slow
    subject.reset(0, 1)
    assert subject.transmit(0, 1, 10, 2)[0] < 1_100_000


def test_a_thousand_nodes_keep_their_queues_bounded():
    subject = links(1_000, table("aws"), bandwidth_bps=50 * MBIT)
    rng = random.Random(1)
    for at in range(0, 2_000_000, 100):
        subject.transmit(rng.randrange(1_000), rng.randrange(5), 250, at)
    counts = Counter({node: len(subject._downlinks[node]) for node in range(1_000)})
    assert 0 < counts.most_common(1)[0][1] < 1_000
