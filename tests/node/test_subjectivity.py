"""How old what a node trusts may be, and a checkpoint against the chain, without a network."""

from dataclasses import replace

import pytest

from p2pcommerce.finality import Simplex
from p2pcommerce.node.effects import Halt
from p2pcommerce.node.epochs import EpochRules
from p2pcommerce.node.light import TRUST_S, TrustExpiredError
from p2pcommerce.node.subjectivity import Subjectivity, contradiction
from p2pcommerce.node.trust import EpochEnd, TrustAnchor
from p2pcommerce.primitives.ids import MICROSECONDS, ZERO_HASH
from p2pcommerce.wire.messages import Status

from .accounts import KEYED, make_genesis
from .cluster import Cluster
from .parts import Site

DAY_S = 86_400


def judge(checkpoint=None, *, follows=True, unbonding_s=21 * DAY_S):
    genesis = make_genesis()
    genesis = replace(genesis, parameters=replace(genesis.parameters, unbonding_s=unbonding_s))
    site = Site(genesis)
    if follows:
        site.chain.rules = EpochRules(genesis, Simplex(KEYED))
    return Subjectivity(site.chain, genesis, checkpoint), site


def anchor_at(epoch, time_ms, before=None):
    genesis = judge()[1].genesis
    return TrustAnchor(genesis.hash, genesis.validators, epoch, time_ms, before)


OLD = judge()[1].genesis.time_ms * 1_000 + (TRUST_S + 1) * MICROSECONDS


def test_the_newest_final_block_may_be_as_old_as_trust_lasts():
    room, site = judge()
    room.check(site.genesis.time_ms * 1_000 + TRUST_S * MICROSECONDS)
    with pytest.raises(TrustExpiredError, match=r"14\.0 days old.*checkpoint"):
        room.check(OLD)


@pytest.mark.parametrize(("follows", "unbonding_s"), [(False, 21 * DAY_S), (True, DAY_S - 1)])
def test_networks_for_development_and_sets_that_never_change_do_not_age(follows, unbonding_s):
    room, _ = judge(follows=follows, unbonding_s=unbonding_s)
    assert not room.is_enforced
    room.check(OLD)


def test_a_checkpoint_of_this_epoch_or_a_later_one_makes_trust_younger():
    for epoch in (0, 7):
        room, _ = judge(anchor_at(epoch, OLD // 1_000))
        room.check(OLD)
        assert room.anchor().time_ms == OLD // 1_000
        assert room.anchor().epoch == epoch
    room, _ = judge(anchor_at(7, 2**63 - 1))
    with pytest.raises(TrustExpiredError, match="in the future"):
        room.check(OLD)


def test_a_checkpoint_is_compared_where_the_chain_comes_to_it():
    room, site = judge(anchor_at(2, OLD // 1_000))
    height = 2 * site.chain.rules.blocks
    header = replace(site.header, height=height, next_validators_hash=site.genesis.validators.hash)
    assert room.contradiction([header]) is None
    other = replace(header, next_validators_hash=ZERO_HASH)
    assert room.contradiction([replace(other, height=height - 1), replace(other, height=height + 1)]) is None
    assert "other validators" in room.contradiction([site.header, other])
    assert judge()[0].contradiction([other]) is None


def test_a_checkpoint_names_one_block():
    _, site = judge()
    header = replace(site.header, next_validators_hash=site.genesis.validators.hash)
    end = EpochEnd(header.hash, 1, site.genesis.validators)
    assert contradiction(anchor_at(2, 1, end), header) is None
    assert "names the block" in contradiction(anchor_at(2, 1, replace(end, block_hash=ZERO_HASH)), header)


def test_a_node_whose_trust_ran_out_while_it_ran_stops_before_it_follows_a_peer():
    genesis = make_genesis()
    genesis = replace(genesis, parameters=replace(genesis.parameters, unbonding_s=21 * DAY_S))
    cluster = Cluster(genesis=genesis)
    host, peer = cluster.hosts[:2]
    for each in cluster.hosts:
        each.start()
    assert cluster.run_until(lambda: peer.key in host.attached, 30)
    late = host.node.chain.head.time_ms * 1_000 + (TRUST_S + 1) * MICROSECONDS
    assert not halts(host.node.on_message(peer.key, Status(host.height, ZERO_HASH), late))  # nothing to follow
    (halt,) = halts(host.node.on_message(peer.key, Status(host.height + 1, ZERO_HASH), late))
    assert "checkpoint" in halt.reason


def halts(effects):
    return [effect for effect in effects if isinstance(effect, Halt)]
