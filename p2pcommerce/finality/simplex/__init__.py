"""Simplex, weighted by stake: the default engine.

- `engine`: the engine behind the seam; `state`: what the rooms share
- `replica`: the voting rules; `pacemaker`: their timers; `signer`: own ballots, logged before they are signed
- `inbox`: messages of others; `messages`: their encoding; `justify`: how a header commits to its justify
- `witness`, `docket`, `misjustified`: who breaks the rules
- `held`, `pool`, `tree`: certificates, votes, blocks
- `resend`: relays, standstill, answers; `recovery`, `journal`: restart from the write-ahead log
- `parameters`: the numbers
"""

from p2pcommerce.finality.simplex.engine import Simplex
from p2pcommerce.finality.simplex.parameters import SimplexParameters

__all__ = ["Simplex", "SimplexParameters"]
