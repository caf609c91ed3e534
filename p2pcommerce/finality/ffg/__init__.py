"""Casper FFG over a slot-scheduled longest chain: a gadget, in which a head exists before it is final.

- `engine`: the engine behind the seam; `state`: what the rooms share
- `replica`: the rules: who builds when, on what; when to vote, and for what; what is delivered
- `gadget`: which checkpoints are justified and which is final; `tree`, `tracked`: blocks, and which of them is the head
- `voting`: links, and which may be signed after which; `links`: votes and quorums; `signer`: own ballots; `pool`: votes
- `inbox`: messages of others; `messages`: their encoding; `resend`: standstill, questions, answers
- `proof`: proofs of finality; `evidence`: double and surround votes; `forks`: what is done about another final chain
- `hindsight`: old votes against the final blocks on the disk
- `recovery`, `journal`: restart from the write-ahead log; `heads`: of others' proposals, for them when they restart
- `parameters`: the numbers
"""

from p2pcommerce.finality.ffg.engine import FFG
from p2pcommerce.finality.ffg.parameters import FFGParameters

__all__ = ["FFG", "FFGParameters"]
