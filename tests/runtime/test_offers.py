"""When a node takes snapshots: they never take more of a core than a hundredth, and stopping waits for none."""

from types import SimpleNamespace

import trio
import trio.testing

from p2pcommerce.runtime.offers import PAUSES, Offers

EFFECT = SimpleNamespace(header=SimpleNamespace(height=7), proof=b"proof")


class Frozen:
    """A state that knows whether it was closed."""

    is_closed = False

    def close(self):
        self.is_closed = True


class Slow:
    """Snapshots that take as long as told, in rests."""

    def __init__(self, spent_s=0.0, rests_s=()):
        self.spent_s, self.rests_s = spent_s, rests_s
        self.offered, self.given_up = [], 0

    def write(self, frozen, header, proof, rest):
        try:
            for seconds in self.rests_s:
                rest(seconds)
        except BaseException:
            self.given_up += 1
            raise
        return self.spent_s

    def offer(self, height):
        self.offered.append(height)


def offers_of(snapshots):
    return Offers(snapshots, reading=None, epoch_blocks=4, log=None)


async def test_a_snapshot_is_not_due_while_one_is_taken_and_long_after_it(autojump_clock):
    snapshots = Slow(spent_s=3.0)
    offers = offers_of(snapshots)
    assert offers.is_due
    await offers.take(EFFECT, Frozen())
    assert snapshots.offered == [7]
    assert not offers.is_due
    await trio.sleep(PAUSES * 3.0 - 0.1)
    assert not offers.is_due
    await trio.sleep(0.2)
    assert offers.is_due


async def test_one_of_a_small_state_holds_up_no_other():
    offers = offers_of(Slow())
    await offers.take(EFFECT, Frozen())
    assert offers.is_due


async def test_who_stops_the_node_waits_for_no_snapshot():
    snapshots, frozen = Slow(rests_s=(0.0, 10**6)), Frozen()
    offers = offers_of(snapshots)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(offers.take, EFFECT, frozen)
            await trio.testing.wait_all_tasks_blocked()
            assert not offers.is_due
            scope.cancel()
    assert snapshots.given_up == 1
    assert snapshots.offered == []
    assert frozen.is_closed


async def test_of_a_node_that_is_stopped_before_a_snapshot_begins_no_file_stays_open():
    snapshots, frozen = Slow(), Frozen()
    offers = offers_of(snapshots)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(offers.take, EFFECT, frozen)
        nursery.cancel_scope.cancel()
    assert frozen.is_closed
    assert snapshots.offered == []
    assert offers.is_due


async def test_a_failed_one_may_be_tried_again_at_the_next_boundary():
    class Broken(Slow):
        def write(self, frozen, header, proof, rest):
            raise OSError("disk")

    said = []
    offers = Offers(Broken(), None, 4, SimpleNamespace(warning=lambda room, text: said.append(text)))
    await offers.take(EFFECT, Frozen())
    assert offers.is_due
    assert said == ["no snapshot of height 7 is offered: disk"]
