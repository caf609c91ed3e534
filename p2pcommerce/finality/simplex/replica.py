"""The voting rules: what a node does with the certificates, blocks and time it has.

`adopt` takes a certificate and opens views; `step` is run after every input and casts whatever the rules allow: it
delivers, finalizes, starts the view, builds, notarizes, nullifies, in this order. Every rule reads the state afresh, so
that the order in which things arrived does not matter.

Source: rules 1 to 7 and 10 of the finality specification; Chan & Pass, Simplex Consensus (ePrint 2023/463).
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.finality.certificates import Certificate, Vote
from p2pcommerce.finality.engine import Build, Finalized, Forget, Persist, Target
from p2pcommerce.finality.journal import UNSIGNED
from p2pcommerce.finality.proof import PROOF_HEADERS_MAX, encode_proof
from p2pcommerce.finality.simplex.ending import Decision, decided, is_well_placed
from p2pcommerce.finality.simplex.forks import Forks
from p2pcommerce.finality.simplex.journal import LOG
from p2pcommerce.finality.simplex.messages import Cast, Justify, Proposal, Seal, encode_seal, vrf_input
from p2pcommerce.finality.simplex.resend import Resender
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.tree import Execution, ForkError
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash

__all__ = ["Replica"]

_TREE_TRIM = 64
"""Tracked blocks from which on those that lead nowhere are forgotten at each view."""


@dataclass(frozen=True, slots=True)
class _Building:
    """A block that was asked for."""

    request: int
    view: int
    parent: BlockHash
    justify: Justify


class Replica:
    """One node's part in the voting.

    Attributes:
        unsigned: the own proposal that waits for its signature.
        forks: what decides against what is final here.
    """

    def __init__(self, state: State, resender: Resender) -> None:
        """Take part with an empty state."""
        self.state = state
        self.unsigned: Proposal | None = None
        self.forks = Forks(state)
        self._resender = resender
        self._building: _Building | None = None
        self._requests = 0
        self._wake_at: int | None = None
        self._gave_up_view = 0

    # --- certificates and views ---

    def adopt(self, certificate: Certificate, now: int, *, is_logged: bool = False) -> None:
        """Hold a verified certificate, and enter the view above it if that is higher (rules 1, 4, 6)."""
        state = self.state
        if not state.held.is_useful(certificate):
            return
        self._look_for_own(certificate)
        if not is_logged:
            state.out.append(Persist(LOG.quorum(certificate)))
        state.counters[f"certificates_{certificate.kind.name.lower()}"] += 1
        opens = state.held.add(certificate)
        if certificate.kind is not VoteKind.NULLIFY:
            state.tree.want(BlockHash(certificate.hash), state.keys_of(certificate.signers))
        state.docket.keep_certificate(certificate)
        if not is_logged:
            self._resender.schedule(certificate, now)
        if opens:
            self._enter(certificate.kind, now)
        state.prune()

    def _look_for_own(self, certificate: Certificate) -> None:
        signer = self.state.signer
        ballot = None if signer.index is None else certificate.ballot_of(signer.index)
        if ballot is not None:
            signer.check(ballot)

    def _enter(self, kind: VoteKind, now: int) -> None:
        state = self.state
        state.counters["views"] += 1
        if kind is VoteKind.NULLIFY:
            state.counters["views_nullified"] += 1
        state.pace.enter(kind, now)
        self._resender.on_view()
        state.signer.prune(state.lowest_view)
        state.docket.prune(state.held.view)
        state.prune()
        if len(state.tree) > _TREE_TRIM:
            certified = [BlockHash(item.hash) for item in state.held.notarized()]
            final = [] if state.held.final is None else [BlockHash(state.held.final.hash)]
            current = [item.header.hash for item in state.proposals.get(state.held.view, ())]
            state.tree.trim([*certified, *final, *current])
        if state.proposals.get(state.held.view):
            state.pace.see_proposal(now)
        self.see_pending(now)

    def see_pending(self, now: int) -> None:
        """Look whether a transaction waits that the highest branch lacks (rule 1)."""
        state = self.state
        if state.pace.started is not None or state.pace.is_pending or not state.tree.is_valid(state.parent_hash):
            return
        parent = state.tree.header(state.parent_hash)
        if parent is not None and state.ends(parent):
            return  # A carrier takes no transaction: it is built once the end of the epoch is long in being decided.
        if state.context.has_pending(state.parent_hash):
            state.pace.see_pending(now)

    # --- the rules ---

    def step(self, now: int) -> None:
        """Do whatever the rules allow now; nothing once the epoch is over."""
        self._deliver()
        self.forks.step(now)
        if self.state.is_over:
            return
        self._prove()
        self._finalize()
        self._start(now)
        self._build(now)
        self._notarize(now)
        self._nullify(now)
        self._resender.step(now)

    def _deliver(self) -> None:
        """Rule 7: deliver the ancestors of the highest F, oldest first, each once; carriers are not delivered."""
        state = self.state
        for decision in decided(state):
            if decision.hash == state.tree.delivered.hash or self.forks.is_found or state.is_over:
                return
            try:
                headers = state.tree.path(decision.hash)
            except ForkError as error:
                self.forks.stop(str(error), decision.certificate)
                return
            if headers is not None:  # else a link is missing; something lower may be decided, too
                self._deliver_all(headers, decision)
                return

    def _deliver_all(self, headers: list[Header], decision: Decision) -> None:
        state, delivered_before = self.state, self.state.tree.delivered.height
        for position, header in enumerate(headers):
            if not state.tree.is_valid(header.hash) or state.is_over:
                break
            between = [*headers[position + 1 :], *decision.carriers]
            proof = encode_proof(decision.certificate, between) if len(between) <= PROOF_HEADERS_MAX else b""
            state.tree.log(header.hash)
            state.out.append(Finalized(header.hash, proof, state.justifies.pop(header.hash, b"")))
            passed = state.tree.final_view
            state.tree.deliver(header)
            state.ended_proof, state.decided = proof, decision.certificate
            state.counters["delivered"] += 1
            self.forks.look_back(passed)
        if state.tree.delivered.height > delivered_before:
            state.out.append(Forget(state.tree.delivered.height))

    def _prove(self) -> None:
        """Ask for the random outputs that the own proposals of this view and the next one would need."""
        state = self.state
        for view in (state.held.view, state.held.view + 1):
            if state.leader(view) == state.context.key:
                state.signer.prove(view, vrf_input(state.seed, view))

    def _finalize(self) -> None:
        """Rule 4: F for a notarized, executed block, if no own Z or other N forbids it."""
        state = self.state
        for certificate in state.held.notarized():
            if certificate.view <= state.signer.last_view(VoteKind.FINALIZE):
                continue
            ballot = Ballot(state.context.epoch, certificate.view, VoteKind.FINALIZE, certificate.hash)
            if state.tree.is_valid(BlockHash(certificate.hash)) and state.signer.may(ballot):
                state.tree.log(BlockHash(certificate.hash))
                state.signer.cast(ballot)

    def _start(self, now: int) -> None:
        if self.state.pace.started is None and self._start_at() <= now:
            self.state.pace.start(now)

    def _start_at(self) -> int:
        state = self.state
        parent = state.tree.header(state.parent_hash)
        time_ms = 0 if parent is None else parent.time_ms
        return state.pace.start_at(time_ms, head_is_final=state.held.head_is_final)

    def _build(self, now: int) -> None:
        """Rule 2: the leader builds on the highest executed block that a justify covers."""
        state, view = self.state, self.state.held.view
        if state.pace.started is None or not state.signer.may_act or state.leader(view) != state.context.key:
            return
        if self._is_spent(view) or state.signer.last_view(VoteKind.PROPOSE) >= view:
            return
        if self._building is not None and self._building.view == view:
            return
        output = state.signer.outputs.get(view)
        if not output:
            return
        for certificate in state.held.parents():
            parent_hash = state.tree.delivered.hash if certificate is None else BlockHash(certificate.hash)
            parent = state.tree.header(parent_hash)
            if parent is not None and state.tree.is_valid(parent_hash):
                break
        else:
            return
        parent_view = 0 if certificate is None else certificate.view
        needed = None if parent_view == view - 1 else state.held.nullification(view - 1)
        justify = Justify(certificate, needed)
        time_ms = max(now // 1_000, parent.time_ms + state.parameters.interval_ms)
        self._requests += 1
        self._building = _Building(self._requests, view, parent_hash, justify)
        carries = state.ends(parent)
        seal = encode_seal(Seal(view, parent_view, justify.hash, output, carries))
        state.out.append(Build(self._requests, parent_hash, state.context.epoch, seal, time_ms, carries))

    def _is_spent(self, view: int) -> bool:
        """Tell whether an own N or Z of this view, or of one above, rules out another N."""
        signer = self.state.signer
        return max(signer.last_view(VoteKind.NOTARIZE), signer.last_view(VoteKind.NULLIFY)) >= view

    def on_built(self, request: int, block: Block | None, now: int) -> None:
        """Rule 2: log the block, sign the proposal and the own N."""
        state, building = self.state, self._building
        if building is None or building.request != request:
            state.counters["builds_late"] += 1
            return
        self._building = None
        view = state.held.view
        if block is None:
            state.counters["builds_failed"] += 1
            state.spoil(building.view)
        elif view != building.view or self._is_spent(view):
            state.counters["builds_late"] += 1
        else:
            if block.header.parent_hash != building.parent or block.header.proposer != state.context.key:
                raise LocalProtocolError("a block was built that is not the one that was asked for")
            self._propose(block, view, building.justify, now)

    def _propose(self, block: Block, view: int, justify: Justify, now: int) -> None:
        state, block_hash = self.state, block.hash
        proposal = Proposal(block.header, justify, block.transaction_ids, UNSIGNED)
        state.tree.add_own(block.header)
        state.tree.log(block_hash)
        state.out.append(Persist(LOG.proposal(proposal)))
        if state.signer.cast(Ballot(state.context.epoch, view, VoteKind.PROPOSE, block_hash)):
            self.unsigned = proposal
            state.pace.see_proposal(now)
            state.signer.cast(Ballot(state.context.epoch, view, VoteKind.NOTARIZE, block_hash))

    def _notarize(self, now: int) -> None:
        """Rule 3: N for the first proposal of the view that is valid; Z at once if one is invalid for ever."""
        state, view = self.state, self.state.held.view
        self._wake_at = None
        if not state.signer.may_act or self._is_spent(view):
            return
        for proposal in state.proposals.get(view, ()):
            block_hash = proposal.header.hash
            verdict = self._judge(proposal.header, now)
            if verdict is False:
                state.spoil(view)
            ballot = Ballot(state.context.epoch, view, VoteKind.NOTARIZE, block_hash)
            if verdict and state.signer.may(ballot):
                state.tree.log(block_hash)
                state.signer.cast(ballot)
                return

    def _judge(self, header: Header, now: int) -> bool | None:
        """Tell whether a proposal is valid; None: not known yet, or no vote."""
        state, parent = self.state, self.state.tree.header(header.parent_hash)
        execution = state.tree.execution(header.hash)
        if execution is Execution.INVALID:
            return False
        if parent is None or header.height <= state.tree.delivered.height:
            return None
        in_time = header.time_ms >= parent.time_ms + state.parameters.interval_ms
        if not in_time or not is_well_placed(state, header, parent):
            state.tree.reject(header.hash)
            return False
        if header.time_ms * 1_000 > now + state.parameters.future_ms * 1_000:
            self._wake_at = (header.time_ms - state.parameters.future_ms) * 1_000
            return None
        return True if execution is Execution.VALID else None

    def _nullify(self, now: int) -> None:
        """Rule 5: Z of the present view when it took too long, cannot succeed, or more than a third gave it up."""
        state, view = self.state, self.state.held.view
        if not state.signer.may_act or state.signer.last_view(VoteKind.NULLIFY) >= view or self._gave_up_view == view:
            return
        due = self._nullify_at()
        if (due is None or now < due) and not self._is_given_up(view):
            return
        anchor = max(state.held.highest_view, state.signer.last_view(VoteKind.FINALIZE))
        if state.signer.cast(Ballot(state.context.epoch, view, VoteKind.NULLIFY, anchor_hash(anchor))):
            state.pace.see_own_nullification(now, proposal_held=view in state.proposals)
        else:
            self._gave_up_view = view

    def _is_given_up(self, view: int) -> bool:
        """Tell whether a view cannot succeed: its block is bad, its leader or more than a third nullified it."""
        state = self.state
        if view in state.spoiled:
            return True
        weight = state.pool.nullify_weight(view)
        if not weight:
            return False
        leader = state.context.validators.index(state.leader(view))
        return 3 * weight > state.context.validators.total or state.pool.has_nullified(leader, view)

    def _nullify_at(self) -> int | None:
        """Return when the view will have taken too long."""
        pace = self.state.pace
        return pace.advance_at if self.state.held.view in self.state.proposals else pace.leader_at

    # --- own signatures ---

    def on_signed(self, request: int, signature: bytes | None, now: int) -> None:
        """Send what was signed, and count it."""
        state = self.state
        if state.signer.take_output(request, signature):
            return
        ballot = state.signer.take(request)
        if ballot is None:
            return
        if signature is None:
            state.counters["guard_refused"] += 1
        elif ballot.kind is VoteKind.PROPOSE:
            self._send_proposal(ballot, signature)
        elif state.signer.index is not None:
            vote = Vote(ballot, state.signer.index, signature)
            state.verifier.remember(vote.voter, ballot.data, signature)
            state.signer.sent[ballot.kind] = vote
            state.counters[f"votes_{ballot.kind.name.lower()}"] += 1
            state.send(Target.VALIDATORS, self.cast_of(vote))
            if ballot.view >= state.lowest_view and vote not in state.pool:
                self.count(vote, now)

    def cast_of(self, vote: Vote) -> Cast:
        """Return the message of an own vote: a nullification travels with its anchor's certificate."""
        anchored = vote.ballot.kind is VoteKind.NULLIFY and vote.ballot.anchor > 0
        return Cast(vote, self.state.held.highest if anchored else None)

    def _send_proposal(self, ballot: Ballot, signature: bytes) -> None:
        state, unsigned = self.state, self.unsigned
        if unsigned is None or unsigned.header.hash != ballot.hash:
            return
        proposal = Proposal(unsigned.header, unsigned.justify, unsigned.transaction_ids, signature)
        self.unsigned = None
        state.note_justify(proposal)
        state.proposals.setdefault(ballot.view, []).append(proposal)
        state.counters["proposals"] += 1
        state.send(Target.VALIDATORS, proposal)

    def count(self, vote: Vote, now: int) -> None:
        """Tally a verified vote."""
        self.state.docket.keep(vote)
        certificate = self.state.pool.add(vote)
        if certificate is not None:
            self.adopt(certificate, now)

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When a rule may want to act, microseconds."""
        state, view = self.state, self.state.held.view
        if state.signer.index is None or state.signer.halted is not None or state.is_over:
            return None
        if state.pace.started is None:
            return earliest(self._start_at(), self._wake_at)
        can_nullify = state.signer.last_view(VoteKind.NULLIFY) < view and self._gave_up_view != view
        return earliest(self._wake_at, self._nullify_at() if state.signer.may_act and can_nullify else None)
