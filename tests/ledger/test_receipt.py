import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.ledger.receipt import (
    DETAIL_BYTES_MAX,
    EVENT_ID_BYTES_MAX,
    EVENT_IDS_MAX,
    OUTCOME,
    Event,
    Outcome,
    Receipt,
    outcome_hash,
    receipts_root,
)
from p2pcommerce.primitives import merkle
from p2pcommerce.primitives.codec import decode, encode, pack
from p2pcommerce.primitives.errors import CodecError, RejectionCode
from p2pcommerce.primitives.ids import ZERO_HASH

LIMIT = 10**6
OK = Outcome(RejectionCode.OK, (Event("token.transfer", (b"a", b"b")),))

events = st.builds(
    Event,
    name=st.text(st.characters(codec="ascii", categories=["L"]), max_size=32),
    ids=st.lists(st.binary(max_size=EVENT_ID_BYTES_MAX), max_size=4).map(tuple),
)
outcomes = st.builds(
    Outcome,
    code=st.sampled_from(RejectionCode),
    events=st.lists(events, max_size=16).map(tuple),
    detail=st.text(st.characters(codec="ascii", categories=["L"]), max_size=DETAIL_BYTES_MAX),
)


@settings(max_examples=100, deadline=None)
@given(outcomes)
def test_any_outcome_round_trips(outcome):
    assert decode(OUTCOME, encode(OUTCOME, outcome), LIMIT) == outcome


def test_the_hash_commits_to_code_and_events_but_not_to_the_sentence():
    assert outcome_hash(Outcome(OK.code, OK.events, "another sentence")) == outcome_hash(OK)
    others = [
        Outcome(RejectionCode.NO_FUNDS, OK.events),
        Outcome(OK.code),
        Outcome(OK.code, OK.events * 2),
        Outcome(OK.code, (Event("token.burn", (b"a", b"b")),)),
        Outcome(OK.code, (Event("token.transfer", (b"ab",)),)),
        Outcome(OK.code, (Event("token.transfer", (b"b", b"a")),)),
    ]
    assert len({outcome_hash(outcome) for outcome in [OK, *others]}) == 7


def test_the_root_is_over_the_outcomes_in_order():
    failed = Outcome(RejectionCode.NO_FUNDS)
    assert receipts_root([]) == ZERO_HASH
    assert receipts_root([OK, failed]) == merkle.root([outcome_hash(OK), outcome_hash(failed)])
    assert receipts_root([OK, failed]) != receipts_root([failed, OK])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (("MAYBE", (), ""), "code is no known code"),
        ((5, (), ""), "code is no known code"),
        (((1, 2), (), ""), "code is no known code"),
        (("OK", (("n", ()),) * 17, ""), "events must be an array of 0 to 16"),
        (("OK", (("n" * 33, ()),), ""), "events name must be"),
        (("OK", (("n", (b"",) * (EVENT_IDS_MAX + 1)),), ""), "events ids must be an array of 0 to 1024"),
        (("OK", (("n", (bytes(EVENT_ID_BYTES_MAX + 1),)),), ""), "events ids must be 0 to 96 bytes"),
        (("OK", (), "x" * (DETAIL_BYTES_MAX + 1)), "detail must be at most 256"),
        (("OK", ()), "array of 3 items"),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(value, reason):
    with pytest.raises(CodecError, match=reason):
        decode(OUTCOME, pack(value), LIMIT)


def test_only_ok_is_ok():
    for code in RejectionCode:
        assert Outcome(code).ok is (code is RejectionCode.OK)
        assert Receipt(1, 0, bytes(32), bytes(32), code, ()).ok is (code is RejectionCode.OK)


def test_a_detail_that_is_too_long_is_cut_where_it_is_stored():
    stored = encode(OUTCOME, Outcome(RejectionCode.LIMIT, (), "é" * 200 + "\n"))
    assert decode(OUTCOME, stored, 4_096).detail == "é" * 128


@pytest.mark.parametrize("detail", ["a\u00adb\ue000c", "a\u0378", "\u3000"])
def test_a_detail_that_is_read_is_written_as_it_was(detail):
    raw = pack((RejectionCode.OK.value, (), detail))
    assert encode(OUTCOME, decode(OUTCOME, raw, LIMIT)) == raw
