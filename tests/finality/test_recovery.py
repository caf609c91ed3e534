"""Restart: nothing is signed before a quorum answered, what was signed is signed again, a second instance stops."""

from __future__ import annotations

import pytest

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.journal import LogError
from p2pcommerce.finality.simplex.messages import Answer, Cast, Proposal, Status
from p2pcommerce.finality.voting import Ballot, VoteKind, read_ballot
from p2pcommerce.primitives.crypto import blake2b_256
from tests.finality.bench import D0_US, Bench, F, N, Z


def restart(bench: Bench, *, keep_log: bool = True) -> None:
    """Crash and start again, on the guard's memory, with or without the log."""
    bench.forget_effects()
    if not keep_log:
        bench.log, bench.logged_blocks = [], {}
    bench.boot(signed=dict(bench.guard.last))


def question_of(bench: Bench) -> int:
    return bench.sent(Status)[-1].question


def test_nothing_is_signed_until_a_quorum_has_answered() -> None:
    bench = Bench(recovered=False)
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], proposal)
    bench.wait(10 * D0_US)
    assert not bench.of(seam.Sign)
    assert bench.counter("recovering") == 1
    question = question_of(bench)
    bench.receive(bench.others[0], Answer(0, question, ()))
    bench.receive(bench.others[0], Answer(0, question, ()))
    bench.receive(bench.others[1], Answer(0, question + 1, ()))
    assert not bench.of(seam.Sign), "one peer of weight 1 and itself are no quorum of 3"
    bench.receive(bench.others[1], Answer(0, question, ()))
    assert bench.counter("recovering") == 0
    assert bench.voted(N) == [(1, proposal.header.hash)] or bench.voted(Z)


def test_timers_that_ran_out_meanwhile_act_after_the_recovery() -> None:
    bench = Bench(recovered=False)
    bench.wait(10 * D0_US)
    assert not bench.voted(Z)
    bench.recover()
    assert [view for view, _ in bench.voted(Z)] == [1]


def test_the_question_is_repeated_until_it_is_answered() -> None:
    bench = Bench(recovered=False, pending=False)
    bench.wait(8 * D0_US)
    asked = [status.question for status in bench.sent(Status)]
    assert len(asked) >= 3
    assert len(set(asked)) == 1
    assert asked[0] != 0


def test_the_question_is_repeated_although_others_enter_view_after_view() -> None:
    bench = Bench(recovered=False)
    for view in range(1, 9):
        bench.certify(bench.certificate(Z, view, 0))
        bench.wait(3 * D0_US // 2)
    assert bench.view == 9
    assert len(bench.sent(Status)) >= 8, "no view stood for as long as a standstill takes"


def test_the_question_is_asked_again_over_a_new_connection() -> None:
    bench = Bench(recovered=False)
    peer = bench.validators.keys[bench.others[0]]
    for _ in range(2):
        bench.forget_effects()
        bench.do(bench.engine.on_peer(peer, bench.now))
        assert [status.question != 0 for status in bench.sent(Status)] == [True]


def test_a_question_that_comes_over_a_new_connection_is_answered_again() -> None:
    bench = Bench()
    asker = bench.others[0]
    bench.forget_effects()
    for _ in range(2):
        bench.receive(asker, Status(0, 1, 0, 0, 77))
    assert len(bench.sent(Answer)) == 1
    bench.do(bench.engine.on_peer(bench.validators.keys[asker], bench.now))
    bench.receive(asker, Status(0, 1, 0, 0, 77))
    assert len(bench.sent(Answer)) == 2


def test_a_validator_that_is_recovering_answers_others() -> None:
    bench = Bench(recovered=False)
    bench.cast(Z, 1, 0, bench.others[0])
    bench.receive(bench.others[0], Status(0, 1, 0, 0, 77))
    (answer,) = bench.sent(Answer)
    assert answer.question == 77
    assert [vote.ballot.kind for vote in answer.votes] == [Z]


def test_a_single_validator_recovers_by_itself() -> None:
    bench = Bench(leads=True, stakes=(5,), recovered=False)
    assert bench.counter("recovering") == 0
    assert bench.voted(N)


def test_logged_ballots_are_signed_and_counted_again() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], proposal)
    before = bench.sent(Cast)[0]
    restart(bench)
    bench.recover()
    assert bench.sent(Cast) == [before]
    bench.cast(N, 1, proposal.header.hash, *bench.others[:2])
    assert bench.view == 2, "the own vote is tallied after the restart"


