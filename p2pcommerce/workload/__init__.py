"""Floor 2: what a market wants, whoever asks: orders, their endings, and how often each kind of transaction comes.

- `orders`: the shape of an order and of a cancellation, read or made up
- `generator`: made-up orders of the measured shape
- `mix`: kinds of transactions and their shares, and what follows from them for the life of an order
- `scale`: markets of three sizes

Knows nothing of the ledger: the demo turns these into signed transactions on processes, the simulator into those of its
worlds. What is read from files (`cli/demo/workload`) comes in the same shape.
"""

from __future__ import annotations

from p2pcommerce.workload.generator import Catalogue, GeneratorShape, generate_orders
from p2pcommerce.workload.mix import MIX, Ending, ending_of, peak_share
from p2pcommerce.workload.orders import (
    MINOR_PER_TOKEN,
    ORDER_LINES_MAX,
    Cancellation,
    Order,
    OrderLine,
    SkippedLines,
    WorkloadError,
)
from p2pcommerce.workload.scale import SCALES, Scale

__all__ = [
    "MINOR_PER_TOKEN",
    "MIX",
    "ORDER_LINES_MAX",
    "SCALES",
    "Cancellation",
    "Catalogue",
    "Ending",
    "GeneratorShape",
    "Order",
    "OrderLine",
    "Scale",
    "SkippedLines",
    "WorkloadError",
    "ending_of",
    "generate_orders",
    "peak_share",
]
