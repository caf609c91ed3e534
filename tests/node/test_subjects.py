"""What can be proven by name, and what a proven record says."""

import pytest

from p2pcommerce.commerce import Subject as Attested
from p2pcommerce.commerce import SubjectKind, attestation_id, item_key
from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.attestation import ATTESTATION, Attestation
from p2pcommerce.commerce.item_ids import part_id, unit_id
from p2pcommerce.commerce.rating import RATING, Rating
from p2pcommerce.node.subjects import SUBJECTS, describe_record, subject_of
from p2pcommerce.primitives.errors import UsageError

KEY, OTHER = "ab" * 32, "cd" * 32


def test_a_balance_is_an_accounts():
    assert subject_of("balance", {"account": KEY}) == subject_of("account", {"account": KEY})


def test_a_score_is_the_rating_of_a_store():
    assert subject_of("score", {"store": KEY}).key == RATING.key(bytes.fromhex(KEY))


def test_a_certificate_is_named_by_its_id_or_by_what_makes_it():
    identifier = attestation_id(bytes.fromhex(KEY), Attested(SubjectKind.STORE, bytes.fromhex(OTHER)), "organic")
    expected = ATTESTATION.key(identifier)
    assert subject_of("certificate", {"attestation": identifier.hex()}).key == expected
    named = {"issuer": KEY, "schema": "organic", "subject": f"store:{OTHER}"}
    assert subject_of("certificate", named).key == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"attestation": "77"},
        {"issuer": KEY},
        {"issuer": KEY, "schema": "organic"},
        {"issuer": KEY, "schema": "organic", "subject": "shop:77"},
        {"issuer": KEY, "schema": "", "subject": f"store:{OTHER}"},
        {"issuer": KEY, "schema": "organic", "subject": "store:"},
    ],
)
def test_a_certificate_that_is_not_named_is_refused(arguments):
    with pytest.raises(UsageError):
        subject_of("certificate", arguments)


def test_a_logistic_unit_is_named_by_its_sscc_and_any_item_by_its_id():
    unit = unit_id(bytes.fromhex(KEY), "095200010000000010")
    named = subject_of("item", {"issuer": KEY, "sscc": "095200010000000010"})
    assert named == subject_of("item", {"id": unit.hex()}) == subject_of("state", {"key": item_key(unit).hex()})
    part = part_id(bytes(32), 3)
    assert subject_of("item", {"id": part.hex()}).history_id == part


@pytest.mark.parametrize(
    "arguments",
    [
        {"issuer": KEY, "sscc": "095200010000000011"},
        {"issuer": KEY, "sscc": "\u0660" * 18},
        {"issuer": KEY, "sscc": ""},
        {"id": ""},
        {"id": "00" * 97},
        {"id": "zz"},
        {"id": "00", "issuer": KEY},
    ],
)
def test_an_item_that_is_not_named_is_refused(arguments):
    with pytest.raises(UsageError):
        subject_of("item", arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("balance", {"account": KEY, "acount": KEY}),
        ("item", {"issuer": KEY, "gtin": "09520001000010", "serial": "7", "seriall": "8"}),
        ("certificate", {"attestation": "77" * 32, "issuer": KEY}),
        ("state", {"key": "01", "account": KEY}),
    ],
)
def test_an_argument_that_the_subject_does_not_have_is_refused(name, arguments):
    with pytest.raises(UsageError, match="has no such argument, or not together"):
        subject_of(name, arguments)


def test_every_subject_is_in_the_list_of_an_unknown_one():
    with pytest.raises(UsageError, match=", ".join(SUBJECTS)):
        subject_of("weather", {})


def test_a_record_says_what_it_holds():
    assert describe_record(ACCOUNT.key(bytes(32)), ACCOUNT.write(Account(5, 7))) == {
        "kind": "account",
        "id": "00" * 32,
        "balance_minor": 5,
        "nonce": 7,
        "active": None,
    }
    said = describe_record(RATING.key(bytes(32)), RATING.write(Rating(1_000_000, 5_000_000, 3)))
    assert (said["count"], said["mean_millistars"]) == (3, 4_000)
    about = Attested(SubjectKind.STORE, b"\x01" * 32)
    said = describe_record(
        ATTESTATION.key(bytes(32)), ATTESTATION.write(Attestation(bytes(32), about, "organic", bytes(32), 5, 9))
    )
    assert said["subject"] == {"kind": 1, "id": "01" * 32}
    assert (said["schema"], said["expires_ms"]) == ("organic", 9)


def test_what_is_not_there_and_what_is_unknown_say_so():
    assert describe_record(ACCOUNT.key(bytes(32)), None) == {"kind": "account", "id": "00" * 32}
    for key, value in ((b"", b"x"), (b"\xff", b"x"), (ACCOUNT.key(bytes(32)), b"\xc1")):
        assert describe_record(key, value) == {"kind": "unknown"}
