"""The fuzzer's package, which lives beside the product and is not installed."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
sys.path.insert(0, str(TOOLS))

from fuzz import catalogue, corpus, findings, found, mutation, plain, run, target, verdicts  # noqa: E402 - the tools are no package

sys.path.remove(str(TOOLS))

__all__ = [
    "ROOT",
    "TOOLS",
    "catalogue",
    "corpus",
    "findings",
    "found",
    "mutation",
    "plain",
    "run",
    "target",
    "verdicts",
]
