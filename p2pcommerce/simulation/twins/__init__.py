"""Twins: every small scenario of leaders and partitions in which one validator runs twice.

- `rounds`: the scenarios, counted and picked by number (start here)
- `network`: runs one: rounds, then healing; `instance`: a validator's engine, guard and log; `leaders`: who leads
- `judge`: what must hold
- `chunk`: many of them, as a worker runs them and a file keeps them; `campaign`: all of them, or a sample
"""

from p2pcommerce.simulation.twins.campaign import TwinsCampaign, TwinsTally, run_twins
from p2pcommerce.simulation.twins.chunk import ChunkFile, ChunkResult, Failure
from p2pcommerce.simulation.twins.judge import ORACLES
from p2pcommerce.simulation.twins.network import Ran, TwinsNetwork, run_arrangement
from p2pcommerce.simulation.twins.rounds import (
    LEADERS,
    Arrangement,
    Round,
    Space,
    SpaceError,
    read_arrangement,
    words_of,
)

__all__ = [
    "LEADERS",
    "ORACLES",
    "Arrangement",
    "ChunkFile",
    "ChunkResult",
    "Failure",
    "Ran",
    "Round",
    "Space",
    "SpaceError",
    "TwinsCampaign",
    "TwinsNetwork",
    "TwinsTally",
    "read_arrangement",
    "run_arrangement",
    "run_twins",
    "words_of",
]
