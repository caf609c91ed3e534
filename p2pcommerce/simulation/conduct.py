"""How an honest validator behaves, judged from outside: in which order it signs, and when it may sign at all.

`ballots` says what contradicts what whoever signs it. The rules here are narrower: they are those of the signing guard
and of the voting rules, which an adversary may break without being convicted, and no honest validator breaks.

    each ballot is the last one of its kind again, or of a higher view
    N(v, h): above the last Z, and above the last F or with its hash
    F(v, h): above the last Z, and above the last N or with its hash
    Z(v, p): p is not below the last F
    N only for a proposal whose justify holds: N or F of its parent by a quorum and, unless that is of the view before,
      the nullification of the view before by a quorum none of which starts above the parent's view
    after a start nothing is signed before a quorum, the signer included, has answered what it knows of it

This room shares no rule with the engine and the guard: it reads the 49 bytes of a ballot by itself, and of engine
messages it uses the decoder alone; what a header commits to is `justified`. Signatures under certificates are looked at
where blocks are final (`certified`).

Source: rules 3 to 5, the signing guard and the recovery of the finality specification.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.simplex.messages import Proposal, decode_message
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import PeerId, PublicKey
from p2pcommerce.simulation.justified import is_committed
from p2pcommerce.simulation.memberships import Memberships

__all__ = ["ConductJudge"]

_LAYOUT: Final = struct.Struct(">QQB32s")
_NOTARIZE: Final = 1
_NULLIFY: Final = 2
_FINALIZE: Final = 3
_NAMES: Final = {_NOTARIZE: "N", _NULLIFY: "Z", _FINALIZE: "F", 4: "a proposal"}
_PROPOSAL: Final = 3
"""First byte of a proposal."""
_ANSWER: Final = 5
"""First byte of the message that answers a validator that restarted."""
_NOTHING: Final = (0, b"")
_PROPOSALS_MAX: Final = 256


@dataclass(slots=True)
class _Signer:
    """One validator in one epoch: the last view and hash of each kind."""

    last: dict[int, tuple[int, bytes]] = field(default_factory=dict)


class ConductJudge:
    """Remembers the last ballots of each validator, and who has answered it since it started."""

    def __init__(self, memberships: Memberships) -> None:
        """Begin with nothing signed."""
        self._memberships = memberships
        self._proposals: dict[bytes, Proposal] = {}
        self._signers: dict[tuple[PublicKey, int], _Signer] = {}
        self._answered: dict[int, tuple[int, dict[bytes, None]]] = {}

    def on_engine(self, sender: PeerId, target: int, life: int, data: bytes) -> None:
        """A host hears an engine message, in one of its lives."""
        if data[:1] == bytes([_PROPOSAL]):
            self._learn(data)
        if data[:1] != bytes([_ANSWER]):
            return
        known = self._answered.get(target)
        if known is None or known[0] != life:
            known = self._answered[target] = life, {}
        known[1][sender] = None

    def _learn(self, data: bytes) -> None:
        try:
            proposal = decode_message(data)
        except CodecError:
            return
        if not isinstance(proposal, Proposal) or proposal.header.hash in self._proposals:
            return
        # Whoever has heard a proposal can send its header on with another justify.
        if is_committed(proposal):
            self._proposals[proposal.header.hash] = proposal
            if len(self._proposals) > _PROPOSALS_MAX:
                del self._proposals[next(iter(self._proposals))]

    def justify_complaint(self, data: bytes) -> str:
        """Return what is wrong with the justify of the block of an N (49 bytes); empty: nothing, or it is not known."""
        _, view, _, digest = _LAYOUT.unpack(data)
        proposal = self._proposals.get(digest)
        if proposal is None:
            return ""
        parent, skip, parent_view = proposal.justify.parent, proposal.justify.nullification, 0
        if parent is not None:
            parent_view = parent.view
            if (
                int(parent.kind) == _NULLIFY
                or parent.hash != proposal.header.parent_hash
                or not self._is_quorum(parent)
            ):
                return f"N of view {view} for a block whose parent no quorum has notarized"
        if parent_view == view - 1:
            return ""
        if skip is None or int(skip.kind) != _NULLIFY or skip.view != view - 1 or not self._is_quorum(skip):
            return f"N of view {view} for a block on view {parent_view}, though no quorum gave up the views between"
        if max(skip.anchors) > parent_view:
            return (
                f"N of view {view} for a block on view {parent_view}, below the {max(skip.anchors)} of a nullification"
            )
        return ""

    def _is_quorum(self, certificate: Certificate) -> bool:
        members = self._memberships.of(certificate.epoch) or ()
        bits = int.from_bytes(certificate.bitmap, "little")
        weight = sum(stake for index, (_, stake) in enumerate(members) if bits >> index & 1)
        return 3 * weight > 2 * sum(stake for _, stake in members)

    def has_recovered(self, signer: PublicKey, host: int, life: int, epoch: int) -> bool:
        """Tell whether more than two thirds of the stake has answered a host since it started, itself included.

        Where the validators are not those of the genesis any more this is not judged: a life asks in its first epochs.
        """
        if not self._memberships.are_founders(epoch):
            return True
        members = self._memberships.of(epoch) or ()
        known = self._answered.get(host)
        keys: dict[bytes, None] = {signer: None} | ({} if known is None or known[0] != life else known[1])
        return 3 * sum(stake for key, stake in members if key in keys) > 2 * sum(stake for _, stake in members)

    def see(self, signer: PublicKey, data: bytes) -> str:
        """Take a ballot (49 bytes) that is signed now; return how it breaks the order, empty if it does not."""
        epoch, view, kind, digest = _LAYOUT.unpack(data)
        last = self._signers.setdefault((signer, epoch), _Signer()).last
        if last.get(kind) == (view, digest):
            return ""
        broken = self._judge(last, view, kind, digest)
        last[kind] = max(last.get(kind, _NOTHING), (view, digest))
        return f"{_NAMES.get(kind, kind)} of view {view} {broken}" if broken else ""

    @staticmethod
    def _judge(last: dict[int, tuple[int, bytes]], view: int, kind: int, digest: bytes) -> str:
        if view <= last.get(kind, _NOTHING)[0]:
            return f"after the one of view {last[kind][0]}"
        nullified, finalized = last.get(_NULLIFY, _NOTHING)[0], last.get(_FINALIZE, _NOTHING)
        if kind == _NULLIFY:
            anchor = int.from_bytes(digest, "big")
            return f"from view {anchor}, after F of view {finalized[0]}" if anchor < finalized[0] else ""
        if kind not in {_NOTARIZE, _FINALIZE}:
            return ""
        if view <= nullified:
            return f"after Z of view {nullified}"
        other = finalized if kind == _NOTARIZE else last.get(_NOTARIZE, _NOTHING)
        if view < other[0] or (view == other[0] and digest != other[1]):
            return f"against {'F' if kind == _NOTARIZE else 'N'} of view {other[0]}"
        return ""
