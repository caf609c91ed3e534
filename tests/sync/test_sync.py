import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.ids import HEIGHT_MAX
from p2pcommerce.sync import ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX, Fault, Ready, SendTo, SyncParameters
from p2pcommerce.wire.messages import Blocks, GetBlocks, Status
from tests.sync.chain import (
    GENESIS,
    SECOND,
    Empty,
    Forger,
    Mute,
    Peer,
    World,
    make_chain,
    message_of,
    proof_of,
    verify,
)

CHAIN = make_chain(1_000)
LIES = {
    "proof": lambda m: Blocks(m.from_height, m.blocks, b"final" + bytes(32)),
    "chain": lambda m: Blocks(m.from_height, (*m.blocks[:-2], CHAIN[5].raw, m.blocks[-1]), m.proof),
    "malformed": lambda m: Blocks(m.from_height, (b"\x93junk", *m.blocks[1:]), m.proof),
    "too many": lambda m: Blocks(m.from_height, (b"x",) * (ANSWER_BLOCKS_MAX + 1), m.proof),
    "too large": lambda m: Blocks(m.from_height, (bytes(ANSWER_BYTES_MAX), b"x"), m.proof),
}


def key(number):
    return bytes([number]) * 32


def test_a_new_node_catches_up_from_height_0():
    world = World([Peer(CHAIN) for _ in range(4)])
    world.run(60)
    assert world.delivered == CHAIN
    assert world.blamed == []
    assert world.sync.statistics()["height"] == 1_000
    assert world.sync.statistics()["catching_up"] == 0
    assert world.sync.deadline is None


def test_ranges_are_fetched_from_several_peers_at_once():
    world = World([Peer(CHAIN) for _ in range(4)])
    world.act(world.sync.on_deadline(world.now))
    assert [len(peer.asked) for peer in world.peers.values()] == [2, 2, 2, 2]
    asked = sorted(request.from_height for peer in world.peers.values() for request in peer.asked)
    assert asked == [1 + 128 * i for i in range(8)]


def test_it_starts_from_the_delivered_head():
    world = World([Peer(CHAIN)], delivered=CHAIN[699].header)
    world.run(60)
    assert world.heights == list(range(701, 1_001))


def test_a_node_at_the_head_asks_nothing():
    peers = [Peer(CHAIN) for _ in range(3)]
    world = World(peers, delivered=CHAIN[-1].header)
    world.run(60)
    assert all(peer.asked == [] for peer in peers)
    assert world.sync.deadline is None


def test_a_small_gap_is_left_to_live_traffic_for_a_second():
    peer = Peer(CHAIN)
    world = World([peer], delivered=CHAIN[-6].header)
    world.run(0.9)
    assert peer.asked == []
    world.run(0.2)
    assert [request.from_height for request in peer.asked] == [996]


def test_live_progress_renews_the_grace():
    peer = Peer(CHAIN)
    world = World([peer], delivered=CHAIN[989].header)
    world.status(key(1), 992)
    for height in range(991, 1_000):
        world.run(0.6)
        world.sync.on_delivered(CHAIN[height - 1].header, world.now)
        world.status(key(1), height + 2 if height < 998 else 1_000)
    world.run(0.5)
    assert peer.asked == []


def test_a_gap_above_eight_is_fetched_at_once():
    peer = Peer(CHAIN)
    world = World([peer], delivered=CHAIN[-10].header)
    world.run(0)
    assert [request.from_height for request in peer.asked] == [992]


def test_an_answer_that_covers_fewer_blocks_is_completed_by_further_requests():
    large = make_chain(30, transactions=20, size=16_000)
    assert len(large[0].raw) * 3 < ANSWER_BYTES_MAX < len(large[0].raw) * 4
    peer = Peer(large)
    world = World([peer])
    world.run(60)
    assert world.delivered == large
    assert peer.asked[0].count == 30
    assert {request.count for request in peer.asked[8:-1]} <= {2, 3, 4}


def test_a_claimed_height_is_never_believed():
    liar = Mute(CHAIN, claimed=HEIGHT_MAX)
    honest = Peer(CHAIN)
    world = World([liar, honest])
    world.run(600)
    assert world.delivered == CHAIN
    assert world.blamed
    assert {peer for peer, _ in world.blamed} == {key(1)}
    assert max(request.from_height for request in honest.asked) <= 1_000
    assert len(liar.asked) < 20


