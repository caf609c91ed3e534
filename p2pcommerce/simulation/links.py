"""Links: when a message that one node sends arrives at another.

A message waits for the sender's upload, travels for a delay drawn from the latency table, and waits for the receiver's
download. Within one directed link messages arrive in the order in which they were sent. Then the faults that are on
have their say (`link_faults`).

In `STREAM` mode a link is a connection, as between full nodes: a lost message is sent again later and holds up what
follows; no arrival at all means that the connection is broken, and whoever drives the nodes ends it on both sides
(then `reset`). In `MESSAGE` mode a lost message is lost.

Source: the deterministic simulator specification.
Deviations: jitter is drawn for each message, where that of a real path changes slowly: with order kept, a link that is
used often runs later than its median. Loss is drawn for each message, not for each packet of it. A stream repeats a
message only if duplication is on, which stands for a peer that sends it twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum, unique
from math import log
from typing import Final, Protocol

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.downlink import Downlink
from p2pcommerce.simulation.link_faults import LinkFault, LinkFaults
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.tables import LatencyTable, place

__all__ = [
    "BANDWIDTH_BPS",
    "FRAME_BYTES",
    "NODES_MAX",
    "LinkMode",
    "LinkModel",
    "Links",
    "LinksError",
]

BANDWIDTH_BPS: Final = 50_000_000
"""Bits in a second by default: four of five nodes of the 8-region source."""
FRAME_BYTES: Final = 24
"""Bytes added to each message: record and message headers, the authentication tag."""
_NODE_BITS: Final = 20
NODES_MAX: Final = 1 << _NODE_BITS
_JITTER_BITS: Final = 10
_COST_BITS: Final = 10
# Quantiles of an exponential distribution, moved and scaled so that the median is 0 and the 90th percentile is 1 (times
# 1,024). Rounded to integers once, so that no platform's logarithm can change a delay.
_JITTER: Final = tuple(
    round(1_024 * (log(2_048 / (2_047 - 2 * step)) - log(2)) / log(5)) for step in range(1 << _JITTER_BITS)
)


class LinksError(UsageError):
    """Links that cannot be: no nodes, too many, no bandwidth."""

    code = "LINKS"


@unique
class LinkMode(Enum):
    """What a link promises."""

    STREAM = "stream"
    """Order within a link; losses are repaired, or the connection breaks."""
    MESSAGE = "message"
    """Nothing, once faults are on."""


class LinkModel(Protocol):
    """What a world needs of its network."""

    fired: Counter[str]

    def transmit(self, source: int, target: int, size_bytes: int, now_us: int) -> list[int]:
        """Return when a message arrives; see `Links.transmit`."""
        ...

    def reachable(self, source: int, target: int) -> bool:
        """Tell whether a connection can be made."""
        ...


class Links:
    """Every link of one world.

    Attributes:
        fired: how often each fault struck.
        sent_bytes: by node, what it has put on its links, frame headers included.
    """

    def __init__(
        self,
        table: LatencyTable,
        streams: Streams,
        *,
        nodes: int | Sequence[int],
        bandwidth_bps: int | Sequence[int] = BANDWIDTH_BPS,
        download_bps: int | Sequence[int] | None = None,
        mode: LinkMode = LinkMode.STREAM,
        frame_bytes: int = FRAME_BYTES,
    ) -> None:
        """Lay the links.

        Args:
            table: the delays.
            streams: of the world.
            nodes: how many, placed by the table's weights; or the region index of each.
            bandwidth_bps: upload in bits per second, of all nodes or of each.
            download_bps: download; None: as the upload.
            mode: what links promise.
            frame_bytes: added to each message.

        Raises:
            LinksError: no nodes or more than `NODES_MAX`, a bandwidth not above 0, or not one for each node, or a
                jitter of more than twice the delay: some messages would arrive before they are sent.
        """
        regions = place(table, nodes, streams.of("place")) if isinstance(nodes, int) else list(nodes)
        if not 0 < len(regions) <= NODES_MAX:
            raise LinksError(f"{len(regions)} nodes; a network has 1 to {NODES_MAX}")
        for delays, jitters in zip(table.one_way_us, table.jitter_us, strict=True):
            if any(jitter_us > 2 * delay_us for delay_us, jitter_us in zip(delays, jitters, strict=True)):
                raise LinksError(f"latency table {table.name!r}: a jitter of more than twice its delay")
        self._table = table
        self._mode = mode
        self._frame_bytes = frame_bytes
        self._region = regions
        self._rows = [list(zip(*rows, strict=True)) for rows in zip(table.one_way_us, table.jitter_us, strict=True)]
        self._upload_cost = _costs(bandwidth_bps, len(regions))
        self._download_cost = _costs(bandwidth_bps if download_bps is None else download_bps, len(regions))
        self._upload_free_ns = [0] * len(regions)
        self._downlinks = [Downlink() for _ in regions]
        self._arrived_us: dict[int, int] = {}
        self._bits = streams.of("jitter").getrandbits
        self._flip = streams.of("corruption.bit").randrange
        self._faults = LinkFaults(streams, keeps_order=mode is LinkMode.STREAM)
        self._is_faulty = False
        self.fired = self._faults.fired
        self.sent_bytes = [0] * len(regions)

    def __len__(self) -> int:
        """Return how many nodes there are."""
        return len(self._region)

    @property
    def table(self) -> LatencyTable:
        """The delays."""
        return self._table

    @property
    def mode(self) -> LinkMode:
        """What links promise."""
        return self._mode

    @property
    def regions(self) -> tuple[int, ...]:
        """Region index of each node."""
        return tuple(self._region)

    @property
    def faults(self) -> dict[str, LinkFault]:
        """The faults that are on, by kind."""
        return self._faults.active

    def transmit(self, source: int, target: int, size_bytes: int, now_us: int) -> list[int]:
        """Send a message.

        Args:
            source: index of the sender.
            target: index of the receiver.
            size_bytes: its length, without frame headers.
            now_us: present world time.

        Returns:
            When it arrives, microseconds of world time. Empty: it is lost, and in `STREAM` mode the connection is
            broken. Two: it arrives twice. A negative time: it arrives at the time without the sign, with a bit flipped
            (see `corrupted`).
        """
        size_bytes += self._frame_bytes
        now_ns = now_us * 1_000
        start_ns = self._upload_free_ns[source]
        if start_ns < now_ns:  # noqa: PLR1730 - the hot path of every world: a call of max costs more than all of this line
            start_ns = now_ns
        sent_ns = self._upload_free_ns[source] = start_ns + (size_bytes * self._upload_cost[source] >> _COST_BITS)
        self.sent_bytes[source] += size_bytes
        delay_us, jitter_us = self._rows[self._region[source]][self._region[target]]
        if jitter_us:
            delay_us += jitter_us * _JITTER[self._bits(_JITTER_BITS)] >> _JITTER_BITS
        fate = None
        if self._is_faulty:
            fate = self._faults.judge(source, target, size_bytes, now_us, delay_us)
            if fate.is_lost:
                return []
            delay_us += fate.extra_us
        delay_ns = delay_us * 1_000
        arrival_ns = self._downlinks[target].book(
            start_ns + delay_ns, size_bytes * self._download_cost[target] >> _COST_BITS, now_ns
        )
        if arrival_ns < sent_ns + delay_ns:  # noqa: PLR1730 - as above
            arrival_ns = sent_ns + delay_ns
        arrival_us = (arrival_ns + 999) // 1_000
        if fate is None or not fate.overtakes:
            link = source << _NODE_BITS | target
            before_us = self._arrived_us.get(link, 0)
            if arrival_us < before_us:  # noqa: PLR1730 - as above
                arrival_us = before_us
            self._arrived_us[link] = arrival_us
        if fate is None:
            return [arrival_us]
        arrivals = [-arrival_us if fate.is_corrupted else arrival_us]
        if fate.copy_us >= 0:
            arrivals.append(arrival_us + fate.copy_us)
        return arrivals

    def corrupted(self, data: bytes) -> bytes:
        """Return `data` with one bit flipped, as a negative arrival time asks for."""
        if not data:
            return data
        bit = self._flip(len(data) * 8)
        changed = bytearray(data)
        changed[bit >> 3] ^= 1 << (bit & 7)
        return bytes(changed)

    def reachable(self, source: int, target: int) -> bool:
        """Tell whether a connection can be made: neither direction is cut."""
        return not (self._faults.is_cut(source, target) or self._faults.is_cut(target, source))

    def is_one_way(self, source: int, target: int) -> bool:
        """Tell whether this direction is cut by the fault `one_way`."""
        return self._is_faulty and self._faults.is_one_way(source, target)

    def backlog_us(self, source: int, target: int, now_us: int) -> int:
        """Return how long a message handed over now waits before its first byte leaves, microseconds.

        A runtime whose peer reads slowly keeps messages in its own bounded queues by priority; who drives nodes over
        these links does the same by handing over nothing while this is large.
        """
        upload_us = max(0, self._upload_free_ns[source] // 1_000 - now_us)
        return upload_us + self._faults.backlog_us(source, target, now_us) if self._is_faulty else upload_us

    def delay_us(self, source: int, target: int) -> int:
        """Return the median delay of an empty link, microseconds."""
        return self._table.one_way_us[self._region[source]][self._region[target]]

    def reset(self, source: int, target: int) -> None:
        """Forget the order kept on a directed link: its connection is gone."""
        self._arrived_us.pop(source << _NODE_BITS | target, None)
        self._faults.forget(source, target)

    def set_fault(self, fault: LinkFault) -> None:
        """Switch a fault on, in the place of one of its kind."""
        self._faults.set(fault)
        self._is_faulty = True

    def clear_fault(self, kind: str | None = None) -> None:
        """Switch a kind of fault off; None: all of them."""
        self._faults.clear(kind)
        self._is_faulty = bool(self._faults.active)


def _costs(bandwidth_bps: int | Sequence[int], nodes: int) -> list[int]:
    """Return by node what a byte takes, in 1/1,024 nanoseconds."""
    given = [bandwidth_bps] * nodes if isinstance(bandwidth_bps, int) else list(bandwidth_bps)
    if len(given) != nodes or min(given) <= 0:
        raise LinksError(f"{len(given)} bandwidths for {nodes} nodes; give one above 0 for each")
    return [(8_000_000_000 << _COST_BITS) // bps for bps in given]
