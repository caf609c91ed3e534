"""Sending again: relays of certificates, the standstill, answers to peers that are behind.

Nothing here is needed while every message arrives: a certificate is relayed only to validators that have shown
neither its F nor a vote above it, and only after a jitter; a standing view repeats itself only while it has something
to decide. A network at rest sends nothing.

Source: rules 8 and 9, and the recovery, of the finality specification. Deviations: a validator whose votes are above
the window is told where this node stands (once per D0/2), so that it answers; this saves waiting for its own
standstill. The question of a validator that has restarted is repeated every D0 plus 0-25 %, whatever the view does:
others may nullify view after view in less than a standstill, each time because its leader still waits for answers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from p2pcommerce.finality.certificates import Certificate, Vote
from p2pcommerce.finality.engine import Target
from p2pcommerce.finality.simplex.messages import Answer, Cast, Certificates, Message, Status
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Resender"]


@dataclass(slots=True)
class _Shown:
    """What a validator has shown of its progress.

    Attributes:
        view: the highest view it voted in or said it was in.
        finalized: the highest view of its F votes.
        told_at: when it was last told where this node stands.
        helped_at: when it was last sent what it lacked.
        answered_at: when its question after a restart was last answered.
    """

    view: int = 0
    finalized: int = 0
    told_at: int | None = None
    helped_at: int | None = None
    answered_at: int | None = None


class Resender:
    """What is sent beyond each message's first sending.

    Attributes:
        question: number under which this node asks for its own newest votes; 0 once it has been answered.
    """

    def __init__(self, state: State) -> None:
        """Know nothing of the others."""
        self.question = 0
        self._state = state
        own = state.context.key
        context = state.context
        self._shown: dict[PeerId, _Shown] = {key: _Shown() for key in context.validators.keys if key != own}
        # Members of the next set follow: they are told what they ask for, and nothing else.
        self._following = {key: _Shown() for key in context.following.keys if key != own and key not in self._shown}
        self._relays: deque[tuple[int, Certificate]] = deque(maxlen=state.parameters.relays_max)
        self._standstill_at: int | None = None
        self._ask_at: int | None = None

    # --- what others show ---

    def greet(self, peer: PeerId, now: int) -> None:
        """A validator connected: tell it where this node stands; what was sent before may be lost."""
        shown = self._shown.get(peer)
        if shown is not None:
            shown.told_at = shown.helped_at = shown.answered_at = None
            self.tell(peer, now)

    def see_vote(self, peer: PeerId, vote: Vote) -> None:
        """A validator voted; not verified: it only decides what that same validator is sent."""
        shown = self._shown.get(peer)
        if shown is not None:
            shown.view = max(shown.view, vote.ballot.view)
            if vote.ballot.kind is VoteKind.FINALIZE:
                shown.finalized = max(shown.finalized, vote.ballot.view)

    def see_status(self, peer: PeerId, status: Status, now: int) -> None:
        """A validator says where it stands: help it if it is behind, ask it for help if it is ahead."""
        shown = self._shown.get(peer) or self._following.get(peer)
        if shown is None:
            return
        state, held = self._state, self._state.held
        # A validator that lost its log says so by a lower status; what it showed before it has forgotten.
        shown.view, shown.finalized = status.view, min(shown.finalized, status.view)
        index = state.context.validators.index(peer)
        is_asked = status.question != 0 and state.signer.index is not None
        if is_asked and index is not None and self._is_due(shown.answered_at, now):
            shown.answered_at = now
            state.send(peer, Answer(state.context.epoch, status.question, state.pool.newest(index)))
        behind = (status.view, status.final_view, status.notarized_view)
        here = (held.view, held.final_view, held.highest_view)
        if any(theirs < ours for theirs, ours in zip(behind, here, strict=True)) and self._is_due(shown.helped_at, now):
            shown.helped_at = now
            state.counters["helped"] += 1
            for message in self._everything():
                state.send(peer, message)
        if any(theirs > ours for theirs, ours in zip(behind, here, strict=True)):
            self.tell(peer, now)

    def tell(self, peer: PeerId, now: int) -> None:
        """Tell a member of this or the next set where this node stands."""
        shown = self._shown.get(peer) or self._following.get(peer)
        if shown is not None and self._has_part and self._is_due(shown.told_at, now):
            shown.told_at = now
            self._state.send(peer, self._state.status(self.question))

    @property
    def _has_part(self) -> bool:
        """Whether this node votes, or will in the next epoch."""
        context = self._state.context
        return self._state.signer.index is not None or context.key in context.following

    def finalized(self) -> dict[PeerId, int]:
        """Return the highest view in which each validator was seen to vote F."""
        return {peer: shown.finalized for peer, shown in self._shown.items()}

    def _is_due(self, last: int | None, now: int) -> bool:
        return last is None or now - last >= self._state.parameters.answer_us

    # --- rule 8 ---

    def schedule(self, certificate: Certificate, now: int) -> None:
        """Relay a certificate after a while; of many that wait, the newest are kept."""
        if self._state.signer.index is not None:
            quarter = self._state.pace.delay_us // 4
            self._relays.append((now + quarter + self._state.context.rng.randint(0, quarter), certificate))

    def _relay(self, certificate: Certificate) -> None:
        message = Certificates(self._anchored(certificate))
        for peer, shown in self._shown.items():
            if shown.finalized < certificate.view and shown.view <= certificate.view:
                self._state.counters["relays"] += 1
                self._state.send(peer, message)

    def _anchored(self, certificate: Certificate) -> tuple[Certificate, ...]:
        highest = self._state.held.highest
        if certificate.kind is VoteKind.NULLIFY and certificate.anchor and highest is not None:
            return highest, certificate
        return (certificate,)

    # --- rule 9 ---

    def on_view(self) -> None:
        """A new view was entered: it does not stand yet."""
        self._standstill_at = None

    @property
    def _has_to_decide(self) -> bool:
        state = self._state
        if state.signer.index is None or state.is_over:
            return False
        return state.pace.started is not None or not state.held.head_is_final

    @property
    def _has_to_fetch(self) -> bool:
        state, final = self._state, self._state.held.final
        if state.is_over:
            return False
        return state.ending is not None or (final is not None and final.hash != state.tree.delivered.hash)

    def step(self, now: int) -> None:
        """Do what is due."""
        for _ in range(len(self._relays)):
            due, certificate = self._relays.popleft()
            if due <= now:
                self._relay(certificate)
            else:
                self._relays.append((due, certificate))
        self._ask(now)
        if not self._has_to_decide and not self._has_to_fetch:
            self._standstill_at = None
        elif self._standstill_at is None:
            self._standstill_at = self._next_standstill(now)
        elif self._standstill_at <= now:
            self._standstill_at = self._next_standstill(now)
            self._repeat()

    def _ask(self, now: int) -> None:
        """Repeat the question after a restart."""
        if not self.question:
            self._ask_at = None
        elif self._ask_at is None:
            self._ask_at = self._after(self._state.parameters.base_delay_us, now)
        elif self._ask_at <= now:
            self._ask_at = self._after(self._state.parameters.base_delay_us, now)
            self._state.send(Target.VALIDATORS, self._state.status(self.question))

    def _next_standstill(self, now: int) -> int:
        return self._after(self._state.parameters.standstill_us, now)

    def _after(self, wait_us: int, now: int) -> int:
        return now + wait_us + self._state.context.rng.randint(0, wait_us // 4)

    def _repeat(self) -> None:
        state = self._state
        state.tree.fetch_again()
        if not self._has_to_decide:
            return
        state.counters["standstills"] += 1
        state.send(Target.VALIDATORS, state.status(self.question))
        for message in self._everything():
            state.send(Target.VALIDATORS, message)

    def _everything(self) -> list[Message]:
        """Return what brings another node where this one is."""
        state = self._state
        messages: list[Message] = []
        newest = state.held.newest()
        if newest:
            messages.append(Certificates(newest))
        messages += state.proposals.get(state.held.view, ())[:1]
        highest = state.held.highest
        for vote in state.signer.sent.values():
            if vote.ballot.view > state.held.final_view:
                anchored = vote.ballot.kind is VoteKind.NULLIFY and vote.ballot.anchor > 0
                messages.append(Cast(vote, highest if anchored else None))
        return messages

    @property
    def deadline(self) -> int | None:
        """When something is to be sent again, microseconds."""
        return earliest(self._standstill_at, self._ask_at, *[due for due, _ in self._relays])
