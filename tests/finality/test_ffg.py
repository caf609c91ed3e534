"""The rules of FFG, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.finality import FFG, SigningGuard
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.evidence import DoubleSignature
from p2pcommerce.finality.ffg.evidence import LINK_EVIDENCE, convict
from p2pcommerce.finality.ffg.gadget import Gadget
from p2pcommerce.finality.ffg.journal import LOG
from p2pcommerce.finality.ffg.links import LinkVote, QuorumLink, make_quorum_link
from p2pcommerce.finality.ffg.messages import (
    PROPOSAL_BYTES_MAX,
    Ask,
    Cast,
    Links,
    Proposal,
    Seal,
    Status,
    decode_message,
    encode_message,
    encode_seal,
    links_hash,
)
from p2pcommerce.finality.ffg.parameters import FFGParameters
from p2pcommerce.finality.ffg.proof import decode_proof, encode_proof, verify_proof
from p2pcommerce.finality.ffg.tree import SlotTree
from p2pcommerce.finality.ffg.voting import (
    LINK_DOMAIN,
    TRACK_SLOTS,
    TRACKS,
    Checkpoint,
    Link,
    contradiction,
    may_sign,
    read_link,
    track_of,
)
from p2pcommerce.finality.journal import UNSIGNED, LogError
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, BallotError, VoteKind
from p2pcommerce.ledger.block import Header, tx_root
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from p2pcommerce.primitives.ids import BlockHash
from tests.finality.network import GENESIS_HASH, KEYED, Faults, Host, Network

SLOT_US = 100_000
SLOT_MS = 100


def checkpoint(index: int, name: str = "") -> Checkpoint:
    return Checkpoint(index, BlockHash(blake2b_256(f"{index}{name}".encode())))


def link(source: int, target: int, name: str = "") -> Link:
    return Link(0, checkpoint(source), checkpoint(target, name))


def running(seconds: float = 1.0, stakes: Sequence[int] = (1, 1, 1, 1), faults: Faults | None = None) -> Network:
    network = Network(1, stakes, faults, make_engine=FFG)
    network.start()
    network.submit(300)
    network.run_for(round(seconds * 1_000_000))
    return network


def vote(network: Network, host: Host, what: Link) -> LinkVote:
    signature = KEYED.sign(host.seed, signed_bytes(LINK_DOMAIN, GENESIS_HASH, what.data))
    index = network.validators.index(host.key)
    assert index is not None
    return LinkVote(what, index, signature)


def quorum(network: Network, what: Link, voters: int = 4) -> QuorumLink:
    return make_quorum_link([vote(network, host, what) for host in network.hosts[:voters]], network.validators)


def tell(host: Host, peer: Host, message: object) -> list[seam.Effect]:
    """Give a host a message of a peer, and return what it wants; nothing of it is done."""
    return host.live.on_message(peer.key, encode_message(message), host.network.now)  # type: ignore[arg-type] # any of them


def counter(host: Host, name: str) -> int:
    return host.live.status().counters.get(name, 0)


# --- what may be signed ---

LINKS = st.builds(
    lambda source, span, name: link(source, source + span, name),
    st.integers(0, 6), st.integers(1, 4), st.sampled_from(["", "x"]),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(wanted=st.lists(LINKS, max_size=20))
def test_whatever_is_asked_for_what_may_be_signed_breaks_no_commandment(wanted: list[Link]) -> None:
    signed: list[Link] = []
    last: dict[str, bytes] = {}
    for each in wanted:
        if may_sign(last, LINK_DOMAIN, each.data):
            signed.append(each)
            last["LINK"] = each.data
    assert not wanted or signed
    for one in signed:
        for other in signed:
            assert contradiction(one, other) is None


@settings(max_examples=50, deadline=None)
@given(wanted=st.lists(st.tuples(st.integers(1, 3 * TRACKS * TRACK_SLOTS), st.sampled_from("ab")), max_size=30))
def test_no_slot_is_proposed_in_twice_whatever_the_clock_says(wanted: list[tuple[int, str]]) -> None:
    guard, admitted = SigningGuard(FFG(KEYED)), {}
    for slot, name in wanted:
        ballot = Ballot(0, slot, VoteKind.PROPOSE, blake2b_256(name.encode()))
        if guard.admit(PROPOSAL_DOMAIN, ballot.data) is not None:
            assert admitted.setdefault(slot, ballot) == ballot
    assert len(guard.last) <= TRACKS
    again = SigningGuard(FFG(KEYED))
    again.restore(guard.frames())
    assert again.last == guard.last


def test_the_slots_of_a_clock_that_was_ahead_hold_back_nothing_but_themselves() -> None:
    def may(last: dict[str, bytes], slot: int) -> bool:
        return may_sign(last, PROPOSAL_DOMAIN, Ballot(0, slot, VoteKind.PROPOSE, bytes(32)).data)

    other = Ballot(0, 1_300, VoteKind.PROPOSE, blake2b_256(b"ahead"))
    last = {track_of(1_300): other.data}
    assert may(last, 1_000)
    assert not may(last, 1_300)
    assert not may(last, 1_299), "within a track slots rise"
    assert may(last, 1_301)


def test_the_two_commandments() -> None:
    assert contradiction(link(0, 2), link(1, 2)) == "F1"
    assert contradiction(link(1, 2), link(1, 2, "x")) == "F1"
    assert contradiction(link(0, 5), link(2, 3)) == contradiction(link(2, 3), link(0, 5)) == "F2"
    for one, other in ((link(0, 2), link(2, 3)), (link(0, 2), link(0, 3)), (link(0, 2), link(1, 3))):
        assert contradiction(one, other) is contradiction(other, one) is None
    assert contradiction(link(0, 2), replace(link(1, 2), epoch=1)) is None


def test_a_link_is_read_back_and_nothing_else_is() -> None:
    data = link(3, 5).data
    assert read_link(data) == link(3, 5)
    for bad in (data[:-1], data + b"\0", data[:24] + b"\1" + data[25:], link(5, 5).data, link(6, 5).data):
        with pytest.raises(BallotError):
            read_link(bad)


def test_evidence_convicts_for_a_commandment_alone() -> None:
    network = running(0.1)
    villain = network.hosts[0]

    def evidence(one: Link, other: Link, offender: Host = villain) -> bytes:
        first, second = vote(network, offender, one), vote(network, offender, other)
        return LINK_EVIDENCE.encode(
            DoubleSignature(villain.key, one.data, first.signature, other.data, second.signature)
        )

    def judged(raw: bytes) -> str | None:
        offence = convict(raw, lambda _epoch: network.validators, GENESIS_HASH, KEYED)
        return None if offence is None else offence.kind

    assert judged(evidence(link(0, 2), link(1, 2))) == "F1"
    assert judged(evidence(link(0, 5), link(2, 3))) == "F2"
    assert judged(evidence(link(0, 2), link(2, 3))) is None
    assert judged(evidence(link(0, 2), link(1, 2), network.hosts[1])) is None, "signed by somebody else"


# --- what is justified and final ---


def chain(length: int, parent: Header, network: Network, name: str = "") -> list[Header]:
    headers: list[Header] = []
    for _ in range(length):
        slot = parent.time_ms // SLOT_MS + 1
        parent = network.header_of(
            parent, network.hosts[0].key, network.genesis.epoch, f"{slot}{name}".encode(), slot * SLOT_MS, ()
        )
        headers.append(parent)
    return headers


def planted(*branches: list[Header], root: Header) -> SlotTree:
    tree = SlotTree(root, 512, lambda header, parent: header.time_ms > parent.time_ms, [])
    for header in (header for branch in branches for header in branch):
        tree.add_own(header)
    return tree


def at(headers: Sequence[Header], index: int) -> Checkpoint:
    return Checkpoint(index, headers[8 * index - 1].hash)


def unsigned(source: Checkpoint, target: Checkpoint) -> QuorumLink:
    return QuorumLink(Link(0, source, target), b"\x0f", (bytes(64),) * 4)


def test_links_count_from_a_justified_source_and_a_consecutive_one_finalizes_it() -> None:
    network = running(0)
    headers = chain(40, network.genesis, network)
    tree = planted(headers, root=network.genesis)
    genesis = Checkpoint(0, network.genesis.hash)
    gadget = Gadget(genesis, 64)
    gadget.add(unsigned(at(headers, 2), at(headers, 3)))
    assert not gadget.advance(tree)
    gadget.add(unsigned(genesis, at(headers, 2)))
    assert gadget.advance(tree)
    assert gadget.root == at(headers, 3)
    assert gadget.final == at(headers, 2)
    assert [each.link.target.index for each in gadget.proof] == [2, 3]
    gadget.add(unsigned(at(headers, 3), at(headers, 5)))
    assert gadget.advance(tree)
    assert (gadget.root, gadget.final) == (at(headers, 5), at(headers, 2)), "a skipping link finalizes nothing"


def test_a_target_that_does_not_descend_from_its_source_is_not_justified() -> None:
    network = running(0)
    headers, aside = chain(16, network.genesis, network), chain(24, network.genesis, network, "aside")
    tree = planted(headers, aside, root=network.genesis)
    gadget = Gadget(Checkpoint(0, network.genesis.hash), 64)
    gadget.add(unsigned(Checkpoint(0, network.genesis.hash), at(headers, 1)))
    gadget.add(unsigned(at(headers, 1), at(aside, 2)))
    gadget.advance(tree)
    assert gadget.root == at(headers, 1)
    assert gadget.final.index == 0


def test_the_root_never_goes_down_and_the_head_follows_it() -> None:
    network = running(0)
    short, long = chain(20, network.genesis, network), chain(40, network.genesis, network, "long")
    tree = planted(short, long, root=network.genesis)
    genesis = Checkpoint(0, network.genesis.hash)
    gadget = Gadget(genesis, 64)
    far = 10**15
    assert tree.best(gadget.root.hash, far)[0] == long[-1]
    gadget.add(unsigned(genesis, at(short, 2)))
    gadget.advance(tree)
    assert tree.best(gadget.root.hash, far)[0] == short[-1], "the justified branch, though it is shorter"
    gadget.add(unsigned(genesis, at(long, 1)))
    gadget.advance(tree)
    assert gadget.root == at(short, 2)
    gadget.add(unsigned(genesis, at(long, 4)))
    gadget.advance(tree)
    assert gadget.root == at(long, 4)


def test_a_block_before_its_time_does_not_count_yet() -> None:
    network = running(0)
    headers = chain(5, network.genesis, network)
    tree = planted(headers, root=network.genesis)
    assert tree.best(network.genesis.hash, headers[2].time_ms) == (headers[2], headers[3].time_ms)


def test_a_block_of_an_odd_time_wakes_nobody_before_the_next_slot() -> None:
    network = running(0.2)
    host = network.hosts[0]
    state = host.live._running.state  # type: ignore[attr-defined] # a quorum alone can bring such a block
    odd = replace(chain(1, state.head, network)[0], time_ms=network.now // 1_000 + SLOT_MS + 7)
    state.tree.add_own(odd)
    host.live.on_deadline(network.now)
    for _ in range(4):
        due = host.live._running.replica.deadline  # type: ignore[attr-defined] # without the resender's
        assert due > state.slot * SLOT_US
        assert due % SLOT_US == 0
        host.live.on_deadline(due)
    assert state.head.height > odd.height - 1


def test_blocks_of_the_log_that_a_quorum_vouches_for_are_tracked_once() -> None:
    network = running(0)
    headers = chain(6, network.genesis, network)
    tree = SlotTree(network.genesis, 512, lambda header, parent: header.time_ms > parent.time_ms, [])
    for header in headers:
        tree.vouch(header.hash, 1, (), header)
    tree.restore(headers)
    for header in headers:
        tree.on_validated(header.hash, valid=True)
    tree.deliver(headers[3])
    assert tree.best(headers[3].hash, 10**15)[0] == headers[-1]
    assert len(tree) == 3
    assert tree._children == {headers[3].hash: [headers[4].hash], headers[4].hash: [headers[5].hash]} | {
        headers[3].parent_hash: [headers[3].hash]
    }


def test_an_ancestor_of_what_was_delivered_meanwhile_is_no_fork_but_a_sibling_is() -> None:
    network = running(0)
    headers, aside = chain(12, network.genesis, network), chain(12, network.genesis, network, "aside")
    tree = SlotTree(network.genesis, 512, lambda header, parent: header.time_ms > parent.time_ms, [])
    tree.vouch(headers[4].hash, 2, ())
    tree.vouch(aside[7].hash, 2, ())
    tree.deliver(headers[7])
    tree.final_index = 1
    tree.on_block(headers[4])
    assert tree.fork is None
    tree.on_block(aside[7])
    assert tree.fork == "a quorum voted for a branch beside the final block of height 8"
    tree.vouch(headers[11].hash, 1, ())
    tree.deliver(headers[8])
    assert len(tree) == 1


def test_what_is_below_a_vouched_block_is_fetched_without_its_leaders_signature() -> None:
    network = running(0)
    headers = chain(3, network.genesis, network)
    out: list[seam.Effect] = []
    tree = SlotTree(network.genesis, 512, lambda header, parent: header.time_ms > parent.time_ms, out)
    tree.vouch(headers[2].hash, 1, ())
    for header in reversed(headers):
        tree.on_block(header)
    wanted = [effect.block_hash for effect in out if isinstance(effect, seam.Fetch)]
    assert wanted == [header.hash for header in reversed(headers)]
    assert isinstance(out[-1], seam.Validate)


def test_waiting_links_are_bounded() -> None:
    network = running(0)
    gadget = Gadget(Checkpoint(0, network.genesis.hash), 64)
    for index in range(200):
        gadget.add(unsigned(checkpoint(index + 1), checkpoint(index + 2)))
    assert len(gadget) == 64
    assert min(each.link.target.index for each in gadget.waiting) == 138


# --- proofs ---


def test_a_proof_shows_the_way_from_the_block_to_the_target() -> None:
    network = running(4)
    header, proof = network.hosts[0].disk.store[3]
    claim = decode_proof(proof)

    def holds(**changes: object) -> bool:
        changed = replace(claim, **changes)  # type: ignore[arg-type] # the fields of a proof
        raw = encode_proof(changed.links, changed.headers)
        return verify_proof(header, raw, lambda _epoch: network.validators, KEYED)

    assert holds()
    assert not holds(headers=claim.headers[:-1]), "does not reach the target"
    assert not holds(headers=claim.headers[1:]), "a gap"
    skipping = quorum(network, Link(0, Checkpoint(0, network.genesis.hash), claim.links[-1].link.target))
    assert not holds(links=(skipping,)), "not consecutive"
    aside = quorum(network, Link(0, checkpoint(1), claim.links[-1].link.target))
    assert not holds(links=(aside,)), "another source"
    assert not holds(links=(aside, claim.links[-1])), "links that do not join"
    weak = quorum(network, claim.links[-1].link, voters=2)
    assert not holds(links=(weak,)), "half of the stake"


def test_proofs_lead_back_to_the_last_final_checkpoint() -> None:
    network = running(6)
    stored = network.hosts[0].disk.store
    assert len(stored) > 24
    for header, proof in stored[1:]:
        links = [each.link for each in decode_proof(proof).links]
        assert links[0].source.height < header.height <= links[-1].source.height


# --- time ---


def test_finality_takes_13_to_21_slots_and_a_missed_slot_is_just_missed() -> None:
    network = running(8)
    host = network.hosts[0]
    lags = [(host.finalized_at[header.height] - header.time_ms * 1_000) / SLOT_US for header, _ in host.disk.store[1:]]
    assert min(lags) >= 12
    assert max(lags) <= 21
    for name in ("standstills", "helped", "proposals_served", "reorganisations"):
        assert network.counter(name) == 0, name
    one_down = running(8, (1,) * 7, Faults(silent=1))
    assert min(one_down.heights[1:]) > 16
    one_down.check_honest()


def test_leaders_leave_slots_out_while_much_is_not_final() -> None:
    parameters = FFGParameters.of(ChainParameters.local())
    gaps = [parameters.gap_slots(unfinal) for unfinal in (0, 100, 127, 128, 160, 192, 512)]
    assert gaps == [1, 1, 1, 2, 4, 8, 8_192]


def test_blocks_of_a_cut_network_stay_within_the_cap_and_it_comes_back() -> None:
    network = Network(1, (1, 1, 1, 1), Faults(heal_us=40_000_000), make_engine=FFG)
    network.start()
    network.submit(1_000)
    network.run_for(500_000)
    network.groups = [0, 0, 1, 1]
    network.run_for(39_500_000)
    assert max(network.heights) == 0
    assert all(counter(host, "blocks_tracked") <= 513 for host in network.hosts)
    assert max(counter(host, "head_height") for host in network.hosts) > 100
    network.submit(3)
    assert network.run_until(lambda: min(network.heights) > 0, 60 * 4 * SLOT_US)
    network.check_honest()


# --- messages of a faulty validator ---


@pytest.mark.parametrize(
    ("first", "second", "kind"), [(link(0, 2), link(0, 2, "x"), "F1"), (link(2, 3), link(1, 4), "F2")]
)
def test_a_double_vote_and_a_surround_vote_are_shown(first: Link, second: Link, kind: str) -> None:
    network = running(0.2)
    host, villain = network.hosts[:2]
    tell(host, villain, Cast(vote(network, villain, first)))
    effects = tell(host, villain, Cast(vote(network, villain, second)))
    found = [effect.data for effect in effects if isinstance(effect, seam.Evidence)]
    offence = host.live.convict(found[0], lambda _epoch: network.validators)
    assert offence is not None
    assert (offence.offender, offence.kind) == (villain.key, kind)
    again = tell(host, villain, Cast(vote(network, villain, link(0, 5))))
    assert not any(isinstance(effect, seam.Evidence) for effect in again), "once for each offender"


def test_votes_are_bounded_by_voter_and_window() -> None:
    network = running(0.2)
    host, villain = network.hosts[:2]
    for name in "abcd":
        tell(host, villain, Cast(vote(network, villain, link(0, 2, name))))
    assert counter(host, "refused_crowded") == 2
    for index in range(60, 90):
        tell(host, villain, Cast(vote(network, villain, link(index - 1, index))))
    assert counter(host, "votes_held") <= 2 + 5
    assert counter(host, "refused_stale") == 25


def test_votes_with_a_bad_signature_or_of_somebody_else_are_blamed() -> None:
    network = running(0.2)
    host, villain, other = network.hosts[:3]
    forged = replace(vote(network, villain, link(0, 2)), signature=bytes(64))
    for message in (Cast(forged), Cast(vote(network, other, link(0, 2)))):
        assert [type(effect) for effect in tell(host, villain, message)] == [seam.Blame]
    weak = Links((quorum(network, link(0, 2), voters=2),))
    assert [type(effect) for effect in tell(host, villain, weak)] == [seam.Blame]
    assert counter(host, "votes_held") == 0


def proposal_of(network: Network, leader: Host, slot: int, *, name: str = "", time_ms: int | None = None) -> Proposal:
    seal = encode_seal(Seal(slot, links_hash(())))
    ids = (blake2b_256(name.encode()),)
    at_ms = slot * SLOT_MS if time_ms is None else time_ms
    header = network.header_of(network.genesis, leader.key, network.genesis.epoch, seal, at_ms, ids)
    assert header.tx_root == tx_root(ids)  # type: ignore[arg-type] # bytes of ids
    ballot = Ballot(0, slot, VoteKind.PROPOSE, header.hash)
    signature = KEYED.sign(leader.seed, signed_bytes(PROPOSAL_DOMAIN, GENESIS_HASH, ballot.data))
    return Proposal(header, (), ids, signature)  # type: ignore[arg-type] # bytes of ids


def leading(network: Network) -> tuple[Host, Host, int]:
    """A host, another one that leads a slot soon, and the slot."""
    host = network.hosts[0]
    state = host.live._running.state  # type: ignore[attr-defined] # who leads is not told
    for slot in range(network.now // SLOT_US + 1, network.now // SLOT_US + 60):
        for leader in network.hosts[1:]:
            if state.leader(slot) == leader.key:
                return host, leader, slot
    raise AssertionError


def test_a_block_is_believed_with_its_leaders_signature_alone() -> None:
    network = Network(1, (1, 1, 1, 1), make_engine=FFG)
    network.start()
    host, leader, slot = leading(network)
    good = proposal_of(network, leader, slot)
    other = next(each for each in network.hosts if each.key not in {leader.key, host.key})
    bad = [
        (replace(good, signature=bytes(64)), "refused_proposal_signature"),
        (proposal_of(network, other, slot), "refused_not_leader"),
        (proposal_of(network, leader, slot, time_ms=slot * SLOT_MS + 1), "refused_slot_time"),
        (replace(good, transaction_ids=()), "refused_uncommitted"),
        (replace(good, links=(quorum(network, link(0, 2)),)), "refused_uncommitted"),
    ]
    for message, code in bad:
        before = counter(host, code)
        effects = tell(host, other, message)
        assert [type(effect) for effect in effects] == [seam.Blame], code
        assert counter(host, code) == before + 1
    assert counter(host, "blocks_tracked") == 1
    effects = tell(host, other, good)
    assert any(isinstance(effect, seam.Fetch) for effect in effects), "anybody may pass a signed proposal on"


def test_a_leader_that_proposes_twice_is_shown_and_a_third_is_not_kept() -> None:
    network = Network(1, (1, 1, 1, 1), make_engine=FFG)
    network.start()
    host, leader, slot = leading(network)
    effects = [tell(host, leader, proposal_of(network, leader, slot, name=name)) for name in "abc"]
    found = [effect.data for effect in effects[1] if isinstance(effect, seam.Evidence)]
    offence = host.live.convict(found[0], lambda _epoch: network.validators)
    assert offence is not None
    assert (offence.offender, offence.kind) == (leader.key, "E5")
    assert counter(host, "refused_crowded") == 1
    assert counter(host, "blocks_tracked") == 3


def test_a_proposal_far_ahead_of_the_clock_is_not_kept() -> None:
    network = Network(1, (1, 1, 1, 1), make_engine=FFG)
    network.start()
    host, leader, slot = leading(network)
    while slot * SLOT_US <= network.now + 10_000_000 or host.live._running.state.leader(slot) != leader.key:  # type: ignore[attr-defined]
        slot += 1
    assert not tell(host, leader, proposal_of(network, leader, slot))
    assert counter(host, "refused_stale") == 1


def test_a_missing_parent_is_asked_for_and_its_path_is_answered() -> None:
    network = running(1.5)
    host, late = network.hosts[:2]
    head = host.live._running.state.head  # type: ignore[attr-defined] # the fork choice
    answer = tell(host, late, Ask(0, head.hash))
    sent = [decode_message(effect.data) for effect in answer if isinstance(effect, seam.Send)]
    heights = [message.header.height for message in sent if isinstance(message, Proposal)]
    assert heights == list(range(head.height - len(heights) + 1, head.height + 1))
    assert 1 < len(heights) <= 16
    assert not tell(host, late, Ask(0, head.hash)), "once per D0/2"


@pytest.mark.parametrize("logged", [1, 2, 3])
def test_an_own_block_that_was_logged_and_never_signed_is_not_built_on(logged: int) -> None:
    network = running(1.5)
    host = network.hosts[0]
    state = host.live._running.state  # type: ignore[attr-defined] # its fork choice
    slot = state.slot + 1
    seal = encode_seal(Seal(slot, links_hash(())))
    block = network.build(host, seam.Build(1, state.head.hash, state.context.epoch, seal, slot * SLOT_MS))
    ballot = Ballot(0, slot, VoteKind.PROPOSE, block.hash)
    proposal = Proposal(block.header, (), block.transaction_ids, UNSIGNED)
    host.life, host.disk.pending = host.life + 1, []
    host.disk.log += [block.hash, LOG.proposal(proposal), LOG.own(ballot)][:logged]
    host.start()
    tree = host.live._running.state.tree  # type: ignore[attr-defined] # what it may build on
    assert (tree.get(block.hash) is not None) == (logged == 3), "with its ballot it is signed and sent after all"
    before = network.heights
    network.run_for(3_000_000)
    assert min(network.heights) > max(before), "nobody is left alone on a branch that nobody else believes"
    assert counter(host, "guard_refused") == 0


def test_no_block_is_built_while_the_last_one_waits_for_its_signature() -> None:
    network = running(1.5)
    host = network.hosts[0]
    replica = host.live._running.replica  # type: ignore[attr-defined] # its room of rules
    state = replica.state
    slot = state.slot + 1
    while state.leader(slot) != host.key:
        slot += 1
    waiting = proposal_of(network, host, slot - 1)
    replica.unsigned = waiting
    assert not [each for each in host.live.on_deadline(slot * SLOT_US) if isinstance(each, seam.Build)]
    replica.unsigned = None
    assert [each for each in host.live.on_deadline(slot * SLOT_US) if isinstance(each, seam.Build)]


def test_a_validator_that_came_back_asks_again_although_the_chain_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    network = running(1.5, stakes=(1, 20, 20, 20))
    host, send = network.hosts[0], network.send
    lost_until = network.now + 5 * SLOT_US

    def lossy(sender: Host, to: seam.Target, data: bytes) -> None:
        if sender is not host or network.now >= lost_until:
            send(sender, to, data)

    monkeypatch.setattr(network, "send", lossy)
    host.life, host.disk.pending = host.life + 1, []
    host.start()
    signer = host.live._running.state.signer  # type: ignore[attr-defined] # whether it may sign
    network.run_for(5 * SLOT_US)
    assert not signer.ready
    network.run_for(3 * SLOT_US)
    assert signer.ready


def test_questions_and_claims_of_strangers_are_refused() -> None:
    network = running(0.2)
    host = network.hosts[0]
    stranger = Host(network, 9, b"s" * 32)
    for message in (Status(0, 5, 5, BlockHash(bytes(32)), 1), Ask(0, BlockHash(bytes(32)))):
        assert not tell(host, stranger, message)
    assert counter(host, "refused_stranger") == 2
    tell(host, network.hosts[1], Status(1, 5, 5, BlockHash(bytes(32)), 0))
    assert counter(host, "refused_epoch") == 1


def test_a_second_final_checkpoint_stops_the_node_with_a_sentence() -> None:
    network = running(4)
    host = network.hosts[0]
    final = host.live._running.state.gadget.final  # type: ignore[attr-defined] # what it holds final
    assert final.index >= 1
    beside = Link(0, checkpoint(final.index, "beside"), checkpoint(final.index + 1, "beside"))
    effects = tell(host, network.hosts[1], Links((quorum(network, beside),)))
    shown = [decode_message(effect.data) for effect in effects if isinstance(effect, seam.Send)]
    assert any(isinstance(each, Links) and each.items[-1].link == beside for each in shown), "the others are told"
    assert not any(isinstance(effect, seam.Halt) for effect in effects), "two slots later"
    effects = list(host.live.on_deadline(network.now + 2 * SLOT_US))
    reasons = [effect.reason for effect in effects if isinstance(effect, seam.Halt)]
    assert any(f"checkpoint {final.index} is final here, and another one is for a quorum" in each for each in reasons)


def test_the_largest_proposal_fits_into_a_message() -> None:
    assert PROPOSAL_BYTES_MAX <= 256 * 1024


@settings(max_examples=100, deadline=None)
@given(records=st.lists(st.binary(max_size=80), min_size=1, max_size=3))
def test_a_log_that_this_engine_did_not_write_is_named(records: list[bytes]) -> None:
    with pytest.raises(LogError, match="record 0"):
        LOG.read([b"\x02" + records[0], *records])
