"""What is measured, and how it is told."""

import json

import pytest

from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.simulation.gossip.meter import Meter
from p2pcommerce.simulation.gossip.publication import Publication
from p2pcommerce.simulation.gossip.result import LatencyMs, percentile
from p2pcommerce.simulation.gossip.run import run_gossip
from p2pcommerce.simulation.gossip.scenario import GossipScenario

FIELDS = {
    "seed",
    "nodes",
    "strategy",
    "latency_table",
    "transactions",
    "delivered",
    "latency_ms",
    "bytes_per_payload_byte",
    "duplicates_per_delivery",
    "trace_hash",
    "events",
    "events_per_s",
    "realtime_factor",
}


def publication(origin=0, *, is_measured=True, at_us=100):
    raw = bytes([origin]) * 20
    return Publication(blake2b_256(raw), raw, origin=origin, at_us=at_us, is_measured=is_measured, nodes=4)


def test_percentiles_are_the_nearest_rank():
    ranked = list(range(1, 101))
    assert [percentile(ranked, share) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert percentile([7], 0.5) == 7


def test_a_result_has_the_fields_of_the_interface_as_json():
    ticks = iter([1.0, 3.0])
    scenario = GossipScenario(nodes=8, transactions=3, warmup_s=0, rate=50)
    result = run_gossip(scenario, stopwatch=lambda: next(ticks))
    told = json.loads(json.dumps(result.to_json()))
    assert set(told) >= FIELDS
    assert set(told["latency_ms"]) == {"p50", "p99"}
    assert told["events_per_s"] == told["events"] / 2
    assert told["realtime_factor"] == told["world_s"] / 2


def test_latency_runs_from_publication_to_acceptance():
    meter = Meter(4)
    item = publication()
    meter.publish(item, 3)
    for now_us in (1_100, 2_100, 4_100):
        meter.deliver(item, 1, now_us, expected=True)
    assert meter.latency_ms() == LatencyMs(p50=2.0, p99=4.0)
    assert meter.pending == 0


def test_what_was_not_published_in_the_window_has_no_latency():
    meter = Meter(4)
    item = publication(is_measured=False)
    meter.publish(item, 3)
    meter.deliver(item, 1, 1_100, expected=True)
    assert meter.latency_ms() == LatencyMs(p50=None, p99=None)
    assert meter.measured == []


def test_the_delivered_fraction_counts_those_who_were_there():
    meter = Meter(4)
    item = publication(at_us=100)
    meter.publish(item, 3)
    item.held[1] = 1
    assert meter.delivered([(0, 0), (1, 0), (2, 0)]) == pytest.approx(0.5)
    assert meter.delivered([(0, 0), (1, 0), (2, 101)]) == 1.0
    assert meter.delivered([]) == 1.0


def test_bytes_and_deliveries_are_those_of_the_window():
    meter = Meter(4)
    meter.deliver(publication(), 1, 200, expected=True)
    assert meter.accepted == 0
    meter.is_open = True
    meter.deliver(publication(), 1, 200, expected=True)
    meter.sent_bytes[1] = 300
    meter.sent_bytes[2] = 100
    meter.repeated = 3
    assert meter.bytes_per_payload_byte(20) == pytest.approx(20)
    assert meter.duplicates_per_delivery() == pytest.approx(3)
    assert meter.max_over_mean_upload([1, 2]) == pytest.approx(1.5)
