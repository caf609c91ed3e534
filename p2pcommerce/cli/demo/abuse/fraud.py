"""A fraud: what it tries, which code refuses it, and what it gains against what the rules let anybody gain.

Two things are told of it. Each attempt that the rules forbid must be refused with the code that they name. What the
rules allow is bounded: the fraudsters' gain is measured in their accounts, and must not be above the bound.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import ClassVar, Final

from p2pcommerce.cli.demo.abuse.ground import Ground
from p2pcommerce.cli.demo.desk import Result, Sender
from p2pcommerce.cli.demo.section import mark
from p2pcommerce.commerce import (
    Arbiter,
    Body,
    CampaignSet,
    ListingSet,
    OrderLine,
    OrderPlace,
    ProductId,
    StoreSet,
    TermsSet,
)
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import P2PError, RejectionCode
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["PURSE_MINOR", "Attempt", "Fraud", "FraudError", "Shopfront", "Verdict"]

PURSE_MINOR: Final = 1_000 * TOKEN_MINOR
"""What everybody who takes part has at the start."""
_TERMS: Final = 1
_LISTING: Final = 1
_LONG_S: Final = 3_600
_LONG_AFTER_MS: Final = 2**45
"""Unix milliseconds of a year in which nobody runs this any more."""


class FraudError(P2PError):
    """What the rules allow was refused: the fraud cannot be tried."""

    code = "FRAUD"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that the rules forbid.

    Attributes:
        what: a sentence.
        type: of the transaction.
        code: that it came to.
        expected: the codes that the rules name for it.
    """

    what: str
    type: str
    code: str
    expected: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether it was refused as the rules say."""
        return self.code in self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a fraud.

    Attributes:
        fraud: its name.
        attempts: what was forbidden.
        gained_minor: what the fraudsters have more than at the start, the price of goods that they keep added; below
            zero: what it cost them.
        bound_minor: what the rules let them gain at most.
        bound: that in words.
        facts: other things that must hold, and whether they do.
        broken: why it could not be tried to its end; empty if it was.
    """

    fraud: str
    attempts: tuple[Attempt, ...] = ()
    gained_minor: int = 0
    bound_minor: int = 0
    bound: str = ""
    facts: dict[str, bool]
    broken: str = ""

    @property
    def held(self) -> bool:
        """Whether the rules held."""
        refused = all(attempt.refused for attempt in self.attempts)
        return not self.broken and refused and self.gained_minor <= self.bound_minor and all(self.facts.values())

    def to_plain(self) -> dict[str, object]:
        """Return the JSON object."""
        return {
            "held": self.held,
            "gained_minor": self.gained_minor,
            "bound_minor": self.bound_minor,
            "bound": self.bound,
            "facts": self.facts,
            "attempts": [asdict(attempt) | {"refused": attempt.refused} for attempt in self.attempts],
            "broken": self.broken,
        }

    def lines(self) -> Iterator[str]:
        """Yield it as a person reads it."""
        if self.broken:
            yield f"{mark(good=False)} {self.fraud}: could not be tried: {self.broken}"
            return
        refused = sum(attempt.refused for attempt in self.attempts)
        codes = ", ".join(dict.fromkeys(attempt.code for attempt in self.attempts))
        gained, bound = _exact(self.gained_minor), _exact(self.bound_minor)
        yield (
            f"{mark(self.held)} {self.fraud}: gained {gained} tokens, at most {bound} "
            f"({self.bound}); {refused} of {len(self.attempts)} forbidden steps refused ({codes})"
        )
        for attempt in self.attempts:
            if not attempt.refused:
                yield f"    not refused as it should be: {attempt.what}: {attempt.code}"
        for fact, holds in self.facts.items():
            if not holds:
                yield f"    does not hold: {fact}"


def _exact(amount_minor: int) -> str:
    return f"{amount_minor / TOKEN_MINOR:,.6f}"


@dataclass(slots=True, eq=False)
class Shopfront:
    """A store with one listing.

    Attributes:
        owner: whose it is.
        price_minor: of one unit.
        revision: of the listing.
    """

    owner: Sender
    price_minor: int
    revision: TransactionId

    def order(self, units: int = 1) -> OrderPlace:
        """Return an order of so many units, to be changed at will."""
        return OrderPlace(store=self.owner.key, lines=(OrderLine(_LISTING, self.revision, units),))


