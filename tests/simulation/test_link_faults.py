import random
from collections import Counter

import pytest

from p2pcommerce.simulation.faults import FAULTS, FaultIntensityError, UnknownFaultError
from p2pcommerce.simulation.link_faults import (
    ASYMMETRIC_US_MAX,
    PARTITION_SHAPES,
    REORDERING_US_MAX,
    SLOW_BACKLOG_US_MAX,
    LinkFault,
    LinkFaultError,
    halves,
    isolate,
    partition,
    ring,
)
from p2pcommerce.simulation.links import LinkMode, Links
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.tables import uniform

DELAY_US = 10_000
LINK_KINDS = [name for name, kind in FAULTS.items() if kind.part == "link"]


def links(mode=LinkMode.MESSAGE, nodes=10, seed=1):
    return Links(uniform(DELAY_US), Streams(seed), nodes=nodes, bandwidth_bps=10**12, frame_bytes=0, mode=mode)


def send(subject, count=1_000, source=0, target=1, every_us=1_000_000):
    return [
        [time_us - at for time_us in subject.transmit(source, target, 10, at)]
        for at in range(0, count * every_us, every_us)
    ]


def fault(kind, **options):
    if kind == "partition":
        return isolate(0)
    return LinkFault(kind=kind, **options)


@pytest.mark.parametrize("mode", LinkMode)
@pytest.mark.parametrize("kind", LINK_KINDS)
def test_every_kind_strikes_and_is_counted(kind, mode):
    subject = links(mode)
    subject.set_fault(fault(kind, intensity=0.3))
    for source in range(10):
        for target in range(10):
            if source != target:
                send(subject, 10, source, target)
    assert subject.fired[kind] > 0
    assert set(subject.fired) == {kind}


def test_a_lost_message_is_lost():
    subject = links()
    subject.set_fault(LinkFault(kind="loss", intensity=0.3))
    lost = sum(not arrivals for arrivals in send(subject, 5_000))
    assert lost == subject.fired["loss"]
    assert 0.27 < lost / 5_000 < 0.33


def test_a_stream_repairs_losses_late_or_breaks():
    subject = links(LinkMode.STREAM)
    subject.set_fault(LinkFault(kind="loss", intensity=0.3))
    results = send(subject, 5_000, every_us=100_000_000)
    late = [arrivals[0] for arrivals in results if arrivals and arrivals[0] > DELAY_US]
    assert 0.27 < len(late) / 5_000 < 0.33
    assert min(late) == DELAY_US + 200_000
    subject.set_fault(LinkFault(kind="loss", intensity=1))
    assert subject.transmit(0, 1, 10, 0) == []


def test_a_loss_on_a_stream_holds_up_what_follows():
    subject = links(LinkMode.STREAM)
    subject.set_fault(LinkFault(kind="loss", intensity=0.2))
    arrivals = [subject.transmit(0, 1, 10, at) for at in range(0, 2_000_000, 1_000)]
    times = [arrival[0] for arrival in arrivals if arrival]
    assert times == sorted(times)


def test_a_duplicate_follows_its_original():
    subject = links()
    subject.set_fault(LinkFault(kind="duplication", intensity=0.5))
    results = send(subject, 2_000)
    twice = [arrivals for arrivals in results if len(arrivals) == 2]
    assert 0.45 < len(twice) / 2_000 < 0.55
    assert all(0 <= copy - first < REORDERING_US_MAX for first, copy in twice)
    subject = links(LinkMode.STREAM)
    subject.set_fault(LinkFault(kind="duplication", intensity=1))
    assert subject.transmit(0, 1, 10, 0) == [DELAY_US] * 2


def test_messages_overtake_each_other_only_on_links_of_messages():
    for mode in LinkMode:
        subject = links(mode)
        subject.set_fault(LinkFault(kind="reordering", intensity=0.3))
        times = [subject.transmit(0, 1, 10, at)[0] for at in range(0, 1_000_000, 1_000)]
        assert (times == sorted(times)) is (mode is LinkMode.STREAM)


def test_a_one_way_link_carries_nothing_in_one_direction_and_cannot_be_dialled():
    subject = links(nodes=40)
    subject.set_fault(LinkFault(kind="one_way", intensity=0.3))
    cut = Counter()
    for first in range(40):
        for second in range(first):
            ways = [bool(subject.transmit(*link, 10, 0)) for link in ((first, second), (second, first))]
            assert any(ways)
            assert subject.reachable(first, second) is subject.reachable(second, first) is all(ways)
            cut[tuple(ways)] += 1
    assert 0.2 < (cut[True, False] + cut[False, True]) / 780 < 0.4
    assert min(cut[True, False], cut[False, True]) > 50


