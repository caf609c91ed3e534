"""Beacons: datagrams by which nodes of one local network tell of themselves.

    "p2pc" | version 1 (1 byte) | first 4 bytes of the genesis hash | the sender's peer record as signed (up to 1,024)

Anybody of the local network may send anything, under any sender's address. So a datagram is looked at by its size and
its first bytes alone until both the sender and the whole network are within their allowance, and only a record that
this sender has not just sent is handed on: its signature is checked where every record is. All beacons together are one
source of the address book.

Source: the discovery section of the networking specification (LAN: mDNS or a multicast beacon).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Final

from p2pcommerce.discovery.record import RECORD_BYTES_MAX
from p2pcommerce.discovery.source import Source
from p2pcommerce.primitives.ids import MICROSECONDS, GenesisHash

__all__ = [
    "BEACON_BYTES_MAX",
    "BEACON_SOURCE",
    "SENDERS_MAX",
    "SENDER_BURST",
    "SENDER_INTERVAL_US",
    "TOTAL_BURST",
    "Beacons",
    "write_beacon",
]

_MAGIC: Final = b"p2pc\x01"
_TAG_BYTES: Final = 4
_HEAD_BYTES: Final = len(_MAGIC) + _TAG_BYTES
BEACON_BYTES_MAX: Final = _HEAD_BYTES + RECORD_BYTES_MAX
BEACON_SOURCE: Final = Source.of_name("lan", is_local=True)
"""What all beacons together are to the address book."""
SENDERS_MAX: Final = 256
"""Senders remembered; who was heard longest ago is forgotten first."""
SENDER_BURST: Final = 4
"""Records of one sender that are taken at once; then one per `SENDER_INTERVAL_US`."""
SENDER_INTERVAL_US: Final = 10 * MICROSECONDS
TOTAL_BURST: Final = 64
"""Records of all senders that are taken at once; then one per `TOTAL_INTERVAL_US`."""
TOTAL_INTERVAL_US: Final = MICROSECONDS


@dataclass(slots=True)
class _Allowance:
    """A burst, and then one per interval: the time at which all of it will be there again."""

    full_us: int = 0

    def take(self, burst: int, interval_us: int, now: int) -> bool:
        full_us = max(self.full_us, now) + interval_us
        if full_us - now > burst * interval_us:
            return False
        self.full_us = full_us
        return True


@dataclass(slots=True)
class _Sender:
    allowance: _Allowance
    last: bytes = b""


def write_beacon(genesis_hash: GenesisHash, record: bytes) -> bytes:
    """Return the datagram of a node.

    Args:
        genesis_hash: of its network, 32 bytes.
        record: its peer record as signed, at most 1,024 bytes.
    """
    return _MAGIC + genesis_hash[:_TAG_BYTES] + record


class Beacons:
    """Takes beacons in.

    Attributes:
        counters: of what came, and why it was left aside.
    """

    def __init__(self, genesis_hash: GenesisHash) -> None:
        """Take those of the network of `genesis_hash` (32 bytes)."""
        self._head = _MAGIC + genesis_hash[:_TAG_BYTES]
        self._senders: OrderedDict[str, _Sender] = OrderedDict()
        self._total = _Allowance()
        self.counters: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._senders)

    def take(self, data: bytes, sender: str, now: int) -> bytes | None:
        """Return the record of a datagram if it is worth a look; None: leave it aside.

        Args:
            data: untrusted.
            sender: the IP address that it claims to come from.
            now: microseconds.
        """
        if not _HEAD_BYTES < len(data) <= BEACON_BYTES_MAX or not data.startswith(_MAGIC):
            self.counters["malformed"] += 1
            return None
        if not data.startswith(self._head):
            self.counters["foreign"] += 1
            return None
        record = data[_HEAD_BYTES:]
        known = self._sender(sender)
        if record == known.last:
            self.counters["repeated"] += 1
            return None
        is_allowed = known.allowance.take(SENDER_BURST, SENDER_INTERVAL_US, now)
        if not is_allowed or not self._total.take(TOTAL_BURST, TOTAL_INTERVAL_US, now):
            self.counters["over"] += 1
            return None
        known.last = record
        self.counters["taken"] += 1
        return record

    def _sender(self, sender: str) -> _Sender:
        known = self._senders.get(sender)
        if known is None:
            known = self._senders[sender] = _Sender(_Allowance())
            if len(self._senders) > SENDERS_MAX:
                self._senders.popitem(last=False)
        else:
            self._senders.move_to_end(sender)
        return known
