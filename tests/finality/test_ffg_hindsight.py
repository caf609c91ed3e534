"""FFG: links of the past against the stored chain: what is looked up, how much of it, and who is accused."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from p2pcommerce.finality import FFG
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.engine import Context
from p2pcommerce.finality.ffg.evidence import convict
from p2pcommerce.finality.ffg.forks import Forks
from p2pcommerce.finality.ffg.hindsight import (
    AGREED_MAX,
    LOOKS_BURST,
    LOOKS_PER_PEER,
    LOOKS_REFILL_US,
    LOOKS_STRANGERS,
    PEERS_MAX,
    READS_MAX,
    Hindsight,
    Row,
)
from p2pcommerce.finality.ffg.links import LinkVote, QuorumLink, make_quorum_link
from p2pcommerce.finality.ffg.parameters import CHECKPOINT_BLOCKS
from p2pcommerce.finality.ffg.proof import encode_proof
from p2pcommerce.finality.ffg.state import State
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN, Link
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.ids import Epoch, Height, PeerId
from tests.finality.network import GENESIS_HASH, KEYED, Network
from tests.finality.test_ffg import checkpoint, link

FINAL = 2_000
"""Index of the final checkpoint."""
ONE, OTHER = 1, 2
EVERYBODY = tuple(range(7))


def stranger(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


class Library:
    """A look back over a chain whose checkpoints all validators but the last finalized one by one.

    Reads wait until `read` answers them, from the chain or, if `is_empty`, with nothing.
    """

    def __init__(self, *, owner: int | None = None) -> None:
        self.network = Network(1, (1,) * 7, make_engine=FFG)
        self.validators = self.network.validators
        self.keys = self.validators.keys
        self.seeds = {host.key: host.seed for host in self.network.hosts}
        self.now = 0
        self.is_empty = False
        self.damaged = False
        context = Context(
            key=None if owner is None else self.keys[owner],
            genesis_hash=GENESIS_HASH,
            parameters=self.network.parameters,
            epoch=Epoch(0),
            validators=self.validators,
            following=self.validators,
            delivered=self.header(FINAL * CHECKPOINT_BLOCKS),
            proof=b"",
            scheme=KEYED,
            rng=random.Random(1),
            has_pending=lambda _block_hash: False,
            signed={},
        )
        self.state = State(context, 0)
        self.hindsight = Hindsight(self.state, Forks(self.state))

    # --- what is stored ---

    def header(self, height: int) -> Header:
        return replace(self.network.genesis, height=Height(height))

    def row(self, height: int) -> Row:
        """A stored block: its proof has the links to the checkpoint at or above it, and from there to the next."""
        final = -(-height // CHECKPOINT_BLOCKS)
        links = [self.quorum(link(index, index + 1)) for index in (final - 1, final)]
        proof = b"damaged" if self.damaged else encode_proof(links, [self.header(height + 1)])
        return self.header(height), proof, b""

    def rows(self, recall: seam.Recall) -> Sequence[Row]:
        if self.is_empty:
            return ()
        return [self.row(height) for height in range(max(1, recall.from_height), recall.from_height + recall.count)]

    # --- what is signed ---

    def vote(self, voter: int, what: Link) -> LinkVote:
        seed = self.seeds[self.keys[voter]]
        return LinkVote(what, voter, KEYED.sign(seed, signed_bytes(LINK_DOMAIN, GENESIS_HASH, what.data)))

    def quorum(self, what: Link, voters: Sequence[int] = EVERYBODY[:-1]) -> QuorumLink:
        return make_quorum_link([self.vote(voter, what) for voter in voters], self.validators)

    # --- what is heard and read ---

    def hear(self, voter: int, what: Link) -> LinkVote:
        """A validator sends a vote of its own."""
        vote = self.vote(voter, what)
        self.hindsight.doubt_vote(self.keys[voter], vote, self.now)
        return vote

    def hear_quorum(self, peer: PeerId | None, quorum: QuorumLink) -> None:
        self.hindsight.doubt_quorum(peer, quorum, self.now)

    @property
    def recalls(self) -> list[seam.Recall]:
        return [effect for effect in self.state.out if isinstance(effect, seam.Recall)]

    @property
    def waiting(self) -> list[seam.Recall]:
        return [recall for recall in self.recalls if recall.request in self.hindsight._looks]

    def read(self) -> None:
        """Answer all reads, and those that follow from them."""
        while waiting := self.waiting:
            for recall in waiting:
                self.answer(recall)

    def answer(self, recall: seam.Recall) -> None:
        self.hindsight.on_recalled(recall.request, self.rows(recall), {0: self.validators}.__getitem__)

    # --- what comes of it ---

    def count(self, name: str) -> int:
        return self.state.counters[name]

    @property
    def accused(self) -> dict[int, str]:
        """Voter -> the rule that it is convicted of."""
        found = {}
        for effect in self.state.out:
            if isinstance(effect, seam.Evidence):
                offence = convict(effect.data, lambda _epoch: self.validators, GENESIS_HASH, KEYED)
                assert offence is not None, "evidence convicts"
                found[self.keys.index(offence.offender)] = offence.kind
        return found

    @property
    def blamed(self) -> list[PeerId]:
        return [effect.peer for effect in self.state.out if isinstance(effect, seam.Blame)]

    @property
    def is_stopped(self) -> bool:
        return self.state.signer.halted is not None


def double(index: int, name: str = "x") -> Link:
    """A link that contradicts the stored one to the checkpoint of this index."""
    return link(index - 1, index, name)


# --- how much is looked up ---


def test_of_one_validator_8_links_are_looked_up_at_one_time() -> None:
    library = Library()
    library.is_empty = True
    for number in range(LOOKS_PER_PEER + 3):
        library.hear(ONE, double(number + 10))
    assert len(library.hindsight) == LOOKS_PER_PEER
    assert library.count("doubts_dropped") == 3
    library.hear(OTHER, double(5))
    assert len(library.hindsight) == LOOKS_PER_PEER + 1, "others have places of their own"
    library.answer(library.waiting[0])
    library.hear(ONE, double(30))
    assert len(library.hindsight) == LOOKS_PER_PEER + 1, "a place that was left is taken again"


def test_all_strangers_together_have_8_places_and_take_none_of_a_validators() -> None:
    library = Library()
    for number in range(50):
        library.hear_quorum(stranger(number), library.quorum(double(number + 10)))
    assert len(library.hindsight) == LOOKS_STRANGERS
    assert library.count("doubts_dropped") == 50 - LOOKS_STRANGERS
    for voter in EVERYBODY:
        for number in range(LOOKS_PER_PEER):
            library.hear(voter, double(number + 10))
    assert len(library.hindsight) == LOOKS_STRANGERS + LOOKS_PER_PEER * len(EVERYBODY)


@pytest.mark.parametrize("is_member", [True, False])
def test_of_one_peer_16_links_are_looked_up_at_once_and_one_more_each_second(*, is_member: bool) -> None:
    library = Library()
    library.is_empty = True
    peer = library.keys[ONE] if is_member else stranger(1)

    def hear(count: int) -> int:
        before = library.count("doubts")
        for number in range(count):
            library.hear_quorum(peer, library.quorum(double(10, f"{library.now} {number}")))
            library.read()
        return library.count("doubts") - before

    assert hear(LOOKS_BURST + 5) == LOOKS_BURST
    library.now += LOOKS_REFILL_US - 1
    assert hear(3) == 0
    library.now += 1
    assert hear(3) == 1, "the time before counts, though it was asked in vain meanwhile"
    library.now += 3 * LOOKS_REFILL_US
    assert hear(5) == 3
    library.now += 1_000 * LOOKS_REFILL_US
    assert hear(LOOKS_BURST + 5) == LOOKS_BURST, "no more is saved up"


def test_the_looks_of_512_peers_are_counted_and_who_was_silent_longest_is_forgotten() -> None:
    library = Library()
    library.is_empty = True
    quorum = library.quorum(double(10))

    def hear(peer: PeerId) -> bool:
        before = library.count("doubts")
        library.hear_quorum(peer, quorum)
        library.read()
        return library.count("doubts") > before

    spent, silent = stranger(1), stranger(2)
    assert hear(spent), "it came first, but is not the one that is silent"
    for peer in (silent, spent):
        for _ in range(LOOKS_BURST):
            hear(peer)
        assert not hear(peer)
    for number in range(10, 10 + PEERS_MAX - 1):
        assert hear(stranger(number))
    assert len(library.hindsight._peers) == PEERS_MAX
    assert not hear(spent), "still counted"
    assert hear(silent), "forgotten"
    for number in range(10_000, 10_000 + 2 * PEERS_MAX):
        hear(stranger(number))
    assert len(library.hindsight._peers) == PEERS_MAX


def test_1024_links_are_known_to_be_those_of_the_chain_and_the_oldest_is_forgotten() -> None:
    library = Library()

    def is_looked_up(index: int) -> bool:
        before = len(library.recalls)
        library.hear_quorum(None, make_quorum_link([library.vote(ONE, link(index - 1, index))], library.validators))
        library.read()
        return len(library.recalls) > before

    for index in range(1, AGREED_MAX + 1):
        assert is_looked_up(index)
    assert not is_looked_up(1)
    assert is_looked_up(AGREED_MAX + 1)
    assert len(library.hindsight._agreed) == AGREED_MAX
    assert not is_looked_up(2)
    assert is_looked_up(1), "forgotten for the last one"
    assert not library.accused
    assert not library.blamed


def test_for_one_link_16_reads_are_done_and_no_more() -> None:
    library = Library()
    library.is_empty = True
    library.hear(ONE, link(0, FINAL))
    library.read()
    assert [recall.from_height for recall in library.recalls] == [
        (FINAL - number) * CHECKPOINT_BLOCKS for number in range(READS_MAX)
    ]
    assert {recall.count for recall in library.recalls} == {CHECKPOINT_BLOCKS}
    assert len(library.hindsight) == 0


def test_reads_end_where_the_link_begins() -> None:
    library = Library()
    library.is_empty = True
    library.hear(ONE, link(10, 14, "x"))
    library.read()
    assert [recall.from_height // CHECKPOINT_BLOCKS for recall in library.recalls] == [14, 13, 12], (
        "below 11 nothing is spanned"
    )


def test_a_target_above_what_is_stored_is_looked_for_at_the_top() -> None:
    library = Library()
    library.hear(ONE, link(FINAL - 1, FINAL + 50, "x"))
    assert [recall.from_height for recall in library.recalls] == [FINAL * CHECKPOINT_BLOCKS]


# --- what needs no look ---


def test_a_link_from_the_final_checkpoint_or_above_is_none_of_the_past() -> None:
    library = Library()
    library.hear(ONE, link(FINAL, FINAL + 1, "x"))
    library.hear_quorum(stranger(1), library.quorum(link(FINAL + 3, FINAL + 4, "x")))
    assert not library.recalls
    library.hear(ONE, link(FINAL - 1, FINAL + 1, "x"))
    assert library.recalls


def test_what_is_looked_up_is_not_looked_up_once_more_meanwhile() -> None:
    library = Library()
    for _ in range(5):
        library.hear(ONE, double(10))
    assert len(library.recalls) == len(library.hindsight) == 1
    assert library.count("doubts_dropped") == 0, "and costs no place"


def test_votes_of_who_is_accused_already_need_no_look() -> None:
    library = Library()
    library.hear(ONE, double(10))
    library.read()
    assert library.accused == {ONE: "F1"}
    before = len(library.recalls)
    library.hear(ONE, double(20))
    assert len(library.recalls) == before


def test_an_answer_that_nobody_asked_for_changes_nothing() -> None:
    library = Library()
    library.hear(ONE, double(10))
    (recall,) = library.recalls
    library.answer(replace(recall, request=recall.request + 1))
    assert len(library.hindsight) == 1
    library.read()
    accused = library.accused
    library.answer(recall)
    assert library.accused == accused == {ONE: "F1"}
    assert len(library.hindsight) == 0


def test_a_link_of_an_epoch_from_which_evidence_counts_no_more_is_left_aside() -> None:
    library = Library()
    library.hear(ONE, double(10))
    (recall,) = library.recalls
    library.hindsight.on_recalled(recall.request, library.rows(recall), {}.__getitem__)
    assert library.count("doubts_too_old") == 1
    assert len(library.hindsight) == 0
    assert not library.accused


def test_a_proof_that_is_damaged_on_the_disk_is_of_no_use() -> None:
    library = Library()
    library.damaged = True
    library.hear(ONE, double(10))
    library.read()
    assert len(library.hindsight) == 0
    assert not library.accused
    assert not library.blamed


# --- who is accused ---


@pytest.mark.parametrize(
    ("what", "rule"),
    [(double(10), "F1"), (link(8, 10, "x"), "F1"), (link(4, 900, "x"), "F1"), (link(4, FINAL + 9, "x"), "F2")],
)
def test_an_old_vote_against_a_stored_link_convicts_its_voter(what: Link, rule: str) -> None:
    library = Library()
    library.hear(ONE, what)
    library.read()
    assert library.accused == {ONE: rule}
    assert not library.is_stopped


def test_who_did_not_sign_the_stored_link_is_not_accused_and_its_vote_is_not_verified() -> None:
    library = Library()
    library.hear(6, double(10))
    library.read()
    assert library.recalls
    assert not library.accused
    assert library.state.verifier.checked == 0


def test_the_own_key_is_never_accused() -> None:
    library = Library(owner=ONE)
    library.hear_quorum(library.keys[OTHER], library.quorum(link(8, 10, "x")))
    library.read()
    assert set(library.accused) == set(EVERYBODY[:-1]) - {ONE}


@pytest.mark.parametrize("peer", [None, stranger(1)])
def test_a_quorum_that_finalized_another_block_convicts_and_stops(peer: PeerId | None) -> None:
    library = Library()
    beside = Link(0, checkpoint(10, "x"), checkpoint(11, "x"))
    library.hear_quorum(peer, library.quorum(beside, EVERYBODY[2:]))
    library.read()
    assert set(library.accused) == set(EVERYBODY[2:-1])
    assert library.is_stopped
    assert library.recalls[0].count == 1, "the block of the source is read first"


def test_a_forged_vote_accuses_nobody_and_costs_its_sender_the_connection() -> None:
    library = Library()
    forged = replace(library.vote(ONE, double(10)), signature=bytes(64))
    library.hindsight.doubt_vote(library.keys[ONE], forged, library.now)
    library.read()
    assert library.blamed == [library.keys[ONE]]
    assert not library.accused
    library.hear(ONE, double(10))
    library.read()
    assert library.accused == {ONE: "F1"}, "the copy does not hide the real one"


@pytest.mark.parametrize("what", [link(8, 12, "x"), Link(0, checkpoint(10, "x"), checkpoint(11, "x"))])
def test_a_forged_quorum_accuses_and_stops_nobody_and_costs_its_sender_the_connection(what: Link) -> None:
    library = Library()
    good = library.quorum(what)
    library.hear_quorum(stranger(1), replace(good, signatures=(*good.signatures[:-1], bytes(64))))
    library.read()
    assert library.blamed == [stranger(1)]
    assert not library.accused
    assert not library.is_stopped
    library.hear_quorum(stranger(2), good)
    library.read()
    assert set(library.accused) == set(EVERYBODY[:-1]), "the copy does not hide the real one"


# --- floods ---


def test_a_flood_costs_few_reads_and_no_signature() -> None:
    library = Library()
    library.is_empty = True
    for number in range(3_000):
        vote = LinkVote(double(10, f"{number}"), ONE, bytes(64))
        library.hindsight.doubt_vote(library.keys[ONE], vote, library.now)
        library.hear_quorum(stranger(number), make_quorum_link([vote], library.validators))
    assert len(library.hindsight) == LOOKS_PER_PEER + LOOKS_STRANGERS
    assert library.count("doubts_dropped") == 2 * 3_000 - LOOKS_PER_PEER - LOOKS_STRANGERS
    library.read()
    assert library.state.verifier.checked == 0
    assert not library.blamed


def test_under_a_flood_by_strangers_a_validators_old_vote_is_still_compared() -> None:
    library = Library()
    for number in range(3_000):
        library.hear_quorum(stranger(number), library.quorum(double(10, f"{number % 20}"), EVERYBODY[-1:]))
    library.hear(ONE, double(10))
    library.hear_quorum(library.keys[OTHER], library.quorum(link(8, 12, "x"), EVERYBODY[2:]))
    library.read()
    assert library.accused == {ONE: "F1", 2: "F1", 3: "F1", 4: "F1", 5: "F1"}


def test_under_a_flood_by_validators_the_old_votes_that_others_send_are_still_compared() -> None:
    library = Library()
    flooders = EVERYBODY[2:]
    for number in range(300):
        for voter in flooders:
            vote = LinkVote(double(10, f"{number}"), voter, bytes(64))
            library.hindsight.doubt_vote(library.keys[voter], vote, library.now)
    assert len(library.hindsight) == LOOKS_PER_PEER * len(flooders)
    library.hear(ONE, double(10))
    library.hear_quorum(library.keys[0], library.quorum(link(8, 12, "x"), flooders))
    library.read()
    assert set(library.accused) == {ONE, 2, 3, 4, 5}, "one that floods is shown by what others have of it"


def test_a_validators_own_old_vote_is_compared_a_second_after_its_flood() -> None:
    library = Library()
    library.is_empty = True
    for number in range(1_000):
        library.hear(ONE, double(10, f"{number}"))
        library.read()
    library.is_empty = False
    library.hear(ONE, double(10))
    assert not library.waiting, "its looks are spent"
    library.now += LOOKS_REFILL_US
    library.hear(ONE, double(10))
    library.read()
    assert library.accused == {ONE: "F1"}
