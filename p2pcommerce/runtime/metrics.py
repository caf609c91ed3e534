"""What a node counts, as Prometheus reads it: `metrics = "127.0.0.1:9464"` in the configuration.

    GET /metrics -> the text format (or OpenMetrics, if the reader asks for it)

The page is made when it is asked for, from `statistics()`. The server answers GET requests for that one path, a few at
a time, each within seconds: it is for a scraper on this machine or on a network of the operator's own, and has no
access control. `prometheus-client` (extra `metrics`) makes the format, and is imported when the server starts.

Source: the Prometheus documentation (metric and label naming, exposition formats); RFC 9112 (the request line).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from p2pcommerce.primitives.errors import UsageError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["METRICS", "REQUESTS_MAX", "REQUEST_BYTES_MAX", "REQUEST_S", "MetricsError", "MetricsServer", "Row", "table"]

REQUEST_BYTES_MAX: Final = 8 * 1024
REQUESTS_MAX: Final = 8
"""Requests that are answered at once; beyond that a connection is closed."""
REQUEST_S: Final = 5.0
"""Seconds that a reader may take for question and answer."""

Statistics = Mapping[str, object]


class MetricsError(UsageError):
    """Metrics that cannot be served; one line says why and what to do."""

    code = "METRICS"


@dataclass(frozen=True, slots=True)
class Row:
    """One metric.

    Attributes:
        name: without `p2pcommerce_`; of a counter without `_total`.
        kind: "gauge", "counter" or "unknown".
        labels: their names.
        help: what it says, one line.
        samples: label values and value, from the statistics.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    samples: Callable[[Statistics], Iterable[tuple[tuple[str, ...], int]]]


def _one(name: str) -> Callable[[Statistics], Iterable[tuple[tuple[str, ...], int]]]:
    def samples(statistics: Statistics) -> Iterator[tuple[tuple[str, ...], int]]:
        value = statistics[name]
        if isinstance(value, int):
            yield (), value

    return samples


def _of(group: str, name: str) -> Callable[[Statistics], Iterable[tuple[tuple[str, ...], int]]]:
    def samples(statistics: Statistics) -> Iterator[tuple[tuple[str, ...], int]]:
        yield (), _group(statistics, group)[name]

    return samples


def _group(statistics: Statistics, name: str) -> Mapping[str, int]:
    found = statistics[name]
    return found if isinstance(found, dict) else {}


def _ended(statistics: Statistics) -> Iterator[tuple[tuple[str, ...], int]]:
    for code, count in _group(statistics, "connections").items():
        yield (code.removeprefix("closed_"),), count


_SCOPES: Final = ("peer", "host", "group")


def _resource(name: str) -> tuple[str, str]:
    for scope in _SCOPES:
        if name.endswith(f"_per_{scope}"):
            return name.removesuffix(f"_per_{scope}"), scope
    return name, "total"


def _used(statistics: Statistics) -> Iterator[tuple[tuple[str, ...], int]]:
    counts = _group(statistics, "resources")
    for name, value in counts.items():
        if f"{name}_max" in counts:
            yield _resource(name), value


def _limits(statistics: Statistics) -> Iterator[tuple[tuple[str, ...], int]]:
    for name, value in _group(statistics, "resources").items():
        if name.endswith("_max"):
            yield _resource(name.removesuffix("_max")), value


def _refused(statistics: Statistics) -> Iterator[tuple[tuple[str, ...], int]]:
    for name, value in _group(statistics, "resources").items():
        action, dot, cap = name.partition(".")
        if dot:
            yield (cap, action), value


def _rooms(statistics: Statistics) -> Iterator[tuple[tuple[str, ...], int]]:
    rooms = statistics["rooms"]
    for room, counts in rooms.items() if isinstance(rooms, dict) else ():
        for name, value in counts.items():
            if isinstance(value, int):
                yield (room, name), value


def _traffic(name: str, kind: str, direction: str) -> Row:
    what = f"{name.partition('_')[0].capitalize()} {direction} since the start, by all connections."
    return Row(f"{direction}_{kind}", "counter", (), what, _of("traffic", name))


