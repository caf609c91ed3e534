"""Where the demo's work comes from where it is not made up in the shape of `p2pcommerce.workload`.

- `retail`: real retail days, from CSV, as the same orders and cancellations
- `retail_sum`: what those days add up to, by plain sums
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
from p2pcommerce.cli.demo.workload.retail import SkipReason, read_retail

__all__ = [
    "CustodyKind",
    "CustodyStep",
    "SkipReason",
    "example_gtin14",
    "generated_custody",
    "read_custody",
    "read_retail",
]
