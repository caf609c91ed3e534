"""The contract that every engine keeps behind the seam, shown on a network of one validator.

The harness itself checks at each step: order of delivery, durable before signed, executed before final, proofs verify,
no two contradicting signatures over all lives of a node.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from p2pcommerce.finality import FinalityEngine, SigningGuard, Simplex, Solo
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.proof import decode_proof, encode_proof
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.primitives.ids import PublicKey, Stake
from tests.finality.network import GENESIS_HASH, KEYED, START_US, Faults, Host, Network

Make = Callable[[], FinalityEngine]
engines = pytest.mark.parametrize("make", [Simplex, Solo])
HEARTBEAT_US = 5_000_000
INTERVAL_MS = 100


def alone(make: Make, seed: int = 1, heal_us: int = 0) -> Network:
    parameters = replace(ChainParameters.local(), block_interval_ms=INTERVAL_MS)
    return Network(seed, (7,), Faults(heal_us=heal_us), parameters, make_engine=make)


@engines
def test_blocks_are_delivered_in_order_with_proofs(make: Make) -> None:
    network = alone(make)
    network.start()
    network.submit(12)
    network.run_for(1_000_000)
    host = network.hosts[0]
    assert host.height == 4, "three transactions in each block, and none without a transaction"
    assert host.live.status().delivered == 4
    assert host.live.status().name == host.live.name
    network.check_honest()


@engines
def test_the_block_interval_is_kept(make: Make) -> None:
    network = alone(make)
    network.start()
    network.submit(12)
    network.run_for(1_000_000)
    headers = [header for header, _ in network.hosts[0].disk.store[1:]]
    times = [header.time_ms for header in headers]
    assert all(second - first >= INTERVAL_MS for first, second in itertools.pairwise(times))
    assert times[-1] * 1_000 <= network.now


@engines
def test_an_idle_network_makes_a_block_at_each_heartbeat(make: Make) -> None:
    network = alone(make)
    network.start()
    network.run_for(HEARTBEAT_US - 1)
    assert network.hosts[0].height == 0
    network.run_for(1)
    assert network.hosts[0].height == 1
    network.run_for(3 * HEARTBEAT_US)
    assert network.hosts[0].height == 4


@engines
@pytest.mark.parametrize("crash_in", range(1, 14))
def test_every_crash_point_comes_back_without_a_double_signature(make: Make, crash_in: int) -> None:
    network = alone(make, seed=crash_in)
    network.start()
    network.submit(3)
    network.run_for(300_000)
    host = network.hosts[0]
    host.crash_in = crash_in
    for _ in range(8):
        network.submit(3)
        network.run_for(300_000)
    assert network.counts["crash"] == 1
    assert host.height >= 9, "nothing final is lost, and every transaction becomes final"
    network.check_honest()


@engines
def test_a_proof_holds_for_its_header_and_validators_alone(make: Make) -> None:
    network = alone(make)
    network.start()
    network.submit(6)
    network.run_for(500_000)
    host = network.hosts[0]
    (one, proof), (two, _) = host.disk.store[1:3]
    stranger = ValidatorSet.of([Validator(PublicKey(bytes(32)), Stake(7))])

    def sets(_epoch: int) -> ValidatorSet:
        return network.validators

    def unknown(epoch: int) -> ValidatorSet:
        raise KeyError(epoch)

    engine = host.live
    assert engine.verify(one, proof, sets)
    assert not engine.verify(two, proof, sets)
    assert not engine.verify(replace(one, time_ms=one.time_ms + 1), proof, sets)
    assert not engine.verify(one, proof, lambda _epoch: stranger)
    assert not engine.verify(one, proof, unknown)
    assert not engine.verify(one, b"", sets)
    assert not engine.verify(one, proof + b"\x00", sets)
    forged = replace(decode_proof(proof).certificate, signatures=(bytes(64),))
    assert not engine.verify(one, encode_proof(forged, ()), sets)
    elsewhere = replace(one, genesis_hash=network.genesis.hash)
    assert not engine.verify(elsewhere, proof, sets)


@engines
def test_verify_is_pure_and_needs_no_start(make: Make) -> None:
    network = alone(make)
    network.start()
    network.submit(3)
    network.run_for(500_000)
    header, proof = network.hosts[0].disk.store[1]
    fresh = type(network.hosts[0].live)
    assert fresh(KEYED).verify(header, proof, lambda _epoch: network.validators)  # type: ignore[call-arg] # both take it


@engines
def test_the_guard_signs_identical_bytes_and_nothing_against_them(make: Make) -> None:
    guard = SigningGuard(make())
    data = Ballot(0, 5, VoteKind.FINALIZE, bytes(32)).data
    assert guard.admit("vote", data)
    assert guard.admit("vote", data) == b""
    assert guard.admit("vote", Ballot(0, 5, VoteKind.FINALIZE, b"\x01" * 32).data) is None
    assert guard.admit("vote", Ballot(0, 4, VoteKind.FINALIZE, bytes(32)).data) is None
    assert guard.admit("vote", b"no ballot") is None
    assert guard.admit("proposal", data) is None


@engines
def test_messages_of_nobody_change_nothing(make: Make) -> None:
    network = alone(make)
    network.start()
    host = network.hosts[0]
    effects = host.live.on_message(PublicKey(bytes(32)), b"\x01rubbish", network.now)
    assert all(isinstance(effect, seam.Blame) for effect in effects)
    counters = host.live.status().counters
    assert sum(count for name, count in counters.items() if name.startswith("refused_")) == 1


@engines
def test_a_failed_build_is_tried_again(make: Make) -> None:
    network = alone(make)
    build, failures = network.build, []

    def fail_once(host: Host, request: seam.Build) -> object:
        if not failures:
            failures.append(request)
            return None
        return build(host, request)

    network.build = fail_once  # type: ignore[method-assign, assignment] # the harness lets a build fail
    network.start()
    network.submit(3)
    network.run_for(2 * HEARTBEAT_US)
    assert failures
    assert network.hosts[0].height >= 1


@engines
def test_a_follower_signs_nothing_and_moves_on_by_sync(make: Make) -> None:
    network = alone(make)
    network.start()
    network.submit(9)
    network.run_for(1_000_000)
    header, proof = network.hosts[0].disk.store[3]
    follower = make()
    context = seam.Context(
        key=None,
        genesis_hash=GENESIS_HASH,
        parameters=network.parameters,
        epoch=header.epoch,
        validators=network.validators,
        following=network.validators,
        delivered=network.genesis,
        proof=b"",
        scheme=KEYED,
        rng=network.rng,
        has_pending=lambda _hash: True,
    )
    effects = follower.start(context, [], {}, START_US)
    effects += follower.on_pending(START_US)
    effects += follower.on_synced(header, proof, START_US)
    assert follower.status().delivered == 3
    assert not any(isinstance(effect, seam.Sign | seam.Build | seam.Send) for effect in effects)
    while (due := follower.deadline) is not None and due <= START_US + 3 * HEARTBEAT_US:
        effects = follower.on_deadline(due)
        assert not any(isinstance(effect, seam.Sign | seam.Build | seam.Send) for effect in effects)
        assert follower.deadline != due


@engines
def test_rubbish_convicts_nobody(make: Make) -> None:
    network = alone(make)
    network.start()
    assert network.hosts[0].live.convict(b"rubbish", lambda _epoch: network.validators) is None
    assert make().convict(b"rubbish", lambda _epoch: network.validators) is None


def test_solo_refuses_a_network_of_several() -> None:
    network = Network(1, (1, 1), make_engine=Solo)
    with pytest.raises(Exception, match="use simplex"):
        network.start()
