"""Compact proofs: a history fits one QR code, and whatever is changed in one, it is refused."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.finality.proof import decode_proof
from p2pcommerce.finality.simplex.messages import decode_seal, encode_seal
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.node.compact import _OUTLINE, COMPACT_VERSION, read_outline, write_compact
from p2pcommerce.node.proof import (
    PROOF_BYTES_MAX,
    PROOF_TEXT_BYTES_MAX,
    ProofError,
    TrustAnchor,
    make_compact_proof,
    make_proof,
    proof_bytes,
    subject_of,
    verify_proof,
    verify_proof_by_header,
)
from p2pcommerce.node.proof_errors import (
    AnchorTooOldError,
    DamagedProofError,
    ProofVersionError,
    UnknownEpochError,
    WrongNetworkError,
    WrongSubjectError,
)
from p2pcommerce.node.short_header import quorum_only
from p2pcommerce.primitives.codec import encode
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import ZERO_HASH
from p2pcommerce.primitives.sparse_merkle import SparseMerkleTree, StateProof

from .proof_cases import EPOCH, GTIN, SERIAL, ProofLoad, digest, key_of

QR_BYTES_MAX = 2_953
QR_CHARACTERS_MAX = 4_296
ACCOUNT_KEY = ACCOUNT.key(key_of("maker"))
BALANCE = ACCOUNT.write(Account(5_000_000, 7))


@cache
def load(validators=4):
    return ProofLoad(validators)


def compact(claim, validators=4, **more):
    return make_compact_proof(claim, load(validators).validators, **more)


def checksummed(body):
    return body + blake2b_256(body)[:4]


def flipped(raw, place, bit):
    changed = bytearray(raw)
    changed[place] ^= bit
    return bytes(changed)


def item_subject(serial=SERIAL):
    return subject_of("item", {"issuer": key_of("maker").hex(), "gtin": GTIN, "serial": serial})


# --- what it proves, and how large it is ---


def test_six_events_under_21_validators_fit_one_qr_code_as_bytes_and_as_text():
    claim = load(21).claim(6, depth=20, signatures=21)
    proof = compact(claim, 21)
    assert len(proof.raw) <= QR_BYTES_MAX
    assert len(proof.text) <= QR_CHARACTERS_MAX
    proven = verify_proof(proof.raw, load(21).anchor)
    assert proven.history == claim.history
    assert len(proven.history) == proven.item.n == 6


@pytest.mark.parametrize("descendants", [0, 1, 3])
@pytest.mark.parametrize("events", [1, 2, 6, 13])
def test_a_history_comes_back_whole(events, descendants):
    claim = load().claim(events, depth=9, descendants=descendants)
    proven = verify_proof(compact(claim).raw, load().anchor)
    assert (proven.history, proven.header, proven.value) == (claim.history, claim.header, claim.value)


def test_its_text_is_the_same_proof():
    proof = compact(load().claim(2))
    assert proof.text.startswith("P2P:")
    for text in (proof.text, f"  {proof.text}\r\n", f"{proof.text}\n".encode()):
        assert proof_bytes(text) == proof.raw
        assert verify_proof(text, load().anchor).item is not None


def test_a_balance_and_its_absence_are_proven():
    others = {b"\x02" + digest(f"account {number}"): b"x" for number in range(40)}
    tree = SparseMerkleTree.EMPTY.update(others | {ACCOUNT_KEY: BALANCE})
    for key, value in ((ACCOUNT_KEY, BALANCE), (b"\x02" + digest("nobody"), None), (b"\x02" + digest("no one"), None)):
        state = tree.prove(key)
        base = load().claim_of(key, value, depth=3)
        header = replace(base.header, state_root=tree.root)
        claim = replace(base, header=header, state=state, finality=load()._certify([header], None))
        proven = verify_proof(compact(claim).raw, load().anchor)
        assert (proven.key, proven.value, proven.item) == (key, value, None)


def test_siblings_that_are_empty_take_a_bit_each():
    siblings = tuple(ZERO_HASH if level % 3 else digest(f"{level}") for level in range(30))
    root = StateProof(siblings, None)
    claim = load().claim_of(ACCOUNT_KEY, BALANCE, depth=30)
    full = len(compact(claim).raw)
    assert len(write_compact(replace(claim, state=root), load().validators)) == full - 20 * 32


def test_no_more_signatures_than_a_quorum_needs_are_kept():
    claim = load(21).claim(2, signatures=21)
    assert compact(claim, 21).raw == compact(load(21).claim(2, signatures=15), 21).raw
    validators = ValidatorSet.of(
        Validator(each.public_key, stake) for each, stake in zip(load().validators, (1, 10, 10, 10), strict=True)
    )
    certificate = decode_proof(load().claim(1, signatures=4).finality).certificate
    assert quorum_only(certificate, validators).signers == (1, 2, 3)
    below = decode_proof(load().claim(1, signatures=2).finality).certificate
    assert quorum_only(below, load().validators) is below


def test_a_carrier_takes_little_more_than_its_seal():
    """The last block of an epoch may be final by an F of a carrier: same height, same state, no transactions."""
    claim = load().claim(2)
    seal = replace(decode_seal(claim.header), view=123_457, parent_view=123_456, carrier=True)
    carrier = replace(
        claim.header,
        parent_hash=claim.header.hash,
        tx_root=ZERO_HASH,
        receipts_root=ZERO_HASH,
        engine_data=encode_seal(seal),
    )
    carried = replace(claim, finality=load()._certify([claim.header, carrier], None))
    raw = compact(carried).raw
    assert len(raw) - len(compact(claim).raw) <= len(carrier.engine_data) + 24
    assert verify_proof(raw, load().anchor).header == claim.header


# --- what is changed is refused ---


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_every_changed_byte_is_damage(bit):
    raw = compact(load().claim(2, depth=4, descendants=1)).raw
    for place in range(len(raw)):
        with pytest.raises((DamagedProofError, ProofVersionError)):
            verify_proof(flipped(raw, place, bit), load().anchor)


@pytest.mark.parametrize("bit", [0x01, 0x02, 0x10, 0x80])
@pytest.mark.parametrize("carries", [False, True])
def test_every_changed_byte_under_a_right_checksum_is_refused(bit, carries):
    body = compact(load().claim(2, depth=4, descendants=1), carries_validators=carries).raw[:-4]
    for place in range(len(body)):
        with pytest.raises(ProofError):
            verify_proof(checksummed(flipped(body, place, bit)), load().anchor)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_piece_put_in_or_left_out_is_refused(data):
    body = compact(load().claim(3, depth=4)).raw[:-4]
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 40)))
    put_in = data.draw(st.binary(max_size=40))
    changed = body[:start] + put_in + body[end:]
    if changed != body:
        with pytest.raises(ProofError):
            verify_proof(checksummed(changed), load().anchor)


def test_every_changed_character_is_refused():
    text = compact(load().claim(1, depth=2)).text
    for place in range(len(text)):
        for other in "0:é":
            if text[place] != other:
                with pytest.raises(ProofError):
                    verify_proof(text[:place] + other + text[place + 1 :], load().anchor)


def test_an_event_left_out_changed_or_moved_is_refused():
    claim = load().claim(4)
    first, *others = claim.history
    for wrong in (
        (),
        claim.history[:-1],
        tuple(others),
        (*claim.history, first),
        claim.history[::-1],
        (replace(first, event_hash=ZERO_HASH), *others),
        (replace(first, type="order.ship"), *others),
    ):
        with pytest.raises(ProofError):
            verify_proof(compact(replace(claim, history=wrong)).raw, load().anchor)


def test_a_record_that_is_not_in_the_state_is_refused():
    claim = load().claim_of(ACCOUNT_KEY, BALANCE)
    for wrong in (replace(claim, value=ACCOUNT.write(Account(6_000_000, 7))), replace(claim, value=None)):
        with pytest.raises(ProofError, match="not shown to be final"):
            verify_proof(compact(wrong).raw, load().anchor)


def test_a_certificate_below_the_quorum_or_of_strangers_is_refused():
    with pytest.raises(ProofError, match="final"):
        verify_proof(compact(load().claim(1, signatures=2)).raw, load().anchor)
    strangers = ValidatorSet.of(
        Validator(key_of(f"stranger {number}"), each.stake) for number, each in enumerate(load().validators)
    )
    with pytest.raises(ProofError, match="final"):
        verify_proof(compact(load().claim(1)).raw, TrustAnchor(load().genesis.hash, strangers, EPOCH))
    few = ValidatorSet.of(list(load().validators)[:1])
    with pytest.raises(ProofError):
        verify_proof(compact(load().claim(1)).raw, TrustAnchor(load().genesis.hash, few, EPOCH))


def test_an_unknown_engine_is_refused():
    claim = replace(load().claim(1), engine="other", finality=b"whatever")
    with pytest.raises(ProofError, match="unknown finality engine"):
        verify_proof(compact(claim).raw, load().anchor)


def test_a_proof_has_one_form():
    """A word written out, or a header's usual value, is refused though it says the same."""
    claim = load().claim(2)
    outline = read_outline(compact(claim).raw, PROOF_BYTES_MAX)
    assert any(isinstance(piece, int) for piece in outline.value)
    literal = replace(outline, value=(claim.value,))
    usual = replace(outline, header=replace(outline.header, state_root=claim.header.state_root))
    for other in (literal, usual):
        body = b"p" + bytes([COMPACT_VERSION]) + encode(_OUTLINE, other)
        with pytest.raises(ProofError, match="one form"):
            verify_proof(checksummed(body), load().anchor)


