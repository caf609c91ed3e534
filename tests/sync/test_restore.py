"""Restoring a state: in parallel, among liars, stallers and peers that leave; it ends with the state or gives up."""

import itertools
import random
from dataclasses import replace

import pytest

from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.sync import Blame, Fault
from p2pcommerce.sync.chunks import Cut
from p2pcommerce.sync.restore import Restore
from p2pcommerce.sync.restore_effects import Ask, Broken, GaveUp, Progress, Restored
from p2pcommerce.sync.restore_parameters import RestoreParameters
from p2pcommerce.wire.messages import Chunk, GetChunk, GetLinks, GetSnapshot, Links, Snapshot

from .chain import GENESIS_HASH, SECOND, START, header_of, proof_of, verify
from .test_chunks import state_of

HEIGHT = 500
EPOCH = 4
STATE = state_of(12_000)
CUT = Cut(STATE.items())
CHUNKS = list(CUT.chunks())
HEADER = replace(header_of(HEIGHT, bytes(32)), state_root=CUT.root, epoch=EPOCH)
LIMITS = RestoreParameters(progress_us=0)


class Steps:
    """A trail of one byte for each epoch."""

    def __init__(self, epoch=0, oldest=0, *, is_doubtful=False):
        self.epoch = epoch
        self.oldest = oldest
        self.is_doubtful = is_doubtful

    def believes(self, epoch, now):
        return self.oldest <= epoch <= self.epoch

    def follow(self, links, now):
        for link in links:
            if link == bytes([self.epoch]):
                self.epoch += 1
                self.is_doubtful = False
            elif link[:1] > bytes([self.epoch]) or link == b"lie":
                raise RemoteProtocolError("a link that does not hold", "EPOCH_LINK")

    def is_final(self, header, proof, now):
        is_final = header.epoch <= self.epoch and verify(header, proof)
        self.is_doubtful = self.is_doubtful and not is_final
        return is_final


class Peer:
    """Serves everything well, after 20 ms."""

    latency_us = 20_000
    depths = CUT.depths

    def __init__(self):
        self.asked = []

    def answer(self, message):
        self.asked.append(message)
        match message:
            case GetSnapshot():
                return self.snapshot()
            case GetLinks(epoch):
                return self.links(epoch)
            case GetChunk(height, index):
                return self.chunk(height, index)

    def snapshot(self):
        return Snapshot(HEADER.raw, proof_of(HEADER), self.depths)

    def links(self, epoch):
        return Links(epoch, tuple(bytes([number]) for number in range(epoch, min(epoch + 2, EPOCH + 1))), b"h", b"")

    def chunk(self, height, index):
        return Chunk(height, index, CHUNKS[index])


class HasNothing(Peer):
    def snapshot(self):
        return Snapshot(b"", b"", b"")


class Mute(Peer):
    def answer(self, message):
        self.asked.append(message)


class Staller(Peer):
    def chunk(self, height, index):
        return None


class FalseChunks(Peer):
    def chunk(self, height, index):
        return Chunk(height, index, CHUNKS[index - 1])


class FalseLinks(Peer):
    latency_us = 1_000

    def links(self, epoch):
        return Links(epoch, (b"lie",), b"h", b"")


class NoLinks(Peer):
    latency_us = 1_000

    def links(self, epoch):
        return Links(epoch, (), b"h", b"")


class Trickler(Peer):
    """Gives one link in nine seconds: less than a time-out, and never what would be of use."""

    latency_us = 9 * SECOND

    def links(self, epoch):
        return Links(epoch, (bytes([epoch]),), b"h", b"")


class Later(Peer):
    """Has its newest snapshot after the third question."""

    def snapshot(self):
        old = replace(HEADER, epoch=EPOCH - 2, height=HEIGHT - 2)
        header = HEADER if sum(isinstance(message, GetSnapshot) for message in self.asked) > 2 else old
        return Snapshot(header.raw, proof_of(header), self.depths)


class FalseProof(Peer):
    def snapshot(self):
        return Snapshot(HEADER.raw, b"not final", self.depths)


