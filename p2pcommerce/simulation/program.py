"""Which program made a result: one digest over the sources that decide a world.

Results of a sweep are kept in files and come from other machines. A result made by other sources is another result,
even for the same seed; the digest tells them apart. The runtime and the command line decide nothing in a world and are
left out, so that a change there does not throw results away.

Source: resumable sweeps of the simulator specification.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["program_digest"]

_LEFT_OUT: Final = frozenset({"api", "cli", "runtime"})
_PICTURES: Final = ("simulation", "pictures")
_DIGEST_BYTES: Final = 8


@cache
def program_digest() -> str:
    """Return 16 hexadecimal digits that stand for the sources of this installation, as they are at the first call."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).parts
        if parts[0] in _LEFT_OUT or parts[:2] == _PICTURES:
            continue
        source = path.read_bytes()
        digest.update("/".join(parts).encode() + b"\0" + len(source).to_bytes(8, "big") + source)
    return digest.hexdigest()
