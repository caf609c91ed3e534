"""Coming back: nothing is signed until a quorum has said what it knows of this validator.

After every start a validator asks the others for its own newest votes. Until weight q, its own included, has answered,
it signs nothing; it follows, and answers the questions of others, so that a network that restarts all at once comes
back. A good signature of its own key that neither log nor guard knows means that a second instance runs: it stops for
good. A first start cannot be told from one with a lost disk, so that it asks as well.

What the log brings back, and what is signed again once a quorum has answered, is each engine's business.

Source: the recovery of the finality specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from p2pcommerce.finality.certificates import VoteVerifier
from p2pcommerce.finality.engine import Context
from p2pcommerce.finality.refusal import ForeignVoteError
from p2pcommerce.finality.signer import Signable, Signer

__all__ = ["RollCall"]

M = TypeVar("M", bound=Signable)


class RollCall(Generic[M]):
    """The question to the others, and who has answered it.

    Attributes:
        question: number under which this node asks for its own newest votes; 0: it does not, or has been answered.
    """

    def __init__(self, context: Context, signer: Signer[M], verifier: VoteVerifier) -> None:
        """Ask nothing yet."""
        self.question = 0
        self._context = context
        self._signer = signer
        self._verifier = verifier
        self._answered: dict[int, bool] = {}

    def begin(self) -> bool:
        """Begin to ask; tell whether the own weight is a quorum already, so that it may sign."""
        if self._signer.index is None:
            return False
        self._answered[self._signer.index] = True
        self.question = self._context.rng.getrandbits(63) | 1
        return self._end()

    def on_answer(self, voter: int, question: int, votes: Iterable[tuple[int, M, bytes]]) -> bool:
        """Another validator says what it knows of this one; tell whether a quorum has answered now, the first time.

        Args:
            voter: who answers, by index.
            question: the number that was asked under.
            votes: voter, message and signature (64 bytes) of each; untrusted.

        Raises:
            ForeignVoteError: it answers with somebody else's votes.
        """
        if not question or question != self.question:
            return False
        for owner, message, signature in votes:
            if owner != self._signer.index:
                raise ForeignVoteError("an answer holds votes of somebody else")
            if self._verifier.is_good(owner, message, signature):
                self._signer.check(message)
        self._answered[voter] = True
        return self._end()

    def _end(self) -> bool:
        """Let the signer begin, if a quorum has answered."""
        validators = self._context.validators
        if sum(validators.validators[index].stake for index in self._answered) < validators.quorum:
            return False
        self.question = 0
        self._signer.ready = True
        return True
