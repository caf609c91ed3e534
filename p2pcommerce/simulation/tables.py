"""Latency tables: how long a message is under way between regions of the world.

`one_way_us` is the median delay of ONE direction, `jitter_us` the distance from there to the 90th percentile. The links
draw a delay whose median and 90th percentile are these. Three tables from public figures, rounded, and `uniform`:

- `aws`: round trips between a dozen AWS regions over one year, **halved**. The most realistic; the default.
- `simblock`: 6 regions of 2019, **applied to one direction as in the source**, although the figures have the size of a
  round trip: delays are 2 to 3.5 times too long. Median and 90th percentile of the source's Pareto distribution.
- `ethereum8`: 8 regions weighted by nodes, **applied to one direction as in the source** (Shadow), the same warning;
  without jitter.

A report names the table it used. Loss is in none of the sources: it is a fault of the links.

Source: AWS: cloudping.co by commonwarexyz/monorepo (examples/estimator, 2025-07-17); SimBlock: dsg-titech/simblock
(NetworkConfiguration.java, 2019); ethereum8: libp2p/test-plans (gossipsub-interop/network_graph.py).
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

from p2pcommerce.primitives.errors import UsageError

__all__ = ["TABLES", "LatencyTable", "Matrix", "UnknownTableError", "place", "table", "uniform"]

Matrix: TypeAlias = tuple[tuple[int, ...], ...]


class UnknownTableError(UsageError):
    """A latency table of that name does not exist."""

    code = "UNKNOWN_TABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTable:
    """Delays between regions.

    Attributes:
        name: under which it is asked for.
        regions: names of the regions.
        one_way_us: median delay of one direction, microseconds; [from][to].
        jitter_us: from the median to the 90th percentile, microseconds; [from][to].
        weights: nodes in each region, in proportion.
        source: where the figures come from, and how they are applied.
    """

    name: str
    regions: tuple[str, ...]
    one_way_us: Matrix
    jitter_us: Matrix
    weights: tuple[int, ...]
    source: str


def uniform(one_way_us: int, jitter_us: int = 0) -> LatencyTable:
    """Return a table in which every delay is the same: `one_way_us` at the median, `jitter_us` more at 90 %."""
    return LatencyTable(
        name="uniform",
        regions=("everywhere",),
        one_way_us=((one_way_us,),),
        jitter_us=((jitter_us,),),
        weights=(1,),
        source=f"none: every one-way delay is {one_way_us} us",
    )


def table(name: str) -> LatencyTable:
    """Return a table by name.

    Raises:
        UnknownTableError: there is none.
    """
    found = TABLES.get(name)
    if found is None:
        raise UnknownTableError(f"unknown latency table {name!r}; choose one of {', '.join(TABLES)}")
    return found


def place(latency: LatencyTable, count: int, rng: random.Random) -> list[int]:
    """Return the region index of each of `count` nodes, drawn by the table's weights."""
    bounds = list(accumulate(latency.weights))
    return [bisect_right(bounds, rng.randrange(bounds[-1])) for _ in range(count)]


def _map(rows: Sequence[Sequence[int]], change: Callable[[int], float]) -> Matrix:
    return tuple(tuple(round(change(value)) for value in row) for row in rows)


