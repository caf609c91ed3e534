"""A leader that restarts is told of its proposals, and stops if its disk does not know of one."""

from __future__ import annotations

from dataclasses import replace

from p2pcommerce.finality import FFG
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.ffg.heads import ProposalHeads
from p2pcommerce.finality.ffg.messages import (
    HEADS_MAX,
    Answer,
    Proposal,
    ProposalHead,
    Status,
    decode_message,
    encode_message,
)
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, VoteKind
from p2pcommerce.primitives.crypto import blake2b_256, signed_bytes
from p2pcommerce.primitives.ids import BlockHash
from tests.finality.network import GENESIS_HASH, KEYED, Host, Network
from tests.finality.test_ffg import SLOT_MS, SLOT_US, counter, leading, proposal_of, tell


def network() -> Network:
    made = Network(1, (1, 1, 1, 1), make_engine=FFG)
    made.start()
    return made


def head_of(proposal: Proposal) -> ProposalHead:
    return ProposalHead(proposal.header.time_ms // SLOT_MS, proposal.header.hash, proposal.signature)


def made_by(host: Host, slot: int, name: str = "lost") -> ProposalHead:
    """What a host signed in another life."""
    block_hash = BlockHash(blake2b_256(name.encode()))
    ballot = Ballot(0, slot, VoteKind.PROPOSE, block_hash)
    return ProposalHead(
        slot, block_hash, KEYED.sign(host.seed, signed_bytes(PROPOSAL_DOMAIN, GENESIS_HASH, ballot.data))
    )


def asking(network: Network, host: Host) -> int:
    """Start a host again, cut off, and return the number that it asks under."""
    host.life, host.disk.pending = host.life + 1, []
    network.groups = [1 if each is host else 0 for each in network.hosts]
    host.start()
    question: int = host.live._running.state.rollcall.question  # type: ignore[attr-defined] # the number it asks under
    assert question
    return question


def halts(effects: list[seam.Effect]) -> list[str]:
    return [effect.reason for effect in effects if isinstance(effect, seam.Halt)]


def answers(host: Host, asker: Host) -> list[Answer]:
    status = Status(0, 0, 0, BlockHash(bytes(32)), 77)
    sent = [decode_message(each.data) for each in tell(host, asker, status) if isinstance(each, seam.Send)]
    return [each for each in sent if isinstance(each, Answer)]


# --- what is told ---


def test_a_leader_that_asks_is_told_of_its_proposals() -> None:
    host, leader, slot = leading(made := network())
    proposal = proposal_of(made, leader, slot)
    tell(host, leader, proposal)
    (answer,) = answers(host, leader)
    assert answer.proposals == (head_of(proposal),)
    (other,) = answers(host, next(each for each in made.hosts if each not in {host, leader}))
    assert other.proposals == (), "nobody is told of somebody else's"


def test_a_proposal_that_is_refused_is_remembered_if_its_leader_itself_sent_it() -> None:
    host, leader, slot = leading(made := network())
    courier = next(each for each in made.hosts if each not in {host, leader})
    far = proposal_of(made, leader, slot, time_ms=(slot + 1_000) * SLOT_MS)
    tell(host, courier, far)
    assert len(host.live._running.state.heads) == 0  # type: ignore[attr-defined] # what is remembered
    tell(host, leader, far)
    assert counter(host, "refused_slot_time") == 2
    assert [each.hash for each in answers(host, leader)[0].proposals] == [far.header.hash]


def test_a_proposal_that_somebody_passes_on_is_remembered_if_its_signature_is_good() -> None:
    host, leader, slot = leading(made := network())
    courier = next(each for each in made.hosts if each not in {host, leader})
    good = proposal_of(made, leader, slot)
    tell(host, courier, replace(good, signature=bytes(64)))
    assert len(host.live._running.state.heads) == 0  # type: ignore[attr-defined] # what is remembered
    tell(host, courier, good)
    assert answers(host, leader)[0].proposals == (head_of(good),)


def test_the_last_8_proposals_of_each_leader_are_remembered() -> None:
    heads = ProposalHeads()
    heard = [ProposalHead(slot, BlockHash(bytes(32)), bytes(64)) for slot in range(100, 0, -1)]
    for each in heard:
        heads.note(3, each)
        heads.note(3, each)
    heads.note(4, heard[0])
    assert heads.newest(3) == tuple(heard[-HEADS_MAX:]), "as they were heard, whatever their slots"
    assert heads.newest(4) == (heard[0],), "no leader takes another one's place"
    assert heads.newest(5) == ()
    assert len(heads) == HEADS_MAX + 1


def test_the_largest_answer_fits_into_a_message() -> None:
    head = ProposalHead(2**64 - 2, BlockHash(bytes(32)), bytes(64))
    answer = Answer(2**32 - 1, 2**64 - 1, (), (head,) * HEADS_MAX)
    assert decode_message(encode_message(answer)) == answer
    assert len(encode_message(answer)) < 2_048 - 256, "and a vote"


def test_a_validator_that_restarted_tells_of_the_proposals_in_its_log() -> None:
    made = network()
    made.submit(300)
    made.run_for(1_500_000)
    host, leader = made.hosts[:2]
    host.life, host.disk.pending = host.life + 1, []
    made.groups = [1, 0, 0, 0]
    host.start()
    tree = host.live._running.state.tree  # type: ignore[attr-defined] # what its log brought back
    logged = {block.proposal.header.hash for block in tree.logged if block.proposal.header.proposer == leader.key}
    (answer,) = answers(host, leader)
    assert logged
    assert {each.hash for each in answer.proposals} == logged


# --- what the leader makes of it ---


def test_an_unknown_own_proposal_in_an_answer_stops_for_good() -> None:
    made = network()
    host, peer = made.hosts[:2]
    question = asking(made, host)
    told = made_by(host, made.now // SLOT_US + 3)
    (reason,) = halts(tell(host, peer, Answer(0, question, (), (told,))))
    assert "a second instance signs with this key: PROPOSE" in reason


def test_an_unknown_own_proposal_stops_when_a_quorum_has_answered_already_as_well() -> None:
    made = network()
    host = made.hosts[0]
    question = asking(made, host)
    for peer in made.hosts[1:3]:
        tell(host, peer, Answer(0, question, (), ()))
    signer = host.live._running.state.signer  # type: ignore[attr-defined] # whether it may sign
    assert signer.ready
    told = made_by(host, made.now // SLOT_US + 3)
    assert not halts(tell(host, made.hosts[1], Answer(0, question, (), (told,)))), "of each one more answer is none"
    assert not halts(tell(host, made.hosts[3], Answer(0, question + 1, (), (told,)))), "not what was asked"
    assert halts(tell(host, made.hosts[3], Answer(0, question, (), (told,))))


def test_a_forged_own_proposal_in_an_answer_stops_nobody() -> None:
    made = network()
    host, peer = made.hosts[:2]
    question = asking(made, host)
    slot = made.now // SLOT_US + 3
    forged = [
        replace(made_by(host, slot), signature=bytes(64)),
        made_by(peer, slot),
        replace(made_by(host, slot), slot=9),
    ]
    effects = tell(host, peer, Answer(0, question, (), tuple(forged)))
    assert not halts(effects)
    assert not [each for each in effects if isinstance(each, seam.Blame)], "others keep what is said in its name"


def test_own_proposals_that_the_disk_knows_are_fine_in_an_answer() -> None:
    made = network()
    made.submit(300)
    made.run_for(1_500_000)
    host, peer = made.hosts[:2]
    (known,) = answers(peer, host)
    assert len(known.proposals) == counter(host, "proposals") > 0
    question = asking(made, host)
    for other in made.hosts[1:]:
        assert not halts(tell(host, other, Answer(0, question, (), known.proposals)))
    assert host.live._running.state.signer.ready  # type: ignore[attr-defined] # whether it may sign
