"""Metrics, read as Prometheus reads them: over HTTP."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import trio
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import p2pcommerce as p2p
from p2pcommerce.node.resources import ResourceLimits
from p2pcommerce.runtime.config import ConfigError
from p2pcommerce.runtime.metrics import METRICS, REQUEST_BYTES_MAX, REQUESTS_MAX, MetricsError, table
from tests.runtime.nodes import Note, config_of, end_of, running_node, until

DOCUMENT = Path(__file__).parents[2] / "docs" / "howto" / "watch-a-node-with-prometheus.md"
NAME = re.compile(r"[a-z][a-z0-9_]*")


@pytest.fixture
async def node(tmp_path, network):
    async with running_node(tmp_path, network, metrics="127.0.0.1:0") as node:
        yield node


def fetch(node, path="/metrics", **headers):
    request = urllib.request.Request(f"http://{node.metrics_address}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


async def stream_to(node):
    host, _, port = node.metrics_address.rpartition(":")
    return await trio.open_tcp_stream(host, int(port))


async def test_a_scrape_has_what_statistics_has(node):
    await node.wait_finalized(await node.submit(Note(b"a", b"b")))
    page, content_type = await trio.to_thread.run_sync(fetch, node)
    assert content_type.startswith("text/plain; version=")
    families = {family.name: family for family in parse_text(page)}
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples["p2pcommerce_height_blocks",] >= 1
    assert samples["p2pcommerce_peers",] == 0
    assert samples["p2pcommerce_resource_limit", "host", "sockets"] == ResourceLimits().sockets_per_host_max
    assert samples["p2pcommerce_resource_used", "sockets", "total"] == 0
    assert samples["p2pcommerce_room", "admitted", "mempool"] == node.statistics()["rooms"]["mempool"]["admitted"] == 1
    assert samples["p2pcommerce_received_bytes_total",] == 0


async def test_every_metric_of_the_table_is_on_the_page_with_its_type_and_help(node):
    page, _ = await trio.to_thread.run_sync(fetch, node)
    families = {family.name: family for family in parse_text(page)}
    for row in METRICS:
        family = families[f"p2pcommerce_{row.name}"]
        assert family.documentation == row.help
        assert family.type == row.kind
        assert all(set(sample.labels) == set(row.labels) for sample in family.samples)


async def test_a_reader_may_ask_for_openmetrics(node):
    page, content_type = await trio.to_thread.run_sync(
        lambda: fetch(node, Accept="application/openmetrics-text; version=1.0.0")
    )
    assert content_type.startswith("application/openmetrics-text")
    assert {f"p2pcommerce_{row.name}" for row in METRICS} <= {family.name for family in parse_openmetrics(page)}


async def test_traffic_is_counted_over_connections_that_ended(tmp_path, network):
    listening = {"listen": ("memory://n0",), "metrics": "127.0.0.1:0"}
    async with running_node(tmp_path, network, **listening) as node:
        async with running_node(tmp_path, network, 1, engine="solo", bootstrap=("memory://n0",)) as other:
            await other.wait_peers(1)
        await until(lambda: not node.peers())
        moved = node.statistics()["traffic"]
        assert moved["messages_in"] > 0
        assert moved["bytes_out"] > moved["messages_out"]
        page, _ = await trio.to_thread.run_sync(fetch, node)
        assert f"p2pcommerce_received_messages_total {float(moved['messages_in'])}" in page
        assert 'p2pcommerce_connections_ended_total{code="closed_by_peer"} 1.0' in page


@pytest.mark.parametrize("path", ["/", "/metricsx", "/favicon.ico"])
async def test_there_is_one_page(node, path):
    with pytest.raises(urllib.error.HTTPError) as caught:
        await trio.to_thread.run_sync(fetch, node, path)
    assert caught.value.code == 404
    caught.value.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"\r\n\r\n", b"400"),
        (b"x" * (REQUEST_BYTES_MAX + 1), b"400"),
        (b"\xff\xfe\x00 /metrics\r\n\r\n", b"405"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200"),
    ],
)
async def test_other_requests_are_answered_with_their_status(node, request_, status):
    async with await stream_to(node) as stream:
        await stream.send_all(request_)
        assert (await stream.receive_some()).split(b" ")[1] == status
        await end_of(stream)


async def test_idle_readers_do_not_take_all_sockets(node):
    streams = [await stream_to(node) for _ in range(REQUESTS_MAX)]
    await trio.testing.wait_all_tasks_blocked(0.01)
    async with await stream_to(node) as one_more:
        assert await end_of(one_more) == 0
    for stream in streams:
        await stream.aclose()
    await trio.testing.wait_all_tasks_blocked(0.01)
    page, _ = await trio.to_thread.run_sync(fetch, node)
    assert "p2pcommerce_height_blocks" in page


async def test_a_place_that_is_taken_is_refused_in_one_line(tmp_path, network, node):
    with pytest.raises(MetricsError, match=f"{node.metrics_address} cannot be listened on"):
        async with p2p.open_node(config_of(tmp_path, 1, metrics=node.metrics_address), transports=(network,)):
            pytest.fail("it listens where another does")


@pytest.mark.parametrize("place", ["9464", "127.0.0.1", "127.0.0.1:99999", "a b:1", "http://127.0.0.1:1"])
def test_a_place_is_host_and_port(tmp_path, place):
    with pytest.raises(ConfigError, match="metrics"):
        config_of(tmp_path, metrics=place)


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_names_follow_the_conventions(row):
    assert NAME.fullmatch(row.name)
    assert all(NAME.fullmatch(label) and not label.startswith("__") for label in row.labels)
    assert not row.name.endswith("_total")
    assert not row.name.endswith(("_ms", "_us", "_kib", "_mib", "_percent"))  # base units alone
    assert row.help.endswith(".")


def test_the_documentation_has_the_table():
    assert DOCUMENT.read_text().endswith(table())
