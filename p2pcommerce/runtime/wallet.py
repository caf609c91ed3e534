"""Signs an embedding application's payloads with the node's own key: nonce, fee and expiry are found here.

It asks the application, as the pool does, so that it serves any application: the weight of a draft gives the fee, and
the answer to the draft gives the sender's next nonce.
"""

from __future__ import annotations

from typing import Final

import trio

from p2pcommerce.ledger.application import Payload, Rejection
from p2pcommerce.ledger.transaction import Transaction, UnsignedTransaction, sign_transaction
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import TransactionRejectedError
from p2pcommerce.primitives.ids import HEIGHT_MAX, Height, TransactionId
from p2pcommerce.runtime.identity import Identity

__all__ = ["EXPIRY_BLOCKS", "Wallet"]

EXPIRY_BLOCKS: Final = 1_000
"""A transaction signed here may be included in the next so many blocks."""
_FAR_NONCE: Final = 2**32
"""A nonce that no account reaches: a draft with it is refused for no reason but a real one."""


class Wallet:
    """The node's own account.

    Attributes:
        lock: held from building a transaction to its verdict, so that nonces follow each other.
    """

    def __init__(self, identity: Identity, core: Node) -> None:
        """Sign with `identity` on the state that `core` has."""
        self.lock = trio.Lock()
        self._identity = identity
        self._core = core
        self._nonces: dict[TransactionId, int] = {}  # of what is on its way; bounded by the pool
        self._next_nonce = 0

    def build(self, payload: Payload) -> Transaction:
        """Return the signed transaction of a payload, with the least fee that the pool takes.

        Its nonce is the first that nothing of this account on its way has: also one that was left free by a
        transaction that was dropped.

        Raises:
            TransactionRejectedError: the application would refuse it.
            CodecError: a field is out of range.
        """
        chain = self._core.chain
        height = Height(chain.head.height + 1)
        draft = self._priced(payload, _FAR_NONCE, height)
        answer = self._core.application.check(draft, chain.state.final, height)
        if isinstance(answer, Rejection):
            raise TransactionRejectedError(answer.code, answer.detail)
        self._settle(answer.nonce)
        nonce = max(answer.nonce, self._next_nonce)
        taken = set(self._nonces.values()) if nonce < self._highest else ()
        while nonce in taken:
            nonce += 1
        transaction = self._priced(payload, nonce, height)
        self.note(transaction)
        self._next_nonce = nonce + 1
        return transaction

    def note(self, transaction: Transaction) -> None:
        """A transaction is about to be submitted here; of another account's nothing is kept."""
        if transaction.sender == self._identity.public_key:
            self._nonces[transaction.id] = transaction.nonce

    def forget(self, tx_id: TransactionId) -> None:
        """A transaction (id of 32 bytes) was refused or dropped: if it was this account's, its nonce is free again."""
        nonce = self._nonces.pop(tx_id, None)
        if nonce is not None:
            self._next_nonce = min(self._next_nonce, nonce)

    @property
    def _highest(self) -> int:
        """The nonce above all that are taken."""
        return max(self._nonces.values(), default=-1) + 1

    def _settle(self, state_nonce: int) -> None:
        """Forget what is final."""
        final = [tx_id for tx_id, nonce in self._nonces.items() if nonce < state_nonce]
        for tx_id in final:
            del self._nonces[tx_id]

    def _priced(self, payload: Payload, nonce: int, height: Height) -> Transaction:
        """Sign with the least fee; it is part of the bytes that it pays for, so this takes a second try or a third."""
        fee = 0
        while True:
            transaction = sign_transaction(
                UnsignedTransaction(
                    chain_id=self._core.genesis.hash,
                    type=payload.TYPE,
                    sender=self._identity.public_key,
                    nonce=nonce,
                    fee=fee,
                    expires_height=min(height + EXPIRY_BLOCKS, HEIGHT_MAX),
                    body=payload.to_body(),
                ),
                self._identity.seed,
                ED25519,
            )
            least = self._core.application.weight(transaction) * self._core.mempool.fee_floor
            if least <= fee:
                return transaction
            fee = least
