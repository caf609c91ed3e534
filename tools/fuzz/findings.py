"""What was found: an input for each way in which a target broke, as a file, with the command that repeats it."""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Finding", "repeat_command", "write_finding"]

_PACKAGE: Final = "p2pcommerce"


@dataclass(frozen=True)
class Finding:
    """One way in which a target broke.

    Attributes:
        target: its name.
        what: the error, one line.
        where: the innermost line of the product, or of the target.
        data: the input.
    """

    target: str
    what: str
    where: str
    data: bytes

    @classmethod
    def of(cls, target: str, error: BaseException, data: bytes) -> Finding:
        """Describe an error that escaped from a target."""
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if _PACKAGE in Path(frame.filename).parts] or frames
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
        return cls(target, f"{type(error).__name__}: {error}"[:200], where, data)

    @property
    def key(self) -> tuple[str, str]:
        """What two findings of one cause have in common."""
        return self.what.partition(":")[0], self.where


def repeat_command(path: Path, target: str) -> str:
    """Return the command that repeats a finding."""
    return f"python tools/fuzz/run.py --only {target} --repeat {path}"


def write_finding(finding: Finding, folder: Path) -> Path:
    """Write the input of a finding, and return where."""
    place = folder / finding.target
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{hashlib.blake2b(finding.data).hexdigest()[:16]}.bin"
    path.write_bytes(finding.data)
    return path
