"""Each fraud against the application itself; and that a fraud which succeeds is told."""

from __future__ import annotations

import pytest

from p2pcommerce.cli.demo.abuse.fraud import Attempt, Fraud, FraudError, Verdict
from p2pcommerce.cli.demo.abuse.police import FRAUDS, AbuseReport, Police
from p2pcommerce.cli.demo.desk import Result
from p2pcommerce.commerce import Transfer, build_transaction
from p2pcommerce.primitives.errors import RejectionCode
from tests.commerce.world import TOKEN, World

SECRET = b"s" * 32


class LedgerGround:
    """The application, a block for each transaction."""

    def __init__(self):
        self.world = World("bank", balance=10**6 * TOKEN)
        self.sent = []

    async def endow(self, who, amount_minor):
        self.world.do("bank", Transfer(to=who.key, amount_minor=amount_minor))

    async def send(self, who, payload):
        transaction = build_transaction(payload, self.world.genesis, who.seed, who.nonce, 10**6)
        (outcome,) = self.world.block(transaction)
        who.nonce += 1
        self.sent.append((payload.TYPE, outcome.code))
        return Result(outcome.code, transaction.id, self.world.time_ms, 0.0, self.world.height)

    async def ask(self, name, **arguments):
        plain = {k: bytes.fromhex(v) if isinstance(v, str) and len(v) == 64 else v for k, v in arguments.items()}
        return self.world.query(name, **plain) or {}

    async def pass_time(self, after_ms, seconds):
        self.world.block(step_ms=after_ms + round(1_000 * seconds) + 1 - self.world.time_ms)


@pytest.mark.parametrize("name", FRAUDS)
async def test_a_fraud_is_refused_and_gains_no_more_than_the_rules_allow(name):
    verdict = await FRAUDS[name](LedgerGround(), SECRET).commit()
    assert verdict.held, [verdict.facts, verdict.attempts, verdict.gained_minor, verdict.bound_minor]
    assert len(verdict.attempts) >= 3
    assert len(verdict.facts) >= 1


async def test_a_ring_gets_its_discount_less_what_its_transactions_cost():
    verdict = await FRAUDS["referral-ring"](LedgerGround(), SECRET).commit()
    assert verdict.bound_minor == 3 * 40 * TOKEN // 10
    assert 0.99 * verdict.bound_minor < verdict.gained_minor < verdict.bound_minor


async def test_washing_costs_more_than_the_bound():
    verdict = await FRAUDS["wash-reviews"](LedgerGround(), SECRET).commit()
    assert verdict.gained_minor < verdict.bound_minor < 0


class Lax(LedgerGround):
    """Says of one type that everything was accepted."""

    def __init__(self, lax):
        super().__init__()
        self.lax = lax

    async def send(self, who, payload):
        result = await super().send(who, payload)
        if self.lax == payload.TYPE:
            return Result(RejectionCode.OK, result.tx_id, result.time_ms, 0.0, result.height)
        return result


@pytest.mark.parametrize(
    ("name", "lax"),
    [
        ("referral-ring", "order.place"),
        ("wash-reviews", "review.post"),
        ("double-custody", "trace.receive"),
        ("cloned-tag", "order.ship"),
        ("points-run", "points.grant"),
        ("silent-arbiter", "order.resolve"),
    ],
)
async def test_what_is_accepted_and_ought_not_to_be_is_told(name, lax):
    verdict = await FRAUDS[name](Lax(lax), SECRET).commit()
    assert not verdict.held
    assert any("not refused as it should be" in line for line in verdict.lines())


@pytest.mark.parametrize(
    "changes",
    [
        {"gained_minor": 2},
        {"facts": {"the sky is blue": False}},
        {"attempts": (Attempt("a asks", "order.place", "OK", ("FORBIDDEN",)),)},
        {"broken": "it rained"},
    ],
)
def test_a_verdict_holds_only_if_all_of_it_does(changes):
    good = {"fraud": "f", "gained_minor": 1, "bound_minor": 1, "facts": {"the sky is blue": True}}
    assert Verdict(**good).held
    verdict = Verdict(**good | changes)
    assert not verdict.held
    assert not AbuseReport((Verdict(**good), verdict)).ok
    assert any(line.startswith("✗") for line in verdict.lines())


class Impossible(Fraud):
    NAME = "impossible"

    async def commit(self):
        raise FraudError("the shop is closed")


async def test_what_could_not_be_tried_is_told(monkeypatch):
    monkeypatch.setitem(FRAUDS, "impossible", Impossible)
    police = Police(["impossible", "double-custody"], LedgerGround(), SECRET)
    unfinished = police.report()
    assert not unfinished.ok
    await police.watch()
    first, second = police.report().verdicts
    assert (first.broken, first.held) == ("the shop is closed", False)
    assert second.held
    assert list(police.report().to_plain()) == ["impossible", "double-custody"]
