"""Random streams: one seed, and an independent stream for each name.

Each kind of fault draws from a stream of its own. Taking one kind away therefore leaves every draw of the others as it
was, which is what makes shrinking a failure work. Nothing here depends on PYTHONHASHSEED, the process or the machine.

Source: the deterministic simulator specification.
"""

from __future__ import annotations

import hashlib
import random
from typing import Final

from p2pcommerce.primitives.errors import LocalProtocolError

__all__ = ["STREAMS_MAX", "Streams", "StreamsError"]

STREAMS_MAX: Final = 1_000_000
"""Streams of one seed at most; each takes about 2.5 KB."""
_SEED_BYTES: Final = 32


class StreamsError(LocalProtocolError):
    """More streams were asked for than a world can need: their names are made from something that never repeats."""

    code = "STREAMS"


class Streams:
    """Every source of randomness of one world."""

    __slots__ = ("_made", "seed")

    def __init__(self, seed: int) -> None:
        """Start from a seed: any integer."""
        self.seed = seed
        self._made: dict[str, random.Random] = {}

    def of(self, name: str) -> random.Random:
        """Return the stream of a name ("loss", "disk.torn", "node.3"); always the same object for the same name.

        Raises:
            StreamsError: there are `STREAMS_MAX` streams already.
        """
        stream = self._made.get(name)
        if stream is None:
            if len(self._made) >= STREAMS_MAX:
                raise StreamsError(f"more than {STREAMS_MAX} random streams; give streams fixed names")
            stream = self._made[name] = self.fresh(name)
        return stream

    def fresh(self, name: str) -> random.Random:
        """Return a new generator at the start of the stream of a name; it is not remembered."""
        return random.Random(self.number(name))  # noqa: S311 - a simulation must be repeatable, not unguessable

    def number(self, name: str) -> int:
        """Return 256 bits that belong to a name; the same ones each time."""
        text = f"{self.seed}/{name}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=_SEED_BYTES).digest(), "big")

    def child(self, name: str) -> Streams:
        """Return the streams of a part of the world, independent of these."""
        return Streams(self.number(name))
