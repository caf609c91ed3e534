"""The inputs that are kept: one small file each, in a folder for each target, named by a digest of what is in it.

`corpus/` in the repository holds seeds and every input that once broke something; what a run finds beside them goes
to another folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["CORPUS", "keep", "kept"]

CORPUS: Final = Path(__file__).resolve().parent / "corpus"
_NAME_DIGITS: Final = 16


def kept(target: str, folder: Path = CORPUS) -> list[bytes]:
    """Return the inputs of a target, in the order of their names."""
    return [path.read_bytes() for path in sorted((folder / target).glob("*.bin"))]


def keep(target: str, inputs: Iterable[bytes], folder: Path = CORPUS) -> int:
    """Write inputs of a target that are not there yet; return how many that were."""
    place = folder / target
    count = 0
    for data in inputs:
        path = place / f"{hashlib.blake2b(data).hexdigest()[:_NAME_DIGITS]}.bin"
        if not path.exists():
            place.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            count += 1
    return count
