"""EPC URNs and GS1 Digital Links name the same thing in one canonical form."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce.epcis import (
    IdentifierError,
    canonical_uri,
    check_digit,
    is_gtin14,
    is_sscc18,
    parse_lgtin,
    parse_sgtin,
    parse_sscc,
    to_epc_urn,
)

SERIAL_CHARS = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("digits", "expected"), [("9638507", "4"), ("1061414107346", "4"), ("10614141234567890", "8"), ("0", "0")]
)
def test_check_digit_weighs_three_and_one_from_the_right(digits, expected):
    assert check_digit(digits) == expected


def test_a_gtin14_has_14_digits_and_the_right_check_digit():
    assert is_gtin14("10614141073464")
    assert not is_gtin14("10614141073465")
    assert not is_gtin14("0614141073467")
    assert not is_gtin14("1061414107346x")
    assert not is_gtin14("\N{ARABIC-INDIC DIGIT ONE}" * 14)


def test_an_sscc18_has_18_digits_and_the_right_check_digit():
    assert is_sscc18("106141412345678908")
    assert not is_sscc18("106141412345678909")
    assert not is_sscc18("6141412345678908")


@pytest.mark.parametrize(
    ("urn", "link"),
    [
        ("urn:epc:id:sgtin:4012345.012345.12", "01/04012345123456/21/12"),
        ("urn:epc:id:sscc:4012345.0000000333", "00/040123450000003338"),
        ("urn:epc:id:sgln:4012345.00005.122", "414/4012345000054/254/122"),
        ("urn:epc:id:sgln:4012345.00005.0", "414/4012345000054"),
        ("urn:epc:id:pgln:4000001.00000", "417/4000001000005"),
        ("urn:epc:id:grai:4012345.66666.87", "8003/0401234566666387"),
        ("urn:epc:id:giai:4012345.AAbb", "8004/4012345AAbb"),
        ("urn:epc:id:gsrn:4012345.9876540000", "8018/401234598765400000"),
        ("urn:epc:id:gsrnp:4012345.0000098765", "8017/401234500000987658"),
        ("urn:epc:id:gdti:4012345.55555.98", "253/401234555555498"),
        ("urn:epc:id:gdti:987659999999..9", "253/98765999999929"),
        ("urn:epc:id:cpi:0614141.11-A%23%2F.1234", "8010/061414111-A%23%2F/8011/1234"),
        ("urn:epc:id:sgcn:4012345.99999.44", "255/401234599999044"),
        ("urn:epc:id:ginc:0614141.xyz47%2F11", "401/0614141xyz47%2F11"),
        ("urn:epc:id:gsin:4012345.999987654", "402/40123459999876541"),
        ("urn:epc:id:itip:4012345.012345.01.02.999", "8006/040123451234560102/21/999"),
        ("urn:epc:id:upui:1234567.098765.51)%3C*j7'SDB", "01/01234567987651/235/51%29%3C%2Aj7'SDB"),
        ("urn:epc:class:lgtin:4054739.099914.2016", "01/04054739999148/10/2016"),
        ("urn:epc:idpat:sgtin:4054739.099914.*", "01/04054739999148"),
        ("urn:epc:idpat:upui:4012345.012345.*", "01/04012345123456"),
        ("urn:epc:idpat:grai:4012345.66666.*", "8003/04012345666663"),
        ("urn:epc:idpat:gdti:4012345.55555.*", "253/4012345555554"),
        ("urn:epc:idpat:sgcn:4012345.99999.*", "255/4012345999990"),
        ("urn:epc:idpat:cpi:4012345.ABC.*", "8010/4012345ABC"),
        ("urn:epc:idpat:itip:4012345.012345.01.02.*", "8006/040123451234560102"),
    ],
)
def test_an_epc_urn_becomes_its_digital_link(urn, link):
    assert canonical_uri(urn) == "https://id.gs1.org/" + link


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://shop.example/01/09780345418913/21/S1?x=1#part", "01/09780345418913/21/S1"),
        ("http://shop.example/path/of/shop/gtin/09780345418913/ser/S1", "01/09780345418913/21/S1"),
        ("https://x.org/01/9780345418913", "01/09780345418913"),
        ("https://x.org/01/12345670/21/a", "01/00000012345670/21/a"),
        ("https://x.org/01/09780345418913/22/V/10/LOT/21/S1", "01/09780345418913/21/S1"),
        ("https://x.org/01/09780345418913/22/V/10/LOT", "01/09780345418913/10/LOT"),
        ("https://x.org/01/09780345418913/22/V", "01/09780345418913"),
        ("https://x.org/01/09780345418913/21/a(b)", "01/09780345418913/21/a%28b%29"),
        ("https://x.org/01/09780345418913/21/a%2fb", "01/09780345418913/21/a%2Fb"),
        ("https://x.org/8006/040123451234560102/10/L", "8006/040123451234560102/10/L"),
        ("https://x.org/party/4012345000009", "417/4012345000009"),
        ("https://x.org/8004/4012345AB/7040/1ABC", "8004/4012345AB"),
    ],
)
def test_a_digital_link_keeps_the_finest_identification_and_loses_the_rest(link, expected):
    assert canonical_uri(link) == "https://id.gs1.org/" + expected


@pytest.mark.parametrize(
    "text",
    [
        "geo:47.506694,11.104301",
        "urn:epc:id:adi:35962.PQ7VZ4.M37GXB92",
        "urn:epc:id:gid:1.2.3",
        "urn:epc:id:sgtin:bad",
        "urn:epc:id:sgtin:4012345.0123456.12",
        "urn:epc:id:sgtin:4012345.012345.",
        "urn:epc:id:sgtin:4012345.012345.123456789012345678901",
        "urn:epc:id:sgtin:٤٠١٢٣٤٥.012345.1",
        "urn:epc:idpat:sgtin:4012345.*.*",
        "urn:epc:idpat:sscc:4012345.*",
        "urn:epc:id:giai:4012345.",
        "urn:epc:id:cpi:4012345.ABC.x",
        "urn:epc:id:cpi:4012345.ABC",
        "http://transaction.acme.com/po/12345678",
        "https://ref.gs1.org/cbv/BizStep-shipping",
        "https://x.org/01/09780345418913/99/b",
        "https://x.org/01/09780345418913/",
        "https://x.org/01/not-a-gtin",
        "https://x.org/001/x",
        "https://é.org/01/09780345418913/21/é",
        "http://[",
        "",
    ],
)
def test_what_is_no_gs1_identifier_passes_unchanged(text):
    assert canonical_uri(text) == text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"urn:epc:(id|class|idpat):[a-z]{3,5}:[ -~]{0,30}", fullmatch=True))
def test_the_canonical_form_of_a_canonical_form_is_itself(text):
    once = canonical_uri(text)
    assert canonical_uri(once) == once


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**13 - 1), st.text(SERIAL_CHARS, min_size=1, max_size=20), st.integers(6, 12))
def test_an_sgtin_survives_the_way_to_a_urn_and_back(number, serial, prefix_digits):
    body = f"{number:013d}"
    gtin = body + check_digit(body)
    escaped = "".join(f"%{ord(char):02X}" for char in serial)
    link = f"https://shop.example/01/{gtin}/21/{escaped}"
    urn = to_epc_urn(link, prefix_digits)
    assert urn.startswith("urn:epc:id:sgtin:")
    assert parse_sgtin(urn) == parse_sgtin(link) == (gtin, serial)
    assert canonical_uri(urn) == canonical_uri(link)


def test_a_lot_and_a_logistic_unit_survive_the_way_to_a_urn_and_back():
    assert to_epc_urn("https://x.org/01/04012345123456/10/L1", 7) == "urn:epc:class:lgtin:4012345.012345.L1"
    assert to_epc_urn("https://x.org/00/040123450000003338", 7) == "urn:epc:id:sscc:4012345.0000000333"
    assert parse_lgtin("urn:epc:class:lgtin:4012345.012345.L1") == ("04012345123456", "L1")
    assert parse_sscc("urn:epc:id:sscc:4012345.0000000333") == "040123450000003338"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: parse_sgtin("geo:1,2"), "no GS1 identifier"),
        (lambda: parse_sgtin("urn:epc:class:lgtin:4012345.012345.L1"), "is not a GTIN with a serial"),
        (lambda: parse_sgtin("https://x.org/01/09780345418914/21/a"), "wrong check digit: it must end in 3"),
        (lambda: parse_lgtin("urn:epc:id:sgtin:4012345.012345.1"), "is not a GTIN with a lot"),
        (lambda: parse_sscc("urn:epc:id:sgtin:4012345.012345.1"), "is not an SSCC"),
        (lambda: parse_sscc("https://x.org/00/040123450000003339"), "wrong check digit: it must end in 8"),
        (lambda: to_epc_urn("urn:epc:id:sgtin:4012345.012345.1", 5), "6 to 12 digits"),
    ],
)
def test_a_wrong_identifier_is_refused_with_the_reason(call, reason):
    with pytest.raises(IdentifierError, match=reason):
        call()


@pytest.mark.parametrize(
    "uri",
    [
        "https://id.gs1.org/01/0401234598765x/21/1",
        "https://id.gs1.org/01/04012345987652/21/\u0660",
        "https://id.gs1.org/01/04012345987652/21/a b",
        "https://id.gs1.org/00/40123451234567891\udcff",
        "urn:epc:id:sgtin:4012345.098765.\u0660",
        "urn:epc:id:cpi:4012345.\u0660.1",
    ],
)
@pytest.mark.parametrize("parse", [parse_sgtin, parse_lgtin, parse_sscc, lambda uri: to_epc_urn(uri, 7)])
def test_what_is_in_no_form_of_gs1_is_refused_by_name(uri, parse):
    assert canonical_uri(uri) == uri
    with pytest.raises(IdentifierError):
        parse(uri)
