"""Floor 2: the mempool, a core that decides which transactions wait for a block.

- `mempool`: the core: slices, blocks, selection (start here); `admission`: the pipeline before the signatures
- `pool`: what is admitted; `entry`: one transaction and one sender's queue; `payers`: who pays for what;
  `heads`: who is first in a block; `eviction`: who goes when it is full; `expiry`: what can be included no longer;
  `fee_floor`, `lazy_heap`: its price floor and its indices
- `intake`: the bounded, fair queue before admission; `candidate`: what passed all but the signatures
- `verifier`: the seam of signature verification
- `recheck`, `selection`: after a block, for a block
- `verdicts`: the effects; `parameters`: the numbers
"""

from p2pcommerce.mempool.mempool import Mempool
from p2pcommerce.mempool.parameters import MempoolParameters
from p2pcommerce.mempool.verdicts import Admitted, Dropped, Effect, Examined, Origin, Refused
from p2pcommerce.mempool.verifier import InlineVerifier, Verifier

__all__ = [
    "Admitted",
    "Dropped",
    "Effect",
    "Examined",
    "InlineVerifier",
    "Mempool",
    "MempoolParameters",
    "Origin",
    "Refused",
    "Verifier",
]
