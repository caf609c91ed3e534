"""The `Application` protocol: what the chain is *for*.

The network orders opaque transactions; an application says which are worth keeping, what they do, and what can be
asked. The default application is `p2pcommerce.commerce`; an embedding program passes its own.

Everything in it is deterministic: integers only, no clock, no randomness, no iteration over sets.

Source: the commerce specification. Deviations: `apply` returns an `Outcome` (code and events), because a receipt names
the block's hash, which commits to the outcomes; `begin_block` and `audit` are
steps of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Outcome
from p2pcommerce.ledger.state import State, StateChanges, StateView
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.ledger.validators import Offence, ValidatorUpdate
from p2pcommerce.primitives.errors import P2PError, RejectionCode
from p2pcommerce.primitives.ids import Epoch, Height, PublicKey

__all__ = [
    "TIME_STEP_MS_MAX",
    "UNIT_WEIGHT",
    "Admission",
    "Application",
    "BlockContext",
    "InvalidTransactionError",
    "Payload",
    "QueryError",
    "Rejection",
    "time_step_ms",
]

UNIT_WEIGHT: Final = 500
"""What a verified signature weighs, and a written record, in bytes. Measured: 42 us of CPU for a signature, 40 us for a
record with its share of audit, state root and store, and for a byte 5 ns of CPU and 80 ns of a line of 100 Mbit/s
(`benchmarks/bench_ledger.py --only weight`): 500 and 475 bytes, so that one number serves both."""
TIME_STEP_MS_MAX: Final = 60_000
"""Milliseconds by which a block moves the time of chain and application at most. Source: commerce specification."""


class InvalidTransactionError(P2PError):
    """A transaction that must not stand in a block at this place: its nonce, fee, expiry or envelope is wrong.

    A proposer leaves it out; a block that holds it is invalid.
    """

    code = "INVALID_TRANSACTION"

    def __init__(self, rejection: RejectionCode, detail: str) -> None:
        """Build the error from a code and a sentence."""
        super().__init__(f"{rejection.value}: {detail}")
        self.rejection = rejection
        self.detail = detail


def time_step_ms(time_ms: int, parent_time_ms: int) -> int:
    """Return the milliseconds by which a block of this time moves application time: a halt counts 60 s at most."""
    return min(max(time_ms - parent_time_ms, 0), TIME_STEP_MS_MAX)


class QueryError(P2PError):
    """A query by a name that does not exist, or with wrong arguments."""

    code = "QUERY"


@dataclass(frozen=True, slots=True)
class Admission:
    """The mempool may keep this transaction.

    Attributes:
        weight: what the fee pays for: bytes + `UNIT_WEIGHT` x (signatures + records written).
        payer: whose balance pays, 32 bytes.
        spend_minor: the most it takes from the payer, fee included.
        balance_minor: what the payer has now.
        nonce: the sender's next nonce in the state that was asked.
    """

    weight: int
    payer: PublicKey
    spend_minor: int
    balance_minor: int
    nonce: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """The mempool must refuse this transaction.

    Attributes:
        code: why.
        detail: a sentence for people.
    """

    code: RejectionCode
    detail: str


@dataclass(frozen=True, slots=True)
class BlockContext:
    """What a block's transactions may know of it.

    Attributes:
        genesis: the chain's parameters.
        height: of the block.
        epoch: of the validators that decide it; what it changes in their stake acts two epochs later.
        time_ms: the block's time, Unix milliseconds.
        parent_time_ms: its parent's.
        proposer: public key, 32 bytes; gets the fees.
        convict: evidence bytes -> the offence they prove, None if they prove nothing; judged by the validator sets in
            the state before the block, as long as stake that voted then is not free (`unbonding_s`).
    """

    genesis: Genesis
    height: Height
    epoch: Epoch
    time_ms: int
    parent_time_ms: int
    proposer: PublicKey
    convict: Callable[[bytes], Offence | None]

    @property
    def step_ms(self) -> int:
        """Milliseconds by which the block moves the time of chain and application."""
        return time_step_ms(self.time_ms, self.parent_time_ms)

    def require_envelope(self, transaction: Transaction, weight: int) -> None:
        """Demand what `apply` of any application must demand: it has not expired, and it pays for its weight.

        The pool sees to both, but a proposer that wants to can leave the pool out.

        Raises:
            InvalidTransactionError: a block at this height must not hold it.
        """
        if transaction.expires_height < self.height:
            raise InvalidTransactionError(
                RejectionCode.EXPIRED, f"it expired at height {transaction.expires_height}, the block has {self.height}"
            )
        least = self.genesis.parameters.fee_floor * weight
        if transaction.fee < least:
            raise InvalidTransactionError(
                RejectionCode.NO_FEE, f"the fee is {transaction.fee}, the least for weight {weight} is {least}"
            )


class Payload(Protocol):
    """The body of one transaction type, as an embedding application builds it."""

    @property
    def TYPE(self) -> str:  # noqa: N802 - a constant of the class
        """The name in the envelope."""
        ...

    def to_body(self) -> tuple[object, ...]:
        """Return the body as a plain array."""
        ...


@runtime_checkable
class Punishing(Protocol):
    """What an application adds that punishes validators; without it nodes only find offences and tell each other."""

    def report(self, evidence: bytes) -> Payload:
        """Return the payload that puts evidence on the chain.

        Raises:
            CodecError: the chain does not take evidence of this size.
        """
        ...

    def is_punished(self, offence: Offence, view: StateView) -> bool:
        """Tell whether a state says that an offence was punished."""
        ...


@runtime_checkable
class Application(Protocol):
    """The rules of one chain."""

    name: str

    def genesis(self, genesis: Genesis) -> StateChanges:
        """Return the whole state at height 0."""
        ...

    def check(self, transaction: Transaction, view: StateView, height: Height) -> Admission | Rejection:
        """Judge a decoded transaction for the mempool, cheaply; signatures are checked by others.

        A nonce ahead of the state's is no ground for a Rejection; one behind it is (BAD_NONCE). `height` is the next
        block's.
        """
        ...

    def weight(self, transaction: Transaction) -> int:
        """Return what the fee of a decoded transaction pays for, known from its bytes alone; never raises."""
        ...

    def begin_block(self, state: State, context: BlockContext) -> None:
        """Prepare the state for a block (application time, for one)."""
        ...

    def apply(self, transaction: Transaction, state: State, context: BlockContext) -> Outcome:
        """Execute one transaction whose signatures are good.

        Raises:
            InvalidTransactionError: it must not stand in this block here; the state is as before.
        """
        ...

    def end_block(self, state: State, context: BlockContext) -> Sequence[ValidatorUpdate]:
        """Finish a block, in time proportional to what changed, and return changes of stake (0: it leaves).

        A change acts from the epoch after the next one on. Keys of the state that begin with a zero byte and are longer
        than one are the chain's own: it refuses to run an application that writes them.
        """
        ...

    def query(self, name: str, arguments: Mapping[str, object], view: StateView) -> object:
        """Answer a named question about a state with plain values (dict, list, str, int, bool, None).

        Raises:
            QueryError: no such question, or wrong arguments.
        """
        ...

    def audit(self, genesis: Genesis, view: StateView, changes: StateChanges) -> None:
        """Check after a block, from the state before it and what it changed, that nothing was made or lost.

        Raises:
            LocalProtocolError: a conservation law is broken: a defect of the application.
        """
        ...
