"""From one epoch to the next: what outlives an epoch's state.

Messages of the next epoch that come early are kept until it begins. Messages of the last epoch that come late are
answered with the proof that its last block is final; who showed neither a vote for that nor anything of the new epoch
is sent it unasked, after a jitter. So are the members of the set after the next one, by a few senders each: they can
then begin to follow. What the log says of epochs that this node's chain has not reached yet (its store was lost) is
kept here too.

It takes no decision: a proof that comes in is judged by the inbox.

Source: the epochs, rule 8 and rule 11 of the finality specification.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from p2pcommerce.finality.proof import decode_proof
from p2pcommerce.finality.simplex.hindsight import Hindsight
from p2pcommerce.finality.simplex.journal import Journal
from p2pcommerce.finality.simplex.messages import Boundary, Cast, Message, Status
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.primitives.ids import BlockHash, PeerId

__all__ = ["EARLY_MAX", "Crossing"]

EARLY_MAX: Final = 200
"""Messages of the next epoch that are kept (rule 11)."""
_EARLY_BYTES_MAX: Final = 4 * 2**20
"""Bytes of them."""
_SENDERS_PER_JOINER: Final = 4
"""Members that send the end of an epoch to one who will be in the set after the next."""


class Crossing:
    """What a node keeps from epoch to epoch.

    Attributes:
        hindsight: compares what comes late with the stored chain.
        boundary: the last block of the epoch before with its proof; None: not known.
        journal: what the log says of later epochs; None once it is used up.
        blocks: the logged blocks of later epochs, by hash.
    """

    def __init__(self) -> None:
        """Know of no other epoch."""
        self.hindsight = Hindsight()
        self.boundary: Boundary | None = None
        self.journal: Journal | None = None
        self.blocks: dict[BlockHash, Header] = {}
        self._before: ValidatorSet | None = None
        self._early: deque[tuple[PeerId, bytes]] = deque()
        self._early_bytes = 0
        self._waiting: dict[PeerId, None] = {}
        self._answered_us: dict[PeerId, int] = {}
        self._relay_us: int | None = None
        self._final_view = 0

    # --- the log ---

    def keep_log(self, journal: Journal, blocks: Mapping[BlockHash, Header], epoch: int) -> None:
        """Keep what the log says of epochs above one."""
        self.blocks = {block_hash: header for block_hash, header in blocks.items() if header.epoch > epoch}
        ballots = any(ballot.epoch > epoch for ballot in journal.own)
        certificates = any(certificate.epoch > epoch for certificate in journal.quorums)
        self.journal = journal if self.blocks or ballots or certificates else None

    def later(self, epoch: int) -> Journal:
        """Return what the log says of epochs above one, for a rewritten log."""
        journal = self.journal or Journal()
        newest = journal.newest_proposal
        return Journal(
            own=[ballot for ballot in journal.own if ballot.epoch > epoch],
            quorums=[certificate for certificate in journal.quorums if certificate.epoch > epoch],
            proposals={} if newest is None or newest.header.epoch <= epoch else {newest.header.hash: newest},
        )

    # --- early messages ---

    def keep_early(self, state: State, peer: PeerId, data: bytes) -> bool:
        """Keep a message of the next epoch from one of its members; tell whether there was room."""
        share = max(1, EARLY_MAX // len(state.context.following))
        held = sum(1 for sender, _ in self._early if sender == peer)
        size = self._early_bytes + len(data)
        if peer not in state.context.following or held >= share or size > _EARLY_BYTES_MAX:
            return False
        if len(self._early) >= EARLY_MAX:
            return False
        self._early.append((peer, data))
        self._early_bytes = size
        return True

    def take_early(self) -> list[tuple[PeerId, bytes]]:
        """Return what was kept, in the order in which it came."""
        early, self._early, self._early_bytes = list(self._early), deque(), 0
        return early

    # --- the end of an epoch ---

    def begin(self, old: State, state: State, shown: Mapping[PeerId, int], now: int) -> None:
        """Cross from one epoch to the next, or to a later one; `shown`: the highest F of each peer in the old one."""
        follows = state.context.epoch == old.context.epoch + 1
        self._set_boundary(old.tree.delivered, old.ended_proof)
        self._before = old.context.validators if follows else None
        self._answered_us.clear()
        self._waiting = {} if self.boundary is None else dict.fromkeys(self._receivers(old, state, shown))
        quarter = state.parameters.base_delay_us // 4
        self._relay_us = now + quarter + state.context.rng.randint(0, quarter)
        if not follows:
            self._early.clear()
            self._early_bytes = 0

    def restart(self, state: State) -> None:
        """Stand at the beginning of an epoch after a start: answer, but send nothing unasked."""
        context = state.context
        is_first = context.delivered.height + context.parameters.epoch_blocks == state.boundary_height
        if is_first:
            self._set_boundary(context.delivered, context.proof)

    def _set_boundary(self, header: Header, proof: bytes) -> None:
        self.boundary = Boundary(header, proof) if proof else None
        self._final_view = decode_proof(proof).certificate.view if proof else 0

    def _receivers(self, old: State, state: State, shown: Mapping[PeerId, int]) -> list[PeerId]:
        """Return who is sent the end of the old epoch: its set, the present one, and some of the next one."""
        own, present, joining = state.context.key, state.context.validators, state.context.following
        if own is None or (own not in old.context.validators and own not in present):
            return []
        members = dict.fromkeys([*old.context.validators.keys, *present.keys])
        receivers = [key for key in members if key != own and shown.get(key, 0) < self._final_view]
        place = present.index(own)
        for position, key in enumerate(joining.keys):
            chosen = place is not None and (place - position) % len(present) < _SENDERS_PER_JOINER
            if chosen and key not in members:
                receivers.append(key)
        return receivers

    def see(self, peer: PeerId) -> None:
        """A peer showed that it is in the present epoch, or past it."""
        self._waiting.pop(peer, None)

    def on_late(self, state: State, peer: PeerId, message: Message, now: int) -> None:
        """A peer says something of an epoch that is over: send it the end, unless it shows that it has all but that."""
        boundary = self.boundary
        if boundary is None:
            return
        if self._has_all(message):
            self.see(peer)
            return
        members = state.context.validators, self._before
        if not isinstance(message, Cast | Status) or not any(each and peer in each for each in members):
            return
        last = self._answered_us.get(peer)
        if last is None or now - last >= state.parameters.answer_us:
            self._answered_us[peer] = now
            self.see(peer)
            state.counters["boundaries_answered"] += 1
            state.send(peer, boundary)

    def _has_all(self, message: Message) -> bool:
        """Tell whether a late message shows its sender to know the end, or to lack only the last votes for it."""
        if isinstance(message, Cast):
            ballot = message.vote.ballot
            return ballot.kind is VoteKind.FINALIZE and ballot.view >= self._final_view
        return isinstance(message, Boundary)

    def step(self, state: State, now: int) -> None:
        """Send the end of the last epoch to who has not shown that it has it."""
        if self._relay_us is None or now < self._relay_us:
            return
        self._relay_us = None
        if self.boundary is not None:
            for peer in self._waiting:
                state.counters["boundaries_sent"] += 1
                state.send(peer, self.boundary)
        self._waiting.clear()

    @property
    def deadline(self) -> int | None:
        """When something is to be sent, microseconds."""
        return self._relay_us