@pytest.mark.parametrize("name", LIES)
def test_false_answers_are_blamed_and_their_sender_avoided(name):
    liar = Forger(CHAIN, LIES[name])
    world = World([liar, Peer(CHAIN)])
    world.run(120)
    assert world.delivered == CHAIN
    assert {peer for peer, _ in world.blamed} == {key(1)}
    assert Fault.STALLED not in {reason for _, reason in world.blamed}
    assert len(liar.asked) == 2


def test_blocks_that_were_not_asked_for_are_blamed():
    world = World([Peer(CHAIN), Peer(CHAIN)])
    world.act(world.sync.on_blocks(key(1), message_of(CHAIN[:3]), world.now))
    assert world.blamed == [(key(1), Fault.UNASKED)]
    assert world.sync.statistics()["buffered_blocks"] == 0


def test_a_stalled_request_goes_to_another_peer_and_the_staller_is_avoided():
    mute, honest = Mute(CHAIN), Peer(CHAIN)
    world = World([mute, honest])
    world.run(9)
    assert world.sync.delivered.height >= 128
    world.run(51)
    assert world.delivered == CHAIN
    assert set(world.blamed) == {(key(1), Fault.STALLED)}
    assert len(mute.asked) <= 2 * 4


def test_the_lowest_range_is_hedged_before_the_timeout():
    mute, honest = Mute(CHAIN[:100]), Peer(CHAIN[:100])
    for seed in range(8):
        world = World([mute, honest], seed=seed)
        world.run(3)
        assert world.delivered == CHAIN[:100]
    assert mute.asked


def test_most_peers_may_lie():
    liars = [Mute(CHAIN), Empty(CHAIN), *[Forger(CHAIN, lie) for lie in LIES.values()]]
    for seed in range(5):
        world = World([*liars, Peer(CHAIN)], seed=seed)
        world.run(60)
        assert world.delivered == CHAIN
        assert key(8) not in {peer for peer, _ in world.blamed}


def test_a_peer_that_has_nothing_is_avoided_without_blame():
    empty, honest = Empty(CHAIN), Peer(CHAIN)
    world = World([empty, honest])
    world.run(60)
    assert world.delivered == CHAIN
    assert world.blamed == []
    assert len(empty.asked) <= 4


def test_a_sole_slow_peer_is_asked_again_after_it_was_avoided():
    slow = Peer(CHAIN[:50], latency_us=11 * SECOND)
    world = World([slow])
    world.run(300)
    assert world.delivered == CHAIN[:50]
    assert {reason for _, reason in world.blamed} == {Fault.STALLED}


def test_a_late_answer_is_no_fault_and_is_used():
    slow = Peer(CHAIN[:50], latency_us=11 * SECOND)
    world = World([slow])
    world.run(12)
    assert world.delivered == CHAIN[:50]
    assert world.blamed == [(key(1), Fault.STALLED)]


def test_what_a_leaving_peer_was_asked_for_is_asked_of_others_at_once():
    mute, honest = Mute(CHAIN), Peer(CHAIN)
    world = World([mute, honest])
    world.run(0.01)
    assert mute.asked
    world.run(1.5)
    world.sync.on_disconnected(key(1), world.now)
    world.run(0)
    assert {request.from_height for request in mute.asked} <= {request.from_height for request in honest.asked}
    world.run(5)
    assert world.delivered == CHAIN
    assert world.blamed == []


def test_an_avoided_peer_is_asked_again_without_any_further_input():
    peer = Mute(CHAIN[:50])
    world = World([peer])
    world.run(10)
    assert world.blamed == [(key(1), Fault.STALLED)]
    world.peers[key(1)] = honest = Peer(CHAIN[:50])
    world.run(7)
    assert honest.asked
    assert world.delivered == CHAIN[:50]


def test_what_was_handed_over_is_not_handed_over_again():
    world = World([Peer(CHAIN), Mute(CHAIN)], execute_us=10**12)
    world.act(world.sync.on_deadline(world.now))
    handed = []
    for peer, last in ((key(1), 50), (key(2), 100)):
        first = next(iter(world.sync._roster.get(peer).asked))
        world.sync._roster.get(peer).asked.setdefault(1, world.sync._roster.get(peer).asked[first])
        world.sync.on_blocks(peer, message_of(CHAIN[:last]), world.now)
        handed += [effect for effect in world.sync.on_deadline(world.now) if isinstance(effect, Ready)]
    assert [effect.blocks[-1][0].header.height for effect in handed] == [50]
    world.sync.on_delivered(CHAIN[49].header, world.now)
    (ready,) = [effect for effect in world.sync.on_deadline(world.now) if isinstance(effect, Ready)]
    assert [block.header.height for block, _ in ready.blocks] == list(range(51, 101))