class FalseNetwork(Peer):
    def snapshot(self):
        other = replace(HEADER, genesis_hash=bytes(32))
        return Snapshot(other.raw, proof_of(other), self.depths)


class FalseDepths(Peer):
    depths = bytes([1, 1])


class BrokenDepths(Peer):
    depths = b"\x01"


class Forgetful(Peer):
    """Takes a newer snapshot after three chunks."""

    def chunk(self, height, index):
        served = sum(isinstance(message, GetChunk) for message in self.asked)
        return Chunk(height, index, CHUNKS[index] if served <= 3 else b"")


LIARS = (FalseChunks, FalseLinks, NoLinks, FalseProof, FalseNetwork, FalseDepths, BrokenDepths)


class Drive:
    """Runs an attempt against scripted peers."""

    def __init__(self, peers, seed=1, trail=None, limits=LIMITS):
        self.now = START
        self.peers = {bytes([number]) * 32: peer for number, peer in enumerate(peers, 1)}
        self.restore = Restore(limits, trail or Steps(), GENESIS_HASH, 0, random.Random(seed), self.now)
        for peer in self.peers:
            self.restore.on_connected(peer)
        self.under_way = []
        self.order = itertools.count()
        self.blamed = {}
        self.end = None
        self.progress = []
        self.under_way_max = 0

    def do(self, effects):
        for effect in effects:
            match effect:
                case Ask(peer, message):
                    answer = self.peers[peer].answer(message)
                    if answer is not None:
                        arrives = self.now + self.peers[peer].latency_us
                        self.under_way.append((arrives, next(self.order), peer, answer))
                case Blame(peer, reason):
                    self.blamed[type(self.peers[peer])] = reason
                    if reason != Fault.STALLED:
                        self.restore.on_disconnected(peer)
                case Progress():
                    self.progress.append(effect)
                case Restored() | GaveUp() | Broken():
                    self.end = effect
        self.under_way_max = max(self.under_way_max, len(self.under_way))

    def step(self):
        due = self.restore.deadline
        first = min(self.under_way, default=None)
        if first is not None and (due is None or first[0] <= due):
            self.under_way.remove(first)
            self.now = max(self.now, first[0])
            _, _, peer, answer = first
            take = {Snapshot: "on_snapshot", Links: "on_links", Chunk: "on_chunk"}[type(answer)]
            self.do(getattr(self.restore, take)(peer, answer, self.now))
        else:
            assert due is not None
            self.now = max(self.now, due)
            self.do(self.restore.on_deadline(self.now))

    def run(self, steps=20_000):
        for _ in range(steps):
            if self.end is not None:
                return self
            self.step()
        raise AssertionError("it neither ends nor gives up")


def restored(peers, seed=1, **more):
    drive = Drive(peers, seed, **more).run()
    assert isinstance(drive.end, Restored), drive.end
    assert drive.end.state == STATE
    assert drive.end.header == HEADER
    return drive


def test_a_state_is_fetched_from_several_peers_at_once():
    peers = [Peer() for _ in range(4)]
    drive = restored(peers)
    counts = [sum(isinstance(message, GetChunk) for message in peer.asked) for peer in peers]
    assert min(counts) > 0
    assert sum(counts) == len(CHUNKS)
    assert drive.under_way_max > 4
    assert not drive.blamed
    assert drive.progress[-1].total == len(CHUNKS)
    assert drive.progress[-1].left_us >= 0


@pytest.mark.parametrize("liar", LIARS)
def test_a_liar_is_named_and_costs_little(liar):
    drive = restored([liar(), liar(), Peer()])
    assert set(drive.blamed) == ({liar} if liar is not NoLinks else set())
    assert drive.now - START < 10 * SECOND


@pytest.mark.parametrize("seed", range(8))
def test_one_honest_peer_among_liars_and_stallers_is_enough(seed):
    kinds = [*LIARS, Mute, Staller, Staller, HasNothing, FalseChunks, FalseDepths, Peer]
    random.Random(seed).shuffle(kinds)
    drive = restored([kind() for kind in kinds], seed)
    assert Peer not in drive.blamed
    assert HasNothing not in drive.blamed


