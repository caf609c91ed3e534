"""GTINs and their check digits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce.gtin import check_digit, is_gtin14


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
