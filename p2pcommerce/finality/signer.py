"""This validator's own messages: logged first, then signed, and remembered so that none contradicts another.

The engine judges a message by the same rule and the same memory as the signing guard, before it logs it. It signs
nothing until the recovery is over (`ready`), and nothing ever after a halt. A good signature of this validator's key on
a message that was not made here means that a second instance runs: it stops for good.

Source: the signing guard, the write-ahead log and the recovery of the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from p2pcommerce.finality.engine import Context, Effect, Halt, Persist, Sign
from p2pcommerce.finality.evidence import Said
from p2pcommerce.finality.journal import LogFormat
from p2pcommerce.primitives.errors import LocalProtocolError

__all__ = ["FORKED", "OWN_MAX", "SECOND", "Signable", "Signer"]

OWN_MAX: Final = 512
"""Own messages that are remembered one by one, beside the last of each kind; the lowest of a kind is forgotten."""


FORKED: Final = "compare genesis and versions with the others, then begin with an empty folder"
"""What to do when a quorum decided against what is final here."""
SECOND: Final = "run the other one alone, or begin here with an empty folder and a new key"
"""What to do when another instance signs with this key."""


class Signable(Said, Protocol):
    """What a validator signs once for each place, and in rising order."""

    @property
    def slot(self) -> str:
        """The name under which the guard remembers the last one of its kind."""
        ...

    @property
    def place(self) -> tuple[int, int]:
        """Epoch, and the place in it: a view, a slot, the index of a target."""
        ...


M = TypeVar("M", bound=Signable)


class Signer(Generic[M]):
    """Own messages of one validator, in one epoch.

    Attributes:
        index: of this validator in the set; None: it is not in the set, or has no key.
        ready: whether the recovery is over.
        halted: why nothing may be signed any more.
        is_behind: whether this validator has signed in a later epoch: its chain is older than its log.
    """

    def __init__(
        self,
        context: Context,
        log: LogFormat[M, Any, Any],
        read: Callable[[str, bytes], M],
        may_sign: Callable[[Mapping[str, bytes], str, bytes], bool],
        out: list[Effect],
        before: Signer[M] | None = None,
    ) -> None:
        """Remember what the signing guard remembers.

        Args:
            context: whose key, which set, what the guard knows.
            log: the engine's records.
            read: slot name and fixed-width form -> message.
            may_sign: the engine's rule; see `FinalityEngine.may_sign`.
            out: where effects go.
            before: the signer of the epoch before, in the same life.
        """
        self.index = None if context.key is None else context.validators.index(context.key)
        self.ready = False
        self.halted: str | None = None
        self._epoch = context.epoch
        self._log = log
        self._may_sign = may_sign
        self._out = out
        self._last: dict[str, M] = {}
        self._own: dict[tuple[str, tuple[int, int]], bytes] = {}
        self._requests: dict[int, M] = {}
        self._request = 0
        self._guarded = [read(name, data) for name, data in context.signed.items()]
        if before is not None:
            # Numbers go on, so that what was asked in the epoch before is not taken for an answer in this one.
            self._request = before._request  # noqa: SLF001 - of this very class
            self._last = dict(before._last)  # noqa: SLF001 - of this very class
            self.halted = before.halted
        self._first_request = self._request
        self.is_behind = any(message.place[0] > self._epoch for message in self._last.values())

    # --- memory ---

    def restore(self, logged: Sequence[M]) -> None:
        """Take up the log's messages, oldest first, and what the guard knows beyond them."""
        known = {message.data for message in logged}
        guarded = sorted(self._guarded, key=lambda message: message.place)
        lost = [message for message in guarded if message.data not in known]
        self._out.extend(Persist(self._log.own(message)) for message in lost)
        for message in [*lost, *logged]:
            self._remember(message)

    def _remember(self, message: M) -> None:
        if message.place[0] == self._epoch:
            self._keep(message)
        self.is_behind = self.is_behind or message.place[0] > self._epoch
        other = self._last.get(message.slot)
        if other is None or message.place >= other.place:
            # Taken out and put in again, so that the order is that of the log.
            self._last.pop(message.slot, None)
            self._last[message.slot] = message

    def _keep(self, message: M) -> None:
        self._own[message.slot, message.place] = message.data
        if len(self._own) > OWN_MAX:
            del self._own[min(key for key in self._own if key[0] == message.slot)]

    def prune(self, low: int) -> None:
        """Forget own messages of this epoch below a place, but the last of each kind."""
        for key in [key for key in self._own if key[1] < (self._epoch, low)]:
            del self._own[key]

    @property
    def last(self) -> list[M]:
        """The last own message of each kind, in the order of the log."""
        return list(self._last.values())

    def last_of(self, slot: str) -> M | None:
        """Return the last own message of a kind, by the guard's name for it."""
        return self._last.get(slot)

    @property
    def epoch(self) -> int:
        """The epoch that it signs in."""
        return self._epoch

    def knows(self, message: M) -> bool:
        """Tell whether a message that carries this validator's good signature can be its own.

        One above the last of its kind was never logged here; one below it may have been forgotten.
        """
        last = self._last.get(message.slot)
        if last is None or message.place > last.place:
            return False
        known = last.data if message.place == last.place else self._own.get((message.slot, message.place))
        return known is None or known == message.data

    def check(self, message: M) -> None:
        """Stop for good if a message with a good signature of this validator's key was not made here."""
        if not self.knows(message):
            epoch, place = message.place
            self.halt(
                f"a second instance signs with this key: {message.slot} {place} of epoch {epoch} was not made here; "
                + SECOND
            )

    # --- signing ---

    @property
    def may_act(self) -> bool:
        """Whether this node votes and builds at present."""
        return self.index is not None and self.ready and self.halted is None and not self.is_behind

    def may(self, message: M) -> bool:
        """Tell whether this message may be signed now."""
        if not self.may_act:
            return False
        last = {name: each.data for name, each in self._last.items()}
        return self._may_sign(last, message.domain, message.data)

    def cast(self, message: M) -> bool:
        """Log and sign a message, if that is allowed and new; tell whether it is."""
        last = self._last.get(message.slot)
        if not self.may(message) or (last is not None and last.data == message.data):
            return False
        self._remember(message)
        self._out.append(Persist(self._log.own(message)))
        self._ask(message)
        return True

    def sign_again(self, messages: Iterable[M]) -> None:
        """Ask for the signatures of messages once more, after a restart: they may have been signed, and not sent."""
        if self.may_act:
            for message in messages:
                self._ask(message)

    def _ask(self, message: M) -> None:
        self._request += 1
        self._requests[self._request] = message
        self._out.append(Sign(self._request, message.domain, message.data))

    def take(self, request: int) -> M | None:
        """Return what a signature is for; None: it is of an epoch that is over.

        Raises:
            LocalProtocolError: nothing was asked under this number.
        """
        if request <= self._first_request:
            return None
        message = self._requests.pop(request, None)
        if message is None:
            raise LocalProtocolError(f"a signature for request {request}, which is not open")
        return message

    def halt_forked(self, reason: str, *, stops: bool = True) -> None:
        """Stop for good: a quorum decided against what is final here; `reason` says how that is seen."""
        self.halt(f"{reason}; {FORKED}", stops=stops)

    def halt(self, reason: str, *, durable: bool = True, stops: bool = True) -> None:
        """Sign nothing any more, now and after every restart.

        Args:
            reason: one sentence, with what to do.
            durable: whether the log is to hold it.
            stops: whether the node stops at once; else the caller sees to that.
        """
        if self.halted is not None:
            return
        self.halted = reason
        if durable:
            self._out.append(Persist(self._log.halt(reason)))
        if stops:
            self._out.append(Halt(reason))
