"""What may be chosen for a demo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DemoOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The arguments of the command.

    Attributes:
        folder: of the network.
        nodes: validators; None: 4, or as many as the folder has.
        engine: name of the finality engine; None: simplex, of one validator solo, or the folder's.
        orders: a CSV file or a folder of them; None: made up.
        epcis: a folder of EPCIS documents; None: made-up custody.
        rate_per_s: transactions due in a second.
        duration_s: of the load; infinity: until it is stopped.
        kill_one: kill a validator in the middle, and start it again.
        seed: of everything made up; None: random.
    """

    folder: Path
    nodes: int | None = None
    engine: str | None = None
    orders: Path | None = None
    epcis: Path | None = None
    rate_per_s: float = 50.0
    duration_s: float = 60.0
    kill_one: bool = False
    seed: int | None = None
