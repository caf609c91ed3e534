"""Where in the sources an exception of a core came from, in one line.

A line of the sources is named by its file from the package's folder on, so that a report is the same wherever the
package is installed.

Source: the oracles of the deterministic simulator specification.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Final

__all__ = ["FRAMES_SHOWN", "words_of_defect"]

FRAMES_SHOWN: Final = 4
"""The innermost calls that are named."""
_PACKAGE: Final = "p2pcommerce"


def words_of_defect(error: BaseException) -> str:
    """Return an exception's name, what it says, and its innermost calls, the one that raised it first."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_SHOWN:]
    calls = "; ".join(f"{_short(frame.filename)}:{frame.lineno} in {frame.name}" for frame in reversed(frames))
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said} ({calls})" if calls else f"{type(error).__name__}: {said}"


def _short(path: str) -> str:
    parts = PurePath(path).parts
    last = max((index for index, part in enumerate(parts) if part == _PACKAGE), default=len(parts) - 1)
    return "/".join(parts[last:])
