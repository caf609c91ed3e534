"""Certificates of the past, heard when memory has forgotten, are compared with the chain on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.proof import decode_proof
from p2pcommerce.finality.simplex.hindsight import (
    LOOKS_BURST,
    LOOKS_MAX,
    LOOKS_REFILL_US,
    PEERS_MAX,
    READS_MAX,
    SEEN_MAX,
    Hindsight,
)
from p2pcommerce.finality.simplex.messages import Certificates, Justify, Proposal
from p2pcommerce.finality.simplex.state import JUSTIFIES_MAX
from p2pcommerce.finality.simplex.stored_justify import decode_justify
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
OTHER = blake2b_256(b"other")
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


def test_a_flood_of_old_certificates_costs_few_reads_and_no_signature() -> None:
    library = grown(4)
    library.reads = False
    flood = library.certificate(F, 2, OTHER)
    verified = library.counter("signatures_verified")
    for number in range(2_000):
        library.certify(other(number, flood))
    assert len(library.recalls) == len(library.hindsight) == LOOKS_MAX
    for recall in list(library.recalls):
        library.do(library.engine.on_recalled(recall.request, (), lambda _epoch: library.validators, library.now))
    for number in range(2_000, 4_000):
        library.certify(other(number, flood))
    assert len(library.hindsight) <= LOOKS_MAX
    assert len(library.recalls) <= LOOKS_BURST
    assert library.counter("doubts_dropped") >= 4_000 - LOOKS_BURST
    assert library.counter("signatures_verified") == verified
    library.now += LOOKS_REFILL_US
    for recall in library.recalls[LOOKS_MAX:]:
        library.do(library.engine.on_recalled(recall.request, (), lambda _epoch: library.validators, library.now))
    before = len(library.recalls)
    library.certify(other(9_999, flood))
    assert len(library.recalls) == before + 1, "a patient peer is heard again"


def test_what_is_remembered_of_certificates_and_peers_is_bounded() -> None:
    library = grown(4)
    state, hindsight = library.engine._running.state, library.hindsight
    flood = library.certificate(F, 2, OTHER)
    for number in range(2 * SEEN_MAX):
        peer = PeerId(number.to_bytes(32, "big"))
        hindsight.doubt((state,), peer, other(number, flood), library.now)
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
