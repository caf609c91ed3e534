"""What validators signed, over all crashes and restarts: does any of it contradict the rest?

The judge never forgets, and shares no code with the engine's voting rules and the signing guard that it watches: it
reads the 49 bytes of a ballot, and the 89 of a link, by itself.

    one ballot per kind and view (kinds 1 notarize, 3 finalize, 4 propose), by hash
    F(u) never with Z(v, p) where p < u <= v
    F(v, h) never with N(v, h') of another hash

Two nullifications of one view are no contradiction by themselves. Links of FFG (kind 5, 89 bytes):

    one link for each height of its target (F1)
    no link within the span of another (F2)

Source: the evidence E1 to E5 of the finality specification; Buterin & Griffith, Casper FFG (arXiv 1710.09437).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.primitives.ids import PublicKey

__all__ = ["BallotJudge", "Contradiction"]

_LAYOUT: Final = struct.Struct(">QQB32s")
_LINK: Final = struct.Struct(">QQQB64s")
_NOTARIZE: Final = 1
_NULLIFY: Final = 2
_FINALIZE: Final = 3
_PROPOSE: Final = 4


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two ballots that no honest validator signs both.

    Attributes:
        signer: public key, 32 bytes.
        rule: "E1" to "E5", "F1", "F2".
        view: of the later one; of a link the index of its target.
    """

    signer: PublicKey
    rule: str
    view: int


@dataclass(slots=True)
class _Signed:
    """What one validator signed in one epoch."""

    hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    nullified: dict[tuple[int, int], None] = field(default_factory=dict)
    finalized: dict[int, None] = field(default_factory=dict)
    links: dict[int, tuple[int, bytes]] = field(default_factory=dict)


class BallotJudge:
    """Remembers every ballot.

    Attributes:
        contradictions: by signer, the first one found.
        count: ballots seen.
    """

    def __init__(self) -> None:
        """Begin with nothing signed."""
        self._signed: dict[tuple[PublicKey, int], _Signed] = {}
        self.contradictions: dict[PublicKey, Contradiction] = {}
        self.count = 0

    def see(self, signer: PublicKey, data: bytes) -> Contradiction | None:
        """Take a ballot (49 bytes) or link (89 bytes) that is signed now; return how it contradicts an earlier one."""
        self.count += 1
        if len(data) not in {_LAYOUT.size, _LINK.size}:
            return None  # of an engine that is not of the library: its rules are not known here
        if len(data) == _LINK.size:
            epoch, source, view, _, hashes = _LINK.unpack(data)
            signed = self._signed.setdefault((signer, epoch), _Signed())
            rule = self._judge_link(signed, source, view, hashes)
        else:
            epoch, view, kind, digest = _LAYOUT.unpack(data)
            signed = self._signed.setdefault((signer, epoch), _Signed())
            rule = self._judge(signed, view, kind, digest)
        if rule is None:
            return None
        found = Contradiction(signer, rule, view)
        self.contradictions.setdefault(signer, found)
        return found

    def _judge_link(self, signed: _Signed, source: int, target: int, hashes: bytes) -> str | None:
        if signed.links.setdefault(target, (source, hashes)) != (source, hashes):
            return "F1"
        for other, (start, _) in signed.links.items():
            if (source < start and other < target) or (start < source and target < other):
                return "F2"
        return None

    def _judge(self, signed: _Signed, view: int, kind: int, digest: bytes) -> str | None:
        if kind == _NULLIFY:
            anchor = int.from_bytes(digest, "big")
            signed.nullified[view, anchor] = None
            return "E3" if any(anchor < final <= view for final in signed.finalized) else None
        if signed.hashes.setdefault((kind, view), digest) != digest:
            return {_NOTARIZE: "E1", _FINALIZE: "E2", _PROPOSE: "E5"}.get(kind, "kind")
        other = signed.hashes.get((_FINALIZE if kind == _NOTARIZE else _NOTARIZE, view), digest)
        if kind != _PROPOSE and other != digest:
            return "E4"
        if kind == _FINALIZE:
            signed.finalized[view] = None
            if any(anchor < view <= upper for upper, anchor in signed.nullified):
                return "E3"
        return None
