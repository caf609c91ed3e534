"""Cold and active keys: an account's own key appoints another one to sign for it.

From then on only the active key signs for the account; the envelope names it (`key`), so that a signature is checked
without the state and stays valid or invalid for good. The account's own (cold) key signs `key.set` and nothing else: it
replaces an active key that was stolen. There are no guardians: a lost cold key is final.

Source: "Envelope" of the commerce specification.
Deviations: an envelope has no place for a sponsor's active key, so that an account that has one cannot sponsor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from p2pcommerce.commerce.account import ACCOUNT, ACTIVE_KEY_BYTES
from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import ForbiddenError
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.primitives.codec import KEY, maybe
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["KeySet"]


@body("key.set", active=maybe(KEY))
@dataclass(frozen=True, slots=True)
class KeySet(Body):
    """Let another key sign for the sender, or the sender's own key again. Signed by the sender's own key.

    Attributes:
        active: public key, 32 bytes; None: the account's own.
    """

    active: PublicKey | None

    COLD = True

    @override
    def records(self) -> int:
        """The sender's account."""
        return 1

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposit of the key."""
        account = ledger.get(ACCOUNT, call.sender)
        is_new = self.active is not None and (account is None or account.active is None)
        return ACTIVE_KEY_BYTES * ledger.rules.byte_price if is_new else 0

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Write the key; see `Body.apply`."""
        if self.active == call.sender:
            raise ForbiddenError("the active key is another one than the account's own; None appoints the own one")
        before = ledger.get(ACCOUNT, call.sender)
        if before is None:
            raise LocalProtocolError("a transaction was charged to an account that does not exist")
        deposit_minor = ACTIVE_KEY_BYTES * ledger.rules.byte_price
        if self.active is not None and before.active is None:
            ledger.debit(call.sender, deposit_minor)
        elif self.active is None and before.active is not None:
            ledger.credit(call.sender, deposit_minor)
        account = ledger.get(ACCOUNT, call.sender) or before
        ledger.put(ACCOUNT, call.sender, replace(account, active=self.active))
        return (call.sender,) if self.active is None else (call.sender, self.active)
