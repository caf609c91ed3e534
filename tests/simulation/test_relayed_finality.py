"""Whole worlds of validators that relay finality messages: with mute ones, crashes and partitions, at few bytes."""

from collections import Counter

import pytest

from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.simulation import STAND_IN, Scenario, World, WorldOptions
from p2pcommerce.simulation.scenario import Adversary
from p2pcommerce.wire.messages import Relayed, RelayIds

VALIDATORS, MUTE = 12, 2


def world_of(*, seed=1, seconds=6, mute=0, faults=None, watcher=None):
    scenario = Scenario(
        seed=seed,
        nodes=VALIDATORS,
        stakes=(1,) * VALIDATORS,
        load_tps=2,
        horizon_us=seconds * 1_000_000,
        liveness_us=seconds * 500_000 if faults else 0,
        faults=faults or {},
        adversaries=(Adversary("mute", tuple(range(VALIDATORS - mute, VALIDATORS))),) if mute else (),
    )
    parameters = NodeParameters(relay=RelayParameters(direct_max=5, neighbours=4))
    chain = ChainParameters(base_delay_ms=1_000, term_s_min=1, confirm_s_min=1)
    options = WorldOptions(orders=False, chain=chain, scheme=STAND_IN, parameters=parameters, watcher=watcher)
    world = World(scenario, options)
    world.run_until(scenario.horizon_us)
    return world


@pytest.mark.parametrize(
    ("mute", "faults"), [(MUTE, {}), (0, {"crash": 0.05}), (0, {"partition": 0.2})], ids=["mute", "crash", "partition"]
)
def test_blocks_become_final_and_nothing_is_violated(mute, faults):
    world = world_of(mute=mute, faults=faults)
    result = world.result()
    assert result.is_good, result
    honest = [host for host in world.hosts[: VALIDATORS - mute] if host.is_up]
    assert min(result.heights[: VALIDATORS - mute]) >= 2
    counters = [host.node.statistics()["gossip"] for host in honest]
    assert sum(each["relayed_accept"] for each in counters) > 0
    assert sum(each.get("relayed_reject", 0) for each in counters) == 0


def test_a_vote_travels_few_times_and_is_told_of_by_bits():
    sent = Counter()

    def watch(kind, world_us, node, what):
        if kind != "send" or not isinstance(what, tuple):
            return
        message = what[-1]
        if isinstance(message, Relayed):
            sent["pushed"] += sum(item[0] == 1 for item in message.items)
        elif isinstance(message, RelayIds):
            sent["told one by one"] += len(message.short_ids)
            sent["told by bits"] += sum(int.from_bytes(bitmap, "little").bit_count() for _, bitmap in message.places)

    world = world_of(watcher=watch)
    views = sum(host.node.statistics()["finality"]["views"] for host in world.hosts)
    # Of each view a validator takes two votes of each of the others: about once straight, and twice by senders.
    assert views > 5 * VALIDATORS
    assert sent["pushed"] < 3 * 2 * (VALIDATORS - 1) * views
    assert sent["told by bits"] > 2 * sent["told one by one"]
