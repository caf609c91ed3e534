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
from p2pcommerce.finality.resend import Allowance, Repeat
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
    """

    view: int = 0
    finalized: int = 0


class Resender:
    """What is sent beyond each message's first sending."""

    def __init__(self, state: State) -> None:
        """Know nothing of the others."""
        self._state = state
        context, parameters = state.context, state.parameters
        self._shown: dict[PeerId, _Shown] = {key: _Shown() for key in context.validators.keys if key != context.key}
        # Members of the next set follow: they are told what they ask for, and nothing else.
        following = [key for key in context.following.keys if key != context.key]
        self._allowance = Allowance([*self._shown, *following], parameters.answer_us)
        self._relays: deque[tuple[int, Certificate]] = deque(maxlen=parameters.relays_max)
        self._standstill = Repeat(parameters.standstill_us, context.rng)
        self._question = Repeat(parameters.base_delay_us, context.rng)

    # --- what others show ---

    def greet(self, peer: PeerId, now: int) -> None:
        """A validator connected: tell it where this node stands; what was sent before may be lost."""
        if peer in self._shown:
            self._allowance.renew(peer)
            self.tell(peer, now)

    def see_vote(self, peer: PeerId, vote: Vote) -> None:
        """A validator voted; not verified: it only decides what that same validator is sent."""
        shown = self._shown.get(peer)
        if shown is not None:
            shown.view = max(shown.view, vote.ballot.view)
            if vote.ballot.kind is VoteKind.FINALIZE:
                shown.finalized = max(shown.finalized, vote.ballot.view)

    def would_relay(self, peer: PeerId, vote: Vote) -> bool:
        """Tell whether a vote F of a validator would keep a certificate that waits from being relayed to it."""
        shown, view = self._shown.get(peer), vote.ballot.view
        if shown is None or vote.ballot.kind is not VoteKind.FINALIZE or shown.finalized >= view:
            return False
        return any(shown.view <= certificate.view <= view for _, certificate in self._relays)

    def see_status(self, peer: PeerId, status: Status, now: int) -> None:
        """A validator says where it stands: help it if it is behind, ask it for help if it is ahead."""
        if peer not in self._allowance:
            return
        state, held, shown = self._state, self._state.held, self._shown.get(peer)
        if shown is not None:
            # A validator that lost its log says so by a lower status; what it showed before it has forgotten.
            shown.view, shown.finalized = status.view, min(shown.finalized, status.view)
        index = state.context.validators.index(peer)
        is_asked = status.question != 0 and state.signer.index is not None
        if is_asked and index is not None and self._allowance.take(peer, "answer", now):
            state.send(peer, Answer(state.context.epoch, status.question, state.pool.newest(index)))
        behind = (status.view, status.final_view, status.notarized_view)
        here = (held.view, held.final_view, held.highest_view)
        is_behind = any(theirs < ours for theirs, ours in zip(behind, here, strict=True))
        if is_behind and self._allowance.take(peer, "help", now):
            state.counters["helped"] += 1
            for message in self._everything():
                state.send(peer, message)
        if any(theirs > ours for theirs, ours in zip(behind, here, strict=True)):
            self.tell(peer, now)

    def tell(self, peer: PeerId, now: int) -> None:
        """Tell a member of this or the next set where this node stands."""
        if self._has_part and self._allowance.take(peer, "status", now):
            self._state.send(peer, self._state.status())

    @property
    def _has_part(self) -> bool:
        """Whether this node votes, or will in the next epoch."""
        context = self._state.context
        return self._state.signer.index is not None or context.key in context.following

    def finalized(self) -> dict[PeerId, int]:
        """Return the highest view in which each validator was seen to vote F."""
        return {peer: shown.finalized for peer, shown in self._shown.items()}

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
        self._standstill.stop()

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
        if not self._state.rollcall.question:
            self._question.stop()
        elif self._question.is_due(now):
            self._state.send(Target.VALIDATORS, self._state.status())
        if not self._has_to_decide and not self._has_to_fetch:
            self._standstill.stop()
        elif self._standstill.is_due(now):
            self._repeat()

    def _repeat(self) -> None:
        state = self._state
        state.tree.fetch_again()
        if not self._has_to_decide:
            return
        state.counters["standstills"] += 1
        state.send(Target.VALIDATORS, state.status())
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
        return earliest(self._standstill.at, self._question.at, *[due for due, _ in self._relays])
