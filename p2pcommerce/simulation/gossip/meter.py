"""What is counted while a gossip world runs.

Bytes, duplicates and deliveries are those of honest nodes within the window, whatever transaction they belong to, so
that what is on its way at either end evens out. Latencies and the delivered fraction are those of the transactions that
were published in the window, until the world ends.

Source: the networking specification (the columns of its table).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from p2pcommerce.simulation.gossip.publication import Publication
from p2pcommerce.simulation.gossip.result import LatencyMs, percentile

__all__ = ["Meter"]

_US_PER_MS = 1_000


class Meter:
    """The counters of one run.

    Attributes:
        is_open: the window is open.
        sent_bytes: of each honest node, in the window.
        repeated: full transactions that came again, in the window.
        accepted: first deliveries, in the window.
        measured: the transactions whose delivery counts.
        pending: pairs (transaction, node) that have not come to pass, while nobody leaves.
        only: the node to or from which a delivery must be to count; None: all count.
    """

    __slots__ = ("_latencies_us", "accepted", "is_open", "measured", "only", "pending", "repeated", "sent_bytes")

    def __init__(self, nodes: int, only: int | None = None) -> None:
        """Start with the window closed."""
        self.only = only
        self.is_open = False
        self.sent_bytes = [0] * nodes
        self.repeated = 0
        self.accepted = 0
        self.measured: list[Publication] = []
        self.pending = 0
        self._latencies_us = array("q")

    def publish(self, publication: Publication, receivers: int) -> None:
        """Expect a transaction at so many other nodes."""
        if publication.is_measured:
            self.measured.append(publication)
            self.pending += receivers if self.only in {None, publication.origin} else 1

    def deliver(self, publication: Publication, node: int, now_us: int, *, expected: bool) -> None:
        """Count a first delivery at an honest node; `expected`: the node was there when it was published."""
        if self.is_open:
            self.accepted += 1
        if publication.is_measured and expected and (self.only is None or self.only in {node, publication.origin}):
            self.pending -= 1
            self._latencies_us.append(now_us - publication.at_us)

    def latency_ms(self) -> LatencyMs:
        """Return the percentiles."""
        if not self._latencies_us:
            return LatencyMs(p50=None, p99=None)
        ranked = sorted(self._latencies_us)
        return LatencyMs(p50=percentile(ranked, 0.5) / _US_PER_MS, p99=percentile(ranked, 0.99) / _US_PER_MS)

    def delivered(self, receivers: Sequence[tuple[int, int]]) -> float:
        """Return the delivered fraction; of each receiver: node, and since when it has been there without a break."""
        due = came = 0
        for publication in self.measured:
            held, origin, at_us = publication.held, publication.origin, publication.at_us
            for node, since_us in receivers:
                if node != origin and since_us <= at_us and (self.only is None or self.only in {node, origin}):
                    due += 1
                    came += held[node]
        return came / due if due else 1.0

    def bytes_per_payload_byte(self, payload_bytes: int) -> float:
        """Return bytes sent per byte of payload delivered."""
        return sum(self.sent_bytes) / max(1, self.accepted * payload_bytes)

    def duplicates_per_delivery(self) -> float:
        """Return how often a transaction came again, per delivery."""
        return self.repeated / max(1, self.accepted)

    def max_over_mean_upload(self, nodes: Sequence[int]) -> float:
        """Return the upload of the busiest of some nodes over their mean."""
        sent = [self.sent_bytes[node] for node in nodes]
        return max(sent) * len(sent) / max(1, sum(sent))
