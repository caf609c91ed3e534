"""Certificates of the past, heard when memory has forgotten, are compared with the chain on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.proof import decode_proof, encode_proof
from p2pcommerce.finality.simplex.ending import decides_against
from p2pcommerce.finality.simplex.hindsight import (
    LOOKS_BURST,
    LOOKS_REFILL_US,
    MEMBERS_LOOKS_MAX,
    PEERS_MAX,
    READS_MAX,
    SEEN_MAX,
    STRANGERS_LOOKS_MAX,
    STRANGERS_MAX,
    Hindsight,
)
from p2pcommerce.finality.simplex.messages import Boundary, Certificates, Justify, Proposal, encode_message
from p2pcommerce.finality.simplex.state import JUSTIFIES_MAX
from p2pcommerce.finality.simplex.stored_justify import decode_justify
from p2pcommerce.finality.simplex.turns import WAITS_MAX
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import PeerId
from tests.finality.bench import D0_US, Bench
from tests.finality.test_forks import forged, is_stopped, next_block
from tests.finality.test_witness import offences

N, Z, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
ONE, OTHER = blake2b_256(b"one"), blake2b_256(b"other")
SEVEN = (1,) * 7


class Library(Bench):
    """A bench with a store: it answers what the engine wants to see again, unless switched off."""

    def __init__(self, *, epoch_blocks: int = 200) -> None:
        self.stored: list[tuple[Header, bytes, bytes]] = []
        self.recalls: list[seam.Recall] = []
        self.reads = True
        self.known_epochs: dict[int, ValidatorSet] = {}
        super().__init__(stakes=SEVEN, epoch_blocks=epoch_blocks)

    @override
    def answer(self, effect: seam.Effect) -> Sequence[seam.Effect]:
        if isinstance(effect, seam.Finalized):
            self.stored.append((self.blocks[effect.block_hash].header, effect.proof, effect.justify))
        if isinstance(effect, seam.Recall):
            self.recalls.append(effect)
            return self.read(effect) if self.reads else []
        return super().answer(effect)

    def read(self, recall: seam.Recall) -> Sequence[seam.Effect]:
        first = recall.from_height - 1
        rows = self.stored[first : first + recall.count] if first >= 0 else []
        self.known_epochs.setdefault(0, self.validators)
        return self.engine.on_recalled(recall.request, rows, self.known_epochs.__getitem__, self.now)

    @property
    def hindsight(self) -> Hindsight:
        return self.engine._running.crossing.hindsight

    def forget(self) -> None:
        """Restart on the last final block: what was heard is gone."""
        header, proof, _ = self.stored[-1]
        self.log, self.logged_blocks = [], {}
        self.boot(header, proof, dict(self.guard.last))
        self.forget_effects()
        self.recalls.clear()


def grown(views: int = 4, library: Library | None = None) -> Library:
    """A chain with a final block in each view, on the disk alone."""
    library = library or Library()
    first = library.proposal(1)
    library.receive(library.index_of(library.leader(1)), first)
    library.cast(N, 1, first.header.hash, *library.others)
    library.cast(F, 1, first.header.hash, *library.others)
    header = first.header
    for view in range(2, views + 1):
        header = next_block(library, view, header)
    assert len(library.stored) == views
    library.forget()
    return library


def accused(library: Library) -> set[bytes]:
    return {offender for offender, _ in offences(library)}


def test_each_final_block_is_stored_with_its_justify() -> None:
    library = grown(4)
    for below, (header, _, justify) in zip(library.stored, library.stored[1:], strict=False):
        (certificate,) = decode_justify(justify)
        assert (certificate.kind, certificate.hash) == (N, header.parent_hash)
        assert certificate.hash == below[0].hash


@pytest.mark.parametrize("view", [1, 2, 3])
@pytest.mark.parametrize(("kind", "rules"), [(F, {"E2", "E4"}), (N, {"E1", "E4"})])
def test_who_signed_for_another_block_of_an_old_view_is_accused(kind: VoteKind, rules: set[str], view: int) -> None:
    library = grown(4)
    library.certify(library.certificate(kind, view, OTHER))
    assert accused(library) == {library.validators.keys[index] for index in library.others}
    assert {rule for _, rule in offences(library)} <= rules
    assert is_stopped(library) == (kind is F)


def test_of_an_old_fork_the_others_are_told_with_both_certificates() -> None:
    library = grown(4)
    rival = library.certificate(F, 2, OTHER)
    library.certify(rival)
    told = [item for message in library.sent(Certificates) for item in message.items]
    assert rival in told
    assert decode_proof(library.stored[1][1]).certificate in told
    library.wait(2 * D0_US)
    (halt,) = library.of(seam.Halt)
    assert halt.reason.startswith(f"block {OTHER[:4].hex()} of view 2 in epoch 0 is final beside the block of height 2")


def test_an_f_of_an_old_view_that_was_skipped_convicts_who_skipped_it() -> None:
    library = Library()
    skip = library.certificate(Z, 1, 0)
    library.certify(skip)
    proposal = library.proposal(2, None, Justify(None, skip))
    library.receive(library.index_of(library.leader(2)), proposal)
    library.cast(N, 2, proposal.header.hash, *library.others)
    library.cast(F, 2, proposal.header.hash, *library.others)
    next_block(library, 3, proposal.header)
    library.forget()
    library.certify(library.certificate(F, 1, OTHER))
    assert {rule for _, rule in offences(library)} == {"E3"}
    assert len(accused(library)) == len(library.others)
    assert is_stopped(library)


def test_a_certificate_of_an_epoch_long_over_convicts() -> None:
    library = Library(epoch_blocks=2)
    rival, agreed = library.certificate(F, 1, OTHER), library.certificate(Z, 1, 0)
    grown_header = None
    for epoch in range(3):
        if epoch:
            library.begin_epoch()
        for view in (1, 2):
            parent = grown_header or library.genesis
            justify = Justify(None if view == 1 else library.certificate(N, view - 1, parent.hash), None)
            if library.leader(view) == library.key:
                proposal = library.sent(Proposal)[-1]
            else:
                proposal = library.proposal(view, parent, justify, view - 1)
                library.receive(library.index_of(library.leader(view)), proposal)
            grown_header = proposal.header
            library.cast(N, view, grown_header.hash, *library.others)
            library.cast(F, view, grown_header.hash, *library.others)
    assert len(library.stored) == 6
    library.known_epochs = dict.fromkeys(range(3), library.validators)
    library.begin_epoch()
    library.forget_effects()
    library.certify(agreed)
    assert not library.recalls
    library.certify(rival)
    assert len(accused(library)) == len(library.others)
    assert is_stopped(library)


# --- the end of an epoch that is over ---


def proposed(library: Library, view: int, parent: Header, *, first: bool = False, carries: bool = False) -> Header:
    """Bring the library through a proposal on the block of the view before, and a quorum of N."""
    justify = Justify(None if first else library.certificate(N, view - 1, parent.hash), None)
    parent_view = 0 if first else view - 1
    if library.leader(view) == library.key:
        library.wait(3 * D0_US)
        header = library.sent(Proposal)[-1].header
    else:
        make = library.carrier if carries else library.proposal
        proposal = make(view, parent, justify, parent_view)
        library.receive(library.index_of(library.leader(view)), proposal)
        header = proposal.header
    assert (header.parent_hash, header.height) == (parent.hash, parent.height + (not carries))
    library.cast(N, view, header.hash, *library.others)
    return header


def carried(carriers: int = 3) -> tuple[Library, list[Header]]:
    """A chain of epochs of one block; the first one's became final by the F of so many carriers. Two more are over.

    Returns the headers of views 1 to `carriers` + 1 of that epoch, too.
    """
    library = Library(epoch_blocks=1)
    headers = [proposed(library, 1, library.genesis, first=True)]
    for view in range(2, carriers + 2):
        headers.append(proposed(library, view, headers[-1], carries=True))
    library.cast(F, carriers + 1, headers[-1].hash, *library.others)
    assert decode_proof(library.stored[0][1]).headers == tuple(headers[1:])
    for _ in range(2):
        library.begin_epoch()
        header = proposed(library, 1, library.stored[-1][0], first=True)
        library.cast(F, 1, header.hash, *library.others)
    library.begin_epoch()
    assert len(library.stored) == library.epoch == 3
    library.known_epochs = dict.fromkeys(range(4), library.validators)
    library.forget_effects()
    library.recalls.clear()
    return library, headers


def old(library: Library, kind: VoteKind, view: int, target: bytes, voters: Sequence[int] = ()) -> Certificate:
    """A certificate of the first epoch."""
    epoch, library.epoch = library.epoch, 0
    certificate = library.certificate(kind, view, target, voters)
    library.epoch = epoch
    return certificate


@pytest.mark.parametrize("view", [2, 3])
def test_an_f_beside_the_carriers_that_decided_an_epoch_long_over_stops_the_node(view: int) -> None:
    library, _ = carried()
    rival = old(library, F, view, OTHER)
    library.certify(rival)
    assert library.recalls
    assert is_stopped(library)
    told = [item for message in library.sent(Certificates) for item in message.items]
    assert rival in told
    assert decode_proof(library.stored[0][1]).certificate in told


@pytest.mark.parametrize(("kind", "rule"), [(F, "E2"), (N, "E4")])
def test_who_signed_beside_the_f_that_decided_an_epoch_long_over_is_accused(kind: VoteKind, rule: str) -> None:
    library, _ = carried()
    library.certify(old(library, kind, 4, OTHER, library.others[:5]))
    assert {each for _, each in offences(library)} == {rule}
    both = [index for index in decode_proof(library.stored[0][1]).certificate.signers if index in library.others[:5]]
    assert accused(library) == {library.validators.keys[index] for index in both}
    assert 3 * len(both) > len(SEVEN)
    assert is_stopped(library) == (kind is F)


def test_what_honest_validators_finalized_at_the_end_of_an_epoch_accuses_and_stops_nobody() -> None:
    """Votes for the last block and for each of its carriers go on until a node hears of a quorum for one of them."""
    library, headers = carried()
    verified = library.counter("signatures_verified")
    for view, header in enumerate(headers, 1):
        for kind in (N, F):
            library.certify(old(library, kind, view, header.hash, library.others[:5]))
            library.now += LOOKS_REFILL_US
    for view in (5, 6, 50):  # further carriers, of which the stored proof knows nothing
        for kind in (N, F):
            library.certify(old(library, kind, view, blake2b_256(b"carrier %d" % view), library.others[1:]))
            library.now += LOOKS_REFILL_US
    for view in (2, 3):  # proposals that were notarized by some, and given up
        library.certify(old(library, N, view, OTHER))
        library.now += LOOKS_REFILL_US
    assert library.recalls
    assert not library.of(seam.Evidence)
    assert not library.of(seam.Blame)
    assert not is_stopped(library)
    assert library.counter("signatures_verified") == verified
    assert library.counter("doubts_dropped") == len(library.hindsight) == 0


def test_an_f_of_carriers_whose_signatures_are_not_good_costs_the_connection() -> None:
    library, _ = carried()
    library.certify(forged(old(library, F, 3, OTHER)))
    assert len(library.of(seam.Blame)) == 1
    assert not is_stopped(library)


def test_of_a_last_block_whose_proof_is_not_kept_nothing_can_be_told() -> None:
    library, _ = carried()
    library.stored[0] = (library.stored[0][0], b"", b"")
    library.certify(old(library, F, 3, OTHER))
    assert library.recalls
    assert not is_stopped(library)
    assert not library.of(seam.Blame)


@pytest.mark.parametrize(("view", "stops"), [(2, True), (3, True), (4, True), (5, False)])
def test_an_f_beside_the_carriers_of_the_epoch_before_is_compared_in_memory(view: int, *, stops: bool) -> None:
    library = Library(epoch_blocks=1)
    headers = [proposed(library, 1, library.genesis, first=True)]
    for number in (2, 3, 4):
        headers.append(proposed(library, number, headers[-1], carries=True))
    library.cast(F, 4, headers[-1].hash, *library.others)
    rival = library.certificate(F, view, OTHER)
    honest = [library.certificate(F, number, header.hash) for number, header in enumerate(headers, 1)]
    library.begin_epoch()
    library.forget_effects()
    for certificate in honest:
        library.certify(certificate)
    assert not is_stopped(library)
    assert not library.of(seam.Evidence)
    library.certify(rival)
    assert is_stopped(library) == stops
    assert {rule for _, rule in offences(library)} <= {"E2", "E4"}


def test_an_f_of_a_carrier_that_came_before_the_end_of_the_epoch_is_compared_with_it() -> None:
    library = Library(epoch_blocks=1)
    headers = [proposed(library, 1, library.genesis, first=True)]
    library.certify(library.certificate(F, 2, OTHER))  # its block never comes
    assert not is_stopped(library)
    for number in (2, 3):
        carrier = library.carrier(
            number, headers[-1], Justify(library.certificate(N, number - 1, headers[-1].hash), None), number - 1
        )
        headers.append(carrier.header)
    proof = encode_proof(library.certificate(F, 3, headers[-1].hash), headers[1:])
    library.receive(library.others[0], Boundary(headers[0], proof))
    assert [header for header, _, _ in library.stored] == headers[:1]
    assert is_stopped(library)


def test_an_f_of_a_carrier_that_came_before_the_end_was_caught_up_is_compared_with_it() -> None:
    library = Library(epoch_blocks=1)
    last = proposed(library, 1, library.genesis, first=True)
    library.certify(library.certificate(F, 2, OTHER))
    carriers = [library.carrier(2, last, Justify(library.certificate(N, 1, last.hash), None), 1).header]
    carriers.append(
        library.carrier(3, carriers[0], Justify(library.certificate(N, 2, carriers[0].hash), None), 2).header
    )
    assert not is_stopped(library)
    proof = encode_proof(library.certificate(F, 3, carriers[-1].hash), carriers)
    library.do(library.engine.on_synced(last, proof, library.now))
    assert is_stopped(library)


def test_after_catching_up_over_epochs_memory_tells_nothing_of_the_epoch_left() -> None:
    """The tree of that epoch stands in a later one: its views are not those that the certificate speaks of."""
    library = Library(epoch_blocks=1)
    parent, library.epoch = library.genesis, 0
    rival = library.certificate(F, 7, OTHER)
    for epoch, view in enumerate((7, 1, 1)):
        library.epoch = epoch
        header = library.proposal(view, parent).header
        proof = encode_proof(library.certificate(F, view, header.hash), ())
        library.stored.append((header, proof, b""))
        parent = header
    library.do(library.engine.on_synced(parent, library.stored[-1][1], library.now))
    library.begin_epoch()
    library.known_epochs = dict.fromkeys(range(4), library.validators)
    library.certify(rival)
    assert library.recalls
    assert is_stopped(library)
    assert {rule for _, rule in offences(library)} == {"E2"}


@pytest.mark.parametrize("change", [{}, {"epoch": 3}, {"view": 9}, {"view": 8}, {"kind": N}, {"hash": ONE}])
def test_what_decides_against_the_carriers_of_a_proof(change: dict[str, Any]) -> None:
    """Only an F of the same epoch, of no view above that of the F in the proof, for a block that is not in it."""
    library = Library()
    carrier = replace(library.genesis, state_root=OTHER)
    proof = encode_proof(library.certificate(F, 8, ONE), (carrier,))
    certificate = library.certificate(F, 7, OTHER)
    assert decides_against(proof, replace(certificate, **change)) == (change in [{}, {"view": 8}])
    assert not decides_against(proof, replace(certificate, hash=carrier.hash))
    assert not decides_against(b"", certificate)


# --- what needs no look ---


def test_the_certificate_of_the_final_block_itself_is_read_once_and_changes_nothing() -> None:
    library = grown(4)
    same = library.certificate(F, 2, library.stored[1][0].hash, library.others[:5])
    library.certify(same)
    read = len(library.recalls)
    assert 0 < read <= READS_MAX
    library.certify(same)
    assert len(library.recalls) == read
    assert not is_stopped(library)
    assert not library.of(seam.Evidence)
    assert not library.of(seam.Blame)


def test_the_block_that_passed_a_view_is_found_by_halving() -> None:
    library = grown(10)
    library.certify(library.certificate(F, 7, OTHER))
    assert len(library.recalls) <= 5
    assert library.recalls[-1].from_height == 7
    assert is_stopped(library)


@pytest.mark.parametrize("kind", [F, N])
def test_a_certificate_whose_signatures_are_not_good_accuses_nobody_and_costs_the_connection(kind: VoteKind) -> None:
    library = grown(4)
    library.certify(forged(library.certificate(kind, 2, OTHER)))
    assert [type(effect) for effect in library.of(seam.Blame)] == [seam.Blame]
    assert not library.of(seam.Evidence)
    assert not is_stopped(library)


def test_a_forged_copy_does_not_hide_the_certificate_that_it_was_made_from() -> None:
    library = grown(4)
    real = library.certificate(F, 2, OTHER)
    library.certify(forged(real))
    assert not is_stopped(library)
    library.certify(real)
    assert accused(library) == {library.validators.keys[index] for index in library.others}
    assert is_stopped(library)


def test_a_certificate_that_a_busy_store_did_not_answer_for_is_looked_up_again() -> None:
    library = grown(4)
    stored, rival = library.stored, library.certificate(F, 2, OTHER)
    library.stored = []
    library.certify(rival)
    library.stored = stored
    library.certify(rival)
    assert is_stopped(library)


def test_a_certificate_of_a_view_that_the_store_has_not_passed_is_looked_up_again() -> None:
    """The store may be behind what the engine has delivered."""
    library = grown(4)
    stored, rival = list(library.stored), library.certificate(F, 3, OTHER)
    behind = stored[1][0].engine_data
    library.stored[2:] = [(replace(header, engine_data=behind), *rest) for header, *rest in stored[2:]]
    library.certify(rival)
    assert library.recalls[-1].from_height == 4
    assert not is_stopped(library)
    library.stored = stored
    library.certify(rival)
    assert is_stopped(library)


def test_of_an_epoch_from_which_evidence_counts_no_more_nothing_is_compared() -> None:
    library = grown(4)
    library.reads = False
    library.certify(library.certificate(F, 2, OTHER))
    (recall,) = library.recalls
    known = {1: library.validators}
    library.do(library.engine.on_recalled(recall.request, library.stored[1:2], known.__getitem__, library.now))
    assert library.counter("doubts_too_old") == 1
    assert not is_stopped(library)
    assert len(library.hindsight) == 0


def test_what_the_store_does_not_hold_ends_the_look() -> None:
    library = grown(4)
    library.stored.clear()
    library.certify(library.certificate(F, 2, OTHER))
    assert len(library.recalls) == 1
    assert len(library.hindsight) == 0
    assert not is_stopped(library)


def test_views_that_the_chain_has_not_passed_are_not_looked_up() -> None:
    library = grown(4)
    library.certify(library.certificate(N, 6, OTHER))
    assert not library.recalls


def other(number: int, certificate: Certificate) -> Certificate:
    return replace(certificate, hash=blake2b_256(b"%d" % number))


def unanswered(library: Library) -> list[seam.Recall]:
    """The reads that wait for their answer."""
    return [recall for recall in library.recalls if recall.request in library.hindsight._looks]


def refuse(library: Library, recall: seam.Recall) -> None:
    """Answer that nothing is stored."""
    library.do(library.engine.on_recalled(recall.request, (), lambda _epoch: library.validators, library.now))


def hear(library: Library, peer: PeerId, certificate: Certificate) -> None:
    """Give the engine a certificate from anybody."""
    library.do(library.engine.on_message(peer, encode_message(Certificates((certificate,))), library.now))


def looked_up(library: Library, block_hash: bytes) -> list[int]:
    """The numbers of the reads for certificates of a block."""
    looks = library.hindsight._looks
    return [number for number, look in looks.items() if look.certificate.hash == block_hash]


def finish(library: Library, block_hash: bytes) -> None:
    """Answer all reads for certificates of a block truly."""
    while numbers := looked_up(library, block_hash):
        library.do(library.read(next(recall for recall in library.recalls if recall.request == numbers[0])))


def stranger(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def test_a_flood_of_old_certificates_costs_few_reads_and_no_signature() -> None:
    library = grown(4)
    library.reads = False
    flood = library.certificate(F, 2, OTHER)
    verified = library.counter("signatures_verified")
    for number in range(2_000):
        library.certify(other(number, flood))
    assert len(library.recalls) == len(library.hindsight) == MEMBERS_LOOKS_MAX
    assert library.hindsight.waiting <= WAITS_MAX
    while unanswered(library):
        refuse(library, unanswered(library)[0])
    for number in range(2_000, 4_000):
        library.certify(other(number, flood))
    assert len(library.recalls) <= LOOKS_BURST
    assert library.counter("doubts_dropped") >= 4_000 - LOOKS_BURST
    assert library.counter("signatures_verified") == verified
    library.now += LOOKS_REFILL_US
    while unanswered(library):
        refuse(library, unanswered(library)[0])
    before = len(library.recalls)
    library.certify(other(9_999, flood))
    assert len(library.recalls) == before + 1, "a patient peer is heard again"


def test_a_flood_of_strangers_does_not_keep_a_members_certificate_from_being_compared() -> None:
    library = grown(4)
    library.reads = False
    rival = library.certificate(F, 2, OTHER)
    for number in range(1_000):
        hear(library, stranger(number), other(number, rival))
    assert len(library.recalls) == STRANGERS_LOOKS_MAX, "none of them is answered yet"
    assert library.hindsight.waiting == STRANGERS_MAX
    library.reads = True
    library.certify(rival)
    assert is_stopped(library)


def test_a_flood_of_some_members_does_not_keep_anothers_certificate_from_being_compared() -> None:
    library = grown(4)
    library.reads = False
    honest, *flooders = [library.validators.keys[index] for index in library.others]
    rival = library.certificate(F, 2, OTHER)
    for number in range(100):
        for place, flooder in enumerate(flooders):
            hear(library, PeerId(flooder), other(1_000 * place + number, rival))
    assert library.hindsight.waiting <= len(flooders) * WAITS_MAX
    hear(library, PeerId(honest), rival)
    begun = len(library.recalls)
    while library.recalls[-1].request not in looked_up(library, OTHER):
        refuse(library, unanswered(library)[0])
    assert len(library.recalls) - begun <= len(flooders) + 1, "one look of each that waited before it"
    finish(library, OTHER)
    assert is_stopped(library)


def test_strangers_take_turns_too() -> None:
    library = grown(4)
    library.reads = False
    rival = library.certificate(F, 2, OTHER)
    for number in range(100):
        hear(library, stranger(1), other(number, rival))
    hear(library, stranger(2), rival)
    while not looked_up(library, OTHER):
        refuse(library, unanswered(library)[0])
    finish(library, OTHER)
    assert is_stopped(library)


def test_what_is_remembered_of_certificates_and_peers_is_bounded() -> None:
    library = grown(4)
    state, hindsight = library.engine._running.state, library.hindsight
    flood = library.certificate(F, 2, OTHER)
    for number in range(2 * SEEN_MAX):
        hindsight.doubt((state,), stranger(number), other(number, flood), library.now)
        requests = [effect.request for effect in state.out if isinstance(effect, seam.Recall)]
        state.out.clear()
        for request in requests:
            forks = library.engine._running.replica.forks
            hindsight.on_recalled(state, forks, request, library.stored[3:], lambda _epoch: library.validators)
    assert len(hindsight._seen) == SEEN_MAX
    assert len(hindsight._peers) == PEERS_MAX
    assert len(hindsight) == 0


def test_the_justifies_of_blocks_that_are_never_delivered_are_bounded() -> None:
    library = Library()
    state = library.engine._running.state
    for number in range(2 * JUSTIFIES_MAX):
        state.note_justify(library.proposal(1, salt=number + 1))
    assert len(state.justifies) == JUSTIFIES_MAX
