"""EPCIS timestamps: `xsd:dateTimeStamp` to Unix milliseconds, and to the one text that is hashed.

Knows no clock and no time zone names: the text itself must carry its offset.

Source: EPCIS 2.0, section 7.2; CBV 2.0, Event Hash ID, rules 8 and 9 (UTC, three decimals, the third rounded up when
the fourth is 5 to 9; what stands behind the fourth does not matter).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

__all__ = ["canonical_time", "time_ms"]

_STAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,40}))?"
    r"(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2}))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET_MINUTES_MAX = 14 * 60


def time_ms(text: str) -> int:
    """Return Unix milliseconds of a timestamp such as `2023-02-02T12:04:03.1415+01:00`.

    Raises:
        ValueError: not a timestamp with an offset, or no such day or time.
    """
    stamp = _STAMP.fullmatch(text)
    if stamp is None:
        raise ValueError("not a timestamp with an offset, such as 2023-02-02T11:04:03.142Z")
    year, month, day, hour, minute, second = (int(stamp[group]) for group in range(1, 7))
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    ms = (moment - _EPOCH) // timedelta(milliseconds=1)
    fraction = (stamp[7] or "").ljust(4, "0")
    ms += int(fraction[:3]) + (fraction[3] >= "5")
    if stamp[8] is None:
        offset_minutes = int(stamp[10]) * 60 + int(stamp[11])
        if int(stamp[11]) > 59 or offset_minutes > _OFFSET_MINUTES_MAX:
            raise ValueError("the offset from UTC is beyond 14:00")
        ms += offset_minutes * 60_000 * (-1 if stamp[9] == "+" else 1)
    return ms


def canonical_time(text: str) -> str:
    """Return a timestamp as it is hashed: UTC, three decimals, `Z`.

    Raises:
        ValueError: as `time_ms`, or the moment in UTC has no year of four digits.
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=time_ms(text))
    except OverflowError:
        raise ValueError("the moment in UTC lies outside the years 1 to 9999") from None
    return (
        f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}T"
        f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d}.{moment.microsecond // 1000:03d}Z"
    )
