"""Goods in Digital Links and EPC URNs, in and out; check digits; compressed links."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommerce.commerce.epcis import Goods, IdentifierError, parse_goods, to_epc_urn, write_link
from p2pcommerce.commerce.gtin import check_digit

SERIAL = Goods("09520001000010", "7")
SSCC = Goods(sscc="095200010000000010")
TEXTS = st.text("!\"%&'()*+,-./0123456789:;<=>?ABCXYZ_abcxyz", min_size=1, max_size=20)
GTINS = st.integers(0, 10**13 - 1).map(lambda number: f"{number:013d}").map(lambda body: body + check_digit(body))


@pytest.mark.parametrize(
    "uri",
    [
        "https://id.gs1.org/01/09520001000010/21/7",
        "https://id.gs1.org/01/9520001000010/21/7",
        "http://shop.example/some/path/01/09520001000010/21/7?linkType=gs1:pip#x",
        "https://id.gs1.org/gtin/09520001000010/ser/7",
        "https://id.gs1.org/01/09520001000010/10/L/21/7",
        "urn:epc:id:sgtin:9520001.000001.7",
        " https://id.gs1.org/01/09520001000010/21/7 ",
    ],
)
def test_all_forms_name_the_same_serial(uri):
    assert parse_goods(uri) == SERIAL


@pytest.mark.parametrize(
    ("uri", "goods"),
    [
        ("https://id.gs1.org/01/09520001000010/10/a%2Fb", Goods("09520001000010", lot="a/b")),
        ("https://id.gs1.org/01/09520001000010/10/%2F21%2F", Goods("09520001000010", lot="/21/")),
        ("urn:epc:class:lgtin:9520001.000001.L", Goods("09520001000010", lot="L")),
        ("https://id.gs1.org/00/095200010000000010", SSCC),
        ("urn:epc:id:sscc:9520001.0000000001", SSCC),
        ("https://id.gs1.org/01/09520001000010", Goods("09520001000010")),
        ("https://id.gs1.org/01/96385074", Goods("00000096385074")),
        ("https://id.gs1.org/01/614141123452", Goods("00614141123452")),
    ],
)
def test_lots_units_and_shorter_gtins_are_read(uri, goods):
    assert parse_goods(uri) == goods


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://id.gs1.org/01/09520001000012/21/7", "must end in 0"),
        ("https://id.gs1.org/01/09520001000012", "must end in 0"),
        ("https://id.gs1.org/00/095200010000000011", "must end in 0"),
        ("https://id.gs1.org/AQnYUc1gmiCNV4JG", "compressed"),
        ("https://shop.example/path/AQnYUc1gmiCNV4JG?x=1", "compressed"),
        ("https://id.gs1.org/414/9520001000034", "no GTIN with"),
        ("urn:epc:id:gid:1.2.3", "no GTIN with"),
        ("https://shop.example/", "no GTIN with"),
        ("hello", "no GTIN with"),
        ("", "no GTIN with"),
    ],
)
def test_what_names_no_goods_is_refused_with_its_reason(uri, reason):
    with pytest.raises(IdentifierError, match=reason):
        parse_goods(uri)


@given(GTINS, TEXTS, TEXTS, st.sampled_from(["https://id.gs1.org", "https://shop.example/p"]))
def test_a_link_is_read_as_it_was_written(gtin14, serial, lot, domain):
    for goods in (Goods(gtin14), Goods(gtin14, serial), Goods(gtin14, lot=lot)):
        assert parse_goods(write_link(goods, domain)) == goods


@given(GTINS, TEXTS, st.integers(6, 12))
def test_link_and_urn_lead_to_each_other(gtin14, serial, prefix_digits):
    for goods in (Goods(gtin14, serial), Goods(gtin14, lot=serial)):
        assert parse_goods(to_epc_urn(write_link(goods), prefix_digits)) == goods


@given(st.integers(0, 10**17 - 1).map(lambda number: f"{number:017d}").map(lambda body: body + check_digit(body)))
def test_a_unit_is_read_as_it_was_written(sscc):
    goods = Goods(sscc=sscc)
    assert parse_goods(write_link(goods)) == parse_goods(to_epc_urn(write_link(goods), 7)) == goods


def test_a_shorter_gtin_is_written_as_fourteen_digits():
    assert write_link(Goods("96385074", "7")) == "https://id.gs1.org/01/00000096385074/21/7"


@pytest.mark.parametrize("goods", [Goods(), Goods("09520001000012", "7"), Goods(sscc="095200010000000011")])
def test_nothing_wrong_is_written(goods):
    with pytest.raises(IdentifierError):
        write_link(goods)
