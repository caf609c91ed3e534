"""Random stake operations against a model of exact fractions, with property 10 after every one.

The model knows no shares and no rounding: it keeps what each account has at each validator as a fraction, and
multiplies it by a slash. What the chain says may differ from it by less than a minor unit for each rounding.
"""

import dataclasses
from collections import defaultdict
from fractions import Fraction

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from p2pcommerce.commerce import KINDS, Bond, RegisterValidator, SubmitEvidence, Unbond, Withdraw, scan
from p2pcommerce.commerce.delegation import DELEGATION
from p2pcommerce.commerce.validator import VALIDATOR
from p2pcommerce.ledger.application import Admission
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Offence
from tests.commerce.world import World, key

NAMES = ("ann", "bob", "cid", "dan", "eve")
FEE = 5_000
LEAST = 100
WAIT_S = 20
SLASH = Fraction(777, 10_000)
PARAMETERS = dataclasses.replace(
    ChainParameters.local(), bond_minor_min=LEAST, unbonding_s=WAIT_S, slash_bps=777, reporter_bps=5_000
)
FOUNDERS = {"ann": 1_001, "bob": 333}

names = st.sampled_from(NAMES)
targets = st.sampled_from(("ann", "ann", "bob", "cid", "dan"))
indices = st.integers(0, 30)
strays = st.integers(0, 9)
amounts = st.sampled_from((1, 99, 100, 101, 250, 777, 10_007, 1_000_003))


class House:
    """One validator as the model sees it."""

    def __init__(self, commission):
        self.active = defaultdict(Fraction)
        self.leaving = defaultdict(Fraction)  # (account, epoch) -> amount
        self.earned = defaultdict(Fraction)
        self.commission_bps = commission
        self.jailed = False
        self.punished = set()
        self.roundings = 0

    def waiting(self, name):
        return sum(amount for (account, _), amount in self.leaving.items() if account == name)