def test_faults_outlast_a_connection_and_their_memory_is_bounded():
    limits = SyncParameters(remembered_max=3)
    liar = Forger(CHAIN, LIES["proof"])
    world = World([liar], parameters=limits)
    world.run(1)
    asked = len(liar.asked)
    world.sync.on_disconnected(key(1), world.now)
    world.sync.on_connected(key(1), world.now)
    world.status(key(1), 1_000)
    world.run(60)
    assert len(liar.asked) == asked
    for number in range(2, 12):
        world.peers[key(number)] = Forger(CHAIN, LIES["proof"])
        world.sync.on_connected(key(number), world.now)
        world.status(key(number), 1_000)
        world.run(1)
        world.sync.on_disconnected(key(number), world.now)
    assert len(world.sync._roster) == 1 + 3


def test_blocks_are_handed_over_in_order_and_one_run_at_a_time():
    world = World([Peer(CHAIN) for _ in range(4)], execute_us=200_000)
    world.run(0.1)
    statistics = world.sync.statistics()
    assert world.heights == []
    assert statistics["buffered_blocks"] > 0
    assert statistics["height"] == 0
    world.run(60)
    assert world.heights == list(range(1, 1_001))


def test_live_delivery_trims_what_is_held():
    peer = Peer(CHAIN)
    world = World([peer])
    world.act(world.sync.on_deadline(world.now))
    world.sync.on_blocks(key(1), message_of(CHAIN[:128]), world.now)
    world.sync.on_delivered(CHAIN[99].header, world.now)
    ready = [effect for effect in world.sync.on_deadline(world.now) if isinstance(effect, Ready)]
    assert [block.header.height for block, _ in ready[0].blocks] == list(range(101, 129))
    assert ready[0].blocks[-1][1] == proof_of(CHAIN[127].header)
    assert {proof for _, proof in ready[0].blocks[:-1]} == {b""}


def test_an_answer_below_the_delivered_height_is_not_verified_again():
    world = World([Peer(CHAIN)])
    world.act(world.sync.on_deadline(world.now))
    world.sync.on_delivered(CHAIN[499].header, world.now)
    assert world.sync.on_blocks(key(1), LIES["proof"](message_of(CHAIN[:128])), world.now) == []
    assert world.sync.statistics()["answers_not_needed"] == 1


def test_buffered_bytes_stay_below_the_limit_and_it_still_catches_up():
    large = make_chain(60, transactions=60, size=16_000)
    limits = SyncParameters(buffered_bytes_max=6 * ANSWER_BYTES_MAX)
    peers = [Mute(large), *[Peer(large, latency_us=20_000 * n) for n in range(1, 6)]]
    world = World(peers, parameters=limits, execute_us=50_000)
    world.run(120)
    assert world.delivered == large
    assert 2 * ANSWER_BYTES_MAX < world.buffered_bytes_max <= limits.buffered_bytes_max


def test_nothing_is_asked_for_beyond_the_window():
    peer = Peer(CHAIN)
    world = World([peer, Peer(CHAIN), Peer(CHAIN)], parameters=SyncParameters(window_blocks=200), execute_us=10**12)
    world.run(5)
    assert max(r.from_height + r.count - 1 for p in world.peers.values() for r in p.asked) <= 128 + 200


def test_nothing_is_asked_for_beyond_the_horizon():
    peer = Peer(CHAIN)
    world = World([peer])
    world.sync.set_horizon(300)
    world.run(10)
    assert world.heights == list(range(1, 301))
    assert max(request.from_height + request.count - 1 for request in peer.asked) == 300
    world.sync.set_horizon(1_000)
    world.run(60)
    assert world.delivered == CHAIN


def test_a_range_ends_with_its_epoch_so_that_the_last_block_comes_with_its_own_proof():
    peer = Peer(CHAIN)
    world = World([peer], parameters=SyncParameters(epoch_blocks=30))
    world.run(30)
    assert world.delivered == CHAIN
    for request in peer.asked:
        first, last = request.from_height, request.from_height + request.count - 1
        assert (first - 1) // 30 == (last - 1) // 30


def test_who_hears_no_live_traffic_leaves_no_gap_to_it():
    heights = []
    for live in (True, False):
        world = World([Peer(CHAIN[:3])], parameters=SyncParameters(grace_us=3 * SECOND))
        world.sync.set_live(live=live)
        world.run(2)
        heights.append(world.heights)
    assert heights == [[], [1, 2, 3]]


