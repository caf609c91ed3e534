"""Bad messages: refused, counted by name, and no signature verified twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.simplex.messages import (
    Answer,
    Cast,
    Status,
    encode_message,
)
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import PublicKey
from tests.finality.bench import Bench, N, notarized

# --- bad input ---


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x01", b"\x03\xc0", b"\x09abc", b"\x01" + bytes(300_000), bytes(64)])
def test_malformed_messages_are_refused_and_counted(data: bytes) -> None:
    bench = Bench()
    bench.do(bench.engine.on_message(bench.validators.keys[bench.others[0]], data, bench.now))
    assert bench.of(seam.Blame)
    assert sum(count for name, count in bench.engine.status().counters.items() if name.startswith("refused_")) == 1


def test_votes_of_strangers_of_others_and_with_bad_signatures_are_refused() -> None:
    bench = Bench()
    vote = bench.vote(N, 1, blake2b_256(b"h"), bench.others[0])
    bench.receive(bench.others[1], Cast(vote, None))
    bench.receive(bench.others[0], Cast(replace(vote, signature=bytes(64)), None))
    stranger = PublicKey(bytes(32))
    bench.do(bench.engine.on_message(stranger, encode_message(Cast(vote, None)), bench.now))
    counters = bench.engine.status().counters
    assert counters["refused_foreign_vote"] == counters["refused_vote_signature"] == counters["refused_stranger"] == 1
    assert bench.counter("votes_held") == 0


def test_a_certificate_below_the_quorum_or_with_a_bad_signature_is_refused() -> None:
    bench = Bench()
    bench.certify(bench.certificate(N, 1, bytes(32), bench.others[:2]))
    good = bench.certificate(N, 1, bytes(32))
    bench.certify(replace(good, signatures=(bytes(64), *good.signatures[1:])))
    counters = bench.engine.status().counters
    assert counters["refused_certificate_weight"] == counters["refused_certificate_signature"] == 1
    assert bench.view == 1


def test_messages_of_another_epoch_are_refused() -> None:
    bench = Bench()
    bench.receive(bench.others[0], Status(2, 5, 5, 5, 0))
    bench.receive(bench.others[0], Answer(2, 5, ()))
    assert bench.counter("refused_epoch") == 2


def test_a_signature_is_verified_once() -> None:
    bench = Bench()
    proposal = notarized(bench)
    checked = bench.counter("signatures_verified")
    for voter in bench.others:
        bench.cast(N, 1, proposal.header.hash, voter)
    bench.certify(bench.certificate(N, 1, proposal.header.hash))
    bench.receive(bench.others[0], proposal)
    assert bench.counter("signatures_verified") == checked
