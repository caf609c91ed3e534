"""The fuzzer's package, which lives beside the product and is not installed."""

import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from fuzz import (  # noqa: E402 - the tools are not installed
    catalogue,
    corpus,
    findings,
    found,
    mutation,
    plain,
    run,
    synthesis,
    target,
    verdicts,
)

sys.path.remove(str(TOOLS))

__all__ = [
    "TOOLS",
    "catalogue",
    "corpus",
    "findings",
    "found",
    "mutation",
    "plain",
    "run",
    "synthesis",
    "target",
    "verdicts",
]
