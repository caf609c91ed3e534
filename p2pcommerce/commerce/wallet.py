"""Building transactions: a payload, a key, a nonce, and the least fee if none is given.

Pure: it neither asks a node for the nonce nor sends anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.weight import fee_for
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.transaction import Transaction, UnsignedTransaction, sign_transaction
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Sponsor", "build_transaction"]


@dataclass(frozen=True, slots=True)
class Sponsor:
    """Who pays the fee instead of the sender.

    Attributes:
        seed: 32 bytes, of the sponsor's key.
        pays: also escrow and deposits; in order.place only.
    """

    seed: bytes
    pays: bool = False


def build_transaction(
    payload: Body,
    genesis: Genesis,
    seed: bytes,
    nonce: int,
    expires_height: int,
    *,
    fee: int | None = None,
    sponsor: Sponsor | None = None,
    account: PublicKey | None = None,
    scheme: SignatureScheme = ED25519,
) -> Transaction:
    """Build and sign a transaction.

    Args:
        payload: the body.
        genesis: of the chain.
        seed: 32 bytes, of the sender's key, or of the active key of `account`.
        nonce: the sender's next.
        expires_height: the last height at which it may be included.
        fee: minor units; None: the least.
        sponsor: who pays the fee instead.
        account: whose transaction it is, 32 bytes; None: of the key of `seed`.
        scheme: the network's signature scheme.

    Raises:
        CodecError: a field is out of range, or the whole is over 16 KiB.
    """
    pays = sponsor is not None and sponsor.pays
    signer = scheme.public_key(seed)
    key = None if account is None or account == signer else signer
    if fee is None:
        fee = fee_for(
            payload,
            genesis.parameters.fee_floor,
            nonce=nonce,
            expires_height=expires_height,
            sponsored=sponsor is not None,
            sponsor_pays=pays,
            keyed=key is not None,
        )
    unsigned = UnsignedTransaction(
        chain_id=genesis.hash,
        type=payload.TYPE,
        sender=signer if account is None else account,
        nonce=nonce,
        fee=fee,
        expires_height=expires_height,
        body=payload.to_body(),
        key=key,
        sponsor=None if sponsor is None else scheme.public_key(sponsor.seed),
        sponsor_pays=pays,
    )
    return sign_transaction(unsigned, seed, scheme, None if sponsor is None else sponsor.seed)
