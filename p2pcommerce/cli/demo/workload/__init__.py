"""Where the demo's work comes from.

- `orders`: the shape of an order and of a cancellation
- `retail`: real retail days, from CSV
- `generator`: made-up orders of the measured shape
- `epcis_feed`: steps of custody, from EPCIS documents or made up

Knows nothing of the ledger: the demo turns these into signed transactions.
"""

from __future__ import annotations

from p2pcommerce.cli.demo.workload.epcis_feed import (
    CustodyKind,
    CustodyStep,
    example_gtin14,
    generated_custody,
    read_custody,
)
from p2pcommerce.cli.demo.workload.generator import Catalogue, GeneratorShape, generate_orders
from p2pcommerce.cli.demo.workload.orders import (
    MINOR_PER_TOKEN,
    ORDER_LINES_MAX,
    Cancellation,
    Order,
    OrderLine,
    SkippedLines,
    WorkloadError,
)
from p2pcommerce.cli.demo.workload.retail import SkipReason, read_retail

__all__ = [
    "MINOR_PER_TOKEN",
    "ORDER_LINES_MAX",
    "Cancellation",
    "Catalogue",
    "CustodyKind",
    "CustodyStep",
    "GeneratorShape",
    "Order",
    "OrderLine",
    "SkipReason",
    "SkippedLines",
    "WorkloadError",
    "example_gtin14",
    "generate_orders",
    "generated_custody",
    "read_custody",
    "read_retail",
]
