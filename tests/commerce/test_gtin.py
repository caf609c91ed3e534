"""GTINs and their check digits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce.gtin import check_digit, gtin14_of, is_gtin14, is_sscc18


# Source: examples of the GS1 check digit calculator and of GS1 General Specifications, section 7.9.
@pytest.mark.parametrize(
    ("digits", "digit"),
    [("629104150021", "3"), ("0629104150021", "3"), ("37610425002123456", "9"), ("0952123454321", "3")],
)
def test_check_digits_of_the_standard(digits, digit):
    assert check_digit(digits) == digit


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789", min_size=13, max_size=13), st.integers(0, 13), st.integers(1, 9))
def test_a_changed_digit_is_noticed(digits, place, change):
    gtin14 = digits + check_digit(digits)
    assert is_gtin14(gtin14)
    digit = str((int(gtin14[place]) + change) % 10)
    assert not is_gtin14(gtin14[:place] + digit + gtin14[place + 1 :])


@pytest.mark.parametrize("text", ["", "629104150021" + "3", "0952123456789" + "x", "\u0660" * 14, "\u00b2" * 14])
def test_what_is_no_14_digits_is_no_gtin(text):
    assert not is_gtin14(text)


@pytest.mark.parametrize(
    ("text", "gtin14"),
    [
        ("96385074", "00000096385074"),
        ("614141123452", "00614141123452"),
        ("9520001000010", "09520001000010"),
        ("09520001000010", "09520001000010"),
    ],
)
def test_shorter_gtins_become_fourteen_digits(text, gtin14):
    assert gtin14_of(text) == gtin14
    assert is_gtin14(gtin14)


@pytest.mark.parametrize("text", ["", "1", "9638507", "12345678901", "9520001000010 ", "\u0660" * 8, "952000100001x"])
def test_what_is_no_gtin_says_so(text):
    with pytest.raises(ValueError, match="8, 12, 13 or 14 digits"):
        gtin14_of(text)


@pytest.mark.parametrize("text", ["96385075", "614141123453", "9520001000011", "19520001000010"])
def test_a_wrong_check_digit_is_told_with_the_right_one(text):
    right = check_digit(text[:-1])
    with pytest.raises(ValueError, match=f"must end in {right}"):
        gtin14_of(text)


def test_an_sscc_has_eighteen_digits_of_which_the_last_checks_the_others():
    assert is_sscc18("095200010000000010")
    assert not any(
        is_sscc18(text) for text in ("095200010000000011", "95200010000000010", "0952000100000000100", "x" * 18)
    )
