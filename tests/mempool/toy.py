"""A small application and cheap signatures for tests of the mempool."""

from dataclasses import dataclass, field

from p2pcommerce.ledger.application import Admission, Rejection
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.transaction import Transaction, UnsignedTransaction, sign_transaction
from p2pcommerce.primitives.codec import pack, unpack
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import Height, PublicKey

RICH = 10**15


class HashScheme:
    """Signatures that anyone can make: a hash under the public key."""

    def public_key(self, seed):
        return PublicKey(blake2b_256(b"public" + seed))

    def sign(self, seed, message):
        return blake2b_256(self.public_key(seed) + message) * 2

    def verify(self, public_key, message, signature):
        return signature == blake2b_256(public_key + message) * 2


SCHEME = HashScheme()


def seed_of(number):
    return number.to_bytes(32, "big")


def key_of(number):
    return SCHEME.public_key(seed_of(number))


GENESIS = Genesis.local("toy", {key_of(999): 10**9}, {})
OTHER_GENESIS = Genesis.local("other", {key_of(999): 10**9}, {})


@dataclass
class Accounts:
    """A state view of accounts: nonce and balance; absent ones are rich."""

    accounts: dict = field(default_factory=dict)

    def get(self, key):
        nonce, balance = self.accounts.get(key, (0, RICH))
        return pack((nonce, balance))

    def put(self, number, nonce, balance=RICH):
        self.accounts[key_of(number)] = (nonce, balance)

    def of(self, key):
        return unpack(self.get(key), 64)


class Toy:
    """Spends the fee and what the body says; counts what it was asked."""

    name = "toy"

    def __init__(self):
        self.checked = 0

    def check(self, transaction, view, height):
        self.checked += 1
        nonce, _ = view.of(transaction.sender)
        if transaction.nonce < nonce:
            return Rejection(RejectionCode.BAD_NONCE, f"the next nonce is {nonce}")
        if transaction.type == "toy.never":
            return Rejection(RejectionCode.FORBIDDEN, "is never allowed")
        if transaction.type == "toy.old_key":
            return Rejection(RejectionCode.BAD_SIGNATURE, "another key speaks for the account by now")
        payer = transaction.payer
        _, balance = view.of(payer)
        weight = len(transaction.raw) if not transaction.body[1] else transaction.body[1]
        return Admission(weight, payer, transaction.fee + transaction.body[0], balance, nonce)


def make(
    sender=1,
    nonce=0,
    fee=100_000,
    amount=0,
    expires=1_000,
    sponsor=None,
    pad=0,
    weight=1_000,
    kind="toy.pay",
    chain=GENESIS,
) -> Transaction:
    unsigned = UnsignedTransaction(
        chain_id=chain.hash,
        type=kind,
        sender=key_of(sender),
        nonce=nonce,
        fee=fee,
        expires_height=Height(expires),
        body=(amount, weight, bytes(pad)),
        sponsor=None if sponsor is None else key_of(sponsor),
    )
    return sign_transaction(unsigned, seed_of(sender), SCHEME, None if sponsor is None else seed_of(sponsor))
