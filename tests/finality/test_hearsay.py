"""What others than its maker pass on: verified before it is believed, and passed on if it changes something."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommerce.finality import FFG, Solo
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.certificates import Vote
from p2pcommerce.finality.simplex.messages import (
    Answer,
    Boundary,
    Cast,
    Certificates,
    Message,
    Shown,
    Status,
    encode_message,
    series_of,
)
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.ids import PublicKey
from tests.finality.bench import Bench, F, N, Z, notarized

STRANGER = PublicKey(bytes(32))
H1, H2, H3 = (blake2b_256(b"block %d" % number) for number in range(3))


def hear(bench: Bench, message: Message | bytes, peer: PublicKey = STRANGER) -> Verdict | None:
    """Let a peer that made nothing of it pass a message on."""
    data = message if isinstance(message, bytes) else encode_message(message)
    verdict, effects = bench.engine.on_relayed(peer, data, bench.now)
    bench.do(effects)
    return verdict


def cast(bench: Bench, kind: VoteKind, view: int, target: bytes | int, voter: int) -> Cast:
    return Cast(bench.vote(kind, view, target, voter), None)


def blamed(bench: Bench) -> list[seam.Blame]:
    return bench.of(seam.Blame)


def test_a_vote_that_is_passed_on_counts_as_if_its_voter_had_sent_it() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    assert hear(bench, proposal) is Verdict.ACCEPT
    for voter in bench.others[:2]:  # a quorum with the own vote
        assert bench.view == 1
        assert hear(bench, cast(bench, N, 1, proposal.header.hash, voter)) is Verdict.ACCEPT
    assert bench.view == 2
    assert bench.voted(F) == [(1, proposal.header.hash)]


def test_each_vote_is_accepted_once() -> None:
    bench = Bench()
    vote = cast(bench, N, 1, H1, bench.others[0])
    assert hear(bench, vote) is Verdict.ACCEPT
    assert hear(bench, vote) is Verdict.IGNORE


def test_a_signature_that_is_passed_on_is_verified_once() -> None:
    bench = Bench()
    before = bench.counter("signatures_verified")
    hear(bench, cast(bench, N, 1, H1, bench.others[0]))
    assert bench.counter("signatures_verified") == before + 1


@pytest.mark.parametrize("kind", [N, F, Z])
def test_a_vote_whose_signature_is_not_good_is_rejected_and_nobody_else_blamed(kind: VoteKind) -> None:
    bench = Bench()
    vote = bench.vote(kind, 1, 0 if kind is Z else H1, bench.others[0])
    assert hear(bench, Cast(replace(vote, signature=bytes(64)), None)) is Verdict.REJECT
    assert hear(bench, Cast(replace(vote, voter=bench.others[1]), None)) is Verdict.REJECT
    assert hear(bench, Cast(replace(vote, voter=100), None)) is Verdict.REJECT
    assert blamed(bench) == []
    assert bench.counter("votes_held") == 0


def test_what_is_decided_is_not_verified_and_not_passed_on() -> None:
    bench = Bench(stakes=(1,) * 7)
    proposal = bench.proposal(1)
    hear(bench, proposal)
    early, late = bench.others[:5], bench.others[5]
    for voter in early:
        hear(bench, cast(bench, N, 1, proposal.header.hash, voter))
    assert bench.view == 2
    checked = bench.counter("signatures_verified")
    vote = bench.vote(N, 1, proposal.header.hash, late)
    assert hear(bench, Cast(vote, None)) is Verdict.IGNORE
    assert hear(bench, Cast(replace(vote, signature=bytes(64)), None)) is Verdict.IGNORE
    assert bench.counter("signatures_verified") == checked


def test_two_votes_that_contradict_each_other_are_both_passed_on_and_a_third_is_not() -> None:
    bench = Bench()
    voter = bench.others[0]
    assert hear(bench, cast(bench, N, 1, H1, voter)) is Verdict.ACCEPT
    assert hear(bench, cast(bench, N, 1, H2, voter)) is Verdict.ACCEPT
    assert hear(bench, cast(bench, N, 1, H3, voter)) is Verdict.IGNORE
    assert len(bench.of(seam.Evidence)) == 1


def test_a_vote_of_the_next_view_but_one_is_too_early_and_who_passes_it_on_is_told() -> None:
    bench = Bench()
    bench.forget_effects()
    peer = bench.validators.keys[bench.others[1]]
    assert hear(bench, cast(bench, N, 3, H1, bench.others[0]), peer) is None
    assert [send.to for send in bench.of(seam.Send)] == [peer]
    assert isinstance(bench.sent(Status)[0], Status)
    assert bench.engine.position == (0, 1)


def test_what_is_of_the_next_epoch_is_too_early_and_of_any_other_useless() -> None:
    bench = Bench()
    vote = bench.vote(N, 1, H1, bench.others[0])
    for epoch, verdict in ((1, None), (2, Verdict.IGNORE)):
        ballot = replace(vote.ballot, epoch=epoch)
        assert hear(bench, Cast(replace(vote, ballot=ballot), None)) is verdict
    assert blamed(bench) == []


def test_a_nullification_is_passed_on_with_the_certificate_of_its_anchor_alone() -> None:
    bench = Bench(stakes=(1,) * 7)
    proposal = notarized(bench)
    voter = bench.others[0]
    anchor = bench.certificate(N, 1, proposal.header.hash)
    vote = bench.vote(Z, 2, 1, voter)
    bad = replace(anchor, signatures=(bytes(64), *anchor.signatures[1:]))
    assert hear(bench, Cast(vote, None)) is Verdict.IGNORE
    assert hear(bench, Cast(vote, bad)) is Verdict.REJECT
    assert hear(bench, Cast(vote, bench.certificate(Z, 1, 0))) is Verdict.REJECT
    assert hear(bench, Cast(bench.vote(N, 2, H1, voter), anchor)) is Verdict.REJECT
    assert hear(bench, Cast(vote, anchor)) is Verdict.ACCEPT


def test_a_proposal_is_passed_on_once_it_holds() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    assert hear(bench, replace(proposal, signature=bytes(64))) is Verdict.REJECT
    assert hear(bench, replace(proposal, transaction_ids=(proposal.header.hash,))) is Verdict.REJECT
    assert hear(bench, proposal) is Verdict.ACCEPT
    assert hear(bench, proposal) is Verdict.IGNORE
    assert blamed(bench) == []


def test_two_proposals_of_a_view_are_passed_on_and_a_third_is_not() -> None:
    bench = Bench()
    verdicts = [hear(bench, bench.proposal(1, salt=salt)) for salt in (1, 2, 3)]
    assert verdicts == [Verdict.ACCEPT, Verdict.ACCEPT, Verdict.IGNORE]
    assert len(bench.of(seam.Evidence)) == 1


def test_a_certificate_is_passed_on_if_it_is_better_than_those_held() -> None:
    bench = Bench()
    good = bench.certificate(N, 1, H1)
    bad = replace(good, signatures=(bytes(64), *good.signatures[1:]))
    assert hear(bench, Certificates((bench.certificate(N, 1, H1, bench.others[:2]),))) is Verdict.REJECT
    assert hear(bench, Certificates((bad,))) is Verdict.REJECT
    assert hear(bench, Certificates((good,))) is Verdict.ACCEPT
    assert hear(bench, Certificates((good,))) is Verdict.IGNORE
    assert bench.view == 2


def test_a_late_vote_tells_that_its_voter_needs_no_relay() -> None:
    bench = Bench(stakes=(1,) * 7)
    proposal = notarized(bench)
    for voter in bench.others[:5]:
        hear(bench, cast(bench, F, 1, proposal.header.hash, voter))
    last = bench.others[5]
    assert hear(bench, cast(bench, F, 1, proposal.header.hash, last)) is Verdict.IGNORE
    bench.forget_effects()
    bench.wait(2 * bench.parameters.base_delay_ms * 1_000)
    relayed = {send.to for send in bench.of(seam.Send) if send.to == bench.validators.keys[last]}
    assert not relayed


@pytest.mark.parametrize(
    "message",
    [
        Status(0, 1, 0, 0, 0),
        Answer(0, 1, ()),
        Boundary(Bench().genesis, b"proof"),
        Shown(0, 1, H1, bytes(64)),
        b"",
        b"\x01",
        b"\x03\xc0",
        b"\x09abc",
    ],
)
def test_nobody_passes_on_what_is_for_one_peer_or_malformed(message: Message | bytes) -> None:
    bench = Bench()
    data = message if isinstance(message, bytes) else encode_message(message)
    assert hear(bench, data) is Verdict.REJECT
    assert bench.engine.relays(data) is (data[:1] in {b"\x01", b"\x03"})


@pytest.mark.parametrize("engine", [FFG(), Solo()])
def test_engines_that_believe_no_hearsay_say_so(engine: FFG | Solo) -> None:
    assert not engine.is_relayed
    assert not engine.relays(b"\x01")
    assert engine.on_relayed(STRANGER, b"\x01", 0) == (Verdict.REJECT, [])


@given(
    kind=st.sampled_from([N, Z, F]),
    epoch=st.integers(0, 2**32 - 1),
    view=st.integers(2, 2**64 - 2),
    digest=st.binary(min_size=32, max_size=32),
    voter=st.integers(0, 255),
    signature=st.binary(min_size=64, max_size=64),
)
def test_a_vote_is_named_by_all_that_it_says_and_by_its_voter(
    kind: VoteKind, epoch: int, view: int, digest: bytes, voter: int, signature: bytes
) -> None:
    ballot = Ballot(epoch, view, kind, bytes(32) if kind is Z else digest)
    data = encode_message(Cast(Vote(ballot, voter, signature), None))
    found = series_of(data)
    assert found is not None
    assert found[1] == voter
    assert series_of(encode_message(Cast(Vote(ballot, 255 - voter, bytes(64)), None))) == (found[0], 255 - voter)
    for other in (
        replace(ballot, view=view - 1),
        replace(ballot, epoch=epoch ^ 1),
        replace(ballot, kind=N if kind is F else F),
    ):
        assert series_of(encode_message(Cast(Vote(other, voter, signature), None))) != found


def test_only_votes_that_say_all_by_themselves_have_a_name_together() -> None:
    bench = Bench(stakes=(1,) * 7)
    proposal = notarized(bench)
    anchor = bench.certificate(N, 1, proposal.header.hash)
    vote = bench.vote(Z, 2, 1, bench.others[0])
    messages = (Cast(vote, anchor), Cast(vote, None), Certificates((anchor,)), proposal, Shown(0, 1, H1, bytes(64)))
    assert all(series_of(encode_message(message)) is None for message in messages)
    assert series_of(encode_message(Cast(bench.vote(Z, 2, 0, bench.others[0]), None))) is not None


def test_a_vote_is_its_voters_a_proposal_its_proposers_and_a_certificate_nobodys() -> None:
    bench = Bench(stakes=(1,) * 7)
    proposal = notarized(bench)
    voter = bench.others[2]
    engine, vote = bench.engine, bench.vote(N, 2, H1, voter)
    assert engine.maker(encode_message(Cast(vote, None))) == bench.validators.keys[voter]
    assert engine.maker(encode_message(proposal)) == proposal.header.proposer
    assert engine.maker(encode_message(Certificates((bench.certificate(N, 1, proposal.header.hash),)))) is None
    other_epoch = replace(vote, ballot=replace(vote.ballot, epoch=1))
    assert engine.maker(encode_message(Cast(other_epoch, None))) is None
    assert engine.maker(encode_message(Cast(replace(vote, voter=100), None))) is None
    assert engine.maker(b"\x01nothing") is None


@given(st.binary(max_size=200), st.booleans())
def test_whatever_comes_has_a_name_or_none(data: bytes, is_like_a_vote: bool) -> None:
    found = series_of(b"\x01" + data + b"\xc4\x40" + bytes(64) + b"\xc0" if is_like_a_vote else data)
    assert found is None or 0 <= found[1] <= 255
