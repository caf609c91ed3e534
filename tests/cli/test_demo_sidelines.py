"""Points, campaigns, certificates and stake beside the trade."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
import trio

from p2pcommerce.cli.demo.people import NotFundedError
from p2pcommerce.cli.demo.sidelines import Sidelines
from p2pcommerce.cli.demo.story import Story
from tests.cli.test_demo_lives import FakePeople

BOND_MINOR = 1_000
VALIDATORS = [bytes([number]) * 32 for number in range(3)]


class Richer(FakePeople):
    """People of whom some have money."""

    def funded(self, number):
        return self.named("ann"), self.named("bob")


class OneShop:
    """A market with one shop, or none."""

    def __init__(self, shop):
        self.shop = shop

    def any_open(self, number):
        return self.shop


@pytest.fixture
def people():
    return Richer()


@pytest.fixture
def sidelines(people):
    shop = SimpleNamespace(name="85", owner=people.named("merchant 85"))
    return Sidelines(people, OneShop(shop), Story(), random.Random(1), BOND_MINOR)


async def test_points_are_opened_once_and_granted_then(sidelines, people):
    for _ in range(3):
        await sidelines.points()
    assert people.types() == ["points.open", "points.grant", "points.grant"]
    assert {name for name, _ in people.done} == {"merchant 85"}


async def test_each_certificate_is_a_new_one(sidelines, people):
    await sidelines.certificate()
    await sidelines.certificate()
    assert len({payload.schema for _, payload in people.done}) == 2


async def test_one_saver_at_a_time_bonds_and_takes_it_back(sidelines, people):
    for _ in range(4):
        await sidelines.stake(VALIDATORS)
    assert people.types() == ["stake.bond", "stake.unbond"] * 2
    (one, bond), (same, unbond), (other, later), _ = people.done
    assert one == same != other
    assert bond.validator == unbond.validator != later.validator


async def test_two_that_stake_at_the_same_time_are_one(sidelines, people):
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(sidelines.stake, VALIDATORS)
    assert people.types() == ["stake.bond"]


async def test_a_saver_whose_bond_failed_has_nothing_to_take_back(sidelines, people):
    people.failing = {"stake.bond"}
    await sidelines.stake(VALIDATORS)
    await sidelines.stake(VALIDATORS)
    assert people.types() == ["stake.bond", "stake.bond"]


async def test_a_campaign_is_opened_with_its_budget(sidelines, people):
    await sidelines.campaign()
    ((_, payload),) = people.done
    assert (payload.campaign, payload.budget_minor > 0) == (None, True)


async def test_nothing_is_done_where_there_is_no_shop_and_empty_banks_are_told(people):
    story = Story()
    alone = Sidelines(people, OneShop(None), story, random.Random(1), BOND_MINOR)
    for what in (alone.points, alone.campaign, alone.certificate):
        await what()
    assert people.done == []
    people.poor = True
    await alone.stake(VALIDATORS)
    assert [line.text for line in story.news] == [str(NotFundedError("the banks are empty"))]