class Stake(RuleBasedStateMachine):
    @initialize()
    def found(self):
        self.world = World(*NAMES, balance=50_000_000, parameters=PARAMETERS, stakes=FOUNDERS)
        self.world.proposer = "ann"
        self.houses = {}
        for name, amount in FOUNDERS.items():
            self.houses[name] = House(1_000)
            self.houses[name].active[name] = Fraction(amount)
        self.begun = {0: self.world.now_ms()}
        self.candidates = {key(name): amount for name, amount in FOUNDERS.items()}
        self.pot = Fraction(0)
        self.prices = {}
        self.slashed = None

    # --- the chain ---

    def record(self, name):
        return self.world.get(VALIDATOR, key(name))

    def own(self, name, account):
        return self.world.get(DELEGATION, key(name) + key(account))

    def send(self, name, payload):
        """Send a transaction; return its outcome, None if the pool would not take it."""
        world = self.world
        transaction = world.build(name, payload, fee=FEE)
        if not isinstance(world.app.check(transaction, world.chain.final, world.height + 1), Admission):
            return None
        outcome = world.block(transaction)[0]
        self.pot += FEE
        return outcome

    def end_block(self):
        """Follow the fees of a block and the stake that it told."""
        for update in self.world.updates:
            self.candidates[update.public_key] = update.stake
        house = self.houses.get(self.world.proposer)
        if house is None or house.jailed or not self.pot:
            return
        house.roundings += 1
        total = sum(house.active.values())
        commission = (
            self.pot * house.commission_bps / 10_000 if self.record(self.world.proposer).active.shares else self.pot
        )
        house.earned["commission"] += commission
        for account, amount in house.active.items():
            house.earned[account] += (self.pot - commission) * amount / total if total else 0
        self.pot = Fraction(0)

    def touched(self, name, account):
        """Fees are paid to who does something."""
        house = self.houses[name]
        house.roundings += 1
        house.earned[account] = Fraction(0)
        if name == account:
            house.earned["commission"] = Fraction(0)

    # --- operations ---

    @rule(name=st.sampled_from(NAMES[:4]), commission=st.sampled_from((0, 500, 1_000, 10_000)), amount=amounts)
    def register(self, name, commission, amount):
        house = self.houses.get(name)
        outcome = self.send(name, RegisterValidator(commission, amount))
        if outcome is not None and outcome.ok:
            assert house is None or (not house.jailed and commission <= house.commission_bps)
            house = self.houses.setdefault(name, House(commission))
            house.commission_bps = commission
            self.touched(name, name)
            house.active[name] += amount
            assert house.active[name] + house.roundings >= LEAST
        self.end_block()

    @rule(name=names, to=targets, amount=amounts)
    def bond(self, name, to, amount):
        house = self.houses.get(to)
        outcome = self.send(name, Bond(key(to), amount))
        if outcome is not None and outcome.ok:
            assert not house.jailed
            self.touched(to, name)
            house.active[name] += amount
            assert house.active[name] + house.roundings >= LEAST
        elif outcome is not None:
            assert house is None or house.jailed or house.active[name] + amount < LEAST + house.roundings
        self.end_block()

    def pick(self, index, stray, wanted):
        """Return an account and a validator; who has stake of the wanted sort there, if anybody does."""
        pairs = [(name, to) for to in self.houses for name in NAMES]
        found = [pair for pair in pairs if (own := self.own(pair[1], pair[0])) is not None and wanted(own)]
        chosen = found if found and stray else pairs
        return chosen[index % len(chosen)]

    @rule(index=indices, stray=strays, amount=st.sampled_from((0, 0, 1, 99, 100, 500, 10_000)))
    def unbond(self, index, stray, amount):
        name, to = self.pick(index, stray, lambda own: own.shares)
        house = self.houses.get(to)
        before = None if house is None or self.own(to, name) is None else self.bonded(to, name)
        outcome = self.send(name, Unbond(key(to), amount))
        if outcome is not None and outcome.ok:
            moved = amount or before
            assert moved <= before
            left = self.bonded(to, name)
            assert left == 0 or left >= LEAST
            self.touched(to, name)
            # All: the model moves its fraction, whatever was rounded.
            exact = Fraction(moved) if left else house.active[name]
            house.leaving[name, self.world.epoch] += exact
            house.active[name] -= exact
        self.end_block()

    def bonded(self, to, name):
        own, record = self.own(to, name), self.record(to)
        return 0 if own is None else record.active.value(own.shares)

    @rule(index=indices, stray=strays, amount=st.sampled_from((0, 0, 0, 1, 100, 10_000)))
    def withdraw(self, index, stray, amount):
        name, to = self.pick(index, stray, lambda own: own.unbondings)
        house = self.houses.get(to)
        free = (
            []
            if house is None
            else [e for a, e in house.leaving if a == name and self.has_left(e, self.world.now_ms() + 1)]
        )
        record, own = (None, None) if house is None else (self.record(to), self.own(to, name))
        outcome = self.send(name, Withdraw(key(to), amount))
        if outcome is not None and outcome.ok:
            after = self.record(to)
            paid = record.unbonding.minor - after.unbonding.minor
            shares = record.unbonding.shares - after.unbonding.shares
            # Never more than the part of the shares that were given back, and never what still waits.
            assert not shares or paid <= Fraction(shares * record.unbonding.minor, record.unbonding.shares)
            assert not shares or shares <= sum(entry.shares for entry in own.unbondings if entry.epoch in free)
            assert amount in {0, paid}
            self.touched(to, name)
            left = Fraction(paid)
            for epoch in sorted(free):
                part = house.leaving[name, epoch] if not amount else min(left, house.leaving[name, epoch])
                house.leaving[name, epoch] -= part
                left -= part
            assert abs(left) <= house.roundings
        self.end_block()

    def has_left(self, epoch, now_ms):
        return epoch + 2 in self.begun and now_ms >= self.begun[epoch + 2] + WAIT_S * 1_000

    @rule(to=targets, age=st.integers(0, 1), by=names, luck=st.integers(0, 3))
    def slash(self, to, age, by, luck):
        house, epoch = self.houses.get(to), max(self.world.epoch - age, 0)
        if house is None or luck:
            return
        evidence = f"{to} {epoch}".encode()
        self.world.offences[evidence] = Offence(key(to), epoch, "E1")
        before = self.world.balance(by)
        own = house.active[to] + house.waiting(to)
        outcome = self.send(by, SubmitEvidence(evidence))
        assert outcome.ok == (epoch not in house.punished)
        if outcome.ok:
            self.slashed = to
            house.punished.add(epoch)
            house.jailed = True
            house.roundings += 1
            for book in (house.active, house.leaving):
                for one in book:
                    book[one] *= 1 - SLASH
            # No reporter gains what its own stake as the offender does not lose twice over.
            assert self.world.balance(by) - before + FEE <= own * SLASH / 2 + house.roundings
        self.end_block()

    @rule(seconds=st.sampled_from((1, 25, 25)))
    def wait(self, seconds):
        self.world.block(step_ms=seconds * 1_000)
        self.end_block()

    @rule(proposer=st.sampled_from(("ann", "bob", "cid", "nobody")), epochs=st.integers(1, 2))
    def next_epoch(self, proposer, epochs):
        self.world.proposer = proposer
        for _ in range(epochs):
            self.world.enter(self.world.epoch + 1)
            self.begun[self.world.epoch] = self.world.now_ms()
            self.end_block()

    # --- properties ---

    @invariant()
    def money_and_shares_add_up(self):
        scan(self.world.chain.values)

    @invariant()
    def a_share_loses_value_by_a_slash_alone(self):
        for name in self.houses:
            record = self.record(name)
            for pool, which in ((record.active, "active"), (record.unbonding, "unbonding")):
                before, self.prices[name, which] = self.prices.get((name, which)), None
                if pool.shares:
                    price = self.prices[name, which] = Fraction(pool.minor, pool.shares)
                    assert price <= 1
                    assert before is None or price >= before or self.slashed == name
        self.slashed = None

    @invariant()
    def the_chain_is_the_model_but_for_roundings(self):
        for name, house in self.houses.items():
            record, slack = self.record(name), house.roundings + 1
            assert record.is_jailed == house.jailed
            assert abs(record.active.minor - sum(house.active.values())) <= slack
            assert abs(record.unbonding.minor - sum(house.leaving.values())) <= slack
            for account in NAMES:
                own = self.own(name, account)
                bonded = 0 if own is None else record.active.value(own.shares)
                waiting = 0 if own is None else record.unbonding.value(own.unbonding_shares)
                assert abs(bonded - house.active[account]) <= slack
                assert abs(waiting - house.waiting(account)) <= slack
            held = record.rewards_minor + record.commission_minor
            assert abs(held - sum(house.earned.values())) <= slack * (len(NAMES) + 1)

    @invariant()
    def the_chain_was_told_of_every_candidate(self):
        for name in self.houses:
            record = self.record(name)
            wanted = record.active.minor if record.is_listed else 0
            assert self.candidates.get(key(name), 0) == wanted == record.told_minor
            assert not (record.is_listed and record.is_jailed)

    @invariant()
    def every_record_is_within_its_size(self):
        for k, v in self.world.chain.values.items():
            kind = KINDS[k[0]]
            size = kind.size(kind.read(v))
            assert not size or len(k) + len(v) <= size or getattr(kind.read(v), "is_founding", False)

    def teardown(self):
        """Everybody takes everything; what is left is less than a minor unit for each rounding."""
        if not hasattr(self, "world"):
            return
        for to in self.houses:
            for name in NAMES:
                if self.own(to, name) is not None:
                    self.world.try_(name, Unbond(key(to)), fee=FEE)
        self.next_epoch("nobody", 2)
        self.world.wait(WAIT_S)
        for to in self.houses:
            for name in NAMES:
                if self.own(to, name) is not None or (name == to and self.record(to).commission_minor):
                    self.world.do(name, Withdraw(key(to)), fee=FEE)
        assert self.world.query("supply")["bonded_minor"] == 0
        assert not any(k[:1] == DELEGATION.tag for k in self.world.chain.values)
        assert self.world.query("supply")["rewards_minor"] <= sum(house.roundings for house in self.houses.values())


Stake.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestStake = Stake.TestCase