class Fraud(ABC):
    """One fraud on one ground.

    Attributes:
        NAME: on the command line.
    """

    NAME: ClassVar[str]

    def __init__(self, ground: Ground, secret: bytes) -> None:
        """Prepare; the keys of its people come from `secret`."""
        self.attempts: list[Attempt] = []
        self.facts: dict[str, bool] = {}
        self._ground = ground
        self._secret = secret

    @abstractmethod
    async def commit(self) -> Verdict:
        """Try it.

        Raises:
            FraudError: something that the rules allow was refused.
        """

    def person(self, name: str) -> Sender:
        """Return somebody new, without an account."""
        return Sender(f"{self.NAME} {name}", blake2b_256(self._secret + f"{self.NAME}/{name}".encode()))

    async def rich(self, name: str) -> Sender:
        """Return somebody new, with a purse."""
        who = self.person(name)
        await self._ground.endow(who, PURSE_MINOR)
        return who

    async def do(self, who: Sender, payload: Body) -> Result:
        """Do what the rules allow.

        Raises:
            FraudError: it was refused.
        """
        result = await self._ground.send(who, payload)
        if not result.ok:
            raise FraudError(f"{who.name}: {payload.TYPE} came to {result.code.value}")
        return result

    async def attempt(self, who: Sender, what: str, payload: Body, *expected: RejectionCode) -> Result:
        """Do what the rules forbid; one of the codes ought to refuse it."""
        result = await self._ground.send(who, payload)
        names = tuple(code.value for code in expected)
        self.attempts.append(Attempt(f"{who.name} {what}", payload.TYPE, result.code.value, names))
        return result

    async def ask(self, name: str, **arguments: object) -> dict[str, object]:
        """Return the answer of a query."""
        return await self._ground.ask(name, **arguments)

    async def number(self, query: str, member: str, **arguments: object) -> int:
        """Return one number of the answer of a query, 0 where there is none."""
        found = (await self._ground.ask(query, **arguments)).get(member)
        return found if isinstance(found, int) else 0

    async def pass_time(self, after: Result, seconds: float) -> None:
        """Wait until a term that began with a transaction is over."""
        await self._ground.pass_time(after.time_ms, seconds)

    async def wealth(self, *people: Sender) -> int:
        """Return what some have together, minor units."""
        return sum([await self.number("account", "balance_minor", account=person.key.hex()) for person in people])

    async def open_shop(
        self,
        owner: Sender,
        price_minor: int,
        *,
        arbiter: Sender | None = None,
        budget_minor: int = 0,
        rates: tuple[int, int, int] = (0, 0, 0),
        terms_s: tuple[int, int, int] = (_LONG_S, _LONG_S, _LONG_S),
        product: ProductId | None = None,
        stock: int = 1_000,
    ) -> Shopfront:
        """Open a store with one listing.

        Args:
            owner: whose it is.
            price_minor: of one unit.
            arbiter: that its terms name, for 1 % of the escrow.
            budget_minor: of a campaign that pays rewards; 0: there is none.
            rates: referral, cashback and bonus, basis points.
            terms_s: seconds to ship, to confirm, to rule.
            product: a traced one; None: not traced.
            stock: units.

        Raises:
            FraudError: it was refused.
        """
        digest = blake2b_256(owner.name.encode())
        await self.do(owner, StoreSet(name=owner.name, box_key=digest, profile_hash=digest))
        campaign = None
        if budget_minor:
            campaign = (await self.do(owner, CampaignSet(None, budget_minor, 0, _LONG_AFTER_MS))).tx_id
        ship_s, confirm_s, dispute_s = terms_s
        terms = TermsSet(
            number=_TERMS,
            ship_s=ship_s,
            confirm_s=confirm_s,
            dispute_s=dispute_s,
            cancel_s=ship_s,
            referral_bps=rates[0],
            arbiters=() if arbiter is None else (Arbiter(arbiter.key, 100),),
            campaign=campaign,
            cashback_bps=rates[1],
            bonus_bps=rates[2],
        )
        await self.do(owner, terms)
        traced = product is not None
        offered = await self.do(owner, ListingSet(_LISTING, product, price_minor, stock, traced=traced, terms=_TERMS))
        return Shopfront(owner, price_minor, offered.tx_id)

    def verdict(self, gained_minor: int, bound_minor: int, bound: str) -> Verdict:
        """Sum up."""
        return Verdict(
            fraud=self.NAME,
            attempts=tuple(self.attempts),
            gained_minor=gained_minor,
            bound_minor=bound_minor,
            bound=bound,
            facts=self.facts,
        )
