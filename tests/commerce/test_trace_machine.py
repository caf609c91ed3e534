"""Properties 5 and 6 of the specification, after every transaction of random custody.

The machine keeps its own books of what each item must be, from what the transactions say alone, and compares them with
the state: an item is at one place only, custody moves by receive and unpack alone, units are made and ended by
commission, split, transform and decommission alone, every change extends the history, what is ended stays ended.
"""

import hypothesis.strategies as st
from hypothesis import event, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from p2pcommerce.commerce import (
    HistoryEntry,
    Lot,
    Output,
    ProductSet,
    TraceCommission,
    TraceDecommission,
    TraceObserve,
    TracePack,
    TraceReceive,
    TraceReject,
    TraceShip,
    TraceSplit,
    TraceTransform,
    TraceUnpack,
)
from p2pcommerce.commerce.gtin import check_digit
from p2pcommerce.commerce.item import ITEM, ItemStatus, next_head
from p2pcommerce.commerce.item_ids import is_unit, unit_id
from tests.commerce.world import GTIN, HASH, World, key

PEOPLE = ("maker", "carrier", "shop")
MOVES = {"trace.receive", "trace.unpack"}
MAKES = {"trace.commission", "trace.split", "trace.transform"}
WHO, LEVEL = st.sampled_from(PEOPLE), st.integers(1, 4)
FEW, PICKS = st.integers(1, 3), st.lists(st.integers(0, 40), min_size=1, max_size=3)


