"""Random trade on the real application: the eleven properties after every transaction, as one state machine.

What is drawn here in small is run by `tools/trade.py` a million times.
"""

import dataclasses
import importlib.util
import json
import random
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from p2pcommerce.commerce import (
    BODIES,
    Commerce,
    SubmitEvidence,
    application,
    item,
    order_close,
    order_dispute,
    order_machine,
    order_money,
    order_place,
    trace,
    trace_pack,
    trace_transform,
)
from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.item import ITEM, ItemStatus
from p2pcommerce.commerce.item_ids import is_lot
from p2pcommerce.commerce.order_machine import TRANSITIONS, When
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.simulation.trade import OPERATIONS, Deed, PropertyError, TradeWorld, run_trade
from p2pcommerce.simulation.trade.chain import VALIDATOR_NAME, key_of

_SPEC = importlib.util.spec_from_file_location("trade", Path(__file__).parents[2] / "tools" / "trade.py")
TOOL = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(TOOL)
WEIGHED = [name for name, (weight, _) in OPERATIONS.items() for _ in range(weight)]
RANDOMS = st.randoms(use_true_random=False)


class Trade(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32))
    def found(self, seed):
        self.world = TradeWorld(random.Random(seed))

    @rule(
        operation=st.sampled_from([name for name, (weight, _) in OPERATIONS.items() for _ in range(weight)]),
        rng=RANDOMS,
    )
    def act(self, operation, rng):
        self.world.step(rng, operation)
        self.world.properties.recount(self.world.chain.state.values)

    @rule(step_ms=st.integers(1, 60_000))
    def wait(self, step_ms):
        self.world.wait(step_ms)

    def teardown(self):
        if hasattr(self, "world"):
            self.world.end()


Trade.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestTrade = Trade.TestCase


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_properties_hold_in_a_world_that_branches_and_restarts(seed):
    result = run_trade(seed, 1_200)
    assert result.operations >= 1_200
    assert result.branches > 20
    assert result.restarts > 5
    happened = {name.split()[0] for name in result.types if name.endswith(" OK")}
    wanted = {row.type for row in TRANSITIONS} | {"campaign.set", "campaign.settle", "points.grant", "points.transfer"}
    assert wanted <= happened | {"order.resolve", "order.dispute"}


def test_every_type_of_transaction_happens_but_a_slash_which_is_rare():
    happened = {name.split()[0] for seed in range(4) for name in run_trade(seed, 1_200).types if name.endswith(" OK")}
    assert happened >= BODIES.keys() - {"evidence.submit"}


def test_the_properties_hold_in_a_world_whose_validator_is_slashed():
    rng = random.Random(11)
    world = TradeWorld(rng)
    for _ in range(60):
        world.step(rng, "stake")
    world.chain.offences[b"evidence"] = Offence(key_of(VALIDATOR_NAME), 0, "E1")
    assert world.do(Deed("buyer", SubmitEvidence(b"evidence"))).outcomes[0].ok
    for operation in ("stake", "register") * 30:
        world.step(rng, operation)
    world.end()


def test_goods_in_every_place_meet_orders_branches_and_restarts():
    rng = random.Random(12)
    world, seen = TradeWorld(rng), set()
    while world.operations < 2_500:
        world.step(rng)
        seen |= {
            (each.status, bool(each.level), is_lot(name))
            for name in world.chain.ids(ITEM)
            if (each := world.chain.get(ITEM, name)) is not None
        }
    world.end()
    assert {status for status, *_ in seen} == set(ItemStatus)
    assert (ItemStatus.IN_ORDER, False, True) in seen, "parts and lots are sold, too"
    assert (ItemStatus.PACKED, True, False) in seen, "units are packed in units"


def test_a_seed_repeats_a_world():
    assert run_trade(5, 300) == run_trade(5, 300)
    assert run_trade(5, 300).root != run_trade(6, 300).root


# --- planted bugs: whatever breaks a property is found ---


def _patched(monkeypatch, module, name, change):
    monkeypatch.setattr(module, name, change(getattr(module, name)))


def _mint_on_give(give):
    def wrong(ledger, order, amount_minor, bill=None):
        given = give(ledger, order, amount_minor, bill)
        return dataclasses.replace(given, cash_minor=given.cash_minor + 1)

    return wrong


def _to_store(give):
    def wrong(ledger, order, amount_minor, bill=None):
        return give(ledger, dataclasses.replace(order, payer=order.store), amount_minor, bill)

    return wrong


def _keep_points(give):
    def wrong(ledger, order, amount_minor, bill=None):
        if not order.points:
            return give(ledger, order, amount_minor, bill)
        value = order.escrow_minor - order.cash_minor
        cash = dataclasses.replace(order, cash_minor=order.cash_minor + value, points=())
        return give(ledger, cash, amount_minor, bill)

    return wrong


def _forget(function):
    del function
    return lambda *_, **__: None


def _late(settle):
    del settle
    return lambda *_: None


def _free_items(after):
    def wrong(self, entry, **given):
        changed = after(self, entry, **given)
        return dataclasses.replace(changed, status=item.ItemStatus.RESTING)

    return wrong


def _no_history(after):
    def wrong(self, entry, **given):
        return dataclasses.replace(after(self, entry, **given), head=self.head)

    return wrong


def _in_lowest_units(new_item):
    def wrong(*given, level=0, **named):
        return new_item(*given, level=min(level, 1), **named)

    return wrong


