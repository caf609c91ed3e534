"""Finding what two sets differ in, from the coded symbols of both.

A symbol of the difference that holds one short id alone gives that id away; the id is taken out of all of its other
symbols, and some of these then hold one alone. Nothing is left once symbol 0 is empty, as every id is in it.

The symbols of the other side are untrusted. An id that comes out twice, that the side which is said to have it has
not, or more ids than symbols: the symbols are garbage, and are given up. So the work is bounded by the symbols.

Source: see `coding`; section 3 of the same paper (peeling).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from math import sqrt
from typing import Final

from p2pcommerce.gossip.coding import CHECK_BITS, CodedSymbols, symbols_of, value_of
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.wire.messages import SHORT_ID_BYTES

__all__ = ["GarbageError", "Peeling"]

_SYMBOLS_EACH: Final = 1.35
_SYMBOLS_SPARE: Final = 0.8
"""d differences need about 1.35 d + 0.8 sqrt(d) coded symbols: 1.53 each for 20, 1.36 each for 10,000."""


class GarbageError(RemoteProtocolError):
    """Coded symbols that are of no set."""

    code = "GARBAGE_SYMBOLS"


class Peeling:
    """One run.

    Attributes:
        theirs: short ids (8 bytes each) found that only the other side has, in the order of their finding.
        ours: those that only this side has.
        received: symbols of the other side so far.
    """

    __slots__ = ("_counts", "_local", "_values", "ours", "received", "theirs")

    def __init__(self, local: CodedSymbols, shorts: Container[bytes]) -> None:
        """Compare with this side's set.

        Args:
            local: its symbols, as many as can be compared; they are used up.
            shorts: its short ids (8 bytes each).
        """
        self._local = shorts
        self._values = local.values
        self._counts = local.counts
        self.received = 0
        self.theirs: dict[bytes, None] = {}
        self.ours: dict[bytes, None] = {}

    @property
    def length(self) -> int:
        """How many symbols can be compared."""
        return len(self._values)

    @property
    def is_done(self) -> bool:
        """Whether everything that differs is found."""
        return self.received > 0 and self._counts[0] == 0 and self._values[0] == 0

    def extend(self, local: CodedSymbols) -> None:
        """Go on with more symbols of this side's set than before, the first ones included."""
        length = len(self._values)
        local.add(self.theirs)
        local.add(self.ours, -1)
        self._values += local.values[length:]
        self._counts += local.counts[length:]

    def receive(self, symbols: Sequence[tuple[int, int]]) -> None:
        """Take the next symbols (value and count) of the other side, `length` in all at most.

        Raises:
            GarbageError: they are of no set.
        """
        values, counts = self._values, self._counts
        suspects = list(range(self.received, self.received + len(symbols)))
        for place, (value, count) in zip(suspects, symbols, strict=True):
            values[place] ^= value
            counts[place] = count - counts[place]
        self.received += len(symbols)
        suspects.reverse()
        while suspects:
            self._peel(suspects.pop(), suspects)

    def estimate(self) -> int:
        """Return about how many symbols are needed in all, by what is left in those that came."""
        left = abs(self._counts[0])
        excess = variance = 0.0
        for place in range(1, self.received):
            chance = 2 / (place + 2)
            excess += (self._counts[place] - self._counts[0] * chance) ** 2
            variance += chance * (1 - chance)
        if variance:
            left = max(left, round(excess / variance))
        differences = len(self.theirs) + len(self.ours) + left
        return round(_SYMBOLS_EACH * differences + _SYMBOLS_SPARE * sqrt(differences))

    def _peel(self, place: int, suspects: list[int]) -> None:
        """Take out the id that a symbol holds, if it holds one alone."""
        count, value = self._counts[place], self._values[place]
        if count not in {-1, 1}:
            return
        short = (value >> CHECK_BITS).to_bytes(SHORT_ID_BYTES, "big")
        if value_of(short) != value:
            return
        places = symbols_of(short, len(self._values))
        if place not in places:
            return
        self._note(short, is_theirs=count > 0)
        values, counts, received = self._values, self._counts, self.received
        for other in places:
            values[other] ^= value
            if other < received:
                counts[other] -= count
                suspects.append(other)
            else:
                counts[other] += count  # still the local symbol, which is subtracted from what will come

    def _note(self, short: bytes, *, is_theirs: bool) -> None:
        if short in self.theirs or short in self.ours:
            raise GarbageError("a short id came out of the coded symbols twice")
        if (short in self._local) is is_theirs:
            raise GarbageError("the coded symbols contradict the set of this side")
        (self.theirs if is_theirs else self.ours)[short] = None
        if len(self.theirs) + len(self.ours) > self.received:
            raise GarbageError("more differences than coded symbols")
