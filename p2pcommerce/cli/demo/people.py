"""The demo's people: buyers, merchants, makers, depots, each a key of its own, funded by the banks when need be.

What somebody can spend is estimated here from what was given and spent; what comes back (refunds, deposits, proceeds)
is left out, so that the estimate is never too high.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import trio

from p2pcommerce.cli.demo.desk import Result, Sender
from p2pcommerce.cli.demo.folder import BANKS, FOUNDED_MINOR, DemoFolder
from p2pcommerce.cli.demo.market import Market
from p2pcommerce.commerce import Body, Transfer
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.errors import P2PError

__all__ = ["NotFundedError", "People", "Person"]

_START_MINOR: Final = 1_000 * TOKEN_MINOR
_FEES_MINOR: Final = TOKEN_MINOR
"""What is set aside for fee and deposits of one transaction; the dearest takes about a tenth of it."""
_GIFT_MINOR: Final = 5 * TOKEN_MINOR
_PEOPLE_MAX: Final = 50_000
"""People that are remembered, beside those founded; beyond that those who came first are forgotten."""


_LOOKED_AT_MAX: Final = 1_000
"""People among whom two with money are looked for."""


class NotFundedError(P2PError):
    """A bank's transfer to somebody did not succeed."""

    code = "NOT_FUNDED"


@dataclass(slots=True, eq=False)
class Person(Sender):
    """Somebody with a key.

    Attributes:
        spendable_minor: at least so much.
    """

    spendable_minor: int = 0
    funding: trio.Lock = field(default_factory=trio.Lock)


class People:
    """Everybody by name."""

    def __init__(self, folder: DemoFolder, market: Market, founded: Collection[str] = ()) -> None:
        """Begin with the banks; those `founded` have tokens since the genesis."""
        self._founded = founded
        self._folder = folder
        self._market = market
        self._people: dict[str, Person] = {}
        self._roll: list[Person] = []
        self.banks = [Person(f"bank {bank}", folder.bank_seed(bank)) for bank in range(BANKS)]
        self._next_bank = 0

    def __len__(self) -> int:
        return len(self._people)

    def funded(self, number: int) -> tuple[Person, Person] | None:
        """Return two different people with money, None if there are not two nearby; others for another number."""
        first: Person | None = None
        for step in range(min(len(self._roll), _LOOKED_AT_MAX)):
            person = self._roll[(number + step) % len(self._roll)]
            if person.spendable_minor > 2 * _GIFT_MINOR:
                if first is not None:
                    return first, person
                first = person
        return None

    async def give(self, giver: Person, taker: Person) -> None:
        """Let somebody send a little money to somebody else."""
        await self.perform(giver, Transfer(to=taker.key, amount_minor=_GIFT_MINOR), _GIFT_MINOR)

    def named(self, name: str) -> Person:
        """Return somebody, who may have nothing yet."""
        person = self._people.get(name)
        if person is None:
            spendable = FOUNDED_MINOR // 2 if name in self._founded else 0
            person = self._people[name] = Person(name, self._folder.person_seed(name), spendable_minor=spendable)
            self._roll.append(person)
            if len(self._people) > _PEOPLE_MAX + len(self._founded):
                oldest = next(iter(self._people))
                if not self._people[oldest].in_flight:
                    del self._people[oldest]
            if len(self._roll) > 2 * len(self._people):
                self._roll = list(self._people.values())
        return person

    async def perform(self, person: Person, payload: Body, spend_minor: int = 0) -> Result:
        """Let somebody do something that takes at most `spend_minor` beside fee and deposits.

        Raises:
            NotFundedError: no bank could give the money.
        """
        need = spend_minor + _FEES_MINOR
        await self.endow(person, need)
        person.spendable_minor -= need
        return await self._market.perform(person, payload)

    async def endow(self, person: Person, need_minor: int) -> None:
        """See to it that somebody can spend so much.

        Raises:
            NotFundedError: no bank could give the money.
        """
        if person.spendable_minor >= need_minor:
            return
        async with person.funding:
            if person.spendable_minor >= need_minor:
                return
            bank = self.banks[self._next_bank % len(self.banks)]
            self._next_bank += 1
            amount = max(_START_MINOR, 4 * need_minor)
            result = await self._market.perform(bank, Transfer(to=person.key, amount_minor=amount))
            if not result.ok:
                raise NotFundedError(f"{bank.name} could not fund {person.name}: {result.code.value}")
            person.known_height = max(person.known_height, bank.known_height)
            person.spendable_minor += amount - _FEES_MINOR
