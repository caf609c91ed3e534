"""An engine that tells each half of the others of another block: what a dishonest validator would run.

When it leads, it signs its proposal and one of the same block a millisecond later, and sends half of its peers the one
and half the other. Its signing guard asks it, and is told that anything may be signed.

Source: equivocation, E5 of the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.finality.engine import Context, Effect, Send, Sign, Target
from p2pcommerce.finality.simplex.messages import Proposal, decode_message, decode_seal, encode_message
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import BlockHash, Epoch, PeerId, PublicKey
from p2pcommerce.simulation.adversaries import Unscrupulous

__all__ = ["OFFENCES_MAX", "Equivocation", "TwoFaced"]

OFFENCES_MAX: Final = 3
"""Views in which it proposes two blocks; one is enough to be convicted."""
_HONEST_US: Final = 2_000_000
"""So long it follows the rules when it has come into the set, microseconds: people see it vote first."""
_AGAIN_US: Final = 20_000_000
"""It tries again when it still leads so long after, microseconds."""
_REQUESTS: Final = 2**48
"""Its own requests for signatures have numbers above those of the engine that it extends."""


@dataclass(frozen=True, slots=True)
class Equivocation:
    """Two blocks that were signed for one place.

    Attributes:
        epoch, view, height: of both.
        first, second: their hashes, 32 bytes each.
    """

    epoch: int
    view: int
    height: int
    first: BlockHash
    second: BlockHash


class TwoFaced(Unscrupulous):
    """Simplex that proposes two blocks in one view."""

    def __init__(self, tell: Callable[[Equivocation], None]) -> None:
        """Tell `tell` of each offence."""
        super().__init__()
        self._tell = tell
        self._key: PublicKey | None = None
        self._peers: dict[PeerId, None] = {}
        self._open: dict[int, tuple[bytes, Proposal]] = {}
        self._offences = 0
        self._not_before = 0

    @override
    def may_sign(self, last: Mapping[str, bytes], kind: str, data: bytes) -> bool:
        """Let the guard sign everything."""
        return True

    @override
    def start(
        self, context: Context, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int
    ) -> list[Effect]:
        """Begin; see `FinalityEngine.start`."""
        self._key = context.key
        return self._twist(super().start(context, records, blocks, now), now)

    @override
    def on_epoch(
        self, epoch: Epoch, validators: ValidatorSet, following: ValidatorSet, seed: bytes, now: int
    ) -> list[Effect]:
        """Behave for a while after joining; see `FinalityEngine.on_epoch`."""
        if not self._not_before and self._key in validators:
            self._not_before = now + _HONEST_US
        return self._twist(super().on_epoch(epoch, validators, following, seed, now), now)

    @override
    def on_peer(self, peer: PeerId, now: int) -> list[Effect]:
        """Remember whom to tell what."""
        self._peers[peer] = None
        return super().on_peer(peer, now)

    @override
    def on_signed(self, request: int, signature: bytes | None, now: int) -> list[Effect]:
        """Send both proposals once the second one is signed, too."""
        if request not in self._open:
            return self._twist(super().on_signed(request, signature, now), now)
        first, second = self._open.pop(request)
        if signature is None:
            return [Send(Target.VALIDATORS, first)]
        other = encode_message(replace(second, signature=signature))
        return [Send(peer, first if place % 2 else other) for place, peer in enumerate(sorted(self._peers))]

    def _twist(self, effects: Sequence[Effect], now: int) -> list[Effect]:
        may_offend = self._offences < OFFENCES_MAX and now >= self._not_before and len(self._peers) > 1
        return [self._twisted(effect, now) if may_offend and isinstance(effect, Send) else effect for effect in effects]

    def _twisted(self, effect: Send, now: int) -> Effect:
        """Ask for a second signature in the place of sending an own proposal."""
        if effect.to is not Target.VALIDATORS:
            return effect
        try:
            message = decode_message(effect.data)
        except CodecError:
            return effect
        if not isinstance(message, Proposal) or message.header.proposer != self._key:
            return effect
        self._offences += 1
        self._not_before = now + _AGAIN_US
        header = replace(message.header, time_ms=message.header.time_ms + 1)
        view, request = decode_seal(header).view, _REQUESTS + self._offences
        self._open[request] = effect.data, replace(message, header=header)
        self._tell(Equivocation(header.epoch, view, header.height, message.header.hash, header.hash))
        return Sign(request, PROPOSAL_DOMAIN, Ballot(header.epoch, view, VoteKind.PROPOSE, header.hash).data)