def test_an_asymmetric_link_has_more_delay_in_one_direction():
    subject = links(nodes=2)
    subject.set_fault(LinkFault(kind="asymmetric", intensity=1))
    delays = sorted(subject.transmit(*link, 10, 0)[0] for link in ((0, 1), (1, 0)))
    assert delays[0] == DELAY_US < delays[1] <= DELAY_US + ASYMMETRIC_US_MAX


def test_a_slow_link_carries_a_kilobyte_per_second_and_breaks_when_far_behind():
    subject = links(LinkMode.STREAM)
    subject.set_fault(LinkFault(kind="slow_link", links=frozenset({(0, 1)})))
    assert subject.transmit(0, 1, 1_000, 0) == [1_000_000 + DELAY_US + 1]
    assert subject.transmit(0, 1, 500, 0) == [1_500_000 + DELAY_US + 1]
    assert subject.transmit(1, 0, 1_000, 0) == [DELAY_US + 1]
    assert subject.backlog_us(0, 1, 500_000) == 1_000_000
    subject.transmit(0, 1, SLOW_BACKLOG_US_MAX // 1_000, 0)
    assert subject.transmit(0, 1, 10, 0) == []
    subject.reset(0, 1)
    assert subject.transmit(0, 1, 1_000, 0) == [1_000_000 + DELAY_US + 1]


def components(subject, nodes):
    return {node: {other for other in range(nodes) if subject.reachable(node, other)} for node in range(nodes)}


def test_halves_hear_themselves_only():
    subject = links(nodes=7)
    subject.set_fault(halves(range(7), random.Random(1)))
    heard = components(subject, 7)
    assert sorted(map(len, heard.values())) == [3] * 3 + [4] * 4
    assert all(heard[other] == heard[node] for node in range(7) for other in heard[node])


def test_in_a_ring_each_hears_two_neighbours():
    subject = links(nodes=7)
    subject.set_fault(ring(range(7), random.Random(1)))
    assert [len(heard) for heard in components(subject, 7).values()] == [3] * 7


def test_an_isolated_node_hears_nobody_and_the_rest_hear_each_other():
    subject = links(nodes=5)
    subject.set_fault(isolate(1, 3))
    assert components(subject, 5) == {0: {0, 2, 4}, 1: {1}, 2: {0, 2, 4}, 3: {3}, 4: {0, 2, 4}}
    assert subject.transmit(0, 1, 10, 0) == subject.transmit(1, 3, 10, 0) == []
    assert subject.transmit(0, 2, 10, 0)
    subject.clear_fault("partition")
    assert subject.reachable(0, 1)


@pytest.mark.parametrize("shape", PARTITION_SHAPES)
def test_a_partition_of_each_shape_cuts_something(shape):
    subject = links(nodes=6)
    subject.set_fault(partition(shape, range(6), random.Random(2)))
    assert any(len(heard) < 6 for heard in components(subject, 6).values())


def test_taking_one_fault_away_leaves_the_draws_of_the_others():
    def outcomes(*kinds):
        subject = links()
        for kind in kinds:
            subject.set_fault(fault(kind, intensity=0.3) if kind != "partition" else fault(kind))
        send(subject, 500)
        return subject.fired

    everything = outcomes(*LINK_KINDS)
    for kind in LINK_KINDS:
        fewer = outcomes(*(other for other in LINK_KINDS if other != kind))
        assert fewer == Counter({name: count for name, count in everything.items() if name != kind})


def test_the_order_in_which_faults_are_set_decides_nothing():
    def run(kinds):
        subject = links()
        for kind in kinds:
            subject.set_fault(LinkFault(kind=kind, intensity=0.3))
        return send(subject, 300)

    kinds = [kind for kind in LINK_KINDS if kind != "partition"]
    assert run(kinds) == run(kinds[::-1])


def test_a_fault_can_be_bound_to_some_links():
    subject = links()
    subject.set_fault(LinkFault(kind="loss", intensity=1, links=frozenset({(0, 1)})))
    assert subject.transmit(0, 1, 10, 0) == []
    assert subject.transmit(1, 0, 10, 0)
    assert subject.transmit(0, 2, 10, 0)


def test_faults_that_links_cannot_have_are_refused():
    with pytest.raises(UnknownFaultError):
        LinkFault(kind="rain")
    with pytest.raises(FaultIntensityError):
        LinkFault(kind="loss", intensity=1.5)
    with pytest.raises(LinkFaultError, match="not one of links"):
        LinkFault(kind="bit_rot")
    with pytest.raises(LinkFaultError, match="groups or a ring"):
        LinkFault(kind="partition")
    with pytest.raises(LinkFaultError, match="groups or a ring"):
        LinkFault(kind="loss", ring=(1, 2))
    with pytest.raises(LinkFaultError, match="halves, ring, isolate"):
        partition("thirds", range(3), random.Random(1))