METRICS: Final = (
    Row("height_blocks", "gauge", (), "Height of the last final and stored block.", _one("height")),
    Row("view", "gauge", (), "View that the finality engine is in.", _one("view")),
    Row("epoch", "gauge", (), "Epoch of the validators.", _one("epoch")),
    Row("peers", "gauge", (), "Peers that are connected.", _one("peers")),
    Row("mempool_transactions", "gauge", (), "Transactions that wait in the pool.", _one("mempool")),
    _traffic("bytes_in", "bytes", "received"),
    _traffic("bytes_out", "bytes", "sent"),
    _traffic("messages_in", "messages", "received"),
    _traffic("messages_out", "messages", "sent"),
    _traffic("messages_skipped", "messages", "skipped"),
    _traffic("records_in", "records", "received"),
    _traffic("records_out", "records", "sent"),
    Row("connections_ended", "counter", ("code",), "Connections and dials that ended, by why.", _ended),
    Row(
        "resource_used",
        "gauge",
        ("resource", "scope"),
        "What connections take (sockets, handshakes, bytes, messages), in total and by the peer, host or address group "
        "that takes most.",
        _used,
    ),
    Row("resource_limit", "gauge", ("resource", "scope"), "The cap of the resource in the scope.", _limits),
    Row(
        "resource_refusals",
        "counter",
        ("cap", "action"),
        "Callers that were refused and links that were closed, by the cap that was reached.",
        _refused,
    ),
    Row("room", "unknown", ("room", "name"), "Every counter and gauge of the cores, as statistics() has it.", _rooms),
)


def table() -> str:
    """Return the metrics as a table for the documentation."""
    lines = ["| metric | type | labels | is |", "| --- | --- | --- | --- |"]
    for row in METRICS:
        suffix = "_total" if row.kind == "counter" else ""
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(f"| `p2pcommerce_{row.name}{suffix}` | {row.kind} | {labels} | {row.help} |")
    return "\n".join(lines) + "\n"


class MetricsServer:
    """Serves the metrics of one node."""

    def __init__(self, statistics: Callable[[], Statistics]) -> None:
        """Prepare.

        Args:
            statistics: of the node.

        Raises:
            MetricsError: `prometheus-client` is not installed.
        """
        try:
            from prometheus_client import CollectorRegistry, exposition, metrics_core  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MetricsError("metrics needs prometheus-client: pip install 'p2pcommerce[metrics]'") from error
        self._statistics = statistics
        self._core = metrics_core
        self._exposition = exposition
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._busy = 0

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they stand now; what `prometheus-client` asks for."""
        kinds = {
            "gauge": self._core.GaugeMetricFamily,
            "counter": self._core.CounterMetricFamily,
            "unknown": self._core.UnknownMetricFamily,
        }
        statistics = self._statistics()
        for row in METRICS:
            family = kinds[row.kind](f"p2pcommerce_{row.name}", row.help, labels=row.labels)
            for labels, value in row.samples(statistics):
                family.add_metric(labels, value)
            yield family

    def page(self, accept: str) -> tuple[bytes, str]:
        """Return the page and its content type.

        Args:
            accept: what the reader takes, as in its header; empty: the text format.
        """
        encode, content_type = self._exposition.choose_encoder(accept)
        page: bytes = encode(self._registry)
        return page, content_type

    async def run(self, address: str, *, task_status: trio.TaskStatus[str]) -> None:
        """Serve until cancelled; says where it listens, with the port that was really taken.

        Args:
            address: `host:port`; port 0 takes a free one.
            task_status: is given `host:port`.

        Raises:
            MetricsError: the address cannot be listened on.
        """
        host, _, port = address.rpartition(":")
        try:
            listeners = await trio.open_tcp_listeners(int(port), host=host.strip("[]"))
        except OSError as error:
            raise MetricsError(f"metrics: {address} cannot be listened on: {error.strerror or error}") from error
        taken = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._serve, listeners)
            task_status.started(f"{host}:{taken}")

    async def _serve(self, stream: trio.SocketStream) -> None:
        if self._busy >= REQUESTS_MAX:
            await trio.aclose_forcefully(stream)
            return
        self._busy += 1
        try:
            with trio.move_on_after(REQUEST_S):
                await stream.send_all(self._answer(await _head(stream)))
        except trio.BrokenResourceError:
            return  # the reader is gone
        finally:
            self._busy -= 1
            await trio.aclose_forcefully(stream)

    def _answer(self, head: bytes) -> bytes:
        request, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in {"GET", "HEAD"} or not head:
            return _response("405 Method Not Allowed" if head else "400 Bad Request", b"GET /metrics\n", "text/plain")
        if path != "/metrics":
            return _response("404 Not Found", b"see /metrics\n", "text/plain")
        headers = [line.partition(":") for line in lines]
        accept = next((value.strip() for name, _, value in headers if name.lower() == "accept"), "")
        page, content_type = self.page(accept)
        return _response("200 OK", page, content_type, with_body=method == "GET")


async def _head(stream: trio.SocketStream) -> bytes:
    """Return a request's head, up to its empty line; empty if it is too long or ends before."""
    head = bytearray()
    while b"\r\n\r\n" not in head:
        more = await stream.receive_some(REQUEST_BYTES_MAX)
        head += more
        if not more or len(head) > REQUEST_BYTES_MAX:
            return b""
    return bytes(head.partition(b"\r\n\r\n")[0])


def _response(status: str, body: bytes, content_type: str, *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
