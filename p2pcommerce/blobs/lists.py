"""Turns of the lists of chunks that peers tell of one blob (`claims`): which are fetched now, which make room.

Only one of them is true, and a false one may be served as slowly as its teller likes. So the list that most tell is
fetched alone for `patience_us`, and then all others beside it, in the order in which they were told, as far as the
memory for blobs under way goes: each takes as much of it as its blob has bytes. Where that is not enough, a list that
came more slowly than its pace (`turn_us`, then `pace_bytes_per_s`) makes room and goes behind those that had fewer
turns; its next turn is twice as long, so that a slow honest holder has its blob taken in the end.

With memory for M lists, N false ones that were told first hold an honest one up for `patience_us` and N / M turns at
most, each of `turn_us` and the time that what was served of them takes at the pace; nobody is blamed for being slow.

Source: the commerce specification (Off chain); round-robin with doubling quanta, as in multilevel feedback queues
(Corbato, Merwin-Daggett, Daley: An Experimental Time-Sharing System, 1962).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from p2pcommerce.blobs.claims import Claim
from p2pcommerce.blobs.fetch import Fetch
from p2pcommerce.blobs.parameters import BlobParameters
from p2pcommerce.primitives.ids import PeerId

__all__ = ["TURNS_MAX", "Lists"]

TURNS_MAX: Final = 10
"""So often the time for which a list may be slow doubles."""


class Lists:
    """Gives the lists of all blobs being fetched their turns."""

    def __init__(
        self,
        parameters: BlobParameters,
        fetches: Mapping[bytes, Fetch],
        busy: Counter[PeerId],
        counters: Counter[str],
    ) -> None:
        """Share the fetches (by SHA-256, 32 bytes), how many chunks each peer was asked for, and the counters."""
        self._parameters = parameters
        self._fetches = fetches
        self._busy = busy
        self._counters = counters

    def choose(self, fetch: Fetch, now: int) -> None:
        """Begin the list that most tell, and the others beside it if that is not whole soon."""
        fetch.retry_us = None
        left = [claim for claim in fetch.believed if not claim.sources]
        for claim in left:
            self.leave(fetch, claim)
        if left and fetch.believed:
            fetch.prune()
        waiting = fetch.waiting
        if not fetch.first_us:
            waiting.sort(key=lambda claim: -len(claim.sources))
        for claim in waiting:
            patient_us = fetch.first_us + self._parameters.patience_us
            if fetch.believed and now < patient_us:
                fetch.retry_us = patient_us
                return
            if claim.size > self._parameters.fetch_bytes_max:
                continue
            if not self._make_room(fetch, claim, now):
                behind = [other.due_us for each in self._fetches.values() for other in each.believed]
                fetch.retry_us = min([due for due in behind if due > now], default=None)
                return
            if not claim.turns:  # each list that is told has its time, and has it once
                fetch.give_up_us = max(fetch.give_up_us, now + self._parameters.give_up_us)
            fetch.first_us = fetch.first_us or now
            fetch.believe(claim, now + (self._parameters.turn_us << min(claim.turns, TURNS_MAX)))

    def _make_room(self, fetch: Fetch, claim: Claim, now: int) -> bool:
        """Tell whether there is memory for a list, once those that are behind have left if that helps."""

        def room() -> int:
            # Without a list that is believed, what is here is of lists that left: it goes when another begins.
            here = sum(other.size for other in fetch.believed)
            return (
                self._parameters.fetch_bytes_max
                - here
                - sum(other.claimed_bytes for other in self._fetches.values() if other is not fetch)
            )

        behind = [(other.due_us, each, other) for each in self._fetches.values() for other in each.believed]
        behind = sorted([found for found in behind if found[0] <= now], key=lambda found: found[0])
        if claim.size > room() + sum(other.size for _, _, other in behind):
            return False
        for _, each, other in behind:
            if claim.size <= room():
                break
            self.leave(each, other)
            each.prune()
            other.turns += 1
            each.retry_us = now + self._parameters.turn_us
            self._counters["lists_put_off"] += 1
        return claim.size <= room()

    def leave(self, fetch: Fetch, claim: Claim) -> None:
        """Fetch a list no further; its chunks stay until another begins."""
        claim.is_believed = False
        self.forget_asked(fetch, [key for key, asked in fetch.under_way.items() if asked.claim is claim])

    def forget_asked(self, fetch: Fetch, keys: Iterable[tuple[PeerId, int]]) -> None:
        """Await chunks (of a peer, by number) no longer."""
        for key in keys:
            self._busy[key[0]] -= 1
            del fetch.under_way[key]
