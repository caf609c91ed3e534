"""Oracles: each of them sees what it is there for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.finality.evidence import contradiction
from p2pcommerce.finality.ffg import voting as ffg
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.simulation.ballots import BallotJudge
from p2pcommerce.simulation.clocks import UNIX_BASE_US
from p2pcommerce.simulation.oracles import VIOLATIONS_MAX, Oracles
from p2pcommerce.simulation.result import quantile
from p2pcommerce.simulation.world import World

from .worlds import SECOND, run, scenario, started

KEY = PublicKey(bytes(32))


@st.composite
def ballots(draw):
    view = draw(st.integers(1, 6))
    kind = draw(st.sampled_from(VoteKind))
    if kind is VoteKind.NULLIFY:
        return Ballot(draw(st.integers(0, 1)), view, kind, anchor_hash(draw(st.integers(0, view - 1))))
    return Ballot(draw(st.integers(0, 1)), view, kind, bytes([draw(st.integers(0, 2))]) * 32)


@given(st.lists(ballots(), max_size=12))
@settings(max_examples=300, deadline=None)
def test_the_judge_finds_what_evidence_convicts_and_nothing_else(signed):
    judge = BallotJudge()
    expected = False
    for position, ballot in enumerate(signed):
        found = judge.see(KEY, ballot.data)
        expected = expected or any(contradiction(earlier, ballot) is not None for earlier in signed[:position])
        assert bool(judge.contradictions) == expected
        assert expected or found is None


@st.composite
def links(draw):
    source = draw(st.integers(0, 4))
    target = source + draw(st.integers(1, 4))
    names = [bytes([draw(st.integers(0, 1))]) * 32 for _ in range(2)]
    return ffg.Link(0, ffg.Checkpoint(source, names[0]), ffg.Checkpoint(target, names[1]))


@given(st.lists(links(), max_size=10))
@settings(max_examples=300, deadline=None)
def test_the_judge_finds_what_the_commandments_forbid_and_nothing_else(signed):
    judge = BallotJudge()
    expected = False
    for position, link in enumerate(signed):
        judge.see(KEY, link.data)
        expected = expected or any(ffg.contradiction(earlier, link) is not None for earlier in signed[:position])
        assert bool(judge.contradictions) == expected


def test_the_judge_leaves_an_engine_that_it_does_not_know_alone():
    assert BallotJudge().see(KEY, bytes(40)) is None


def test_the_judge_keeps_signers_apart():
    judge = BallotJudge()
    one, other = Ballot(0, 1, VoteKind.NOTARIZE, bytes(32)), Ballot(0, 1, VoteKind.NOTARIZE, b"1" * 32)
    assert judge.see(KEY, one.data) is None
    assert judge.see(PublicKey(b"k" * 32), other.data) is None
    assert judge.see(KEY, other.data).rule == "E1"
    assert list(judge.contradictions) == [KEY]


@pytest.fixture(scope="module")
def ran():
    return run(World(scenario(5, seconds=8, liveness=4)))


def last_final(host):
    return host.storage.blocks[-1]


def names(oracles):
    return [each.oracle for each in oracles.violations]


def test_a_second_final_block_at_a_height_is_a_fork(ran):
    oracles = Oracles(ran.genesis)
    host, committed = ran.hosts[0], last_final(ran.hosts[0])
    height = committed.block.header.height
    oracles.on_final(host, committed, height - 1, 0)
    assert names(oracles) == []
    other = replace(committed, block=replace(committed.block, header=replace(committed.block.header, time_ms=1)))
    oracles.on_final(host, other, height - 1, 0)
    assert names(oracles) == ["fork"]
    assert oracles.forks == 1


def test_final_blocks_follow_each_other(ran):
    oracles = Oracles(ran.genesis)
    committed = last_final(ran.hosts[0])
    oracles.on_final(ran.hosts[0], committed, committed.block.header.height - 2, 0)
    assert names(oracles) == ["order"]


def test_a_state_that_is_not_the_headers_is_seen(ran):
    oracles = Oracles(ran.genesis)
    chain = ran.hosts[0].node.chain
    head, chain.head = chain.head, replace(chain.head, state_root=bytes(32))
    try:
        oracles.on_final(ran.hosts[0], last_final(ran.hosts[0]), last_final(ran.hosts[0]).block.header.height - 1, 0)
    finally:
        chain.head = head
    assert "root" in names(oracles)


def test_made_money_is_seen(ran):
    oracles = Oracles(ran.genesis)
    state = ran.hosts[1].node.chain.state
    key, kept = next((key, value) for key, value in state if ran.hosts[0].key in key)
    state.finalize(state.final.child({key: None}))
    oracles.check_supply(ran.hosts[1], 0)
    state.finalize(state.final.child({key: kept}))
    assert names(oracles) == ["supply"]
    oracles.check_supply(ran.hosts[1], 0)
    assert names(oracles) == ["supply"]


def test_a_buffer_over_its_cap_is_seen(ran):
    oracles = Oracles(ran.genesis)
    oracles.check_buffers(ran.hosts[0], MempoolParameters(), 0)
    assert names(oracles) == []
    oracles.check_buffers(ran.hosts[0], replace(MempoolParameters(), count_max=-1), 0)
    assert names(oracles) == ["buffer"]


def test_an_honest_double_sign_is_seen_and_an_adversarys_is_not():
    world = started()
    one, other = Ballot(0, 10**6, VoteKind.NOTARIZE, bytes(32)), Ballot(0, 10**6, VoteKind.NOTARIZE, b"1" * 32)
    world.hosts[0].signature("vote", one.data)
    world.hosts[0].signature("vote", one.data)
    assert "double_sign" not in names(world.oracles)
    world.hosts[0].signature("vote", other.data)
    assert "double_sign" in names(world.oracles)
    oracles = Oracles(world.genesis, adversaries=[0])
    for ballot in (one, other):
        oracles.on_signed(world.hosts[0], ballot.data, 0)
    assert names(oracles) == []


def test_a_spoilt_disk_excuses_its_host():
    world = started()
    world.oracles.spoilt.add(0)
    world.oracles.on_down(world.hosts[0], "halt", "because", 0)
    assert names(world.oracles) == []
    world.oracles.on_down(world.hosts[1], "damage", "because", 0)
    assert names(world.oracles) == ["damage"]


def test_violations_are_bounded(ran):
    oracles = Oracles(ran.genesis)
    for _ in range(2 * VIOLATIONS_MAX):
        oracles.report("supply", 0, "again")
    assert len(oracles.violations) == VIOLATIONS_MAX


def test_a_fork_that_convicts_nobody_is_a_violation_even_above_a_third(ran):
    keys = [host.key for host in ran.hosts[:2]]
    oracles = Oracles(ran.genesis, (0, 1), keys)
    oracles.report("fork", 0, "not reported: a third of the stake is faulty")
    oracles.forks = 1
    oracles.check_end(ran.hosts, 0)
    assert names(oracles) == ["conviction"]


def test_forks_above_a_third_convict_a_third_and_nobody_honest():
    for seed in range(1, 30):
        world = run(World(scenario(seed, seconds=15, liveness=0, adversaries=[("twins", 0), ("twins", 1)])))
        assert world.result().is_good
        guilty = {host.number for host in world.hosts[:4] if host.key in world.oracles.judge.contradictions}
        assert guilty <= {0, 1}
        if world.oracles.forks:
            assert guilty == {0, 1}
            return
    pytest.fail("two twins of four never forked")


def test_an_exception_of_a_core_is_a_violation_with_its_cause():
    world = started()
    world.hosts[0].node.on_message = None
    world.run_until(world.now_us + 20 * SECOND)
    assert names(world.oracles) == ["exception"]
    assert isinstance(world.defect, TypeError)


class UnheardOfError(Exception):
    """It has no base of it but the one that all have."""


@pytest.mark.parametrize(
    "error",
    [RuntimeError("dictionary changed size"), RecursionError("deep"), OSError(28, "full"), UnheardOfError("new")],
)
def test_whatever_a_core_raises_is_a_violation_that_names_file_and_line(error):
    world = started()

    def fail(*_):
        raise error

    world.hosts[0].node.on_message = fail
    world.run_until(world.now_us + 20 * SECOND)
    (violation,) = world.oracles.violations
    assert violation.oracle == "exception"
    assert type(error).__name__ in violation.detail
    assert "test_oracles.py:" in violation.detail
    assert "p2pcommerce/simulation/host.py:" in violation.detail
    assert "\n" not in violation.detail
    assert world.defect is error


def test_quantiles_take_the_nearest_rank():
    assert quantile([], 5_000) == 0
    assert quantile([3, 1, 2], 5_000) == 2
    assert quantile(list(range(1, 101)), 9_900) == 99
    assert quantile([7], 9_900) == 7


def test_an_honest_peer_that_is_blamed_is_a_violation_and_a_closed_link_is_not(ran):
    oracles = Oracles(ran.genesis, adversaries=[2])
    one, other, adversary = ran.hosts[:3]
    oracles.on_closed(one, other, "DUPLICATE", 0)
    oracles.on_closed(one, adversary, "ENGINE", 0)
    oracles.on_closed(adversary, one, "ENGINE", 0)
    assert names(oracles) == []
    oracles.on_closed(one, other, "ENGINE", 0)
    assert names(oracles) == ["blame"]


def test_a_block_from_the_future_and_other_outcomes_are_seen(ran):
    committed = next(each for each in ran.hosts[0].storage.blocks if each.block.transactions)
    header = committed.block.header
    for changed, words in (({"time_ms": header.time_ms + 60_000}, "ahead"), ({"receipts_root": bytes(32)}, "outcomes")):
        oracles = Oracles(ran.genesis)
        spoilt = replace(committed, proof=b"", block=replace(committed.block, header=replace(header, **changed)))
        oracles.on_final(ran.hosts[0], spoilt, header.height - 1, header.time_ms * 1_000 - UNIX_BASE_US)
        assert any(each.oracle == "block" and words in each.detail for each in oracles.violations)


def test_a_final_transaction_that_was_called_dropped_is_seen(ran):
    host = ran.hosts[0]
    final = next(tx_id for each in host.storage.blocks for tx_id in each.block.transaction_ids)
    ran.oracles.on_dropped(host, bytes(32), 0)
    assert names(ran.oracles) == []
    ran.oracles.on_dropped(host, final, 0)
    assert names(ran.oracles) == ["pool"]
    ran.oracles.violations.clear()
