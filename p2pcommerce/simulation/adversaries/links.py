"""Voters of FFG that break the commandments: two targets of one height, and links around others."""

from __future__ import annotations

from dataclasses import replace

from p2pcommerce.finality import FFG
from p2pcommerce.finality.ffg.links import LinkVote
from p2pcommerce.finality.ffg.messages import Answer, Cast, decode_message, encode_message
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN, Checkpoint
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import BlockHash, PeerId
from p2pcommerce.simulation.adversaries.voters import DoubleVote
from p2pcommerce.wire import messages as wire

__all__ = ["DoubleLink"]

_ANSWER = encode_message(Answer(0, 0, (), ()))[:1]
_CAST_TAG = b"\x01"


class DoubleLink(DoubleVote):
    """Votes for two targets of one height or around its earlier links, and forgets everything now and then.

    Half of the validators get the contradicting vote. When it restarts its log and guard are gone, and it does not
    listen to what others know of it.
    """

    engines = frozenset({FFG.name})

    @override
    def on_message(self, peer: PeerId, message: wire.Message) -> wire.Message | None:
        """Hear nothing of the own votes and proposals."""
        if isinstance(message, wire.Engine) and message.data[:1] == _ANSWER:
            answer = decode_message(message.data)
            if isinstance(answer, Answer):
                return wire.Engine(encode_message(replace(answer, votes=(), proposals=())))
        return message

    @override
    def on_data(self, peer: PeerId, data: bytes) -> bytes | None:
        """Tell half of the validators another vote."""
        if data[:1] != _CAST_TAG or not self.in_second_half(peer):
            return data
        message = decode_message(data)
        if not isinstance(message, Cast):
            return data
        link = message.vote.link
        if self.rng.randrange(2):
            other = replace(link, target=Checkpoint(link.target.index, BlockHash(self.rng.randbytes(32))))
        else:
            below = Checkpoint(max(0, link.source.index - 1), BlockHash(self.rng.randbytes(32)))
            other = replace(link, source=below, target=replace(link.target, index=link.target.index + 1))
        self.acts["double votes"] += 1
        signature = self.host.signature(LINK_DOMAIN, other.data)
        return encode_message(Cast(LinkVote(other, message.vote.voter, signature)))
