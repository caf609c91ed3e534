"""Voters that break the rules with what they vote, or with whom they tell."""

from __future__ import annotations

from typing import Final

from p2pcommerce.finality import ENGINES
from p2pcommerce.finality.certificates import Vote
from p2pcommerce.finality.simplex.messages import Answer, Cast, Message, Proposal
from p2pcommerce.finality.simplex.messages import decode_message as decode_engine
from p2pcommerce.finality.simplex.messages import encode_message as encode_engine
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.simulation.adversaries.adversary import Adversary
from p2pcommerce.wire import messages as wire

__all__ = ["DoubleVote", "Selective", "Twin", "Withhold"]

_AMNESIA_US: Final = 8_000_000
_DOWN_US: Final = 500_000
_MOOD_US: Final = 2_000_000


class DoubleVote(Adversary):
    """Votes for two blocks in one view, nullifies what it finalizes, and forgets everything now and then.

    Half of the validators get the contradicting vote. When it restarts its log and guard are gone, and it does not
    listen to what others know of it.
    """

    ignores_guard = True
    is_unscrupulous = True

    @override
    def on_started(self) -> None:
        """Plan the next loss of memory."""
        self.host.later(self.rng.randint(_AMNESIA_US // 2, _AMNESIA_US * 2), self._forget)

    def _forget(self) -> None:
        host = self.host
        self.acts["restarted without memory"] += 1
        host.crash(power_loss=False)
        host.disk.remove("finality.wal")
        host.disk.remove("guard")
        host.disk.sync_directory()
        self.stage.at_world(self.stage.now_us + _DOWN_US, host.start)

    @override
    def on_message(self, peer: PeerId, message: wire.Message) -> wire.Message | None:
        """Hear nothing of the own votes."""
        if isinstance(message, wire.Engine) and message.data[:1] == encode_engine(Answer(0, 0, ()))[:1]:
            answer = decode_engine(message.data)
            if isinstance(answer, Answer):
                return wire.Engine(encode_engine(Answer(answer.epoch, answer.question, ())))
        return message

    @override
    def on_engine(self, peer: PeerId, message: Message) -> Message | None:
        """Tell half of the validators another vote."""
        if not isinstance(message, Cast) or not self.in_second_half(peer):
            return message
        ballot = message.vote.ballot
        if ballot.kind is VoteKind.NOTARIZE:
            other = Ballot(ballot.epoch, ballot.view, ballot.kind, self.rng.randbytes(32))
        elif ballot.kind is VoteKind.FINALIZE:
            other = Ballot(ballot.epoch, ballot.view, VoteKind.NULLIFY, anchor_hash(max(0, ballot.view - 2)))
        else:
            return message
        self.acts["double votes"] += 1
        return Cast(Vote(other, message.vote.voter, self.sign_vote(other)), message.anchor)


class Twin(Adversary):
    """One of two copies of an identity; each runs the protocol as if it were alone."""

    engines = frozenset(ENGINES)
    ignores_guard = True
    is_unscrupulous = True

    @override
    def on_engine(self, peer: PeerId, message: Message) -> Message | None:
        """Count the own votes; change nothing."""
        if self.is_own(message):
            self.acts["messages of a twin"] += 1
        return message

    @override
    def on_data(self, peer: PeerId, data: bytes) -> bytes | None:
        """Count the messages; change nothing."""
        self.acts["messages of a twin"] += 1
        return data


class Withhold(Adversary):
    """Leads without sending its proposal, or without its body, and keeps its votes to itself."""

    @override
    def on_engine(self, peer: PeerId, message: Message) -> Message | None:
        """Send no proposal in two of three views, and no vote in one of two."""
        if isinstance(message, Proposal) and message.header.hash[0] % 3:
            self.acts["proposals withheld"] += 1
            return None
        if isinstance(message, Cast) and message.vote.ballot.view % 2:
            self.acts["votes withheld"] += 1
            return None
        return message

    @override
    def on_transmit(self, peer: PeerId, message: wire.Message) -> wire.Message | None:
        """Give no bodies."""
        if isinstance(message, wire.BlockBody | wire.BlockTransactions):
            self.acts["bodies withheld"] += 1
            return None
        return message


class Selective(Adversary):
    """Sends to some peers only; which ones changes every two seconds."""

    engines = frozenset(ENGINES)

    @override
    def on_engine(self, peer: PeerId, message: Message) -> Message | None:
        """Keep it from those who are out of favour."""
        return None if self._is_out(peer) else message

    @override
    def on_data(self, peer: PeerId, data: bytes) -> bytes | None:
        """Keep it from those who are out of favour."""
        return None if self._is_out(peer) else data

    @override
    def on_transmit(self, peer: PeerId, message: wire.Message) -> wire.Message | None:
        """Keep transactions and bodies from those who are out of favour."""
        if isinstance(message, wire.Ping | wire.Pong):
            return message
        return None if self._is_out(peer) else message

    def _is_out(self, peer: PeerId) -> bool:
        mood = self.stage.now_us // _MOOD_US
        is_out = (peer[0] + mood * 7 + peer[1]) % 2 == 1
        self.acts["messages kept back"] += is_out
        return is_out
