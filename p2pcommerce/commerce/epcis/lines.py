"""Where the events of a document stand: their lines, so that a message about one of them leads a person there.

The document has been parsed before; this only finds places in it and trusts nothing of it.
"""

from __future__ import annotations

import json
import re
from typing import Final

__all__ = ["event_lines"]

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]', re.DOTALL)
_LISTS: Final = (["", "epcisBody", "eventList"], ["", "epcisBody", "queryResults", "resultsBody", "eventList"])
_SINGLE: Final = (["", "epcisBody", "event"], ["", "epcisBody", "queryResults", "resultsBody", "event"])


def event_lines(data: bytes, count: int) -> list[int]:
    """Return the line, from 1, at which each event of an EPCIS document begins.

    Args:
        data: a document that `parse_document` accepts.
        count: of its events. Where they stand at no usual place, all are told to begin where the document does.
    """
    found: list[int] = []
    path: list[str] = []
    line, first, last = 1, 0, ""
    for match in _TOKEN.finditer(data.decode("utf-8-sig")):
        mark = match[0]
        if mark == "\n":
            line += 1
        elif mark in "{[":
            first = first or line
            if mark == "{" and (path in _LISTS or [*path, last] in _SINGLE):
                found.append(line)
            path.append(last)
            last = ""
        elif mark in "}]":
            path.pop()
            last = ""
        elif mark == ",":
            last = ""
        elif mark != ":":
            last = json.loads(mark)
    return found if len(found) == count else [first] * count
