"""Who published what, as nodes guess that do nothing but watch: the first-spy estimator.

All spies together take the peer that was the first to send a transaction to one of them, pushed or along a stem, for
its origin. When it was sent they know from when it came, and from the round-trip time of the link. An announcement is
no sign: who makes a transaction public pushes it to everybody.

Source: Fanti et al., Dandelion++ (arXiv 1805.11060): the first-spy estimator, and precision as its measure.
Deviations: the paper's spies take who was the first to arrive; these here are right more often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from p2pcommerce.primitives.ids import TransactionId
from p2pcommerce.simulation.gossip.publication import Publication

__all__ = ["Spying"]


class Spying:
    """What the spies of a world have seen."""

    __slots__ = ("_first", "_identify")

    def __init__(self, identify: Callable[[bytes], TransactionId]) -> None:
        """Have seen nothing; `identify` returns the id (32 bytes) of a transaction by its bytes."""
        self._identify = identify
        self._first: dict[TransactionId, tuple[int, int]] = {}

    def watch(self, sender: int, sent_us: int, raws: Iterable[bytes]) -> None:
        """Note that an honest node sent transactions to a spy, at about `sent_us` of world time."""
        first = self._first
        for raw in raws:
            tx_id = self._identify(raw)
            if tx_id not in first or sent_us < first[tx_id][0]:
                first[tx_id] = sent_us, sender

    def precision(self, publications: Iterable[Publication]) -> float | None:
        """Return the share of right guesses; None: nothing was published."""
        guesses = [(self._first.get(item.tx_id), item.origin) for item in publications]
        right = sum(first is not None and first[1] == origin for first, origin in guesses)
        return right / len(guesses) if guesses else None
