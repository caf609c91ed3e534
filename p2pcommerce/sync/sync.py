"""Catching up: a node that is new, or was away, gets the final blocks that it lacks.

A core (see `primitives.core`), always on, without modes: at the head it has nothing to do. It tells peers its own
height, hears theirs, asks several of them at once for ranges of blocks, verifies each answer by itself (a proof for its
last block, the chain of hashes for the rest) and hands the runs over in order of height. What peers claim is never
believed: it only says whom to ask, so that a liar is asked in vain for what nobody has, and then avoided.

A node that is a few blocks behind what it hears leaves them to the live traffic of the finality engine, unless that
brings nothing for a second.

Bounds: two requests per peer; ranges within a window; the bytes held back, together with room for every answer under
way, stay below `buffered_bytes_max`, of which two answers' room is kept for the lowest missing range, so that what is
held back can always be released.

It executes and stores nothing, and knows no engine: `verify` is handed in.

Source: catching up in the finality specification.

Deviations: an answer may hold more blocks than were asked for, see `serve`. Snapshots are to come beside it;
`set_horizon` keeps it below the heights whose validators are not known yet.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import HEIGHT_MAX, Height, PeerId
from p2pcommerce.sync.buffer import RunBuffer
from p2pcommerce.sync.effects import Blame, Conflict, Effect, Fault, Ready, SendTo
from p2pcommerce.sync.headway import Headway
from p2pcommerce.sync.parameters import ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX, SyncParameters
from p2pcommerce.sync.peers import Request, Roster, SyncPeer
from p2pcommerce.sync.run import BlocksError, Run, read_run
from p2pcommerce.wire.messages import Blocks, GetBlocks, Status

__all__ = ["Sync"]

_AT_ONCE: Final = 0
"""A deadline that has passed whatever the time."""
_ROOM_FOR_LOWEST: Final = 2 * ANSWER_BYTES_MAX


@dataclass(slots=True)
class _Range:
    """Heights that were asked for.

    Attributes:
        last: the last of them.
        asked_us: when somebody was last asked.
        askers: who was asked and has not answered.
    """

    last: int
    asked_us: int
    askers: dict[PeerId, None] = field(default_factory=dict)


class Sync:
    """Fetches final blocks.

    Attributes:
        delivered: header of the last block that this node has delivered.
    """

    def __init__(
        self,
        parameters: SyncParameters,
        verify: Callable[[Header, bytes], bool],
        genesis_header: Header,
        rng: random.Random,
    ) -> None:
        """Start at genesis; a node that has more calls `on_delivered` with its head.

        Args:
            parameters: see `SyncParameters`.
            verify: tells whether a proof shows a header to be final; untrusted input.
            genesis_header: height 0.
            rng: breaks ties between peers.
        """
        self.delivered = genesis_header
        self._parameters = parameters
        self._verify = verify
        self._genesis_hash = genesis_header.genesis_hash
        self._roster = Roster(parameters, rng)
        self._buffer = RunBuffer()
        self._ranges: dict[int, _Range] = {}
        self._handed = int(genesis_header.height)
        self._horizon: int = HEIGHT_MAX
        self._is_live = True
        self._halted = False
        self._block_bytes = ANSWER_BYTES_MAX // ANSWER_BLOCKS_MAX
        """Smoothed size of a block, from verified answers."""
        self._behind_us: int | None = None
        """Since when peers claim more than this node has and nothing was delivered."""
        self._catching_up = False
        self._news = False
        """The head moved since the last status to all."""
        self._greet: dict[PeerId, None] = {}
        """Peers that have had no status yet."""
        self._told_us = 0
        self._deadline: int | None = None
        self._counters: dict[str, int] = {}
        self._headway = Headway()

    # --- inputs ---

    def on_connected(self, peer: PeerId, now: int) -> None:
        """A peer connected: it gets a status."""
        self._roster.on_connected(peer)
        self._greet[peer] = None
        self._deadline = _AT_ONCE

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """A peer left: what it was asked for is asked of others."""
        self._greet.pop(peer, None)
        known = self._roster.on_disconnected(peer)
        if known is not None:
            for first in known.asked:
                self._release(first, peer)
            self._deadline = _AT_ONCE

    def on_status(self, peer: PeerId, status: Status, now: int) -> list[Effect]:
        """A peer says where it stands."""
        known = self._roster.get(peer)
        if known is not None and known.claimed != status.height:
            known.claimed = status.height
            if known.claimed > self.delivered.height:
                self._deadline = _AT_ONCE
        return []

    def on_blocks(self, peer: PeerId, message: Blocks, now: int) -> list[Effect]:
        """A peer answers a request."""
        known = self._roster.get(peer)
        if known is None:
            return []
        first, last = message.from_height, message.from_height + len(message.blocks) - 1
        request = known.asked.pop(first, None)
        if request is not None:
            self._release(first, peer)
        elif first in known.expired:
            known.expired.remove(first)
        else:
            return [self._blame(known, Fault.UNASKED, now)]
        self._deadline = _AT_ONCE
        if not message.blocks or last > self._horizon:
            self._count("useless_answers")
            known.claimed = min(known.claimed, last)
            self._roster.on_fault(known, now, lied=False)
            return []
        if self._halted or not self._is_needed(message, late=request is None):
            self._count("answers_not_needed")
            return []
        try:
            run = read_run(message, self._genesis_hash, self._verify)
        except (BlocksError, CodecError) as error:
            return [self._blame(known, error.code, now)]
        self._roster.on_verified(known, None if request is None else now - request.sent_us)
        self._keep(run)
        return []

    def on_delivered(self, header: Header, now: int) -> None:
        """The final head of this node moved, by whatever way."""
        if header.height <= self.delivered.height:
            return
        self.delivered = header
        self._handed = max(self._handed, header.height)
        self._buffer.forget(header.height)
        if self._behind_us is not None:
            self._behind_us = now
        self._news = True
        self._deadline = _AT_ONCE

    def set_horizon(self, height: Height) -> None:
        """Ask for nothing above this height: the validators that could prove it are not known yet."""
        self._horizon = height
        self._deadline = _AT_ONCE

    def set_live(self, *, live: bool) -> None:
        """Tell whether live traffic of the finality engine reaches this node: if not, no gap is left to it."""
        self._is_live = live
        self._deadline = _AT_ONCE

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, in microseconds; None: never."""
        return self._deadline

    def on_deadline(self, now: int) -> list[Effect]:
        """Give up stalled requests, hand blocks over, ask for more, tell the own height."""
        effects: list[Effect] = []
        self._expire(effects, now)
        self._hand_over(effects)
        wakes = [self._review(now)]
        if self._catching_up and not self._halted:
            self._ask_for_gaps(effects, now)
            wakes.append(self._hedge(effects, now))
        target = self._roster.best_claim(now) if self._catching_up else None
        said = self._headway.note(self.delivered.height, target, now)
        effects += [said] if said is not None else []
        wakes += [self._tell(effects, now), self._roster.next_forgiven_us(self.delivered.height, now)]
        wakes += [request.deadline_us for known in self._roster for request in known.asked.values()]
        self._deadline = earliest(*wakes)
        return effects

    def statistics(self) -> Mapping[str, int]:
        """Return where it stands, and counts since the start; refusals under their codes."""
        return {
            "height": self.delivered.height,
            "claimed_height": max((known.claimed for known in self._roster), default=0),
            "catching_up": int(self._catching_up),
            "requests_under_way": sum(len(known.asked) for known in self._roster),
            "buffered_blocks": self._buffer.block_count,
            "buffered_bytes": self._buffer.size,
            "halted": int(self._halted),
            **self._headway.statistics(),
            **self._counters,
        }

    # --- answers ---

    @property
    def _base(self) -> int:
        """The height up to which nothing needs to be fetched."""
        return max(self.delivered.height, self._handed)

    @property
    def _under_way(self) -> int:
        return sum(len(known.asked) for known in self._roster)

    def _room(self) -> int:
        """Return the bytes that are neither held nor kept for answers under way."""
        return self._parameters.buffered_bytes_max - self._buffer.size - self._under_way * ANSWER_BYTES_MAX

    def _is_needed(self, message: Blocks, *, late: bool) -> bool:
        """Tell whether an answer brings something, and may be held; for one that came late no room was kept."""
        lowest, last = self._base + 1, message.from_height + len(message.blocks) - 1
        if last < lowest or self._buffer.covers(max(message.from_height, lowest), last):
            return False
        size = sum(len(raw) for raw in message.blocks)
        if late and message.from_height > lowest:
            return self._room() - size >= _ROOM_FOR_LOWEST
        return self._buffer.size + size <= self._parameters.buffered_bytes_max

    def _keep(self, run: Run) -> None:
        self._buffer.add(run)
        self._ranges.pop(run.first, None)
        self._block_bytes = max((3 * self._block_bytes + run.size // len(run.blocks)) // 4, 1)
        self._count("fetched_blocks", len(run.blocks))
        self._count("fetched_bytes", run.size)

    def _release(self, first: int, peer: PeerId) -> None:
        """A peer no longer has this range to answer."""
        asked = self._ranges.get(first)
        if asked is not None:
            asked.askers.pop(peer, None)
            if not asked.askers:
                del self._ranges[first]

    def _blame(self, known: SyncPeer, reason: str, now: int) -> Blame:
        self._count(reason)
        self._roster.on_fault(known, now, lied=reason != Fault.STALLED)
        return Blame(known.peer, reason)

    # --- the steps of a tick ---

    def _expire(self, effects: list[Effect], now: int) -> None:
        for known in list(self._roster):
            overdue = [first for first, request in known.asked.items() if request.deadline_us <= now]
            for first in overdue:
                del known.asked[first]
                known.expired.append(first)
                self._release(first, known.peer)
            if overdue:
                effects.append(self._blame(known, Fault.STALLED, now))

    def _hand_over(self, effects: list[Effect]) -> None:
        """Hand the next run over, if the last one has been delivered."""
        if self._halted or self._handed > self.delivered.height:
            return
        run = self._buffer.take(self.delivered.height)
        if run is None:
            return
        blocks = run.above(self.delivered.height)
        if blocks[0].header.parent_hash != self.delivered.hash:
            self._halted = True
            self._buffer.clear()
            effects.append(Conflict(self.delivered, blocks[0].header, run.proof))
            return
        self._handed = run.last
        proofs = (b"",) * (len(blocks) - 1) + (run.proof,)
        effects.append(Ready(tuple(zip(blocks, proofs, strict=True))))

    def _review(self, now: int) -> int | None:
        """Decide whether to fetch; return when to decide again."""
        gap = self._roster.best_claim(now) - self.delivered.height
        if gap <= 0:
            self._behind_us, self._catching_up = None, False
            return None
        if self._behind_us is None:
            self._behind_us = now
        limits = self._parameters
        ripe_us = self._behind_us + (limits.grace_us if self._is_live else 0)
        if gap > (limits.grace_blocks if self._is_live else 0) or now >= ripe_us:
            self._catching_up = True
        return None if self._catching_up else ripe_us

    def _gaps(self, last: int) -> Iterator[tuple[int, int]]:
        """Yield the first and last height of what is neither held nor asked for, from below."""
        first = self._base + 1
        asked = [(start, asked.last) for start, asked in self._ranges.items()]
        for start, end in sorted(asked + self._buffer.intervals):
            if first < start:
                yield first, min(start - 1, last)
            first = max(first, end + 1)
            if first > last:
                return
        yield first, last

    def _ask_for_gaps(self, effects: list[Effect], now: int) -> None:
        highest = min(self._roster.best_claim(now), self._horizon, self._base + self._parameters.window_blocks)
        span = min(max(ANSWER_BYTES_MAX // self._block_bytes, 1), ANSWER_BLOCKS_MAX)
        for start, end in list(self._gaps(highest)):
            first = start
            while first <= end:
                needed = ANSWER_BYTES_MAX + (_ROOM_FOR_LOWEST if first > self._base + 1 else 0)
                known = self._roster.pick(first, now) if self._room() >= needed else None
                if known is None:
                    return
                last = min(end, first + span - 1, known.claimed, self._last_of_epoch(first))
                self._ranges[first] = _Range(last, now)
                self._ask(effects, known, first, now)
                first = last + 1

    def _last_of_epoch(self, height: int) -> int:
        """Return the last height of the epoch of `height`."""
        blocks = self._parameters.epoch_blocks
        return -(-height // blocks) * blocks if blocks else HEIGHT_MAX

    def _ask(self, effects: list[Effect], known: SyncPeer, first: int, now: int) -> None:
        asked = self._ranges[first]
        asked.askers[known.peer] = None
        asked.asked_us = now
        known.asked[first] = Request(now, now + self._parameters.timeout_us)
        self._count("requests")
        effects.append(SendTo(known.peer, GetBlocks(first, min(asked.last, known.claimed) - first + 1)))

    def _hedge(self, effects: list[Effect], now: int) -> int | None:
        """Ask one more peer for the lowest range if it is long in coming; return when to look again."""
        limits = self._parameters
        lowest = self._base + 1
        first = next((start for start, asked in self._ranges.items() if start <= lowest <= asked.last), None)
        if first is None or len(self._ranges[first].askers) >= limits.askers_max:
            return None
        due_us = self._ranges[first].asked_us + limits.hedge_us
        if due_us > now:
            return due_us
        known = self._roster.pick(first, now) if self._room() >= ANSWER_BYTES_MAX else None
        if known is None:
            return None
        self._count("hedges")
        self._ask(effects, known, first, now)
        return now + limits.hedge_us

    def _tell(self, effects: list[Effect], now: int) -> int | None:
        """Send the own status to whom it is due; return when the next one is."""
        due_us = self._told_us + self._parameters.status_interval_us
        to_all = self._news and due_us <= now
        status = Status(self.delivered.height, self.delivered.hash)
        effects += [SendTo(known.peer, status) for known in self._roster if to_all or known.peer in self._greet]
        self._greet.clear()
        if to_all:
            self._news, self._told_us = False, now
        return due_us if self._news else None

    def _count(self, name: str, amount: int = 1) -> None:
        self._counters[name] = self._counters.get(name, 0) + amount
