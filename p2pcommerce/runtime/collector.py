"""Python's garbage collector, set for a process that holds a chain in memory.

The state and the pool are millions of small objects without cycles. By its defaults the collector walks young objects
each 700 allocations, and all of them again and again as the pool grows: a quarter of the CPU of a busy node. The cores
make no cycles on the hot path; collecting seldom costs little memory.

Measured by `benchmarks/bench_gossip.py` (10 nodes in one process, 2,000 transactions): 0.144 ms CPU per delivery with
the defaults, 0.111 ms with these. A pass over the youngest takes about 0.4 us for each of them, and everybody waits for
it: over 50,000 it took 17 to 25 ms, which was the whole difference between honest transactions that met a flood and
those that did not (`benchmarks/bench_mempool.py`). So a pass is small, and the next generation is looked at as seldom
as with large ones.

It is a setting of the whole process, so `open_node` leaves it alone: `p2pcommerce run` and the benchmarks call it, and
an embedding application may.
"""

from __future__ import annotations

import gc
from typing import Final

__all__ = ["calm_collector"]

_THRESHOLDS: Final = (5_000, 200, 100)


def calm_collector() -> None:
    """Collect seldom, and never look again at what exists now. Call it once a node has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
