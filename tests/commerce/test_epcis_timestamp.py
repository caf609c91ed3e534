"""EPCIS timestamps in one form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce.epcis.timestamp import canonical_time, time_ms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-02-02T11:04:03Z", "2023-02-02T11:04:03.000Z"),
        ("2023-02-02T11:04:03.1Z", "2023-02-02T11:04:03.100Z"),
        ("2023-02-02T11:04:03.1414Z", "2023-02-02T11:04:03.141Z"),
        ("2023-02-02T11:04:03.1415Z", "2023-02-02T11:04:03.142Z"),
        ("2023-02-02T11:04:03.14149999Z", "2023-02-02T11:04:03.141Z"),
        ("2020-12-31T23:59:59.9995Z", "2021-01-01T00:00:00.000Z"),
        ("2020-01-01T00:00:00.5+14:00", "2019-12-31T10:00:00.500Z"),
        ("2020-01-01T00:00:00-00:30", "2020-01-01T00:30:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_timestamp_is_written_in_utc_with_three_decimals(text, expected):
    assert canonical_time(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "2020-01-01", "2020-01-01T00:00:00", "2020-02-30T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T00:00:60Z",
     "2020-01-01T00:00:00+15:00", "2020-01-01T00:00:00+01:60", "9999-12-31T23:59:59.9999Z", "2020-1-1T00:00:00Z",
     "0001-01-01T00:00:00+00:01", "٢٠٢٠-01-01T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_timestamp_with_an_offset_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        canonical_time(text)


@settings(max_examples=200, deadline=None)
@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-840, 840))
def test_the_milliseconds_are_those_of_the_moment(moment, offset_minutes):
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert time_ms(aware.isoformat(timespec="milliseconds")) == expected
    assert time_ms(canonical_time(aware.isoformat(timespec="milliseconds"))) == expected
