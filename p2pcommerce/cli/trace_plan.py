"""Planning an import: events to transactions, each executed first on a copy of the ledger that knows what it needs.

The copy holds the records that the rules ask for, fetched from the node one by one, and what the planned transactions
changed. So an event is refused by the very rules of the chain, before anything is sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from p2pcommerce.cli.trace_goods import Actor, Parties, goods_id, made_goods, payloads
from p2pcommerce.commerce import Body, Commerce, HistoryEntry, Item, build_transaction
from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.epcis import (
    EpcisDocumentError,
    Event,
    Goods,
    Step,
    StepKind,
    event_hash,
    read_step,
    write_link,
)
from p2pcommerce.commerce.item import ITEM, topmost
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.product import PRODUCT, ProductId
from p2pcommerce.commerce.trace_observe import WORD_BYTES_MAX
from p2pcommerce.ledger.application import BlockContext, InvalidTransactionError
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.state import State
from p2pcommerce.primitives.errors import P2PError, RejectionCode
from p2pcommerce.primitives.ids import ZERO_HASH, Epoch, Height, PublicKey
from p2pcommerce.runtime.identity import Identity

T = TypeVar("T")

__all__ = ["CLOCK_SKEW_MS", "Plan", "Planned", "Planner", "Refusal", "Source"]

CLOCK_SKEW_MS: Final = 60_000
"""Milliseconds by which an event may be ahead of our clock."""
_EXPIRES: Final = 2**32 - 1


class Source(Protocol):
    """Where the planner reads the chain: a running node, or a test."""

    async def record(self, key: bytes) -> bytes | None:
        """Return the value of a state key, None if there is none."""

    async def history(self, item_id: bytes) -> Sequence[HistoryEntry]:
        """Return the whole history of an item that exists."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One transaction to be.

    Attributes:
        place: the number of the event, from 1.
        payload: its body.
        signer: whose key signs it.
        sender: whose transaction it is, 32 bytes: the signer, or the account whose active key that is.
        nonce: of its sender.
        fee: minor units.
    """

    place: int
    payload: Body
    signer: Identity
    sender: PublicKey
    nonce: int
    fee: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that cannot be imported.

    Attributes:
        place: the number of the event, from 1.
        line: where it begins.
        code: of the rule: of the chain, or `BAD_EPCIS`.
        reason: one sentence.
    """

    place: int
    line: int
    code: str
    reason: str


@dataclass(slots=True)
class Plan:
    """What an import will do.

    Attributes:
        transactions: in order.
        refused: events that it leaves out.
        skipped: numbers of the events that are on the chain already.
        events: the events that are or will be on the chain.
    """

    transactions: list[Planned] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class _UnknownRecordError(Exception):
    """A record is needed that was not fetched yet."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key.hex())
        self.key = key


class _Copy:
    """The part of the state that was asked for, with the changes of what is planned."""

    def __init__(self) -> None:
        self.fetched: dict[bytes, bytes | None] = {}
        self.changed: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return a value; see `StateView`."""
        if key in self.changed:
            return self.changed[key]
        if key not in self.fetched:
            raise _UnknownRecordError(key)
        return self.fetched[key]