def test_an_answer_that_ends_beyond_the_horizon_is_left_aside_without_blame():
    peer = Peer(CHAIN)
    peer.rows[249:301] = [row._replace(proof=b"") for row in peer.rows[249:301]]
    world = World([peer])
    world.sync._verify = lambda header, proof: header.height <= 300 and verify(header, proof)
    world.sync.set_horizon(300)
    world.run(10)
    assert world.sync.delivered.height == 249
    assert world.blamed == []
    assert world.sync.statistics()["useless_answers"] > 0


def test_a_final_chain_that_does_not_stand_on_the_own_head_halts_with_a_conflict():
    other = make_chain(40, salt=b"other")
    peer = Peer(CHAIN)
    world = World([peer], delivered=other[19].header)
    world.run(60)
    (conflict,) = world.conflicts
    assert (conflict.delivered, conflict.header) == (other[19].header, CHAIN[20].header)
    assert conflict.proof, "the engine is to see who signed for it"
    assert world.delivered == []
    assert world.sync.statistics()["halted"] == 1
    assert len(peer.asked) <= 2


def test_a_status_is_sent_on_connect_and_at_most_once_a_second_when_the_head_moves():
    world = World([Peer(CHAIN, claimed=0)], delivered=GENESIS)
    world.run(0.5)
    assert [(peer, status.height) for _, peer, status in world.statuses] == [(key(1), 0)]
    world.statuses.clear()
    for block in CHAIN[:30]:
        world.run(0.1)
        world.sync.on_delivered(block.header, world.now)
    world.run(5)
    times = [time for time, _, _ in world.statuses]
    assert 3 <= len(times) <= 4
    assert all(later - earlier >= SECOND for earlier, later in itertools.pairwise(times))
    assert world.statuses[-1][2] == Status(30, CHAIN[29].hash)
    assert world.sync.deadline is None


def test_inputs_from_strangers_do_nothing():
    world = World([Peer(CHAIN)])
    stranger = key(99)
    assert world.sync.on_status(stranger, Status(5_000, bytes(32)), world.now) == []
    assert world.sync.on_blocks(stranger, message_of(CHAIN[:3]), world.now) == []
    world.sync.on_disconnected(stranger, world.now)
    world.run(60)
    assert world.delivered == CHAIN


def test_two_runs_of_one_seed_are_the_same():
    def trace(seed):
        world = World([Mute(CHAIN), Peer(CHAIN), Peer(CHAIN, latency_us=300_000), Empty(CHAIN)], seed=seed)
        world.run(60)
        return [peer.asked for peer in world.peers.values()]

    assert trace(3) == trace(3)


def test_effects_to_peers_are_only_requests_and_statuses():
    world = World([Peer(CHAIN)])
    effects = world.sync.on_deadline(world.now)
    assert {type(effect) for effect in effects} == {SendTo}
    assert {type(effect.message) for effect in effects} == {GetBlocks, Status}


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["mute", "empty", "honest", "slow", *LIES]), max_size=7),
    seed=st.integers(0, 2**32),
    start=st.integers(0, 900),
    live=st.lists(st.integers(1, 999), max_size=5),
)
def test_any_crowd_with_one_honest_peer_brings_the_whole_chain_in_order(kinds, seed, start, live):
    def build(kind):
        match kind:
            case "mute":
                return Mute(CHAIN)
            case "empty":
                return Empty(CHAIN)
            case "slow":
                return Peer(CHAIN, latency_us=3 * SECOND)
            case "honest":
                return Peer(CHAIN)
        return Forger(CHAIN, LIES[kind])

    world = World(
        [Peer(CHAIN), *map(build, kinds)],
        seed=seed,
        delivered=CHAIN[start - 1].header if start else GENESIS,
        execute_us=30_000,
    )
    for height in live:
        world.run(0.05)
        world.sync.on_delivered(CHAIN[height - 1].header, world.now)
    world.run(120)
    assert world.sync.delivered.height == 1_000
    # Live deliveries may overtake what was handed over; what is handed over stays in order.
    fresh = [height for height in world.heights if height > max([start, *live])]
    assert sorted(set(fresh)) == fresh
    assert world.conflicts == []
    assert world.sync.statistics()["buffered_bytes"] == 0
    assert key(1) not in {peer for peer, _ in world.blamed}