def _free_copies(after):
    def wrong(self, entry, **given):
        return after(self, entry, **{**given, "taken": 0})

    return wrong


def _no_end(ended):
    def wrong(input_item, traced, call):
        return dataclasses.replace(ended(input_item, traced, call), status=item.ItemStatus.RESTING)

    return wrong


def _half_release(release):
    return lambda ledger, campaign_id, rest_minor: release(ledger, campaign_id, rest_minor // 2)


def _double_mint(mint):
    return lambda ledger, issuer, holder, count, bill=None: mint(ledger, issuer, holder, 2 * count, bill) // 2


def _no_stock_back(function):
    return _forget(function)


def _take_nothing(take):
    del take
    return lambda order, amount_minor: order


def _worlds():
    for seed in range(4):
        run_trade(seed, 1_500)


BUGS = {
    "a refund mints": lambda patch: _patched(patch, order_close, "give", _mint_on_give),
    "a refund goes to the store": lambda patch: _patched(patch, order_money, "give", _to_store),
    "points come back as cash": lambda patch: _patched(patch, order_money, "give", _keep_points),
    "a closed order stays in its team": lambda patch: _patched(patch, order_money, "leave_team", _forget),
    "stock does not come back": lambda patch: _patched(patch, order_money, "return_stock", _no_stock_back),
    "half of a reward is lost": lambda patch: _patched(patch, order_money, "release", _half_release),
    "points are minted twice": lambda patch: _patched(patch, order_money, "mint_points", _double_mint),
    "items of an order are not locked": lambda patch: _patched(patch, item.Item, "after", _free_items),
    "a change leaves no history": lambda patch: _patched(patch, item.Item, "after", _no_history),
    "what is packed, sent or ended is sent again": lambda patch: _patched(patch, trace, "require_resting", _forget),
    "what is packed is packed again": lambda patch: _patched(patch, trace_pack, "require_resting", _forget),
    "what is packed in a new unit is not counted": lambda patch: _patched(
        patch, trace_pack, "replace", lambda _: lambda unit, **_given: unit
    ),
    "units lie in units of their own level": lambda patch: _patched(patch, trace_pack, "new_item", _in_lowest_units),
    "what is split off a lot stays in it": lambda patch: _patched(patch, item.Item, "after", _free_copies),
    "what something is made of is still there": lambda patch: _patched(patch, trace_transform, "_ended", _no_end),
    "a unit with goods in it is ended": lambda patch: _patched(patch, trace_transform, "require_empty", _forget),
    "provenance leads nowhere": lambda patch: _patched(
        patch, trace_transform, "Link", lambda link: lambda name, _head: link(name, bytes(32))
    ),
    "parties act after the deadline": lambda patch: _patched(patch, order_machine, "_require_deadline", _late),
    "an arbiter's fee is minted": lambda patch: _patched(
        patch, order_dispute, "take", lambda _: lambda order, _fee: order
    ),
    "a reward is reserved and not taken": lambda patch: _patched(
        patch, order_place, "reserve", lambda _: lambda *_given: True
    ),
    "spent points are not burned": lambda patch: _patched(patch, order_place, "burn_points", _forget),
    "a failed transaction keeps what it wrote": lambda patch: patch.setattr(
        application.Ledger, "rollback", lambda self, mark: None
    ),
    "deposits are not netted": lambda patch: patch.setattr(
        application.Ledger, "settle_deposits", lambda self, sender: None
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(monkeypatch, bug):
    BUGS[bug](monkeypatch)
    monkeypatch.setattr(Commerce, "audit", lambda *_: None)
    with pytest.raises((PropertyError, LocalProtocolError)):
        _worlds()


def test_the_audit_alone_notices_what_is_minted(monkeypatch):
    _patched(monkeypatch, order_close, "give", _mint_on_give)
    with pytest.raises(LocalProtocolError):
        _worlds()


def test_an_unknown_change_of_the_state_is_noticed():
    world = TradeWorld(random.Random(1))
    values = dict(world.chain.state.values)
    key = next(iter(k for k in values if k[:1] == ACCOUNT.tag))
    values[key] = ACCOUNT.write(Account(5, 0))
    with pytest.raises((PropertyError, LocalProtocolError)):
        world.properties.recount(values)


# --- the tool ---


def test_the_tool_goes_on_where_it_stopped(tmp_path, capsys):
    out = tmp_path / "trade.jsonl"
    assert TOOL.main(["--operations", "300", "--world", "150", "--seed", "7", "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["seed"] for row in rows] == [7, 8]
    assert TOOL.main(["--operations", "400", "--world", "150", "--seed", "7", "--out", str(out)]) == 0
    assert [json.loads(line)["seed"] for line in out.read_text().splitlines()] == [7, 8, 9]
    assert "every property held" in capsys.readouterr().out


def test_the_tool_names_the_seed_of_a_broken_world(monkeypatch, capsys):
    _patched(monkeypatch, order_close, "give", _mint_on_give)
    assert TOOL.main(["--operations", "6000", "--world", "1500", "--seed", "3"]) == 1
    assert "seed 3, 1500 operations:" in capsys.readouterr().err


def test_every_row_of_the_table_that_parties_use_has_a_deadline_or_none():
    assert {row.when for row in TRANSITIONS if row.type == "order.confirm"} == {When.ANY}
    assert {row.when for row in TRANSITIONS if row.type == "order.settle"} == {When.LATE}
