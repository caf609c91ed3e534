"""The form of a proof, as `proof qr` asks for it: an answer for any bytes and text, and no stricter than a check."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.node.compact import COMPACT_MAGIC
from p2pcommerce.node.proof import (
    Proof,
    ProofError,
    make_compact_proof,
    make_proof,
    proof_bytes,
    require_proof,
    verify_proof,
)
from p2pcommerce.primitives.base45 import base45_encode
from p2pcommerce.primitives.crypto import blake2b_256

from .proof_cases import ProofLoad


@cache
def load():
    return ProofLoad(4)


@cache
def proofs():
    """Return a full and a compact proof of one history, whole."""
    claim = load().claim(2, depth=3)
    full = make_proof(claim.engine, claim.header, claim.finality, claim.key, claim.value, claim.state, claim.history)
    return full.raw, make_compact_proof(claim, load().validators).raw


def sentence(check, *arguments):
    """Return why something is refused, "" if it is not."""
    try:
        check(*arguments)
    except ProofError as error:
        return str(error) or "no word"
    return ""


def is_formed(raw):
    found = sentence(require_proof, raw)
    assert found != "no word"
    return not found


def is_proven(raw):
    found = sentence(verify_proof, raw, load().anchor)
    assert found != "no word"
    return not found


def test_both_kinds_of_proofs_have_the_form_of_one():
    assert all(is_formed(raw) and is_proven(raw) for raw in proofs())


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_has_not_the_form_of_a_proof_proves_nothing(data):
    raw = data.draw(st.sampled_from(proofs()))
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 40)))
    changed = raw[:start] + data.draw(st.binary(max_size=40)) + raw[end:]
    if changed[:1] == COMPACT_MAGIC and data.draw(st.booleans()):
        changed += blake2b_256(changed)[:4]
    if not is_formed(changed):
        assert not is_proven(changed)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"p", b"p\x03"]))
def test_any_bytes_have_the_form_of_a_proof_or_are_refused_with_a_sentence(rest, start):
    assert not is_formed(start + rest)


@given(st.binary(max_size=80), st.text(" \t\r\n", max_size=3), st.text(" \t\r\n", max_size=3))
def test_a_text_is_read_as_its_bytes_whatever_blanks_are_around_it(raw, before, after):
    text = before + Proof(raw, 0).text + after
    assert proof_bytes(text) == proof_bytes(text.encode()) == raw


@settings(max_examples=300)
@given(st.text("0AZ :$é\u2028", max_size=12) | st.binary(max_size=6).map(base45_encode))
def test_a_text_is_the_only_one_of_its_bytes_or_no_proof_s(rest):
    found = sentence(proof_bytes, "P2P:" + rest)
    assert found != "no word"
    if not found:
        assert Proof(proof_bytes("P2P:" + rest), 0).text == ("P2P:" + rest).strip()


@given(st.binary(max_size=40).filter(lambda data: not data.lstrip().startswith(b"P2P:")))
def test_what_does_not_begin_as_a_text_is_taken_as_bytes(data):
    assert proof_bytes(data) is data