class Custody(RuleBasedStateMachine):
    """Three people do whatever they like with goods; most of it is refused."""

    @initialize()
    def found(self):
        self.world = World(*PEOPLE)
        self.number = 0
        self.items = {}
        for name in PEOPLE:
            self.world.do(name, ProductSet(GTIN, HASH))
            self.do(name, TraceCommission(GTIN, ("a", "b"), None, HASH, 1))
            self.do(name, TraceCommission(GTIN, (), Lot("L", 9), HASH, 1))

    def do(self, name, body):
        before = self.items
        outcome = self.world.try_(name, body)
        self.items = {
            state_key[1:]: ITEM.read(value)
            for state_key, value in self.world.chain.values.items()
            if state_key[:1] == ITEM.tag
        }
        if not outcome.ok:
            assert self.items == before
            return
        event(body.TYPE)
        entry = HistoryEntry(
            self.world.last.id, body.TYPE, key(name), body.event_hash, body.event_time_ms, self.world.time_ms
        )
        changed = [each for each in self.items if self.items[each] != before.get(each)]
        assert changed
        assert set(changed) <= set(outcome.events[0].ids)
        for each in changed:
            self.follow(body.TYPE, entry, before.get(each), self.items[each])
        self.count_units(body, before)

    def follow(self, name, entry, old, new):
        head, n = (bytes(32), 0) if old is None else (old.head, old.n)
        assert (new.head, new.n) == (next_head(head, entry), n + 1)
        if old is None:
            assert name in MAKES or (name == "trace.pack" and new.level)
            return
        assert old.status != ItemStatus.ENDED
        assert name in MOVES or (old.custodian, old.owner) == (new.custodian, new.owner)
        assert (old.level, old.sold) == (new.level, new.sold)
        if old.status == ItemStatus.PACKED:
            assert name in {"trace.unpack", "trace.observe"}

    def count_units(self, body, before):
        if body.TYPE in MAKES - {"trace.split"} or body.TYPE == "trace.decommission":
            return
        assert units(self.items) == units(before)

    def pick(self, numbers, wanted=lambda _item: True):
        known = [each for each in sorted(self.items) if wanted(self.items[each])]
        return tuple(sorted({known[number % len(known)] for number in numbers})) if known else ()

    @rule(who=WHO, count=FEW)
    def commission(self, who, count):
        self.number += 1
        self.do(who, TraceCommission(GTIN, (), Lot(f"n{self.number}", count), HASH, 1))

    @rule(who=WHO, to=WHO, picks=PICKS, owner=st.booleans(), rightful=st.booleans())
    def ship(self, who, to, picks, owner, rightful):
        ids = self.pick(picks, lambda item: not rightful or item.custodian == key(who))
        if ids:
            self.do(who, TraceShip(ids, key(to), HASH, 2, transfers_owner=owner))

    @rule(who=WHO, picks=PICKS, turned_back=st.booleans(), rightful=st.booleans())
    def receive(self, who, picks, turned_back, rightful):
        ids = self.pick(picks[:1], lambda item: not rightful or item.status == ItemStatus.IN_TRANSIT)
        if ids and rightful:
            who = next(name for name in PEOPLE if key(name) == self.items[ids[0]].pending_to)
        if ids:
            self.do(who, (TraceReject if turned_back else TraceReceive)(ids, HASH, 3))

    @rule(who=WHO, to=WHO, picks=PICKS, owner=st.booleans())
    def hand_over(self, who, to, picks, owner):
        ids = self.pick(picks, lambda item: item.custodian == key(who) and item.status == ItemStatus.RESTING)
        if ids:
            self.do(who, TraceShip(ids, key(to), HASH, 2, transfers_owner=owner))
            self.do(to, TraceReceive(ids, HASH, 3))

    @rule(who=WHO, picks=PICKS)
    def observe(self, who, picks):
        self.do(who, TraceObserve(self.pick(picks), "inspecting", "", HASH, 3))

    @rule(who=WHO, picks=PICKS, level=LEVEL, number=st.integers(0, 2), other=st.booleans())
    def pack(self, who, picks, level, number, other):
        known = [each for each in sorted(self.items) if is_unit(each)]
        number_text = f"0952000100000{number:04d}"
        parent = (
            known[number % len(known)] if other and known else unit_id(key(who), number_text + check_digit(number_text))
        )
        level = self.items[parent].level if parent in self.items else level
        ids = self.pick(picks, lambda item: item.custodian == key(who) and item.level < level)
        if ids and parent not in ids:
            self.do(who, TracePack(parent, level, ids, HASH, 4))

    @rule(who=WHO, picks=PICKS)
    def unpack(self, who, picks):
        packed = self.pick(picks[:1], lambda item: item.status == ItemStatus.PACKED)
        if packed:
            self.do(who, TraceUnpack(self.items[packed[0]].within, packed, HASH, 5))

    @rule(who=WHO, picks=PICKS, quantity=FEW)
    def split(self, who, picks, quantity):
        lots = self.pick(picks[:1], lambda item: item.quantity > 1)
        if lots:
            self.do(who, TraceSplit(lots[0], (quantity,), HASH, 6))

    @rule(who=WHO, picks=PICKS, count=FEW)
    def transform(self, who, picks, count):
        ids = self.pick(picks, lambda item: not item.level and item.owner == key(who))
        self.number += 1
        if ids:
            self.do(who, TraceTransform(ids, (Output(GTIN, (), Lot(f"t{self.number}", count)),), HASH, 7))

    @rule(who=WHO, picks=PICKS)
    def decommission(self, who, picks):
        ids = self.pick(picks[:1], lambda item: item.owner == key(who))
        if ids:
            self.do(who, TraceDecommission(ids, "destroying", HASH, 8))

    @invariant()
    def an_item_is_at_one_place(self):
        inside = {}
        for each, item in getattr(self, "items", {}).items():
            assert (item.status == ItemStatus.IN_TRANSIT) == (item.pending_to is not None)
            assert (item.status == ItemStatus.PACKED) == (item.within is not None)
            assert item.pending_to != item.custodian
            assert bool(item.level) == is_unit(each)
            if item.within is not None:
                parent = self.items[item.within]
                assert parent.level > item.level
                assert parent.status != ItemStatus.ENDED
                assert self.world.query("item", id=each.hex())["custodian"] == self.top(item).custodian.hex()
                inside[item.within] = inside.get(item.within, 0) + 1
            if item.status == ItemStatus.ENDED:
                assert not item.children
        assert inside == {each: item.children for each, item in getattr(self, "items", {}).items() if item.children}

    def top(self, item):
        while item.within is not None:
            item = self.items[item.within]
        return item


def units(items):
    return sum(item.quantity for item in items.values() if item.status != ItemStatus.ENDED and not item.level)


TestCustody = Custody.TestCase
TestCustody.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
