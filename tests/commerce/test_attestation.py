"""Certificates: issued, valid, expired, revoked."""

import dataclasses

import pytest

from p2pcommerce.commerce import AttestIssue, AttestRevoke, Subject, SubjectKind, attestation_id, item_id
from p2pcommerce.commerce.attestation import ATTESTATION, ATTESTATION_BYTES, Attestation, is_attested
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.ledger.application import QueryError
from tests.commerce.world import HASH, World, key

STORE = Subject(SubjectKind.STORE, key("shop"))
ISSUE = AttestIssue(STORE, "organic", HASH, 100_000)


@pytest.fixture
def world():
    world = World("shop", "lab", "other")
    world.product = world.open_shop()
    world.commission("1")
    return world


def found(world, issuer="lab", subject=STORE, schema="organic"):
    kind = SubjectKind(subject.kind).name
    return world.query("attestation", issuer=key(issuer), kind=kind, subject=subject.id.hex(), schema=schema)


def attested(world, issuer="lab"):
    return is_attested(Ledger(world.chain.final, {}), key(issuer), STORE, "organic")


def test_a_certificate_is_valid_until_it_expires(world):
    world.do("lab", ISSUE)
    answer = found(world)
    assert (answer["valid"], answer["issuer"], answer["hash"]) == (True, key("lab").hex(), HASH.hex())
    assert attested(world)
    assert not attested(world, "other")
    assert world.query("attestation", id=answer["id"]) == answer
    world.wait(101)
    assert found(world)["valid"] is False
    assert not attested(world)


def test_accounts_stores_products_and_items_are_certified(world):
    item = item_id(key("shop"), world.product.gtin14, serial="1")
    for kind, identifier in (
        (SubjectKind.ACCOUNT, key("other")),
        (SubjectKind.PRODUCT, world.product.key),
        (SubjectKind.ITEM, item),
    ):
        subject = Subject(kind, identifier)
        world.do("lab", dataclasses.replace(ISSUE, subject=subject))
        assert found(world, subject=subject)["kind"] == kind.name


@pytest.mark.parametrize("kind", list(SubjectKind))
def test_the_subject_exists(world, kind):
    world.refused("NOT_FOUND", "lab", dataclasses.replace(ISSUE, subject=Subject(kind, key("nobody"))))


def test_a_certificate_stands_once_until_it_expires(world):
    world.do("lab", ISSUE)
    world.refused("EXISTS", "lab", ISSUE)
    world.do("other", ISSUE)
    world.wait(101)
    world.refused("TOO_LATE", "lab", ISSUE)
    world.do("lab", dataclasses.replace(ISSUE, expires_ms=200_000))


def test_only_its_issuer_revokes_and_gets_the_deposit_back(world):
    before = world.balance("lab")
    transaction = world.build("lab", ISSUE)
    assert world.app.check(transaction, world.chain.final, 1).spend_minor == transaction.fee + 10 * ATTESTATION_BYTES
    world.do("lab", ISSUE, fee=10_000)
    identifier = attestation_id(key("lab"), STORE, "organic")
    world.refused("FORBIDDEN", "other", AttestRevoke(identifier))
    world.refused("FORBIDDEN", "shop", AttestRevoke(identifier))
    world.do("lab", AttestRevoke(identifier), fee=10_000)
    assert (found(world), world.balance("lab")) == (None, before - 20_000)
    world.refused("NOT_FOUND", "lab", AttestRevoke(identifier))
    world.do("lab", ISSUE)


def test_a_certificate_says_something():
    with pytest.raises(FormatError, match="schema"):
        dataclasses.replace(ISSUE, schema="").check(None)


def test_different_subjects_and_schemas_have_different_ids():
    ids = {
        attestation_id(key("lab"), Subject(kind, identifier), schema)
        for kind in SubjectKind
        for identifier in (b"a", b"ab", key("shop"))
        for schema in ("b", "ab", "organic")
    }
    assert len(ids) == 4 * 3 * 3


def test_a_wrong_question_says_what_exists(world):
    with pytest.raises(QueryError, match="kind must be one of account, store, product, item"):
        world.query("attestation", issuer=key("lab"), kind="person", subject="00", schema="x")


def test_the_largest_certificate_fits_its_size():
    most = 2**63 - 1
    record = Attestation(HASH, Subject(3, b"x" * 96), "é" * 16, HASH, most, most)
    assert len(ATTESTATION.key(HASH)) + len(ATTESTATION.write(record)) <= ATTESTATION_BYTES
