"""Where the events of a document stand: their lines, so that a message about one of them leads a person there.

The document has been parsed before; this only finds places in it and trusts nothing of it.
"""

from __future__ import annotations

import re

__all__ = ["event_lines"]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]', re.DOTALL)


def event_lines(data: bytes) -> list[int]:
    """Return the line, from 1, at which each event of an EPCIS document begins.

    Args:
        data: a document that `parse_document` accepts; of a single event on its own, the line is that of its brace.
    """
    text, line = data.decode("utf-8-sig"), 1
    keys: list[str] = []
    found: list[int] = []
    first, last = 0, ""
    for match in _TOKEN.finditer(text):
        mark = match[0]
        if mark == "\n":
            line += 1
        elif mark in "{[":
            first = first or line
            if mark == "{" and keys[-1:] == ["eventList"]:
                found.append(line)
            keys.append(last if mark == "[" else "")
            last = ""
        elif mark in "}]":
            keys.pop()
            last = ""
        elif mark == ",":
            last = ""
        elif mark != ":":
            last = mark[1:-1]
            line += mark.count("\n")
    return found or [first]
