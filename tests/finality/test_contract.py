"""The contract that every engine keeps behind the seam: one suite for all of them.

The harness itself checks at each step: delivery in order and exactly once, durable before signed, executed before
final, proofs verify, no two contradicting signatures over all lives of a node. The engines, and what the suite must
know of each, are in `cases`. A failure names its seed.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.finality import SigningGuard, Solo, SoloError
from p2pcommerce.finality import engine as seam
from p2pcommerce.ledger.block import Block
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.ids import PublicKey, Stake
from tests.finality.cases import CASES, Case, every, tolerant
from tests.finality.network import DELAY_US, GENESIS_HASH, KEYED, START_US, Faults, Host, Network

HEARTBEAT_US = 5_000_000
INTERVAL_MS = 100
FAULT_US = 1_500_000
instant = pytest.mark.parametrize("case", [case for case in CASES if case.is_instant], ids=lambda case: case.name)


def network_of(case: Case, seed: int = 1, stakes: Sequence[int] = (7,), faults: Faults | None = None) -> Network:
    parameters = replace(ChainParameters.local(), block_interval_ms=INTERVAL_MS)
    return Network(seed, stakes, faults, parameters, make_engine=case.engine)


def included(network: Network, host: Host) -> int:
    """How many of the submitted transactions are final at a host."""
    return network.included[host.disk.store[-1][0].hash]


def settled(case: Case, stakes: Sequence[int] = (7,), count: int = 12) -> Network:
    """A network in which everything that was submitted is final."""
    network = network_of(case, stakes=stakes)
    network.start()
    network.submit(count)
    done = network.run_until(lambda: all(included(network, host) == count for host in network.hosts), case.settle_us)
    assert done, [included(network, host) for host in network.hosts]
    return network


# --- delivery ---


@every
def test_everything_submitted_is_delivered_in_order_everywhere(case: Case) -> None:
    for stakes in case.stakes:
        network = settled(case, stakes)
        for host in network.hosts:
            assert [header.height for header, _ in host.disk.store] == list(range(host.height + 1))
            assert host.live.status().delivered == host.height
            assert host.live.status().name == host.live.name == case.name
        network.check_honest()


@every
def test_the_block_interval_is_kept(case: Case) -> None:
    network = settled(case)
    headers = [header for header, _ in network.hosts[0].disk.store[1:]]
    times = [header.time_ms for header in headers]
    assert all(second - first >= INTERVAL_MS for first, second in itertools.pairwise(times))
    assert times[-1] * 1_000 <= network.now


@instant
def test_an_idle_network_makes_a_block_at_each_heartbeat(case: Case) -> None:
    network = network_of(case)
    network.start()
    network.run_for(HEARTBEAT_US - 1)
    assert network.hosts[0].height == 0
    network.run_for(1)
    assert network.hosts[0].height == 1
    network.run_for(3 * HEARTBEAT_US)
    assert network.hosts[0].height == 4


@every
def test_a_network_at_rest_sends_nothing_but_for_its_heartbeats(case: Case) -> None:
    network = settled(case, case.stakes[-1])
    network.run_for(HEARTBEAT_US)
    before = network.counts.get("messages", 0)
    network.run_for(2 * HEARTBEAT_US)
    each = len(case.stakes[-1]) ** 2
    assert network.counts.get("messages", 0) - before <= 3 * 4 * each, "a few messages for each block"


# --- crashes ---


@every
@pytest.mark.parametrize("crash_in", range(1, 14))
def test_every_crash_point_of_a_lone_validator_comes_back(case: Case, crash_in: int) -> None:
    network = network_of(case, seed=crash_in)
    network.start()
    network.submit(3)
    network.run_for(300_000)
    host = network.hosts[0]
    host.crash_in = crash_in
    for _ in range(8):
        network.submit(3)
        network.run_for(300_000)
    assert network.run_until(lambda: included(network, host) == 27, 2 * case.settle_us), "a transaction is lost"
    assert network.counts["crash"] == 1
    network.check_honest()


@every
def test_every_crash_point_of_one_of_several_comes_back(case: Case) -> None:
    for crash_in in range(1, 40, 2):
        stakes = case.stakes[-1]
        network = network_of(case, seed=crash_in, stakes=stakes)
        network.start()
        network.submit(6)
        network.run_for(150_000)
        host = network.hosts[0]
        host.crash_in = crash_in
        network.submit(6)
        done = network.run_until(
            lambda network=network: all(included(network, each) == 12 for each in network.hosts if each.engine),
            3 * case.settle_us,
        )
        assert done, (crash_in, [included(network, each) for each in network.hosts])
        network.check_honest()


# --- safety and liveness ---


def faults_of(seed: int, twin: int = 0) -> Faults:
    rng = random.Random(seed)
    return Faults(
        delay_us=rng.choice([(DELAY_US, DELAY_US), (2_000, 40_000), (1_000, 300_000)]),
        drop=rng.choice([0.0, 0.1, 0.3]),
        duplicate=rng.choice([0.0, 0.3]),
        partition=rng.choice([0.0, 0.6]),
        crashes=rng.choice([0, 3, 8]),
        body_missing=rng.choice([0.0, 0.5, 1.0]),
        twin=twin,
        heal_us=FAULT_US,
    )


def through_faults(case: Case, seed: int, stakes: Sequence[int], twin: int = 0) -> Network:
    """Faults for a while, then none: the head must move on everywhere. Safety is checked at each step."""
    assert case.recover_us is not None
    network = network_of(case, seed, stakes, faults_of(seed, twin))
    network.start()
    for number in range(10):
        network.later(number * 150_000, None, lambda _now: network.submit(2) or [])
    network.run_for(FAULT_US)
    assert network.run_until(lambda: all(host.engine for host in network.hosts), 2_000_000)
    network.submit(2)
    base = max(network.heights)
    alive = network.run_until(lambda: min(network.heights) > base, case.recover_us)
    assert alive, f"seed {seed}: no finality after healing, heights {network.heights} from {base}"
    network.check_honest()
    return network


@tolerant
def test_safe_always_and_live_after_healing(case: Case) -> None:
    crashes = 0
    for seed in range(12):
        network = through_faults(case, seed, case.stakes[seed % len(case.stakes)])
        crashes += network.counts.get("crash", 0)
        check_nobody_is_convicted(case, network)
    assert crashes > 0


@tolerant
def test_a_second_instance_below_a_third_convinces_nobody_and_convicts_only_itself(case: Case) -> None:
    networks = [through_faults(case, seed, case.stakes[2 * (seed % 2)], twin=1) for seed in range(12)]
    accused = sum(len(host.evidence) for network in networks for host in network.honest)
    assert accused > 0, "no seed made the two instances contradict each other"
    for network in networks:
        check_nobody_is_convicted(case, network)


@tolerant
def test_above_a_third_every_fork_convicts_a_third_and_nobody_honest(case: Case) -> None:
    forks = 0
    for seed in range(6):
        network = network_of(case, seed, (1, 1, 1, 1), Faults(twin=2, heal_us=3_600_000_000))
        network.groups = [0, 1, 0, 0, 1, 1]
        network.repartition = lambda _now: []  # type: ignore[method-assign] # cut apart for good
        network.start()
        network.submit(30)
        network.run_for(case.settle_us)
        forks += network.forks
        guilty = convicted(case, network)
        honest = {host.key for host in network.honest}
        assert not guilty & honest
        if network.forks:
            assert 3 * network.validators.weight(guilty) >= network.validators.total
    assert forks > 0, "no seed forked"


def convicted(case: Case, network: Network) -> set[PublicKey]:
    """Whom any two signatures of one key convict."""
    signed: dict[PublicKey, list[tuple[str, bytes, bytes]]] = {}
    for host, messages in network.signatures.items():
        signed.setdefault(host.key, []).extend(messages)
    judge = network.hosts[0].live
    guilty: set[PublicKey] = set()
    for key, messages in signed.items():
        for one, other in itertools.combinations(dict.fromkeys(messages[-150:]), 2):
            evidence = case.evidence(key, one, other)
            offence = None if evidence is None else judge.convict(evidence, lambda _epoch: network.validators)
            if offence is not None:
                assert offence.offender == key
                guilty.add(key)
    return guilty


def check_nobody_is_convicted(case: Case, network: Network) -> None:
    assert not convicted(case, network) & {host.key for host in network.honest}


@tolerant
def test_a_third_silent_stops_and_its_memory_stays_bounded(case: Case) -> None:
    network = network_of(case, 3, (1, 1, 1), Faults(silent=1))
    network.start()
    network.submit(3)
    network.run_for(60_000_000)
    assert max(network.heights) == 0
    for host in network.hosts[1:]:
        counters = host.live.status().counters
        assert counters["blocks_tracked"] <= 513
        assert counters["votes_held"] <= 130 * 3 * 2 * 3
        assert len(host.disk.log) <= 4_500, "the log is rewritten"


@tolerant
def test_just_under_a_third_silent_still_finalizes(case: Case) -> None:
    network = network_of(case, 3, (1, 1, 1, 1), Faults(silent=1))
    network.start()
    network.submit(30)
    assert network.run_until(lambda: included(network, network.hosts[1]) == 30, 4 * case.settle_us)
    network.check_honest()


@tolerant
def test_a_network_restarted_all_at_once_comes_back(case: Case) -> None:
    network = network_of(case, 5, (5, 3, 2, 1))
    network.start()
    network.submit(9)
    network.run_for(700_000)
    for host in network.hosts:
        host.crash()
    network.submit(3)
    done = network.run_until(
        lambda: all(host.engine is not None and included(network, host) == 12 for host in network.hosts),
        2 * case.settle_us,
    )
    assert done
    network.check_honest()


@tolerant
def test_the_same_with_real_signatures_and_the_same_seed_gives_the_same_run(case: Case) -> None:
    def run() -> Network:
        network = Network(3, (5, 3, 2, 1), faults_of(3), scheme=ED25519, make_engine=lambda: case.make(ED25519))
        network.start()
        network.submit(6)
        network.run_for(FAULT_US + case.settle_us)
        network.check_honest()
        return network

    one, other = run(), run()
    assert one.finals == other.finals
    assert one.counts == other.counts


# --- proofs ---


@every
def test_a_proof_holds_for_its_header_and_validators_alone(case: Case) -> None:
    network = settled(case, case.stakes[-1])
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
    elsewhere = replace(one, genesis_hash=network.genesis.hash)
    assert not engine.verify(elsewhere, proof, sets)
    assert not case.engine().verify(elsewhere, proof, sets)


@every
def test_a_proof_with_any_byte_changed_proves_nothing(case: Case) -> None:
    network = settled(case, case.stakes[0])
    header, proof = network.hosts[0].disk.store[2]
    for place in range(len(proof)):
        changed = proof[:place] + bytes([proof[place] ^ 1 << place % 8]) + proof[place + 1 :]
        assert not network.hosts[0].live.verify(header, changed, lambda _epoch: network.validators), place
        assert not network.hosts[0].live.verify(header, proof[:place], lambda _epoch: network.validators), place


@tolerant
def test_a_proof_of_too_little_weight_proves_nothing(case: Case) -> None:
    assert case.weakened is not None
    network = network_of(case, 3, (1, 1, 1, 1), Faults(silent=1))
    network.start()
    network.submit(9)
    assert network.run_until(lambda: network.hosts[1].height >= 3, 2 * case.settle_us)
    header, proof = network.hosts[1].disk.store[2]
    assert network.hosts[1].live.verify(header, proof, lambda _epoch: network.validators)
    assert not network.hosts[1].live.verify(header, case.weakened(proof), lambda _epoch: network.validators)


@every
def test_verify_is_pure_and_needs_no_start(case: Case) -> None:
    network = settled(case)
    for header, proof in network.hosts[0].disk.store[1:]:
        assert case.engine().verify(header, proof, lambda _epoch: network.validators)


# --- signing ---


@every
def test_the_guard_signs_identical_bytes_and_nothing_against_them(case: Case) -> None:
    guard = SigningGuard(case.engine())
    for kind, data in case.signed:
        assert guard.admit(kind, data)
        assert guard.admit(kind, data) == b""
    (kind, data), (bad_kind, bad) = case.signed[0], case.forbidden
    assert guard.admit(bad_kind, bad) is None
    assert guard.admit(kind, data) is None, "below the last one"
    assert guard.admit(kind, b"rubbish") is None
    assert guard.admit("another domain", data) is None
    again = SigningGuard(case.engine())
    again.restore(guard.frames())
    assert again.last == guard.last
    assert again.admit(bad_kind, bad) is None


@every
def test_may_sign_allows_exactly_what_an_honest_validator_signed(case: Case) -> None:
    network = settled(case, case.stakes[0])
    for host, messages in network.signatures.items():
        guard = SigningGuard(case.engine())
        assert messages or host.number
        for kind, data, _ in messages:
            assert guard.admit(kind, data) is not None
        for kind, data, _ in messages[:-4]:
            assert not guard.admit(kind, data), "an old message is signed anew"


# --- bad input ---


@every
def test_messages_of_nobody_change_nothing(case: Case) -> None:
    network = network_of(case)
    network.start()
    host = network.hosts[0]
    effects = host.live.on_message(PublicKey(bytes(32)), b"\x01rubbish", network.now)
    assert all(isinstance(effect, seam.Blame) for effect in effects)
    counters = host.live.status().counters
    assert sum(count for name, count in counters.items() if name.startswith("refused_")) == 1


@every
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_malformed_messages_raise_nothing_and_stop_nothing(case: Case, data: st.DataObject) -> None:
    network = network_of(case, stakes=case.stakes[-1])
    heard: list[bytes] = []
    send = network.send

    def listen(sender: Host, to: object, raw: bytes) -> None:
        heard.append(raw)
        send(sender, to, raw)  # type: ignore[arg-type] # passed on as it came

    network.send = listen  # type: ignore[method-assign, assignment] # overhears every message
    network.start()
    network.submit(6)
    network.run_for(800_000)
    host, peer = network.hosts[0], network.hosts[-1].key
    for _ in range(20):
        raw = data.draw(st.binary(max_size=64))
        if heard and data.draw(st.booleans()):
            raw = data.draw(st.sampled_from(heard[-30:]))
            place = data.draw(st.integers(0, len(raw) - 1))
            raw = raw[:place] + bytes([raw[place] ^ data.draw(st.integers(1, 255))]) + raw[place + 1 :]
        host.run(lambda now, raw=raw: host.live.on_message(peer, raw, now))
    assert not host.halted
    network.submit(3)
    assert network.run_until(lambda: included(network, host) == 9, 3 * case.settle_us)


@every
@settings(max_examples=50, deadline=None)
@given(rubbish=st.binary(max_size=300))
def test_rubbish_proves_nothing_and_convicts_nobody(case: Case, rubbish: bytes) -> None:
    network = network_of(case)
    network.start()
    for engine in (network.hosts[0].live, case.engine()):
        assert engine.convict(rubbish, lambda _epoch: network.validators) is None
        assert not engine.verify(network.genesis, rubbish, lambda _epoch: network.validators)


# --- the rest of the seam ---


@every
def test_a_failed_build_is_tried_again(case: Case) -> None:
    network = network_of(case)
    build, failures = network.build, []

    def fail_once(host: Host, request: seam.Build) -> Block | None:
        if not failures:
            failures.append(request)
            return None
        return build(host, request)

    network.build = fail_once  # type: ignore[method-assign, assignment] # the harness lets a build fail
    network.start()
    network.submit(3)
    assert network.run_until(lambda: network.hosts[0].height >= 1, 2 * HEARTBEAT_US)
    assert failures


@every
def test_a_follower_signs_nothing_and_moves_on_by_sync(case: Case) -> None:
    network = settled(case, count=9)
    header, proof = network.hosts[0].disk.store[3]
    follower = case.engine()
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


def test_solo_refuses_a_network_of_several() -> None:
    network = Network(1, (1, 1), make_engine=Solo)
    with pytest.raises(SoloError, match="use simplex"):
        network.start()