def test_peers_that_have_the_snapshot_no_more_are_left_without_blame():
    drive = restored([Forgetful(), Forgetful(), Peer()])
    assert not drive.blamed


def test_a_peer_that_leaves_is_replaced():
    drive = Drive([Peer(), Peer()])
    while not drive.progress:
        drive.step()
    gone = next(iter(drive.peers))
    drive.restore.on_disconnected(gone)
    drive.under_way = [each for each in drive.under_way if each[2] != gone]
    assert isinstance(drive.run().end, Restored)


@pytest.mark.parametrize("peers", [[], [HasNothing()], [Mute()], [FalseChunks()], [NoLinks(), FalseProof()]])
def test_without_an_honest_peer_it_gives_up(peers):
    drive = Drive(peers).run()
    assert isinstance(drive.end, GaveUp)
    assert drive.restore.deadline is None
    assert drive.now - START <= 2 * LIMITS.patience_us


def test_a_state_above_the_limit_is_not_held():
    drive = Drive([Peer()], limits=replace(LIMITS, state_bytes_max=200_000)).run()
    assert isinstance(drive.end, GaveUp)
    assert "bytes" in drive.end.reason


def test_a_snapshot_below_the_own_head_is_of_no_use():
    drive = Drive([Peer()])
    drive.restore._above = HEIGHT
    assert isinstance(drive.run().end, GaveUp)


def test_answers_that_nobody_asked_for_change_nothing():
    restore = Restore(LIMITS, Steps(EPOCH), GENESIS_HASH, 0, random.Random(1), START)
    peer = Peer()
    stranger = bytes(32)
    assert restore.on_snapshot(stranger, peer.snapshot(), START) == []
    assert restore.on_chunk(stranger, peer.chunk(HEIGHT, 0), START) == []
    assert restore.on_links(stranger, peer.links(0), START) == []
    assert not restore.has_offer


def test_no_more_than_a_few_chunks_are_asked_of_one_peer_at_once():
    drive = Drive([Staller()])
    for _ in range(50):
        if drive.under_way or drive.restore.deadline <= drive.now:
            drive.step()
    asked = [message for message in drive.peers[bytes([1]) * 32].asked if isinstance(message, GetChunk)]
    assert len(asked) == LIMITS.requests_per_peer_max


def test_an_offer_older_than_what_is_trusted_is_nobodys_fault_and_a_newer_one_is_asked_for():
    drive = restored([Later(), Later()], trail=Steps(EPOCH, EPOCH))
    assert not drive.blamed
    assert drive.now - START <= 2 * LIMITS.again_us + SECOND
    drive = Drive([Later()], trail=Steps(EPOCH + 1, EPOCH + 1)).run()  # it will never have one
    assert isinstance(drive.end, GaveUp)
    assert not drive.blamed


@pytest.mark.parametrize("liar", [FalseLinks, FalseProof])
def test_if_nobody_agrees_with_a_named_checkpoint_nobody_is_blamed_and_the_operator_is_told(liar):
    drive = Drive([liar(), liar()], trail=Steps(EPOCH - (liar is FalseLinks), is_doubtful=True)).run()
    assert isinstance(drive.end, Broken)
    assert "none of 2 peers" in drive.end.reason
    assert "checkpoint" in drive.end.reason
    assert not drive.blamed


@pytest.mark.parametrize("other", [HasNothing, Mute, NoLinks])
def test_one_liar_does_not_stop_a_node_whose_other_peers_have_no_snapshot(other):
    drive = Drive([FalseLinks(), other()], trail=Steps(is_doubtful=True)).run()
    assert isinstance(drive.end, GaveUp)


def test_one_peer_that_agrees_with_a_named_checkpoint_is_enough():
    restored([FalseLinks(), Peer(), FalseProof()], trail=Steps(is_doubtful=True))


def test_peers_that_trickle_links_are_asked_after_those_that_do_not():
    drive = restored([Trickler(), Trickler(), Trickler(), Peer()], limits=replace(LIMITS, patience_us=10**9))
    assert drive.now - START < 10 * SECOND
