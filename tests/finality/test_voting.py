"""Ballots and the rule of what may be signed after what."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.finality.evidence import contradiction
from p2pcommerce.finality.guard import GuardError, SigningGuard
from p2pcommerce.finality.simplex import Simplex
from p2pcommerce.finality.voting import (
    BALLOT_BYTES,
    Ballot,
    BallotError,
    VoteKind,
    anchor_hash,
    may_sign,
    read_ballot,
    slot,
)
from p2pcommerce.primitives.vrf import VRF_KIND

N, Z, F, P = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE, VoteKind.PROPOSE
A, B = b"\xaa" * 32, b"\xbb" * 32


def ballot(kind: VoteKind, view: int, target: bytes | int, epoch: int = 0) -> Ballot:
    return Ballot(epoch, view, kind, anchor_hash(target) if isinstance(target, int) else target)


def allows(last: list[Ballot], new: Ballot) -> bool:
    return may_sign({item.kind.name: item.data for item in last}, new.domain, new.data)


def test_a_ballot_has_the_pinned_layout() -> None:
    data = ballot(F, 258, A, epoch=3).data
    assert data.hex() == "0000000000000003" + "0000000000000102" + "03" + "aa" * 32
    assert len(data) == BALLOT_BYTES == 49
    assert read_ballot(data) == ballot(F, 258, A, epoch=3)


@pytest.mark.parametrize(
    "data",
    [b"", bytes(48), bytes(50), bytes(49), ballot(Z, 5, 5).data, ballot(N, 0, A).data, b"\x00" * 16 + b"\x07" + A],
)
def test_what_is_no_ballot_is_refused(data: bytes) -> None:
    with pytest.raises(BallotError):
        read_ballot(data)
    assert not may_sign({}, "vote", data)


def test_a_ballot_is_signed_under_its_own_domain_alone() -> None:
    assert slot("vote", ballot(N, 1, A).data) == "NOTARIZE"
    assert slot("proposal", ballot(P, 1, A).data) == "PROPOSE"
    assert not may_sign({}, "proposal", ballot(N, 1, A).data)
    assert not may_sign({}, "vote", ballot(P, 1, A).data)


@pytest.mark.parametrize(
    ("last", "new", "allowed"),
    [
        ([ballot(N, 5, A)], ballot(N, 5, A), True),
        ([ballot(N, 5, A)], ballot(N, 5, B), False),
        ([ballot(N, 5, A)], ballot(N, 4, B), False),
        ([ballot(N, 5, A)], ballot(N, 6, B), True),
        ([ballot(Z, 5, 2)], ballot(N, 5, A), True),
        ([ballot(Z, 5, 2)], ballot(F, 5, A), False),
        ([ballot(Z, 5, 2)], ballot(F, 6, A), True),
        ([ballot(N, 6, A)], ballot(F, 5, B), False),
        ([ballot(N, 6, A)], ballot(F, 6, B), False),
        ([ballot(N, 6, A)], ballot(F, 6, A), True),
        ([ballot(F, 6, A)], ballot(Z, 7, 5), False),
        ([ballot(F, 6, A)], ballot(Z, 7, 6), True),
        ([ballot(F, 6, A)], ballot(N, 6, B), False),
        ([ballot(F, 6, A)], ballot(N, 6, A), True),
        ([ballot(F, 6, A)], ballot(N, 7, B), True),
        ([ballot(P, 6, A)], ballot(P, 6, B), False),
        ([ballot(P, 6, A)], ballot(P, 7, B), True),
        ([ballot(N, 9, A, epoch=1)], ballot(N, 1, B, epoch=2), True),
        ([ballot(F, 9, A, epoch=1)], ballot(Z, 1, 0, epoch=2), True),
        ([ballot(N, 9, A, epoch=1)], ballot(F, 99, B, epoch=0), False),
    ],
)
def test_the_signing_rule(last: list[Ballot], new: Ballot, *, allowed: bool) -> None:
    assert allows(last, new) is allowed


ballots = st.builds(
    lambda kind, view, back, digest, epoch: ballot(kind, view, max(0, view - back) if kind is Z else digest, epoch),
    st.sampled_from(VoteKind),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([A, B]),
    st.integers(0, 1),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ballots, max_size=25))
def test_what_the_guard_admits_never_contradicts(asked: list[Ballot]) -> None:
    guard, signed = SigningGuard(Simplex()), []
    frames: list[bytes] = []
    for number, item in enumerate(asked):
        frame = guard.admit(item.domain, item.data)
        if frame is None:
            continue
        if frame:
            frames.append(frame)
        assert all(contradiction(item, other) is None for other in signed)
        signed.append(item)
        if number % 3 == 0:
            guard = SigningGuard(Simplex())
            guard.restore(frames)


def test_a_guard_restored_from_its_own_frames_knows_the_same() -> None:
    guard = SigningGuard(Simplex())
    frames = [guard.admit(item.domain, item.data) for item in (ballot(N, 1, A), ballot(Z, 3, 1), ballot(N, 4, B))]
    assert all(frames)
    one, other = SigningGuard(Simplex()), SigningGuard(Simplex())
    one.restore([frame for frame in frames if frame])
    other.restore(guard.frames())
    assert dict(one.last) == dict(other.last) == dict(guard.last)


def test_the_guard_always_allows_a_random_output_and_remembers_none() -> None:
    guard = SigningGuard(Simplex())
    assert [guard.admit(VRF_KIND, data) for data in (b"input", b"another", b"input")] == [b"", b"", b""]
    assert guard.frames() == []


@pytest.mark.parametrize("frame", [b"", b"\xc0", b"\x92\xa4vote\xc4\x01x"])
def test_a_damaged_guard_file_is_refused_by_name(frame: bytes) -> None:
    with pytest.raises(GuardError, match="frame 0"):
        SigningGuard(Simplex()).restore([frame])
