"""Signs an embedding application's payloads with the node's own key: nonce, fee and expiry are found here.

It asks the application, as the pool does, so that it serves any application: the weight of a draft gives the fee, and
the answer to the draft gives the sender's next nonce.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import trio

from p2pcommerce.ledger.application import Payload, Rejection
from p2pcommerce.ledger.transaction import Transaction, UnsignedTransaction, sign_transaction
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import RejectionCode, TransactionRejectedError
from p2pcommerce.primitives.ids import HEIGHT_MAX, Height, PublicKey, TransactionId
from p2pcommerce.runtime.identity import Identity

__all__ = ["ACCOUNTS_MAX", "EXPIRY_BLOCKS", "Wallet"]

EXPIRY_BLOCKS: Final = 1_000
"""A transaction signed here may be included in the next so many blocks."""
ACCOUNTS_MAX: Final = 64
"""Accounts whose nonces are kept here at a time."""
_FAR_NONCE: Final = 2**32
"""A nonce that no account reaches: a draft with it is refused for no reason but a real one."""


@dataclass(slots=True)
class _Nonces:
    """The nonces of one account.

    Attributes:
        taken: of what is on its way; bounded by the pool.
        next: not below the state's, nor what was sent here last.
    """

    taken: dict[TransactionId, int] = field(default_factory=dict)
    next: int = 0

    def choose(self, state_nonce: int) -> int:
        """Return the first nonce that nothing on its way has, and forget what is final."""
        for tx_id in [tx_id for tx_id, nonce in self.taken.items() if nonce < state_nonce]:
            del self.taken[tx_id]
        nonce = max(state_nonce, self.next)
        highest = max(self.taken.values(), default=-1) + 1
        taken = set(self.taken.values()) if nonce < highest else ()
        while nonce in taken:
            nonce += 1
        return nonce


class Wallet:
    """The node's own account, and those for which its key signs as their active one.

    Attributes:
        lock: held from building a transaction to its verdict, so that nonces follow each other.
    """

    def __init__(self, identity: Identity, core: Node) -> None:
        """Sign with `identity` on the state that `core` has."""
        self.lock = trio.Lock()
        self._identity = identity
        self._core = core
        self._accounts: dict[PublicKey, _Nonces] = {identity.public_key: _Nonces()}

    def build(self, payload: Payload, account: PublicKey | None = None) -> Transaction:
        """Return the signed transaction of a payload, with the least fee that the pool takes.

        Its nonce is the first that nothing of this account on its way has: also one that was left free by a
        transaction that was dropped.

        Args:
            payload: what to do.
            account: whose transaction it is, 32 bytes: one whose active key is the node's; None: the node's own.

        Raises:
            TransactionRejectedError: the application would refuse it, or so many accounts have something on its way.
            CodecError: a field is out of range.
        """
        sender = self._identity.public_key if account is None else account
        chain = self._core.chain
        height = Height(chain.head.height + 1)
        draft = self._priced(payload, sender, _FAR_NONCE, height)
        answer = self._core.application.check(draft, chain.state.final, height)
        if isinstance(answer, Rejection):
            raise TransactionRejectedError(answer.code, answer.detail)
        nonces = self._nonces_of(sender)
        nonce = nonces.choose(answer.nonce)
        transaction = self._priced(payload, sender, nonce, height)
        self.note(transaction)
        nonces.next = nonce + 1
        return transaction

    def note(self, transaction: Transaction) -> None:
        """A transaction is about to be submitted here; of one that another key signed nothing is kept."""
        if transaction.signer == self._identity.public_key:
            self._nonces_of(transaction.sender).taken[transaction.id] = transaction.nonce

    def forget(self, tx_id: TransactionId) -> None:
        """A transaction (id of 32 bytes) was refused or dropped: if it was signed here, its nonce is free again."""
        for nonces in self._accounts.values():
            nonce = nonces.taken.pop(tx_id, None)
            if nonce is not None:
                nonces.next = min(nonces.next, nonce)

    def _nonces_of(self, account: PublicKey) -> _Nonces:
        nonces = self._accounts.get(account)
        if nonces is None:
            if len(self._accounts) >= ACCOUNTS_MAX:
                self._forget_idle()
            nonces = self._accounts[account] = _Nonces()
        return nonces

    def _forget_idle(self) -> None:
        """Make room for another account: the state knows the nonce of one that has nothing in the pool.

        Raises:
            TransactionRejectedError: all have something on its way.
        """
        for account, nonces in self._accounts.items():
            is_idle = not any(self._core.is_pending(tx_id) for tx_id in nonces.taken)
            if is_idle and account != self._identity.public_key:
                del self._accounts[account]
                return
        raise TransactionRejectedError(
            RejectionCode.LIMIT, f"{ACCOUNTS_MAX} accounts have something on its way here; wait until some is final"
        )

    def _priced(self, payload: Payload, sender: PublicKey, nonce: int, height: Height) -> Transaction:
        """Sign with the least fee; it is part of the bytes that it pays for, so this takes a second try or a third."""
        fee = 0
        while True:
            transaction = sign_transaction(
                UnsignedTransaction(
                    chain_id=self._core.genesis.hash,
                    type=payload.TYPE,
                    sender=sender,
                    nonce=nonce,
                    fee=fee,
                    expires_height=min(height + EXPIRY_BLOCKS, HEIGHT_MAX),
                    body=payload.to_body(),
                    key=None if sender == self._identity.public_key else self._identity.public_key,
                ),
                self._identity.seed,
                ED25519,
            )
            least = self._core.application.weight(transaction) * self._core.mempool.fee_floor
            if least <= fee:
                return transaction
            fee = least
