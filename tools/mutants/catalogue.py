"""The deliberate bugs of the mutation gate, and the campaigns that must find them.

Not here, because nothing would be wrong with the program (a simulator that found them would be wrong):

- the signing guard that admits everything: the engine judges each ballot by the same rule before it asks; only a log
  that was lost tells the two apart, and a disk that loses its log excuses its host
- no relay of certificates: the standing view repeats them two base delays later; the network is slower, not wrong
- a ballot that is asked for before it is logged: signatures are made when everything of the step is on the disk
- an anchor that forgets the own F alone: the certificate of that view is held, and is as high; it is planted together
  with the rule that guards it
- a nullification that counts without the certificate it starts from: views pass without a block, until one has none
- a proposer that selects what stands on the branch already: the nonce leaves it out again
"""

from __future__ import annotations

from finality_bugs import BUGS as FINALITY_BUGS
from ledger_bugs import BUGS as LEDGER_BUGS

MUTANTS = (*FINALITY_BUGS, *LEDGER_BUGS)
"""In the order of the table."""
