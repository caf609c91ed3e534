"""Signs payloads for a test's accounts: nonce, fee and expiry are found here.

It asks the application, as the pool does, so that it serves any application: the weight of a draft gives the fee, and
the answer to the draft gives the sender's next nonce.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.ledger.application import Payload, Rejection
from p2pcommerce.ledger.transaction import Transaction, UnsignedTransaction, sign_transaction
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import TransactionRejectedError
from p2pcommerce.primitives.ids import HEIGHT_MAX, Height, PublicKey

__all__ = ["Purse"]

_FAR_NONCE: Final = 2**32
"""A nonce that no account reaches: a draft with it is refused for no reason but a real one."""


class Purse:
    """The accounts of a test, with the nonces that are on their way."""

    def __init__(self, scheme: SignatureScheme) -> None:
        """Sign by a scheme."""
        self._scheme = scheme
        self._nonces: dict[PublicKey, int] = {}

    def sign(self, payload: Payload, seed: bytes, core: Node) -> Transaction:
        """Sign with the sender's next nonce and the least fee that a node's pool takes.

        Args:
            payload: the body.
            seed: 32 bytes of the sender's key.
            core: the node that will get it.

        Raises:
            TransactionRejectedError: the application would refuse it.
        """
        height = Height(core.chain.head.height + 1)
        draft = self._priced(payload, seed, _FAR_NONCE, core)
        answer = core.application.check(draft, core.chain.state.final, height)
        if isinstance(answer, Rejection):
            raise TransactionRejectedError(answer.code, answer.detail)
        return self._priced(payload, seed, max(answer.nonce, self._nonces.get(draft.sender, 0)), core)

    def note(self, transaction: Transaction) -> None:
        """A pool has taken a transaction."""
        self._nonces[transaction.sender] = max(transaction.nonce + 1, self._nonces.get(transaction.sender, 0))

    def _priced(self, payload: Payload, seed: bytes, nonce: int, core: Node) -> Transaction:
        """Sign with the least fee; it is part of the bytes that it pays for, so this takes a second try or a third."""
        fee = 0
        while True:
            unsigned = UnsignedTransaction(
                chain_id=core.genesis.hash,
                type=payload.TYPE,
                sender=self._scheme.public_key(seed),
                nonce=nonce,
                fee=fee,
                expires_height=HEIGHT_MAX,
                body=payload.to_body(),
            )
            transaction = sign_transaction(unsigned, seed, self._scheme)
            least = core.application.weight(transaction) * core.mempool.fee_floor
            if least <= fee:
                return transaction
            fee = least
