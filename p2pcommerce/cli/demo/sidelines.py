"""What merchants and savers do beside the trade: points, campaigns, certificates, stake.

Each is done when the market says that its kind lags behind its share of the mix.

Source: the mix of the commerce specification.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from p2pcommerce.cli.demo.people import NotFundedError, People, Person
from p2pcommerce.cli.demo.shops import Shops
from p2pcommerce.cli.demo.story import Story
from p2pcommerce.commerce import (
    AttestIssue,
    Body,
    Bond,
    CampaignSet,
    PointsGrant,
    PointsOpen,
    Subject,
    SubjectKind,
    Unbond,
)
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Sidelines"]

_UNIT_MINOR: Final = TOKEN_MINOR // 100
_POINTS: Final = 10
_BUDGET_MINOR: Final = 10 * TOKEN_MINOR
_LONG_AFTER_MS: Final = 2**45
"""Unix milliseconds of a year in which nobody runs this demo any more."""


class Sidelines:
    """Everything that is no order and no goods."""

    def __init__(self, people: People, shops: Shops, story: Story, rng: random.Random, bond_minor: int) -> None:
        """Begin without any; who stakes, stakes `bond_minor`."""
        self._people = people
        self._shops = shops
        self._story = story
        self._rng = rng
        self._bond_minor = bond_minor
        self._with_points: set[str] = set()
        self._staked: tuple[Person, PublicKey] | None = None
        self._is_staking = False
        self._made = 0

    async def points(self) -> None:
        """Let a merchant grant points to somebody, or open its points."""
        number = self._rng.randrange(2**32)
        shop, pair = self._shops.any_open(number), self._people.funded(number)
        if shop is None or pair is None:
            return
        if shop.name not in self._with_points:
            self._with_points.add(shop.name)
            await self._do(shop.owner, PointsOpen(_UNIT_MINOR))
        else:
            await self._do(shop.owner, PointsGrant(pair[0].key, _POINTS), _POINTS * _UNIT_MINOR)

    async def campaign(self) -> None:
        """Let a merchant open a campaign."""
        shop = self._shops.any_open(self._rng.randrange(2**32))
        if shop is not None:
            await self._do(shop.owner, CampaignSet(None, _BUDGET_MINOR, 0, _LONG_AFTER_MS), _BUDGET_MINOR)

    async def certificate(self) -> None:
        """Let a merchant say something of somebody."""
        number = self._rng.randrange(2**32)
        shop, pair = self._shops.any_open(number), self._people.funded(number)
        if shop is not None and pair is not None:
            self._made += 1
            subject, schema = Subject(SubjectKind.ACCOUNT, pair[0].key), f"customer {self._made}"
            await self._do(shop.owner, AttestIssue(subject, schema, blake2b_256(schema.encode()), _LONG_AFTER_MS))

    async def stake(self, validators: Sequence[PublicKey]) -> None:
        """Let a saver bond with a validator, or the last one unbond: no two at a time, so that no validator grows."""
        if self._is_staking:
            return
        self._is_staking = True
        try:
            if self._staked is not None:
                (saver, validator), self._staked = self._staked, None
                await self._do(saver, Unbond(validator))
                return
            self._made += 1
            saver, validator = self._people.named(f"saver {self._made}"), validators[self._made % len(validators)]
            if await self._do(saver, Bond(validator, self._bond_minor), self._bond_minor):
                self._staked = (saver, validator)
        finally:
            self._is_staking = False

    async def _do(self, who: Person, payload: Body, spend_minor: int = 0) -> bool:
        try:
            return (await self._people.perform(who, payload, spend_minor)).ok
        except NotFundedError as error:
            self._story.network(str(error))
            return False