_AWS_REGIONS: Final = (
    "us-east-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-west-1",
    "eu-central-1",
    "af-south-1",
    "me-south-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
)
_AWS_RTT_P50_MS: Final = (
    (6, 64, 17, 115, 70, 93, 228, 162, 193, 220, 200, 150),
    (64, 3, 61, 175, 118, 143, 275, 215, 222, 160, 141, 98),
    (16, 61, 4, 125, 69, 93, 225, 163, 193, 215, 198, 148),
    (115, 175, 126, 3, 179, 205, 339, 273, 302, 328, 312, 259),
    (70, 119, 69, 178, 3, 27, 160, 98, 126, 179, 256, 202),
    (93, 142, 93, 204, 27, 4, 156, 86, 129, 160, 251, 227),
    (226, 273, 223, 337, 158, 155, 4, 247, 272, 314, 409, 357),
    (162, 263, 163, 273, 99, 87, 251, 3, 39, 99, 189, 176),
    (190, 222, 191, 301, 125, 129, 274, 38, 3, 64, 155, 133),
    (219, 161, 215, 328, 179, 161, 317, 98, 64, 4, 95, 71),
    (200, 141, 198, 312, 256, 252, 409, 189, 155, 95, 4, 106),
    (150, 99, 147, 258, 202, 228, 358, 175, 134, 71, 107, 3),
)
_AWS_RTT_P90_MS: Final = (
    (9, 69, 21, 119, 75, 99, 234, 175, 204, 230, 205, 157),
    (67, 6, 64, 178, 121, 146, 282, 268, 234, 164, 143, 101),
    (21, 65, 7, 129, 73, 97, 232, 175, 197, 223, 202, 159),
    (118, 178, 129, 6, 181, 208, 346, 286, 306, 333, 315, 264),
    (73, 122, 72, 181, 6, 31, 166, 109, 134, 186, 259, 208),
    (95, 146, 96, 206, 30, 6, 162, 90, 133, 164, 255, 231),
    (230, 277, 227, 341, 162, 158, 12, 259, 302, 344, 413, 391),
    (175, 270, 174, 285, 108, 91, 259, 5, 42, 102, 192, 181),
    (201, 234, 195, 305, 132, 133, 301, 41, 5, 67, 157, 145),
    (231, 165, 224, 333, 186, 165, 344, 101, 67, 6, 98, 74),
    (203, 144, 202, 315, 259, 256, 417, 193, 158, 98, 6, 116),
    (156, 102, 158, 264, 209, 232, 392, 180, 146, 74, 115, 6),
)
_AWS: Final = LatencyTable(
    name="aws",
    regions=_AWS_REGIONS,
    one_way_us=_map(_AWS_RTT_P50_MS, lambda rtt_ms: rtt_ms * 500),
    jitter_us=tuple(
        tuple((high - low) * 500 for low, high in zip(lows, highs, strict=True))
        for lows, highs in zip(_AWS_RTT_P50_MS, _AWS_RTT_P90_MS, strict=True)
    ),
    weights=(1,) * len(_AWS_REGIONS),
    source="AWS region round trips of one year, p50 and p90 (cloudping.co by commonwarexyz/monorepo), halved",
)

_SIMBLOCK_MEAN_MS: Final = (
    (32, 124, 184, 198, 151, 189),
    (124, 11, 227, 237, 252, 294),
    (184, 227, 88, 325, 301, 322),
    (198, 237, 325, 85, 58, 198),
    (151, 252, 301, 58, 12, 126),
    (189, 294, 322, 198, 126, 16),
)


def _pareto_us(mean_ms: int, share: float) -> float:
    """Return the quantile at `share` of SimBlock's distribution: Pareto, scale mean - 5 ms, shape mean / 5."""
    factor: float = (1 - share) ** (-5 / mean_ms)
    return (mean_ms - 5) * 1_000 * factor


_SIMBLOCK: Final = LatencyTable(
    name="simblock",
    regions=("north_america", "europe", "south_america", "asia_pacific", "japan", "australia"),
    one_way_us=_map(_SIMBLOCK_MEAN_MS, lambda mean_ms: _pareto_us(mean_ms, 0.5)),
    jitter_us=_map(_SIMBLOCK_MEAN_MS, lambda mean_ms: _pareto_us(mean_ms, 0.9) - _pareto_us(mean_ms, 0.5)),
    weights=(3316, 4998, 90, 1177, 224, 195),
    source="SimBlock 2019 (dsg-titech/simblock), mean latency applied to one direction as in the source",
)

_ETHEREUM8_MS: Final = (
    (2, 110, 165, 110, 150, 190, 220, 180),
    (110, 4, 125, 100, 140, 175, 175, 110),
    (165, 125, 2, 110, 70, 140, 95, 60),
    (110, 100, 110, 2, 60, 100, 160, 150),
    (150, 140, 70, 60, 2, 100, 130, 110),
    (190, 175, 140, 100, 100, 7, 195, 145),
    (220, 175, 95, 160, 130, 190, 7, 110),
    (180, 110, 60, 150, 110, 145, 110, 5),
)
_ETHEREUM8: Final = LatencyTable(
    name="ethereum8",
    regions=(
        "australia",
        "east_asia",
        "europe",
        "na_west",
        "na_east",
        "south_america",
        "south_africa",
        "west_asia",
    ),
    one_way_us=_map(_ETHEREUM8_MS, lambda link_ms: link_ms * 1_000),
    jitter_us=_map(_ETHEREUM8_MS, lambda _: 0),
    weights=(290, 1059, 5599, 1240, 2894, 36, 47, 161),
    source="8 regions of the gossipsub interop tests (libp2p/test-plans), applied to one direction as in the source",
)

TABLES: Final[dict[str, LatencyTable]] = {entry.name: entry for entry in (_AWS, _SIMBLOCK, _ETHEREUM8)}
"""By name."""
