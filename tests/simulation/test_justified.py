"""The judge of commitments works out by itself what engines commit to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.finality.simplex.messages import Justify, Proposal, encode_message
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.simulation.conduct import ConductJudge
from p2pcommerce.simulation.justified import is_committed
from p2pcommerce.simulation.memberships import Memberships
from tests.finality.test_misjustified import VIEW, bench_of, good_justify, proposal_of, with_signature

N = VoteKind.NOTARIZE


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 31, 100, 255, 256]), st.sampled_from(["both", "one", "none"])
)
def test_it_agrees_with_what_is_proposed(count: int, certificates: str) -> None:
    bench = bench_of(max(count, 4))
    good = good_justify(bench, range(count))
    justify = {"both": good, "one": Justify(good.parent, None), "none": Justify(None, None)}[certificates]
    assert is_committed(proposal_of(bench, justify))


def test_it_does_not_take_another_justify() -> None:
    bench = bench_of(7)
    good = good_justify(bench)
    proposal = proposal_of(bench, good)
    others = [
        Justify(None, good.nullification),
        Justify(good.parent, None),
        replace(good, parent=with_signature(good.parent, 6, bytes(64))),
        replace(good, nullification=with_signature(good.nullification, 0, bytes(64))),
        good_justify(bench, range(6)),
    ]
    assert not any(is_committed(replace(proposal, justify=other)) for other in others)


@pytest.mark.parametrize("seal", [b"", b"\x90", b"\x05", b"\xc1", b"\x93\x01\x02\xc0"])
def test_what_is_no_seal_commits_to_nothing(seal: bytes) -> None:
    bench = bench_of(4)
    assert not is_committed(proposal_of(bench, good_justify(bench), engine_data=seal))


def test_a_header_that_is_sent_on_with_another_justify_accuses_nobody_who_voted_for_it() -> None:
    bench = bench_of(4)
    members = Memberships(Genesis.local("four", dict.fromkeys(bench.validators.keys, 1000000)))
    good = good_justify(bench)
    proposal = proposal_of(bench, good)
    vote = bench.vote(N, VIEW, proposal.header.hash, 0).ballot.data

    def judged(*heard: Proposal) -> str:
        judge = ConductJudge(members)
        for each in heard:
            judge.on_engine(bench.validators.keys[1], 0, 1, encode_message(each))
        return judge.justify_complaint(vote)

    lone = replace(proposal, justify=good_justify(bench, [0]))
    assert judged(proposal, lone) == judged(lone, proposal) == judged(lone) == ""
    wrong = proposal_of(bench, good_justify(bench, [0]))
    vote = bench.vote(N, VIEW, wrong.header.hash, 0).ballot.data
    assert "no quorum has notarized" in judged(wrong)
