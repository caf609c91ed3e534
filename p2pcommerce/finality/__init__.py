"""Floor 2: which block is next, and when it is final.

- `engine`: the seam: what an engine is asked, and what it may want done
- `engines`: the engines by name; `effects`: what they want done
- `simplex/`: the default engine, by stake; `ffg/`: a gadget over a longest chain; `solo`: one node, for development
- `shell`: what any engine answers in the same way; `state`: what its rooms share; `inbox`, `messages`: untrusted bytes
- `tree`: blocks above the head; `journal`: the write-ahead log; `signer`: own messages; `recovery`: ask before signing;
  `resend`: how often what is sent again
- `voting`: ballots, and which may be signed after which; `certificates`: votes and quorums; `leader`: who leads a view
- `proof`: proofs of finality; `evidence`: double signatures; `refusal`: why a message is not taken
- `guard`: the signing guard
"""

from p2pcommerce.finality.certificates import Certificate, CertificateError, Vote
from p2pcommerce.finality.engine import Context, EngineStatus, FinalityEngine
from p2pcommerce.finality.engines import ENGINES, make_engine
from p2pcommerce.finality.ffg import FFG, FFGParameters
from p2pcommerce.finality.guard import GuardError, SigningGuard
from p2pcommerce.finality.leader import pick_leader
from p2pcommerce.finality.proof import PROOF_BYTES_MAX, FinalityProof, decode_proof, encode_proof, verify_proof
from p2pcommerce.finality.simplex import Simplex, SimplexParameters
from p2pcommerce.finality.solo import Solo, SoloError
from p2pcommerce.finality.voting import Ballot, VoteKind

__all__ = [
    "ENGINES",
    "FFG",
    "PROOF_BYTES_MAX",
    "Ballot",
    "Certificate",
    "CertificateError",
    "Context",
    "EngineStatus",
    "FFGParameters",
    "FinalityEngine",
    "FinalityProof",
    "GuardError",
    "SigningGuard",
    "Simplex",
    "SimplexParameters",
    "Solo",
    "SoloError",
    "Vote",
    "VoteKind",
    "decode_proof",
    "encode_proof",
    "make_engine",
    "pick_leader",
    "verify_proof",
]
