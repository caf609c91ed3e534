"""Sending again: the standstill, questions for what is missing, answers to peers that are behind.

Nothing here is needed while every message arrives. A node at which nothing changes repeats its status and its vote, and
only while it has something to decide; a network at rest sends nothing. The question of a validator that has restarted
is repeated every D0 plus 0-25 %, whatever the head does: others go on without it, and what it asked may be lost. Every
answer is bounded, and a peer gets one of each kind per D0/2.

Source: rules 8 and 9, and the recovery, of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.engine import Target
from p2pcommerce.finality.ffg.messages import Answer, Ask, Cast, Links, Status
from p2pcommerce.finality.ffg.parameters import LINKS_MAX
from p2pcommerce.finality.ffg.state import State
from p2pcommerce.finality.ffg.voting import Checkpoint
from p2pcommerce.finality.resend import Allowance, Repeat
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import BlockHash, PeerId

__all__ = ["Resender"]


class Resender:
    """What is sent beyond each message's first sending."""

    def __init__(self, state: State) -> None:
        """Know nothing of the others."""
        self._state = state
        context, parameters = state.context, state.parameters
        others = [key for key in context.validators.keys if key != context.key]
        self._allowance = Allowance(others, parameters.answer_us)
        self._asked: dict[BlockHash, tuple[int, int]] = {}
        self._standstill = Repeat(parameters.standstill_us, context.rng)
        self._question = Repeat(parameters.slot_us, context.rng)
        self._marker: tuple[object, ...] = ()
        self._retry_at: int | None = None

    # --- peers ---

    def see_status(self, peer: PeerId, status: Status, now: int) -> None:
        """A validator says where it stands: help it if it is behind, ask it for what it has and this node lacks."""
        state = self._state
        if peer not in self._allowance:
            return
        if status.question and self._allowance.take(peer, "answer", now):
            index = state.context.validators.index(peer)
            votes = () if index is None else state.pool.newest(index)
            proposals = () if index is None else state.heads.newest(index)
            state.send(peer, Answer(state.context.epoch, status.question, votes, proposals))
        here = state.status()
        mine, theirs = (here.justified, here.height, here.head), (status.justified, status.height, status.head)
        if theirs < mine and self._allowance.take(peer, "help", now):
            self._help(peer, status)
        if theirs > mine:
            self.tell(peer, now)
            if status.height > state.tree.delivered.height and state.tree.get(status.head) is None:
                self._ask(peer, status.head, now)

    def _help(self, peer: PeerId, status: Status) -> None:
        state = self._state
        state.counters["helped"] += 1
        links = state.gadget.above(status.justified)[:LINKS_MAX]
        if links:
            state.send(peer, Links(links))
        sent = state.signer.sent
        if sent is not None and sent.link.target.index > status.justified:
            state.send(peer, Cast(sent))
        head = None if state.head is None else state.tree.get(state.head.hash)
        if head is not None and head.proposal is not None and head.hash != status.head:
            state.send(peer, head.proposal)

    def tell(self, peer: PeerId, now: int) -> None:
        """Tell a validator where this node stands."""
        if self._state.signer.index is not None and self._allowance.take(peer, "status", now):
            self._state.send(peer, self._state.status())

    def greet(self, peer: PeerId, now: int) -> None:
        """A validator connected: tell it where this node stands."""
        self.tell(peer, now)

    def send_path(self, peer: PeerId, block_hash: BlockHash, now: int) -> None:
        """Answer a question for a block that was missed: it and what is below it, oldest first."""
        state = self._state
        if not self._allowance.take(peer, "path", now):
            return
        blocks = list(state.tree.below(block_hash))[: state.parameters.path_max]
        if any(block.proposal is None for block in blocks) and state.gadget.links:
            # A quorum vouched for these: its links bring the peer there as they brought this node.
            state.send(peer, Links(state.gadget.links[-LINKS_MAX:]))
        for block in reversed(blocks):
            if block.proposal is not None:
                state.counters["proposals_served"] += 1
                state.send(peer, block.proposal)

    # --- what is missing ---

    def _ask(self, peer: PeerId, block_hash: BlockHash, now: int) -> None:
        at, tries = self._asked.get(block_hash, (None, 0))
        if at is not None and now - at < self._state.parameters.slot_us:
            return
        if at is None and len(self._asked) >= self._state.parameters.orphans_max:
            del self._asked[next(iter(self._asked))]
        self._asked[block_hash] = now, tries + 1
        self._state.send(peer, Ask(self._state.context.epoch, block_hash))

    def _ask_for_orphans(self, now: int) -> None:
        """Ask for the parents that are missing: whoever sent the child first, then anybody."""
        state = self._state
        missing = {block.header.parent_hash: block for block in state.tree.orphans() if block.header is not None}
        for block_hash in [each for each in self._asked if each not in missing]:
            del self._asked[block_hash]
        others = self._allowance.peers
        for block_hash, child in list(missing.items())[: state.parameters.orphans_max]:
            tries = self._asked.get(block_hash, (0, 0))[1]
            known = [peer for peer in reversed(child.peers) if peer in self._allowance]
            if tries < len(known):
                self._ask(known[tries], block_hash, now)
            elif others:
                self._ask(others[state.context.rng.randrange(len(others))], block_hash, now)
        due = [at for at, _ in self._asked.values()]
        self._retry_at = min(due) + state.parameters.slot_us if due else None

    # --- the standstill ---

    @property
    def _has_to_decide(self) -> bool:
        state = self._state
        if state.signer.index is None:
            return False
        return state.is_unsettled or state.tree.lacks_bodies or state.head is None

    def step(self, now: int) -> None:
        """Do what is due."""
        state = self._state
        if state.signer.index is None:
            return
        self._ask_for_orphans(now)
        if not state.rollcall.question:
            self._question.stop()
        elif self._question.is_due(now):
            state.send(Target.VALIDATORS, state.status())
        root: Checkpoint = state.gadget.root
        marker = (state.head, root, state.tree.delivered.hash)
        if marker != self._marker or not self._has_to_decide:
            self._standstill.stop()
        if self._has_to_decide and self._standstill.is_due(now):
            self._repeat()
        self._marker = marker

    def _repeat(self) -> None:
        state = self._state
        state.counters["standstills"] += 1
        state.tree.fetch_again()
        state.send(Target.VALIDATORS, state.status())
        sent = state.signer.sent
        if sent is not None and sent.link.target.index > state.gadget.root.index:
            state.send(Target.VALIDATORS, Cast(sent))

    @property
    def deadline(self) -> int | None:
        """When something is to be sent again, microseconds."""
        return earliest(self._standstill.at, self._question.at, self._retry_at)
