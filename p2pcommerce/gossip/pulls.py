"""Pulling what was announced and not pushed.

An announced, unknown transaction is asked for after some grace, as most arrive by push within it: from the announcer of
least round-trip time plus a handicap for its share of broken promises, then from the next one, until it comes. An
announcer that was asked and does not deliver in time has broken a promise, whoever delivered in its place.

Announcements cost their sender nothing, so what they cost here is bounded. What all its announcers are too busy for
waits with them, untouched, until one of them has a place: a peer that announces thousands and delivers nothing costs no
more than the places it holds. And no peer may have more announced than what is left of the room of all, so that a few
who fill it leave some to everybody else.

Source: the networking specification (Gossip of transactions, Pull); limits per peer as in Bitcoin Core's tracker of
requests; Choudhury, Hahne: Dynamic Queue Length Thresholds for Shared-Memory Packet Switches (1998), for shares.
Deviations: asking the next announcer and counting a promise as broken are two different times (`promise_us`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Final

from p2pcommerce.gossip.effects import SendTo
from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.seen import short_id
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.wire.finality_messages import RelayIds
from p2pcommerce.wire.messages import PULL_IDS_MAX, Pull
from p2pcommerce.wire.topic_messages import PullPosts

__all__ = ["Pulls"]

_PARKED: Final = -1
"""When a transaction is due whose announcers are all too busy: none of the times in the heap."""


class _Want:
    """One announced transaction.

    Attributes:
        announcers: who has it and was not asked yet.
        asked: who was asked.
        due_us: when to ask (again), or to give up; `_PARKED`: when one of its announcers has a place.
    """

    __slots__ = ("announcers", "asked", "due_us")

    def __init__(self, due_us: int) -> None:
        self.announcers: dict[PeerId, Link] = {}
        self.asked: dict[PeerId, Link] = {}
        self.due_us = due_us


class Pulls:
    """All announced transactions that have not come yet, by their short ids (8 bytes) under this node's key.

    Attributes:
        deadline: when something is due, microseconds; None: never.
        surplus: announcements beyond a bound, which were not taken.
    """

    __slots__ = (
        "_ask_for",
        "_due",
        "_order",
        "_parameters",
        "_promises",
        "_unpark_us",
        "_waiting",
        "_wants",
        "deadline",
        "surplus",
    )

    def __init__(
        self, parameters: GossipParameters, ask: Callable[[tuple[bytes, ...]], Pull | PullPosts | RelayIds] = Pull
    ) -> None:
        """Want nothing; `ask` makes the message that asks for short ids (at most `PULL_IDS_MAX`)."""
        self._parameters = parameters
        self._ask_for = ask
        self._wants: dict[bytes, _Want] = {}
        self._due: list[tuple[int, int, bytes]] = []
        self._promises: list[tuple[int, int, bytes, Link]] = []
        self._waiting: dict[PeerId, Link] = {}  # those with whom something is parked
        self._unpark_us: int | None = None
        self._order = 0
        self.deadline: int | None = None
        self.surplus = 0

    def __len__(self) -> int:
        return len(self._wants)

    def announced(self, link: Link, short: bytes, now: int) -> None:
        """Note that a peer has a transaction that is not known here."""
        want = self._wants.get(short)
        if want is not None and (link.peer in want.announcers or link.peer in want.asked):
            return
        if link.announced >= self._parameters.announced_max:
            self.surplus += 1
            return
        if want is None:
            if link.announced >= self._parameters.wants_max - len(self._wants):
                self.surplus += 1
                return
            want = self._wants[short] = _Want(0)
            self._schedule(want, short, now + self._parameters.grace_us)
        elif want.due_us == _PARKED:
            self._schedule(want, short, now + self._parameters.grace_us)
        elif not want.announcers:
            # Everybody was asked already: what the last one may still take is its own affair.
            self._schedule(want, short, min(want.due_us, now + self._parameters.grace_us))
        want.announcers[link.peer] = link
        link.announced += 1

    def arrived(self, short: bytes) -> Iterable[PeerId]:
        """Stop wanting a transaction and return who announced it."""
        want = self._wants.pop(short, None)
        if want is None:
            return ()
        announcers = self._release(want, short)
        self._set_deadline()
        return announcers

    def delivered(self, link: Link, short: bytes) -> None:
        """Note that a peer kept a promise, if it had made one."""
        link.asks.pop(short, None)

    def settle(
        self, link: Link, key: bytes, fresh: Iterable[TransactionId], known: Iterable[TransactionId]
    ) -> list[tuple[TransactionId, Iterable[PeerId]]]:
        """Take what a peer delivered (32 bytes each); return who else announced what is new.

        Args:
            link: the peer.
            key: this node's announcement key, 16 bytes.
            fresh: what is new.
            known: what is not.
        """
        announced: list[tuple[TransactionId, Iterable[PeerId]]] = []
        for tx_id in fresh:
            short = short_id(key, tx_id)
            self.delivered(link, short)
            announcers = self.arrived(short)
            if announcers:
                announced.append((tx_id, announcers))
        if link.asks:
            for tx_id in known:
                self.delivered(link, short_id(key, tx_id))
        return announced

    def on_deadline(self, now: int) -> list[SendTo]:
        """Ask for what is due."""
        if self.deadline is None or now < self.deadline:
            return []
        asks: dict[PeerId, list[bytes]] = {}
        due = self._due
        while due and due[0][0] <= now:
            due_us, _, short = heapq.heappop(due)
            want = self._wants.get(short)
            if want is None or want.due_us != due_us:
                continue
            link = self._next(want)
            if link is not None:
                self._ask(want, short, link, now)
                asks.setdefault(link.peer, []).append(short)
            elif want.announcers:
                self._park(want, short, now)
            else:
                del self._wants[short]
                self._release(want, short)
        if self._unpark_us is not None and self._unpark_us <= now:
            self._unpark(asks, now)
        self._set_deadline()
        return [
            SendTo(peer, self._ask_for(tuple(shorts[start : start + PULL_IDS_MAX])))
            for peer, shorts in asks.items()
            for start in range(0, len(shorts), PULL_IDS_MAX)
        ]

    def broken(self, now: int) -> list[Link]:
        """Return who broke a promise, once for each."""
        if self.deadline is None or now < self.deadline:
            return []
        broken: list[Link] = []
        promises = self._promises
        while promises and promises[0][0] <= now:
            deadline_us, _, short, link = heapq.heappop(promises)
            if link.asks.get(short) == deadline_us:
                del link.asks[short]
                link.broken += 1
                link.broken_as_sender += 1
                link.penalty_us += self._parameters.broken_penalty_us
                broken.append(link)
        self._set_deadline()
        return broken

    def forget(self, link: Link, now: int) -> None:
        """Expect nothing any more of a peer that is gone."""
        link.asks.clear()
        self._waiting.pop(link.peer, None)
        for short, want in self._wants.items():
            want.announcers.pop(link.peer, None)
            want.asked.pop(link.peer, None)
            if want.due_us == _PARKED and not want.announcers:
                self._schedule(want, short, now)  # nobody is left to have a place for it

    def _next(self, want: _Want) -> Link | None:
        """Return whom to ask: quick, true to its word, and not asked for too much already."""
        able = [link for link in want.announcers.values() if len(link.asks) < self._parameters.pulls_in_flight_max]
        return min(able, key=self._handicap_us, default=None)

    def _handicap_us(self, link: Link) -> tuple[int, int]:
        retry_us = self._parameters.retry_us_max
        rtt_us = retry_us if link.rtt_us is None else link.rtt_us
        return rtt_us + retry_us * link.broken // max(link.asked, 1), link.number

    def _ask(self, want: _Want, short: bytes, link: Link, now: int) -> None:
        parameters = self._parameters
        del want.announcers[link.peer]
        want.asked[link.peer] = link
        patience_us = parameters.retry_us_max if link.rtt_us is None else 2 * link.rtt_us + parameters.grace_us
        promise_us = now + max(parameters.promise_us, patience_us)
        link.asked += 1
        link.asks[short] = promise_us
        self._order += 1
        heapq.heappush(self._promises, (promise_us, self._order, short, link))
        if self.deadline is None or promise_us < self.deadline:
            self.deadline = promise_us
        retry_us = now + min(parameters.retry_us_max, patience_us)
        self._schedule(want, short, retry_us if want.announcers else max(retry_us, promise_us))

    def _park(self, want: _Want, short: bytes, now: int) -> None:
        """Let a transaction wait with its announcers, all of whom are too busy."""
        want.due_us = _PARKED
        for link in want.announcers.values():
            link.waiting[short] = None
            self._waiting[link.peer] = link
        if self._unpark_us is None:
            self._unpark_us = now + self._parameters.grace_us

    def _unpark(self, asks: dict[PeerId, list[bytes]], now: int) -> None:
        """Ask for what waits with peers that have places again, the longest parked first."""
        for link in list(self._waiting.values()):
            waiting = link.waiting
            while waiting and len(link.asks) < self._parameters.pulls_in_flight_max:
                short = next(iter(waiting))
                del waiting[short]
                want = self._wants.get(short)
                chosen = None if want is None or want.due_us != _PARKED else self._next(want)
                if want is not None and chosen is not None:
                    self._ask(want, short, chosen, now)
                    asks.setdefault(chosen.peer, []).append(short)
            if not waiting:
                del self._waiting[link.peer]
        self._unpark_us = now + self._parameters.grace_us if self._waiting else None

    def _schedule(self, want: _Want, short: bytes, due_us: int) -> None:
        want.due_us = due_us
        self._order += 1
        heapq.heappush(self._due, (due_us, self._order, short))
        if self.deadline is None or due_us < self.deadline:
            self.deadline = due_us

    def _set_deadline(self) -> None:
        """Find what is due first, past what has come or was kept meanwhile."""
        due, promises, wants = self._due, self._promises, self._wants
        while due and ((want := wants.get(due[0][2])) is None or want.due_us != due[0][0]):
            heapq.heappop(due)
        while promises and promises[0][3].asks.get(promises[0][2]) != promises[0][0]:
            heapq.heappop(promises)
        first = due[0][0] if due else None
        if promises and (first is None or promises[0][0] < first):
            first = promises[0][0]
        if self._unpark_us is not None and (first is None or self._unpark_us < first):
            first = self._unpark_us
        self.deadline = first

    def _release(self, want: _Want, short: bytes) -> list[PeerId]:
        for link in (*want.announcers.values(), *want.asked.values()):
            link.announced -= 1
            if link.waiting and link.waiting.pop(short, short) is None and not link.waiting:
                self._waiting.pop(link.peer, None)
        if not self._waiting:
            self._unpark_us = None
        return [*want.announcers, *want.asked]
