"""Messages of other engines: untrusted. Decoded, checked as cheaply as possible first, and handed to the rules.

Whatever is refused raises an error of `refusal`, whose code is counted; what no honest peer sends is blamed on the
peer. What each message is checked for is each engine's business; what all of them ask stands here.

Source: rules 3, 8, 9 and 11 of the finality specification.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from p2pcommerce.finality.certificates import CertificateError
from p2pcommerce.finality.engine import Blame
from p2pcommerce.finality.refusal import BadProposalSignatureError, RefusedError, StrangerError, WrongEpochError
from p2pcommerce.finality.state import EngineState
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import PeerId

__all__ = ["EngineInbox"]

M = TypeVar("M")


class EngineInbox(ABC, Generic[M]):
    """Takes messages of type M in."""

    def __init__(self, shared: EngineState[M]) -> None:
        """Read and count by this."""
        self._shared = shared

    def on_message(self, peer: PeerId, data: bytes, now: int) -> None:
        """Take one message."""
        try:
            self._take(peer, self._shared.kinds.decode(data), data, now)
        except (CodecError, CertificateError) as error:
            self._refuse(peer, error, blames=True)
        except RefusedError as error:
            self._refuse(peer, error, blames=error.blames)

    def hear(
        self, peer: PeerId, message: M, data: bytes, now: int
    ) -> CodecError | CertificateError | RefusedError | None:
        """Take a message that others than its maker pass on, and return why not; nobody is blamed here."""
        try:
            self._take(peer, message, data, now)
        except (CodecError, CertificateError, RefusedError) as error:
            self._refuse(peer, error, blames=False)
            return error
        return None

    @abstractmethod
    def _take(self, peer: PeerId, message: M, data: bytes, now: int) -> None:
        """Do what a message asks; `data`: its bytes.

        Raises:
            RefusedError, CodecError, CertificateError: it is not taken.
        """

    def _refuse(self, peer: PeerId, error: CodecError | CertificateError | RefusedError, *, blames: bool) -> None:
        self._shared.counters[f"refused_{error.code.lower()}"] += 1
        if blames:
            self._shared.out.append(Blame(peer, f"{error.code}: {error}"))

    # --- what is asked of many messages ---

    def _index(self, peer: PeerId) -> int:
        """Return the index of a peer that must be a validator."""
        index = self._shared.context.validators.index(peer)
        if index is None:
            raise StrangerError("only validators of the epoch say this")
        return index

    def _check_epoch(self, epoch: int) -> None:
        if epoch != self._shared.context.epoch:
            raise WrongEpochError(f"of epoch {epoch}, this node is in {self._shared.context.epoch}")

    def _check_network(self, header: Header) -> None:
        context = self._shared.context
        if header.genesis_hash != context.genesis_hash or header.validators_hash != context.validators.hash:
            raise WrongEpochError("a proposal of another network or validator set")

    def _check_signature(self, header: Header, view: int, signature: bytes) -> Ballot:
        """Check a proposer's signature (64 bytes) on its proposal, and return the ballot that it signed."""
        context = self._shared.context
        ballot = Ballot(header.epoch, view, VoteKind.PROPOSE, header.hash)
        signed = signed_bytes(PROPOSAL_DOMAIN, context.genesis_hash, ballot.data)
        if not context.scheme.verify(header.proposer, signed, signature):
            raise BadProposalSignatureError("the signature of a proposal is not good")
        return ballot
