"""Do honest nodes find the evidence that lies before them?

A node that hears two notarizations of one view by one validator, from that validator, holds the first while the view
is the present one, and must accuse the validator at the second. Which nodes have heard both is worked out here from
what was delivered to them; whether a node has accused anybody, its engine counts.

Source: the evidence of the finality specification (E1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from p2pcommerce.finality import Simplex
from p2pcommerce.finality.simplex.messages import Cast, decode_message
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.crypto import SignatureScheme, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import PeerId, PublicKey
from p2pcommerce.simulation.host import Host

__all__ = ["EvidenceJudge"]

_KEPT_MAX: Final = 4_096
"""Votes of adversaries that are remembered."""


class EvidenceJudge:
    """Remembers what each node heard of the votes of adversaries.

    Attributes:
        heard: host and life -> the validator whose contradiction was delivered to it.
    """

    def __init__(self, genesis: Genesis, scheme: SignatureScheme, suspects: Sequence[PublicKey]) -> None:
        """Listen to votes of `suspects` (public keys, 32 bytes each)."""
        self.heard: dict[tuple[int, int], PublicKey] = {}
        self._genesis = genesis
        self._scheme = scheme
        self._suspects = dict.fromkeys(suspects)
        self._first: dict[tuple[int, int, PublicKey, int, int], Ballot] = {}

    def hear(self, host: Host, peer: PeerId, data: bytes) -> None:
        """An engine message of a peer is about to be given to a node."""
        if peer not in self._suspects or not isinstance(host.engine, Simplex) or host.core is None:
            return
        try:
            message = decode_message(data)
        except CodecError:
            return
        if not isinstance(message, Cast) or message.vote.ballot.kind is not VoteKind.NOTARIZE:
            return
        vote, ballot, status = message.vote, message.vote.ballot, host.core.engine_status()
        members = self._genesis.validators
        if ballot.epoch != status.epoch or status.epoch > 1 or status.counters.get("halted"):
            return
        is_own = vote.voter < len(members) and members.validators[vote.voter].public_key == peer
        signed = signed_bytes(ballot.domain, self._genesis.hash, ballot.data)
        if not is_own or not self._scheme.verify(PublicKey(peer), signed, vote.signature):
            return
        key = host.number, host.life, PublicKey(peer), ballot.epoch, ballot.view
        first = self._first.get(key)
        if first is None:
            if status.view <= ballot.view <= status.view + 1 and len(self._first) < _KEPT_MAX:
                self._first[key] = ballot
        elif first.hash != ballot.hash and status.view - 1 <= ballot.view <= status.view + 1:
            self.heard.setdefault((host.number, host.life), PublicKey(peer))

    def missed(self, host: Host) -> PublicKey | None:
        """Return a validator that a node should have accused since it started, and accused nobody; None: none."""
        if host.core is None or host.core.engine_status().counters.get("evidence", 0):
            return None
        return self.heard.get((host.number, host.life))