# --- errors that say what to do ---


def test_a_proof_of_another_network_is_refused():
    with pytest.raises(WrongNetworkError, match="another network"):
        verify_proof(compact(load().claim(1)).raw, load(21).anchor)


def test_an_anchor_that_is_too_old_is_told_to_be_brought_up_to_date():
    old = replace(load().anchor, epoch=EPOCH - 1)
    with pytest.raises(AnchorTooOldError, match="light sync"):
        verify_proof(compact(load().claim(1)).raw, old)


def test_a_proof_of_an_epoch_before_the_anchors_is_of_an_unknown_epoch():
    newer = replace(load().anchor, epoch=EPOCH + 1)
    with pytest.raises(UnknownEpochError, match="older anchor"):
        verify_proof(compact(load().claim(1)).raw, newer)


def test_a_future_version_is_told_apart_from_damage():
    raw = compact(load().claim(1)).raw
    with pytest.raises(ProofVersionError, match="newer program"):
        verify_proof(checksummed(flipped(raw[:-4], 1, 4)), load().anchor)
    claim = load().claim(1)
    full = make_proof("simplex", claim.header, claim.finality, claim.key, claim.value, claim.state, claim.history).raw
    assert verify_proof(full, load().anchor).item is not None
    with pytest.raises(ProofVersionError, match="format 3"):
        verify_proof(full[:1] + b"\x03" + full[2:], load().anchor)


