"""The default application: what merchants, makers, carriers and buyers do on the chain.

`Commerce` judges envelopes, charges fees and nonces, and hands the body to its type (`registry`). It keeps nothing of
the chain between calls: everything that a rule needs is in the state.

A bad envelope, body, nonce, expiry or fee, or a payer without the fee, makes a block invalid that holds the
transaction. Any other failure is included, costs fee and nonce, and changes nothing else.

Source: the commerce specification, "Envelope" and "Fees and state".
Deviations: a sponsored transaction of a new sender creates the sender's account, at the sponsor's cost, even if it
fails: its nonce must be kept somewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.audit import Audited, audit_block
from p2pcommerce.commerce.body import Body, Call
from p2pcommerce.commerce.epoch_clock import note_epoch
from p2pcommerce.commerce.errors import CommerceError, FormatError
from p2pcommerce.commerce.evidence import EVIDENCE_BYTES_MAX, OFFENCE, SubmitEvidence, offence_id
from p2pcommerce.commerce.founding import found
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.ledger import Ledger, RecordCache
from p2pcommerce.commerce.queries import QUERIES, Query, answer
from p2pcommerce.commerce.registry import BODIES, read_body
from p2pcommerce.commerce.rewards import credit_fees, report_stake
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.schema import KINDS
from p2pcommerce.commerce.validator import VALIDATOR
from p2pcommerce.commerce.weight import weigh, weigh_transaction
from p2pcommerce.ledger.application import Admission, BlockContext, InvalidTransactionError, Rejection
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Event, Outcome
from p2pcommerce.ledger.state import State, StateChanges, StateView
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.ledger.validators import Offence, ValidatorUpdate
from p2pcommerce.primitives.errors import CodecError, RejectionCode
from p2pcommerce.primitives.ids import Height, PublicKey
from p2pcommerce.primitives.quick import quick

__all__ = ["Commerce"]

_VALIDATOR_TAG: Final = VALIDATOR.tag[0]
_admission = quick(Admission)


class Commerce:
    """The default application; implements `ledger.application.Application`.

    Attributes:
        name: of the application.
        kinds: of the state records, by first byte.
    """

    name = "commerce"

    def __init__(
        self,
        bodies: Mapping[str, type[Body]] = BODIES,
        kinds: Mapping[int, Kind[Any]] = KINDS,
        queries: Mapping[str, Query] = QUERIES,
    ) -> None:
        """Build it.

        Args:
            bodies: the transaction types; an embedding application may give more than the default ones.
            kinds: the kinds of state records, by tag.
            queries: the questions, by name.
        """
        self._bodies = bodies
        self.kinds = kinds
        self._queries = queries
        self._cache: RecordCache = {}
        self._audited: Audited = {}
        self._last: tuple[Transaction, Body] | None = None
        self._checked: Ledger | None = None

    @classmethod
    def extended(
        cls,
        bodies: Iterable[type[Body]],
        kinds: Iterable[Kind[Any]] = (),
        queries: Mapping[str, Query] | None = None,
    ) -> Commerce:
        """Return commerce with more types of transactions, kinds of records and questions than it has by itself.

        Args:
            bodies: the types.
            kinds: what they write; each with a first byte of its own.
            queries: by name: the arguments' names, and the function that answers.

        Raises:
            ValueError: a name or a first byte is taken: what the chain has already would be read as something else.
        """
        tables: tuple[dict[Any, Any], ...] = (dict(BODIES), dict(KINDS), dict(QUERIES))
        more: tuple[list[tuple[Any, Any]], ...] = (
            [(each.TYPE, each) for each in bodies],
            [(each.tag[0], each) for each in kinds],
            list((queries or {}).items()),
        )
        for table, entries in zip(tables, more, strict=True):
            for name, entry in entries:
                if name in table or name == 0:
                    raise ValueError(f"{name!r} is taken; choose another")
                table[name] = entry
        return cls(*tables)

    def genesis(self, genesis: Genesis) -> StateChanges:
        """Return the whole state at height 0.

        Raises:
            GenesisError: a balance is below the state deposit of its account, or no block could hold the heaviest
                transaction.
        """
        return dict(found(genesis))

    def weight(self, transaction: Transaction) -> int:
        """Return the weight of a transaction; one whose body cannot be read weighs its bytes and signatures."""
        try:
            payload = self._read_body(transaction)
        except FormatError:
            return weigh(len(transaction.raw), 0, sponsored=transaction.sponsor is not None)
        return weigh_transaction(payload, transaction)

    def check(self, transaction: Transaction, view: StateView, height: Height) -> Admission | Rejection:
        """Judge a transaction for the mempool; signatures are checked by others. See `Application.check`."""
        ledger = self._checked
        if ledger is None or not ledger.is_like_new(view):
            ledger = self._checked = Ledger(view, self._cache)
        sender, payer = transaction.sender, transaction.payer
        try:
            payload, weight = self._read_envelope(transaction, ledger.rules, height)
            payload.check(ledger.rules)
            call = Call.of(transaction, ledger.now_ms)
            account = ledger.get(ACCOUNT, sender)
            _require_signer(transaction, payload, account, ledger)
            nonce = 0 if account is None else account.nonce
            if transaction.nonce < nonce:
                return Rejection(RejectionCode.BAD_NONCE, f"the nonce is {transaction.nonce}, the next one is {nonce}")
            spend_minor = transaction.fee
            if account is None and transaction.sponsor is not None:
                spend_minor += ledger.account_deposit_minor
            if transaction.sponsor is None or transaction.sponsor_pays:
                spend_minor += payload.spend_minor(ledger, call)
        except InvalidTransactionError as error:
            return Rejection(error.rejection, error.detail)
        except CommerceError as error:
            return Rejection(error.rejection, str(error))
        if payer is sender:
            balance_minor = 0 if account is None else account.balance_minor
        else:
            balance_minor = ledger.balance_minor(payer)
        if spend_minor > balance_minor:
            return Rejection(
                RejectionCode.NO_FUNDS, f"{spend_minor} minor units are needed, the payer has {balance_minor}"
            )
        return _admission(weight, payer, spend_minor, balance_minor, nonce)

    def begin_block(self, state: State, context: BlockContext) -> None:
        """Advance application time, by at most 60 s, and note when an epoch begins."""
        ledger = Ledger(state, self._cache)
        ledger.advance_time(state, context.step_ms)
        if note_epoch(ledger, context.epoch):
            ledger.commit(state)

    def apply(self, transaction: Transaction, state: State, context: BlockContext) -> Outcome:
        """Execute one transaction whose signatures are good.

        Raises:
            InvalidTransactionError: it must not stand in this block here; the state is as before.
        """
        ledger = Ledger(state, self._cache)
        payload, _ = self._read_envelope(transaction, ledger.rules, context.height)
        refused: CommerceError | None = None
        try:
            payload.check(ledger.rules)
        except FormatError as error:
            raise InvalidTransactionError(error.rejection, str(error)) from error
        except CommerceError as error:
            refused = error
        self._charge(transaction, payload, ledger)
        mark = ledger.mark()
        ids: tuple[bytes, ...] = ()
        if refused is None:
            try:
                ids = self._execute(payload, transaction, ledger, context)
            except CommerceError as error:
                refused = error
                ledger.rollback(mark)
        ledger.commit(state)
        if refused is not None:
            return Outcome(refused.rejection, (), str(refused))
        return Outcome(RejectionCode.OK, (Event(transaction.type, tuple(dict.fromkeys(ids))),))

    def end_block(self, state: State, context: BlockContext) -> Sequence[ValidatorUpdate]:
        """Credit the proposer with the fees of the block, and report the validators whose stake it changed."""
        ledger = Ledger(state, self._cache)
        is_credited = credit_fees(ledger, context.proposer)
        changed = sorted(PublicKey(key[1:]) for key in state.changes if key[0] == _VALIDATOR_TAG)
        updates = report_stake(ledger, changed)
        if is_credited or updates:
            ledger.commit(state)
        return updates

    def query(self, name: str, arguments: Mapping[str, object], view: StateView) -> object:
        """Answer a named question about a state with plain values.

        Raises:
            QueryError: no such question, or wrong arguments.
        """
        return answer(name, arguments, Ledger(view, self._cache), self._queries)

    def report(self, evidence: bytes) -> SubmitEvidence:
        """Return the payload that puts evidence on the chain; see `ledger.application.Punishing`.

        Raises:
            CodecError: it has more than `EVIDENCE_BYTES_MAX` bytes, or none.
        """
        if not 0 < len(evidence) <= EVIDENCE_BYTES_MAX:
            raise CodecError(f"evidence of {len(evidence)} bytes, the chain takes 1 to {EVIDENCE_BYTES_MAX}")
        return SubmitEvidence(evidence)

    def is_punished(self, offence: Offence, view: StateView) -> bool:
        """Tell whether a validator was punished for an epoch."""
        return Ledger(view, self._cache).get(OFFENCE, offence_id(offence.offender, offence.epoch)) is not None

    def audit(self, genesis: Genesis, view: StateView, changes: StateChanges) -> None:
        """Check a block for conservation, from what it changed.

        Args:
            genesis: of the chain.
            view: the state **before** the block.
            changes: what the block changed.

        Raises:
            LocalProtocolError: something was made or lost: a defect of the application.
        """
        parameters = genesis.parameters
        audit_block(genesis.supply_minor, parameters.byte_price, view, changes, self.kinds, self._audited)

    def _read_envelope(self, transaction: Transaction, rules: Rules, height: int) -> tuple[Body, int]:
        """Return body and weight of a transaction that may stand in a block at `height`, as far as no account says."""
        if transaction.chain_id != rules.chain_id:
            raise InvalidTransactionError(RejectionCode.BAD_FORMAT, "this transaction is for another chain")
        if transaction.sponsor == transaction.sender:
            raise InvalidTransactionError(RejectionCode.BAD_FORMAT, "a sponsor must be another account")
        if transaction.expires_height < height:
            raise InvalidTransactionError(
                RejectionCode.EXPIRED, f"it expired at height {transaction.expires_height}, the block has {height}"
            )
        try:
            payload = self._read_body(transaction)
        except FormatError as error:
            raise InvalidTransactionError(error.rejection, str(error)) from error
        if transaction.sponsor_pays and not payload.SPONSOR_MAY_PAY:
            raise InvalidTransactionError(RejectionCode.BAD_FORMAT, "sponsor_pays is possible in order.place only")
        weight = weigh_transaction(payload, transaction)
        least = rules.fee_floor * weight
        if transaction.fee < least:
            raise InvalidTransactionError(
                RejectionCode.NO_FEE, f"the fee is {transaction.fee}, the least for weight {weight} is {least}"
            )
        return payload, weight

    def _read_body(self, transaction: Transaction) -> Body:
        """Return the payload of a transaction; a block asks for the weight and at once for the effect of each."""
        if self._last is not None and self._last[0] is transaction:
            return self._last[1]
        payload = read_body(transaction.type, transaction.body, self._bodies)
        self._last = (transaction, payload)
        return payload

    @staticmethod
    def _charge(transaction: Transaction, payload: Body, ledger: Ledger) -> None:
        """Take fee and nonce, and from a sponsor the deposit of a new sender's account."""
        account = ledger.get(ACCOUNT, transaction.sender)
        _require_signer(transaction, payload, account, ledger)
        nonce = 0 if account is None else account.nonce
        if transaction.nonce != nonce:
            raise InvalidTransactionError(
                RejectionCode.BAD_NONCE, f"the nonce is {transaction.nonce}, the account's next one is {nonce}"
            )
        deposit_minor = ledger.account_deposit_minor if account is None else 0
        try:
            ledger.debit(transaction.payer, transaction.fee + deposit_minor)
        except CommerceError as error:
            raise InvalidTransactionError(error.rejection, f"the fee cannot be paid: {error}") from error
        ledger.fee_pot_minor += transaction.fee
        active = None if account is None else account.active
        ledger.put(ACCOUNT, transaction.sender, Account(ledger.balance_minor(transaction.sender), nonce + 1, active))

    @staticmethod
    def _execute(payload: Body, transaction: Transaction, ledger: Ledger, context: BlockContext) -> tuple[bytes, ...]:
        ids = payload.apply(ledger, Call.of(transaction, context.time_ms, context.convict, context.height))
        ledger.settle_deposits(transaction.sender)
        return ids


def _require_signer(transaction: Transaction, payload: Body, account: Account | None, ledger: Ledger) -> None:
    """Demand that the keys which signed are those that speak for sender and sponsor.

    Raises:
        InvalidTransactionError: they are not.
    """
    active = None if account is None or payload.COLD else account.active
    if transaction.key != active:
        wanted = "its own" if active is None else "its active one, which the envelope names"
        raise InvalidTransactionError(RejectionCode.BAD_SIGNATURE, f"the account signs this with {wanted}")
    if transaction.sponsor is not None:
        sponsor = ledger.get(ACCOUNT, transaction.sponsor)
        if sponsor is not None and sponsor.active is not None:
            raise InvalidTransactionError(
                RejectionCode.BAD_SIGNATURE, "the sponsor has an active key, which an envelope cannot name"
            )
