"""By what names validators tell each other which finality messages they have.

A vote is named by what it says and by whom: 8 bytes under the receiver's announcement key for the ballot, and the
voter's index; so the votes of a whole view and kind are told of by a bitmap. Everything else is named by a short id of
its own. Inside a node a name is a row of bytes, of 8 for a short id, of 9 for a vote.

Two votes of one name say the same, whatever their bytes: who has one needs no other. So a name is known here once a
message that bears it was found good, or superfluous; one that was found bad takes it from nobody.

Source: the networking specification (Pull) for names under the receiver's key; the certificate of the finality
specification for bitmaps.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from p2pcommerce.gossip.seen import short_id
from p2pcommerce.primitives.crypto import keyed_hash
from p2pcommerce.primitives.ids import TransactionId
from p2pcommerce.wire.finality_messages import RelayIds
from p2pcommerce.wire.messages import SHORT_ID_BYTES

__all__ = ["Names", "Series", "names_in", "names_message"]

Series: TypeAlias = Callable[[bytes], tuple[bytes, int] | None]
"""Returns what a message says, and the index (0 to 255) of who says it; None: it has a name of its own."""

_SHORTS_MAX: Final = 4_096
"""Ballots' names under peers' keys that are remembered: 64 peers, 64 ballots. No more than time is lost with them."""


def names_message(names: Iterable[bytes], *, is_pull: bool) -> RelayIds:
    """Return the message that tells of, or asks for, these (at most `RELAY_IDS_MAX`)."""
    shorts: list[bytes] = []
    series: dict[bytes, int] = {}
    for name in names:
        if len(name) == SHORT_ID_BYTES:
            shorts.append(name)
        else:
            short = name[:SHORT_ID_BYTES]
            series[short] = series.get(short, 0) | 1 << name[SHORT_ID_BYTES]
    places = [(short, bits.to_bytes((bits.bit_length() + 7) // 8, "little")) for short, bits in series.items()]
    return RelayIds(is_pull, tuple(shorts), tuple(places))


def names_in(message: RelayIds, places: int) -> Iterator[bytes]:
    """Yield the names in a peer's message, without those of voters from index `places` on, whom nobody knows."""
    yield from message.short_ids
    for short, bitmap in message.places:
        for index in _places(bitmap):
            if index < places:
                yield short + bytes((index,))


def _places(bitmap: bytes) -> Iterator[int]:
    bits = int.from_bytes(bitmap, "little")
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


class Names:
    """What bears which name, and the votes that are known here by theirs."""

    def __init__(self, series: Series, known_max: int) -> None:
        """Know nothing, and at most `known_max` ballots."""
        self._series = series
        self._known_max = known_max
        self._known: OrderedDict[bytes, dict[int, tuple[TransactionId, int]]] = OrderedDict()
        self._shorts: dict[tuple[bytes, bytes], bytes] = {}

    def __len__(self) -> int:
        return sum(map(len, self._known.values()))

    def name(self, key: bytes, item_id: TransactionId, raw: bytes) -> bytes:
        """Return a message's name under an announcement key (16 bytes); `item_id`: its hash, 32 bytes."""
        found = self._series(raw)
        return short_id(key, item_id) if found is None else self._short(key, found[0]) + bytes((found[1],))

    def note(self, key: bytes | None, item_id: TransactionId, raw: bytes, first_us: int) -> None:
        """Know a message, if it is a vote, by its name under this node's key, as `Seen` knows the others by theirs.

        Before the first connection there is no key, and nobody who could tell of it.
        """
        found = self._series(raw)
        if found is None or key is None:
            return
        short = self._short(key, found[0])
        voters = self._known.get(short)
        if voters is None:
            voters = self._known[short] = {}
            if len(self._known) > self._known_max:
                self._known.popitem(last=False)
        voters.setdefault(found[1], (item_id, first_us))

    def find(self, name: bytes) -> tuple[TransactionId, int] | None:
        """Return a known vote's id (32 bytes) and when it first came, by its name (9 bytes) under this node's key."""
        return self._known.get(name[:SHORT_ID_BYTES], {}).get(name[SHORT_ID_BYTES])

    def _short(self, key: bytes, says: bytes) -> bytes:
        short = self._shorts.get((key, says))
        if short is None:
            if len(self._shorts) >= _SHORTS_MAX:
                self._shorts.clear()
            short = self._shorts[key, says] = keyed_hash(key, says, SHORT_ID_BYTES)
        return short
