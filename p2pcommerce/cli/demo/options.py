"""What may be chosen for a demo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from p2pcommerce.cli.demo.folder import EPOCH_BLOCKS_MAX
from p2pcommerce.workload import Scale

__all__ = ["DemoOptions"]

_EPOCH_BLOCKS_MIN: Final = 8
_EPOCH_S: Final = 3.0
"""Seconds of load for each block of an epoch: whoever joins needs five or six epochs to be thrown out."""


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
        peak: how many times that rate is due in the last 5 s of every 30 s.
        duration_s: of the load; infinity: until it is stopped.
        kill_one: kill a validator in the middle, and start it again.
        byzantine: newcomers that join and break the rules on purpose: 0 or 1.
        seed: of everything made up; None: random.
        scale: of a whole market; None: a small one, that grows as orders come.
        flash_sale: whether three of ten orders are for one listing.
        abuse: names of the frauds to try.
    """

    folder: Path
    nodes: int | None = None
    engine: str | None = None
    orders: Path | None = None
    epcis: Path | None = None
    rate_per_s: float = 50.0
    peak: float = 1.0
    duration_s: float = 60.0
    kill_one: bool = False
    byzantine: int = 0
    seed: int | None = None
    scale: Scale | None = None
    flash_sale: bool = False
    abuse: tuple[str, ...] = ()

    @property
    def epoch_blocks(self) -> int | None:
        """Blocks in an epoch of a network that is founded for it; None: the usual number."""
        if not self.byzantine:
            return None
        return round(max(_EPOCH_BLOCKS_MIN, min(EPOCH_BLOCKS_MAX, self.duration_s / _EPOCH_S)))
