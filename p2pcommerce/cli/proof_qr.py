"""A proof as one QR code: in the terminal, as SVG or as PNG.

Text in the alphanumeric mode by default: any scanner hands it on. Bytes take a little less room; scanners that take
them for text in some encoding spoil them.

Source: ISO/IEC 18004, table 7 (capacities); the library segno (extra `qr`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from p2pcommerce.cli.shared import ArgumentError

__all__ = ["LEVELS", "QR_BYTES_MAX", "QR_CHARACTERS_MAX", "write_qr"]

LEVELS: Final = ("l", "m", "q", "h")
"""Error correction: 7, 15, 25 and 30 % of a code may be dirty."""
QR_BYTES_MAX: Final = 2_953
"""Bytes in a code of version 40-L."""
QR_CHARACTERS_MAX: Final = 4_296
"""Characters of the alphanumeric mode in a code of version 40-L."""


def write_qr(content: bytes | str, level: str, out: Path | None) -> int:
    """Write a code, and return its version (1 to 40).

    Args:
        content: bytes, or text of the 45 characters of the alphanumeric mode.
        level: of error correction, one of `LEVELS`.
        out: a file that ends in .svg or .png; None: the terminal.

    Raises:
        ArgumentError: it does not fit, the extra is not installed, or the file is of another kind or cannot be written.
    """
    if out is not None and out.suffix.lower() not in {".svg", ".png"}:
        raise ArgumentError(f"{out}: a QR code is written as .svg or .png")
    if out is not None and out.exists():
        raise ArgumentError(f"{out}: exists already; choose another name")
    try:
        import segno  # noqa: PLC0415 - an extra that may be missing
    except ImportError as error:
        raise ArgumentError("QR codes need the extra qr: pip install 'p2pcommerce[qr]'") from error
    mode = "byte" if isinstance(content, bytes) else "alphanumeric"
    try:
        code = segno.make_qr(content, error=level, mode=mode, boost_error=False)
    except segno.DataOverflowError as error:
        limit = QR_BYTES_MAX if isinstance(content, bytes) else QR_CHARACTERS_MAX
        unit = "bytes" if isinstance(content, bytes) else "characters"
        raise ArgumentError(
            f"{len(content)} {unit} do not fit one QR code of level {level.upper()}; the largest, 40-L, holds {limit}: "
            "make the proof with --compact, or use --level l"
        ) from error
    if out is None:
        code.terminal(out=sys.stdout, compact=True)
    else:
        try:
            code.save(str(out), scale=4)
        except OSError as error:
            raise ArgumentError(f"{out}: cannot be written: {error.strerror or error}") from error
    return int(code.version)
