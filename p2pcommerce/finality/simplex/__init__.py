"""Simplex, weighted by stake: the default engine.

- `engine`: the engine behind the seam; `state`: what the rooms share; `parameters`: the numbers
- `replica`: the voting rules; `pacemaker`: their timers; `signer`: own ballots, logged before they are signed
- `inbox`: messages of others; `messages`: their encoding; `hearsay`: what others than their makers pass on
- `justify`: how a header commits to its justify; `stored_justify`: what is kept of it
- `ending`: the end of an epoch inside it; `crossing`: from one epoch to the next
- `witness`, `docket`, `misjustified`: who breaks the rules
- `hindsight`, `turns`: certificates of the past, against the chain on the disk; `forks`: when a quorum decided
  otherwise
- `held`, `pool`, `tree`: certificates, votes, blocks
- `resend`: relays, standstill, answers; `recovery`, `journal`, `compaction`: restart from the write-ahead log
"""

from p2pcommerce.finality.simplex.engine import Simplex
from p2pcommerce.finality.simplex.parameters import SimplexParameters

__all__ = ["Simplex", "SimplexParameters"]