@pytest.mark.parametrize("wrong", [b"", b"p", b"p\x03", b"\xff" * 90, b"P2P:", b"P2P:AB", b"P2P:!", "BB8", "P2P:"])
def test_what_is_no_proof_is_damaged(wrong):
    with pytest.raises(DamagedProofError):
        verify_proof(wrong, load().anchor)


def test_what_is_too_large_is_not_read():
    with pytest.raises(DamagedProofError, match="at most"):
        verify_proof(b"p\x03" + bytes(PROOF_BYTES_MAX), load().anchor)
    with pytest.raises(DamagedProofError, match="too long"):
        verify_proof("P2P:" + "0" * PROOF_TEXT_BYTES_MAX, load().anchor)


def test_a_good_proof_of_something_else_is_refused():
    raw = compact(load().claim(1)).raw
    assert verify_proof(raw, load().anchor, subject=item_subject()).item is not None
    with pytest.raises(WrongSubjectError, match="something else"):
        verify_proof(raw, load().anchor, subject=item_subject("8"))


def test_validators_of_another_epoch_make_no_proof():
    with pytest.raises(UsageError, match="not those of epoch"):
        write_compact(load().claim(1), load(21).validators)


# --- a trusted header ---


def test_a_trusted_header_is_enough_if_the_validators_go_along():
    claim = load().claim(2)
    proof = compact(claim, carries_validators=True).raw
    trusted = replace(claim.header, height=claim.header.height - 9, state_root=ZERO_HASH)
    before = replace(trusted, epoch=EPOCH - 1, validators_hash=ZERO_HASH)
    for header in (trusted, before):
        assert verify_proof_by_header(proof, header, subject=item_subject()).history == claim.history
    assert verify_proof(proof, load().anchor).history == claim.history


def test_a_header_that_names_other_validators_proves_nothing():
    claim = load().claim(1)
    proof = compact(claim, carries_validators=True).raw
    with pytest.raises(ProofError, match="does not carry"):
        verify_proof_by_header(compact(claim).raw, claim.header)
    for wrong in (
        replace(claim.header, validators_hash=ZERO_HASH),
        replace(claim.header, epoch=EPOCH - 1, next_validators_hash=ZERO_HASH),
    ):
        with pytest.raises(ProofError, match="not those"):
            verify_proof_by_header(proof, wrong)
    for epoch, error in ((EPOCH - 2, AnchorTooOldError), (EPOCH + 1, UnknownEpochError)):
        with pytest.raises(error):
            verify_proof_by_header(proof, replace(claim.header, epoch=epoch))
    stranger = replace(claim.header, genesis_hash=ZERO_HASH)
    with pytest.raises(WrongNetworkError):
        verify_proof_by_header(proof, stranger)
