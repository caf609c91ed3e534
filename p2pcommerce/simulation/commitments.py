"""Is what a quorum has promised kept? Judged from every signature of a world, whoever has received it.

Once more than two thirds of the stake has signed the finalization of a block in view u, that block will be final, even
if nobody knows it yet. From then on no honest validator may notarize, in a view above u, a block that does not descend
from it: every justify of such a block would need the nullification of u by a quorum. The same holds the other way
round, for a notarization that was signed before the finalization was complete.

This sees a fork when it becomes possible, long before messages happen to arrive in the order that shows it.

Source: the justify and rules 3 to 5 of the finality specification; quorum intersection of Chan & Pass, Simplex.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.simulation.memberships import Memberships

__all__ = ["CommitmentJudge"]

_LAYOUT: Final = struct.Struct(">QQB32s")
_NOTARIZE: Final = 1
_FINALIZE: Final = 3
_VIEWS_MAX: Final = 1_024
"""Views below the highest of which ballots are remembered."""


class CommitmentJudge:
    """Every finalization and every honest notarization of one world."""

    def __init__(self, memberships: Memberships) -> None:
        """Begin with nothing signed."""
        self._memberships = memberships
        self._signed: dict[tuple[int, int, bytes], dict[PublicKey, None]] = {}
        self._committed: dict[tuple[int, int], bytes] = {}
        self._notarized: dict[tuple[int, int, bytes], None] = {}
        self._below: dict[bytes, tuple[int, bytes]] = {}

    def learn(self, header: Header) -> None:
        """Hear of a block's place in the chain."""
        self._below[header.hash] = header.height, header.parent_hash

    def see(self, signer: PublicKey, data: bytes, *, is_honest: bool) -> str:
        """Take a ballot (49 bytes) that is signed now; return which promise is broken, empty if none is.

        What other engines sign promises nothing of this kind.
        """
        if len(data) != _LAYOUT.size:
            return ""
        epoch, view, kind, digest = _LAYOUT.unpack(data)
        if kind == _FINALIZE:
            signers = self._signed.setdefault((epoch, view, digest), {})
            signers[signer] = None
            if not self._is_quorum(epoch, signers):
                return ""
            if self._committed.setdefault((epoch, view), digest) != digest:
                return f"two blocks of view {view} are finalized by a quorum each"
            self._forget(view)
            above = [vote for vote in self._notarized if vote[0] == epoch and vote[1] > view]
            return next((words for vote in above if (words := self._compare(view, digest, vote))), "")
        if kind != _NOTARIZE or not is_honest:
            return ""
        self._notarized[epoch, view, digest] = None
        below = [each for each in self._committed if each[0] == epoch and each[1] < view]
        if not below:
            return ""
        highest = max(below)
        return self._compare(highest[1], self._committed[highest], (epoch, view, digest))

    def _is_quorum(self, epoch: int, signers: Mapping[PublicKey, None]) -> bool:
        members = self._memberships.of(epoch) or ()
        weight = sum(stake for key, stake in members if key in signers)
        return 3 * weight > 2 * sum(stake for _, stake in members)

    def _compare(self, view: int, block_hash: bytes, vote: tuple[int, int, bytes]) -> str:
        place = self._below.get(block_hash)
        cursor = vote[2]
        while place is not None and cursor != block_hash:
            here = self._below.get(cursor)
            if here is None:
                return ""
            parent = self._below.get(here[1])
            is_carrier = parent is None or parent[0] == here[0]  # it may stand on the block, at its height
            if here[0] < place[0] or (here[0] == place[0] and not is_carrier):
                return f"N of view {vote[1]} is for a block beside the one that a quorum finalized in view {view}"
            cursor = here[1]
        return ""

    def _forget(self, view: int) -> None:
        """Forget what lies far below a view."""
        low = view - _VIEWS_MAX // 2
        if len(self._signed) > _VIEWS_MAX:
            self._signed = {key: value for key, value in self._signed.items() if key[1] >= low}
            self._notarized = {key: None for key in self._notarized if key[1] >= low}
            self._committed = {key: value for key, value in self._committed.items() if key[1] >= low}
