"""The rules of FFG: what a node does with the links, blocks and time it has.

`adopt` takes a quorum link; `step` is run after every input and does whatever the rules allow: it counts links,
delivers what is final, chooses the head, votes, builds, in this order. Every rule reads the state afresh, so that the
order in which things arrived does not matter.

1. Head: the highest block above the highest justified checkpoint (the root); of equals the greater hash. A block
   whose slot has not begun does not count yet: a leader whose clock is fast takes no slots from others.
2. The slot's leader builds on the head, if a transaction waits or is not final, or after the heartbeat. Its proposal
   carries the links from the final checkpoint to the root.
3. Vote from the root for the highest checkpoint of the head's branch that has 4 blocks above it, once its target is
   above the own last. The bodies up to the target are in the log before that.
4. What is final is delivered, oldest first, each once, with the links and headers that show it.

Source: Buterin & Griffith, Casper the Friendly Finality Gadget (arXiv 1710.09437); the finality specification (FFG).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from p2pcommerce.finality.engine import Build, Finalized, Forget, Head, Persist, Rewrite, Target
from p2pcommerce.finality.ffg.forks import Forks
from p2pcommerce.finality.ffg.journal import LOG, Journal
from p2pcommerce.finality.ffg.links import LinkVote, QuorumLink
from p2pcommerce.finality.ffg.messages import Cast, Proposal, Seal, encode_seal, links_hash
from p2pcommerce.finality.ffg.parameters import CHECKPOINT_BLOCKS, LINKS_MAX
from p2pcommerce.finality.ffg.proof import encode_proof
from p2pcommerce.finality.ffg.state import State
from p2pcommerce.finality.ffg.voting import Checkpoint, Link, Proposed
from p2pcommerce.finality.journal import UNSIGNED
from p2pcommerce.finality.tree import ForkError
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash

__all__ = ["Replica"]

_TRIM_BLOCKS = 256
"""Tracked blocks from which on those that lead nowhere are forgotten."""
_TRIM_DEPTH = 32
"""How far below the head a branch may have ended to be kept then."""
_LOOK_AHEAD_SLOTS = 64
"""How far ahead the own next slot is looked for."""


@dataclass(frozen=True, slots=True)
class _Building:
    """A block that was asked for."""

    request: int
    slot: int
    links: tuple[QuorumLink, ...]


class Replica:
    """One node's part.

    Attributes:
        forks: stops the node over a fork.
        unsigned: the own proposal that waits for its signature.
    """

    def __init__(self, state: State, now: int) -> None:
        """Take part from now (microseconds) on."""
        self.state = state
        self.forks = Forks(state)
        self.unsigned: Proposal | None = None
        self._building: _Building | None = None
        self._requests = 0
        self._spent_slot = 0
        self._started_us = now
        self._chosen: tuple[int, BlockHash, int] | None = None
        self._wake_at: int | None = None

    # --- links ---

    def adopt(self, quorum: QuorumLink, *, is_logged: bool = False) -> None:
        """Take a verified quorum link."""
        state, link = self.state, quorum.link
        if not state.gadget.is_useful(link):
            return
        if state.signer.index in quorum.signers:
            state.signer.check(link)
        for vote in quorum.votes:
            if vote not in state.pool:
                self.judge(vote)
                if not state.pool.is_crowded(vote):
                    state.pool.add(vote)
        if not is_logged:
            state.out.append(Persist(LOG.quorum(quorum)))
        state.counters["links"] += 1
        state.gadget.add(quorum)
        if link.target.height - state.tree.delivered.height <= state.parameters.blocks_max:
            state.tree.vouch(link.target.hash, link.target.index, state.keys_of(quorum.signers))

    def judge(self, vote: LinkVote) -> None:
        """Accuse the voter of a verified vote if it contradicts one that is held."""
        state = self.state
        for other in state.pool.conflicts(vote):
            state.accuse_votes(other, vote)

    def count(self, vote: LinkVote) -> None:
        """Tally a verified vote."""
        quorum = self.state.pool.add(vote)
        if quorum is not None:
            self.adopt(quorum)

    # --- the rules ---

    def step(self, now: int) -> None:
        """Do whatever the rules allow now."""
        state = self.state
        state.slot = max(state.slot, state.slot_at(now))
        if state.gadget.advance(state.tree):
            state.counters["justified"] += 1
            state.pool.prune(state.gadget.final.index - state.parameters.window_checkpoints)
        self._deliver()
        self._choose()
        self._vote()
        self._build(now)
        self.forks.step(now)

    def _deliver(self) -> None:
        """Rule 4."""
        state, tree, final = self.state, self.state.tree, self.state.gadget.final
        self._note_final(final)
        if tree.fork is not None:
            self.forks.stop(tree.fork, state.gadget.links)
        if state.signer.halted is not None or final.hash == tree.delivered.hash or not state.gadget.proof:
            return
        try:
            headers = tree.path(final.hash) or []
        except ForkError as error:
            self.forks.stop(str(error), state.gadget.links)
            return
        above = self._up_to_target(final)
        before = tree.delivered.height
        for position, header in enumerate(headers):
            if not tree.is_valid(header.hash) or not above:
                break
            tree.log(header.hash)
            state.out.append(
                Finalized(header.hash, encode_proof(state.gadget.proof, [*headers[position + 1 :], *above]))
            )
            tree.deliver(header)
            state.counters["delivered"] += 1
        if tree.delivered.height > before:
            self.settle()

    def settle(self) -> None:
        """Blocks were delivered: forget what is of no use any more."""
        state = self.state
        state.out.append(Forget(state.tree.delivered.height))
        low = state.slot_of(state.tree.delivered)
        for slot in [slot for slot in state.proposals if slot <= low]:
            del state.proposals[slot]

    def _note_final(self, final: Checkpoint) -> None:
        state = self.state
        state.tree.final_index = final.index
        if final.index in state.finals:
            return
        state.finals[final.index] = final.hash
        for index in [each for each in state.finals if each < final.index - state.parameters.window_checkpoints]:
            del state.finals[index]

    def _up_to_target(self, final: Checkpoint) -> list[Header]:
        """Return the headers above the final checkpoint, up to the target of the link that made it final."""
        target = self.state.gadget.proof[-1].link.target
        headers = [block.header for block in self.state.tree.below(target.hash) if block.header is not None]
        above = [header for header in reversed(headers) if header.height > final.height]
        return above if len(above) == CHECKPOINT_BLOCKS else []

    def _choose(self) -> None:
        """Rule 1."""
        state, root = self.state, self.state.gadget.root
        place = state.tree.changes, root.hash, state.slot
        if self._chosen == place:
            return
        self._chosen = place
        old = state.head
        state.head, later_ms = state.tree.best(root.hash, state.slot * state.parameters.slot_ms)
        # Counted from the beginning of a slot on, whatever a block's time says.
        self._wake_at = (
            None if later_ms is None else -(-later_ms // state.parameters.slot_ms) * state.parameters.slot_us
        )
        if state.head is None or state.head == old:
            return
        if old is not None and state.tree.ancestor(state.head.hash, old.height) != old.hash:
            state.counters["reorganisations"] += 1
        state.out.append(Head(state.head.hash))
        if len(state.tree) > _TRIM_BLOCKS:
            state.tree.trim_below(state.head.height - _TRIM_DEPTH)

    def _vote(self) -> None:
        """Rule 3."""
        state, head, root = self.state, self.state.head, self.state.gadget.root
        if head is None or not state.signer.may_act:
            return
        index = (head.height - state.parameters.vote_depth) // CHECKPOINT_BLOCKS
        last = state.signer.last_link
        if index <= root.index or (last is not None and index <= last.target.index):
            return
        target = state.tree.ancestor(head.hash, index * CHECKPOINT_BLOCKS)
        if target is None:
            return
        for block in reversed(list(state.tree.below(target))):
            if state.tree.log(block.hash) and block.proposal is not None:
                state.out.append(Persist(LOG.proposal(block.proposal)))
        state.signer.cast(Link(state.context.epoch, root, Checkpoint(index, target)))

    def _build(self, now: int) -> None:
        """Rule 2."""
        state, head, slot = self.state, self.state.head, self.state.slot
        # While the own last block waits for its signature, another one would take its place, and it were never sent.
        if head is None or self.unsigned is not None or not state.signer.may_act:
            return
        if state.leader(slot) != state.context.key:
            return
        if self._spent_slot >= slot or state.signer.has_proposed(slot):
            return
        time_ms = slot * state.parameters.slot_ms
        gap = state.parameters.gap_slots(head.height - state.gadget.final.height)
        if slot < state.slot_of(head) + gap or time_ms < head.time_ms + state.parameters.interval_ms:
            return
        if not self._is_wanted(head, now):
            return
        links = state.gadget.links[-LINKS_MAX:]
        self._requests += 1
        self._spent_slot = slot
        self._building = _Building(self._requests, slot, links)
        seal = encode_seal(Seal(slot, links_hash(links)))
        state.out.append(Build(self._requests, head.hash, state.context.epoch, seal, time_ms))

    def _is_wanted(self, head: Header, now: int) -> bool:
        """Tell whether anybody needs another block."""
        state = self.state
        rested_us = max(self._started_us, head.time_ms * 1_000)
        due = now - rested_us >= state.parameters.heartbeat_us
        return due or state.is_unsettled or state.context.has_pending(head.hash)

    def on_built(self, request: int, block: Block | None, now: int) -> None:
        """Rule 2: log the block, sign the proposal."""
        state, building = self.state, self._building
        if building is None or building.request != request:
            state.counters["builds_late"] += 1
            return
        self._building = None
        if block is None:
            state.counters["builds_failed"] += 1
            return
        if block.header.proposer != state.context.key:
            raise LocalProtocolError("a block was built that is not the one that was asked for")
        proposal = Proposal(block.header, building.links, block.transaction_ids, UNSIGNED)
        state.tree.add_own(block.header)
        state.tree.log(block.hash)
        state.out.append(Persist(LOG.proposal(proposal)))
        if state.signer.cast(Proposed(state.context.epoch, building.slot, VoteKind.PROPOSE, block.hash)):
            self.unsigned = proposal
        else:
            state.tree.reject(block.hash)

    # --- own signatures ---

    def on_signed(self, request: int, signature: bytes | None, now: int) -> None:
        """Send what was signed, and count it."""
        state = self.state
        own = state.signer.take(request)
        if own is None:
            return
        if isinstance(own, Link):
            self._on_vote(own, signature)
        else:
            self._on_proposal(BlockHash(own.hash), signature)
        if signature is None:
            state.counters["guard_refused"] += 1

    def _on_vote(self, link: Link, signature: bytes | None) -> None:
        state = self.state
        if signature is None or state.signer.index is None:
            return
        vote = LinkVote(link, state.signer.index, signature)
        state.verifier.remember(vote.voter, link.data, signature)
        state.signer.sent = vote
        state.counters["votes"] += 1
        state.send(Target.VALIDATORS, Cast(vote))
        if link.target.index > state.gadget.final.index and vote not in state.pool:
            self.count(vote)

    def _on_proposal(self, block_hash: BlockHash, signature: bytes | None) -> None:
        state, unsigned = self.state, self.unsigned
        if unsigned is None or unsigned.header.hash != block_hash:
            return
        self.unsigned = None
        if signature is None:
            state.tree.reject(block_hash)
            return
        proposal = replace(unsigned, signature=signature)
        block = state.tree.get(block_hash)
        if block is not None:
            block.proposal = proposal
        state.out.append(Persist(LOG.proposal(proposal)))
        state.proposals.setdefault(state.slot_of(proposal.header), []).append(proposal)
        state.counters["proposals"] += 1
        state.send(Target.VALIDATORS, proposal)

    # --- time and log ---

    @property
    def deadline(self) -> int | None:
        """When the own next slot begins, or a block's that came too early, microseconds."""
        state = self.state
        if not state.signer.may_act:
            return earliest(self._wake_at, self.forks.deadline)
        slot = state.slot + 1
        while slot < state.slot + _LOOK_AHEAD_SLOTS and state.leader(slot) != state.context.key:
            slot += 1
        return earliest(self._wake_at, slot * state.parameters.slot_us)

    def rewritten(self) -> Rewrite:
        """Return the log as it is needed."""
        state = self.state
        logged = state.tree.logged
        proposals = [block.proposal for block in logged if block.proposal is not None]
        if self.unsigned is not None:
            proposals.append(self.unsigned)
        needed = Journal(
            epoch=state.context.epoch,
            own=state.signer.last,
            quorums=list(state.gadget.held),
            proposals={proposal.header.hash: proposal for proposal in proposals},
            halted=state.signer.halted,
        )
        return LOG.rewritten(needed, state.context.validators.hash, [block.hash for block in logged])
