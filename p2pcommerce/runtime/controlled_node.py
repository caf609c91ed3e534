"""What the control port needs of the node that it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.ids import BlockHash, Height, PublicKey, TransactionId
from p2pcommerce.runtime.control_off_chain import ControlledOffChain
from p2pcommerce.runtime.transaction_status import TransactionStatus

__all__ = ["ControlledNode"]


class _Block(Protocol):
    """What is needed of a final block."""

    @property
    def height(self) -> Height: ...
    @property
    def hash(self) -> BlockHash: ...
    @property
    def time_ms(self) -> int: ...
    @property
    def receipts(self) -> Sequence[Receipt]: ...


class _QueryResult(Protocol):
    """What is needed of the answer to a query."""

    @property
    def height(self) -> int: ...
    @property
    def value(self) -> object: ...


class _Proof(Protocol):
    """What is needed of a proof."""

    @property
    def raw(self) -> bytes: ...


class _Identity(Protocol):
    """What is needed of an identity."""

    public_key: PublicKey


class ControlledNode(ControlledOffChain, Protocol):
    """What the control port needs of a running node."""

    @property
    def identity(self) -> _Identity:
        """The node's key."""
        ...

    @property
    def genesis(self) -> Genesis:
        """The node's network."""
        ...

    async def submit(self, item: Transaction, /, *, private: bool = False) -> TransactionId:
        """Put a transaction into the pool, or send it by a stem."""
        ...

    async def wait_finalized(self, tx_id: TransactionId, /) -> Receipt:
        """Wait until a transaction is final."""
        ...

    async def transaction_status(self, tx_id: TransactionId, /) -> TransactionStatus:
        """Return where a transaction stands."""
        ...

    def watch(self, tx_id: TransactionId, /) -> AbstractAsyncContextManager[AsyncIterator[TransactionStatus]]:
        """Follow a transaction."""
        ...

    async def query(self, name: str, /, **arguments: object) -> _QueryResult:
        """Read the last final state."""
        ...

    async def prove(self, name: str, /, **arguments: object) -> _Proof:
        """Make a proof of the last final state."""
        ...

    async def anchor(self) -> TrustAnchor:
        """Return what the last stored block lets others trust."""
        ...

    def statistics(self) -> Mapping[str, object]:
        """Return what the node counts."""
        ...

    def subscribe(
        self, *kinds: str, since_height: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[_Block]]:
        """Follow final blocks."""
        ...