def test_a_leader_sends_the_same_proposal_again_and_builds_no_other() -> None:
    bench = Bench(leads=True)
    (before,) = bench.sent(Proposal)
    restart(bench)
    bench.recover()
    assert bench.sent(Proposal) == [before]
    assert not bench.of(seam.Build)


def test_a_ballot_that_only_the_guard_remembers_binds_as_well() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], proposal)
    restart(bench, keep_log=False)
    bench.recover()
    bench.receive(bench.others[0], bench.proposal(1, salt=4))
    assert {ballot.hash for ballot in signed(bench) if ballot.kind is N} == {proposal.header.hash}
    assert not bench.of(seam.Halt)


def signed(bench: Bench) -> list[Ballot]:
    return [read_ballot(effect.data) for effect in bench.of(seam.Sign)]


def test_an_unknown_own_vote_in_an_answer_stops_for_good() -> None:
    bench = Bench(recovered=False)
    foreign = bench.vote(N, 1, blake2b_256(b"never seen"), bench.index)
    bench.receive(bench.others[0], Answer(0, question_of(bench), (foreign,)))
    assert len(bench.of(seam.Halt)) == 1
    bench.recover()
    bench.wait(20 * D0_US)
    assert not bench.of(seam.Sign)
    restart(bench)
    bench.recover()
    bench.wait(20 * D0_US)
    assert len(bench.of(seam.Halt)) == 1, "it stays stopped after a restart"
    assert not bench.of(seam.Sign)


def test_an_unknown_own_vote_in_a_certificate_stops_for_good() -> None:
    bench = Bench()
    bench.certify(bench.certificate(N, 3, blake2b_256(b"h"), [bench.index, *bench.others[:2]]))
    assert len(bench.of(seam.Halt)) == 1
    assert "second instance" in bench.of(seam.Halt)[0].reason


def test_a_forged_own_vote_in_an_answer_stops_nobody() -> None:
    bench = Bench(recovered=False)
    good = bench.vote(N, 1, blake2b_256(b"h"), bench.index)
    forged = type(good)(good.ballot, good.voter, bytes(64))
    bench.receive(bench.others[0], Answer(0, question_of(bench), (forged,)))
    assert not bench.of(seam.Halt)


def test_own_known_votes_in_an_answer_are_fine() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], proposal)
    own = bench.sent(Cast)[0].vote
    restart(bench)
    bench.receive(bench.others[0], Answer(0, question_of(bench), (own,)))
    assert not bench.of(seam.Halt)


def test_a_final_block_of_the_log_is_delivered_after_a_restart() -> None:
    bench = Bench()
    proposal = bench.proposal(1)
    bench.receive(bench.others[0], proposal)
    bench.cast(N, 1, proposal.header.hash, *bench.others)
    bench.cast(F, 1, proposal.header.hash, *bench.others)
    assert bench.of(seam.Finalized)
    restart(bench)  # the store had not committed it
    assert [effect.block_hash for effect in bench.of(seam.Finalized)] == [proposal.header.hash]
    assert bench.view == 2


def test_a_refusal_by_the_guard_is_an_abstention() -> None:
    bench = Bench()
    bench.guard_signs = False
    bench.receive(bench.others[0], bench.proposal(1))
    assert not bench.sent(Cast)
    assert bench.counter("guard_refused") == 1


@pytest.mark.parametrize("record", [b"", b"\x02abc", b"\x09", b"\x03\xc0", b"\x01\xff"])
def test_a_damaged_log_is_refused_by_name(record: bytes) -> None:
    bench = Bench()
    bench.log.insert(1, record)
    with pytest.raises(LogError, match="record 1"):
        restart(bench)


def test_every_persisted_kind_is_read_back() -> None:
    bench = Bench(leads=True)
    kinds = {VoteKind(read_ballot(record[1:]).kind) for record in bench.log if record[:1] == b"\x02"}
    assert kinds == {VoteKind.PROPOSE, N}
    assert {record[:1] for record in bench.log} == {b"\x01", b"\x02", b"\x04"}