class Planner:
    """Plans event after event; each sees what those before it change."""

    def __init__(
        self, source: Source, genesis: Genesis, parties: Parties, *, now_ms: int, height: int, validator: PublicKey
    ) -> None:
        """Plan on a chain as it is.

        Args:
            source: the chain.
            genesis: of the chain.
            parties: who is who, and whose keys are here.
            now_ms: Unix milliseconds.
            height: of the chain.
            validator: any of the chain; a block on the copy must have a proposer.
        """
        self._source = source
        self._genesis = genesis
        self._parties = parties
        self._now_ms = now_ms
        self._app = Commerce()
        self._copy = _Copy()
        self._seen: dict[bytes, list[tuple[bytes, int]]] = {}
        self._context = BlockContext(
            genesis=genesis,
            height=Height(height + 1),
            epoch=Epoch(0),
            time_ms=now_ms,
            parent_time_ms=now_ms,
            proposer=validator,
            convict=lambda _: None,
        )

    async def plan(self, events: Sequence[Event], lines: Sequence[int]) -> Plan:
        """Return what to do about the events of a document, in its order."""
        plan = Plan()
        for place, (event, line) in enumerate(zip(events, lines, strict=True), 1):
            try:
                made = await self._event(event, place)
            except EpcisDocumentError as error:
                plan.refused.append(Refusal(place, line, error.code, error.reason))
            except InvalidTransactionError as error:
                plan.refused.append(Refusal(place, line, error.rejection.value, error.detail))
            except P2PError as error:
                plan.refused.append(Refusal(place, line, str(error.code), str(error)))
            else:
                plan.transactions += made
                plan.events.append(event)
                if not made:
                    plan.skipped.append(place)
        return plan

    async def _event(self, event: Event, place: int) -> list[Planned]:
        """Return the transactions of an event; none if all that it says is on the chain already."""
        step = read_step(event)
        self._check_now(event, step)
        digest = event_hash(event)
        named = await self._ask(lambda: self._named(step, event))
        for item_id in named.values():
            await self._load_history(item_id)
        todo = [goods for goods in step.goods if not self._has(named[goods], digest)]
        if not todo or (step.kind is StepKind.TRANSFORM and len(todo) < len(step.goods)):
            return []
        self._check_order(event, [named[goods] for goods in todo])
        choices = await self._ask(lambda: self._choices(step, event, named, todo))
        made = await self._first_possible(choices, place)
        for item_id in named.values():
            self._seen[item_id].append((digest, event.time_ms))
        return made

    async def _ask(self, question: Callable[[], T]) -> T:
        """Answer a question about the copy, fetching what it lacks."""
        while True:
            try:
                return question()
            except _UnknownRecordError as unknown:
                self._copy.fetched[unknown.key] = await self._source.record(unknown.key)

    async def _load_history(self, item_id: bytes) -> None:
        """Learn what an item's history on the chain says already."""
        if item_id in self._seen:
            return
        key = ITEM.key(item_id)
        if key not in self._copy.fetched:
            self._copy.fetched[key] = await self._source.record(key)
        entries = () if self._copy.fetched[key] is None else await self._source.history(item_id)
        self._seen[item_id] = [(e.event_hash, e.event_time_ms) for e in entries if e.event_hash != ZERO_HASH]

    def _has(self, item_id: bytes, digest: bytes) -> bool:
        return any(seen == digest for seen, _ in self._seen[item_id])

    def _check_now(self, event: Event, step: Step) -> None:
        if event.time_ms > self._now_ms + CLOCK_SKEW_MS:
            event.fail("it lies in the future")
        if event.time_ms < 0:
            event.fail("it lies before 1970, where the ledger's time begins")
        if max(len(step.biz_step.encode()), len(step.disposition.encode())) > WORD_BYTES_MAX:
            event.fail(f"its business step or disposition has more than {WORD_BYTES_MAX} bytes")

    def _check_order(self, event: Event, ids: Sequence[bytes]) -> None:
        last = max((time_ms for item_id in ids for _, time_ms in self._seen[item_id]), default=0)
        if event.time_ms < last:
            event.fail("it lies before an event of the same goods that is on the ledger")

    def _named(self, step: Step, event: Event) -> dict[Goods, bytes]:
        """Return the item ids of all goods of a step; what it makes, or packs in first, is of who does it."""
        made = made_goods(step)
        found = {goods: self._find(goods, event) for goods in step.goods if goods not in made}
        if made:
            maker = self._maker(made).account
            found |= {goods: goods_id(goods, maker) for goods in made}
        if step.parent:
            parent = Goods(sscc=step.parent)
            known = self._known(parent)
            if len(known) == 1:
                found[parent] = known[0]
            elif step.kind is StepKind.PACK and not known:
                holder = self._holder(found[next(iter(step.goods))])
                found[parent] = goods_id(parent, holder)
            else:
                found[parent] = self._find(parent, event)
        return found

    def _known(self, goods: Goods) -> list[bytes]:
        ids = [goods_id(goods, account) for account in self._parties.known()]
        ledger = self._ledger()
        return [item_id for item_id in ids if ledger.get(ITEM, item_id) is not None]

    def _find(self, goods: Goods, event: Event) -> bytes:
        found = self._known(goods)
        if len(found) != 1:
            what = "is not on the ledger" if not found else "is there twice, of several issuers; give one of them"
            event.fail(f"{write_link(goods)} {what} (looked for under the keys, parties and issuers that were given)")
        return found[0]

    def _maker(self, made: Mapping[Goods, int | None]) -> Actor:
        gtin14, ledger = next(iter(made)).gtin14, self._ledger()
        for actor in self._parties.actors:
            if ledger.get(PRODUCT, ProductId(actor.account, gtin14).key) is not None:
                return actor
        return self._parties.actors[0]

    def _ledger(self) -> Ledger:
        return Ledger(self._copy, {})

    def _item(self, item_id: bytes) -> Item:
        item = self._ledger().get(ITEM, item_id)
        if item is None:
            raise EpcisDocumentError("", "", "an item of the event is not on the ledger")
        return item

    def _holder(self, item_id: bytes) -> PublicKey:
        return topmost(self._ledger(), self._item(item_id)).custodian

    async def _first_possible(self, choices: Sequence[tuple[Actor, list[Body]]], place: int) -> list[Planned]:
        """Execute the bodies of the first actor for whom the chain takes all of them.

        Raises:
            InvalidTransactionError: it takes nobody's. If somebody may do it but cannot, for want of tokens or of a
                key, that is the reason; else why the first one may not.
        """
        refused: list[InvalidTransactionError] = []
        before = dict(self._copy.changed)
        for actor, bodies in choices:
            try:
                return [await self._execute(body, actor, place) for body in bodies]
            except P2PError as error:
                self._copy.changed = dict(before)
                if not isinstance(error, InvalidTransactionError):
                    raise
                refused.append(error)
        raise next((error for error in refused if error.rejection is not RejectionCode.FORBIDDEN), refused[0])

    def _choices(
        self, step: Step, event: Event, named: Mapping[Goods, bytes], todo: Sequence[Goods]
    ) -> list[tuple[Actor, list[Body]]]:
        """Return who may do a step, in the order to be tried, and what each would send."""
        actors = self._actors(step, event, named)
        for goods, units in step.goods.items():
            if units is not None and step.kind is not StepKind.COMMISSION:
                has = self._item(named[goods]).quantity
                if has != units:
                    event.fail(f"lot {goods.lot} has {has} units on the ledger, the event says {units}; split it first")
        if step.kind is StepKind.SHIP:
            to = self._parties.account_of(step.holder_after) if step.holder_after else self._parties.to
            if to is None:
                unknown = (
                    f"{step.holder_after[:80]} is no known party" if step.holder_after else "it names no destination"
                )
                event.fail(f"{unknown}: say with --party or --to whose account receives the goods")
            step = dataclasses.replace(step, holder_after=to.hex())
        parent, level = b"", 0
        if step.parent:
            parent = named[Goods(sscc=step.parent)]
            level = self._level(parent, [named[goods] for goods in todo])
        ids = sorted(named[goods] for goods in todo)
        return [(actor, list(payloads(step, event, actor, ids, todo, parent, level))) for actor in actors]

    def _level(self, parent: bytes, children: Sequence[bytes]) -> int:
        found = self._ledger().get(ITEM, parent)
        return 1 + max(self._item(child).level for child in children) if found is None else found.level

    def _actors(self, step: Step, event: Event, named: Mapping[Goods, bytes]) -> Sequence[Actor]:
        """Return who may do a step, after a look at who had the goods by the event and by the ledger.

        Only an observation may be several people's: the holder's, and theirs who are attested; which attestations
        there are, its execution tells.
        """
        if step.kind is StepKind.COMMISSION:
            return (self._maker(step.goods),)
        item = self._item(named[next(iter(step.goods))])
        holder = topmost(self._ledger(), item).custodian
        if step.kind in {StepKind.PACK, StepKind.UNPACK} and item.within is not None:
            holder = self._holder(named[Goods(sscc=step.parent)])
        before = self._parties.account_of(step.holder_before)
        if before is not None and before != holder:
            event.fail(f"by the event {before.hex()[:16]} had the goods, by the ledger {holder.hex()[:16]} has them")
        wanted = item.pending_to or holder if step.kind is StepKind.RECEIVE else holder
        actor = self._parties.actor_of(wanted)
        if actor is None and step.kind is StepKind.REJECT:
            actor = self._parties.actor_of(item.pending_to)
        if step.kind is StepKind.OBSERVE:
            return sorted(self._parties.actors, key=lambda each: each.account != holder)
        if actor is None:
            verb = "was sent to" if wanted == item.pending_to else "is held by"
            event.fail(f"it {verb} {wanted.hex()[:16]}, for whom no key was given (--key)")
        return (actor,)

    async def _execute(self, body: Body, actor: Actor, place: int) -> Planned:
        return await self._ask(lambda: self._try(body, actor, place))

    def _try(self, body: Body, actor: Actor, place: int) -> Planned:
        """Execute a body on the copy.

        Raises:
            InvalidTransactionError: the chain refuses it.
        """
        sender = actor.sender
        account = self._ledger().get(ACCOUNT, sender)
        identity = self._signer(actor, account)
        nonce = 0 if account is None else account.nonce
        transaction = build_transaction(body, self._genesis, identity.seed, nonce, _EXPIRES, account=sender)
        state = State(self._copy)
        outcome = self._app.apply(transaction, state, self._context)
        if not outcome.ok:
            raise InvalidTransactionError(outcome.code, outcome.detail)
        self._copy.changed.update(state.changes)
        return Planned(place, body, identity, sender, nonce, transaction.fee)

    def _signer(self, actor: Actor, account: Account | None) -> Identity:
        """Return the key that signs for the sender: its active one, if it has one."""
        wanted = actor.sender if account is None or account.active is None else account.active
        found = self._parties.key(wanted)
        if found is None:
            kind = "own" if wanted == actor.sender else "active"
            raise InvalidTransactionError(
                RejectionCode.BAD_SIGNATURE,
                f"account {actor.sender.hex()[:16]} signs with its {kind} key {wanted.hex()[:16]}, which was not given "
                "(--key)",
            )
        return found
