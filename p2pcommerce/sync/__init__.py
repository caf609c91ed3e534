"""Floor 2: catching up with the final head, by certificates, from several peers at once.

- `sync`: the core
- `run`: consecutive blocks verified by the proof of the last
- `buffer`: runs that wait for what is below them
- `peers`: claims, requests and faults of each peer
- `serve`: the answer to a peer that asks
- `parameters`, `effects`: the numbers, and what it wants done
- `headway`: how fast it goes, for people
- `restore`: the whole state from a snapshot, from several peers; `restore_sources`, `restore_parameters`,
  `restore_effects`: its own
- `chunks`: a state in chunks, each provable under its root
"""

from p2pcommerce.sync.chunks import ChunkError, Cut, CutError, DepthsError
from p2pcommerce.sync.effects import Blame, Conflict, Effect, Fault, Ready, SendTo
from p2pcommerce.sync.parameters import ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX, SyncParameters
from p2pcommerce.sync.restore import Restore
from p2pcommerce.sync.restore_effects import (
    Ask,
    BadOfferError,
    Broken,
    GaveUp,
    Progress,
    Restored,
    RestoreEffect,
    Trail,
)
from p2pcommerce.sync.restore_parameters import RestoreMode, RestoreParameters
from p2pcommerce.sync.run import (
    AnswerTooLargeError,
    BlockBodyError,
    BlockHeightError,
    BlockNetworkError,
    BlocksError,
    BrokenChainError,
    FinalityProofError,
)
from p2pcommerce.sync.serve import Row, answer
from p2pcommerce.sync.sync import Sync

__all__ = [
    "ANSWER_BLOCKS_MAX",
    "ANSWER_BYTES_MAX",
    "AnswerTooLargeError",
    "Ask",
    "BadOfferError",
    "Blame",
    "BlockBodyError",
    "BlockHeightError",
    "BlockNetworkError",
    "BlocksError",
    "Broken",
    "BrokenChainError",
    "ChunkError",
    "Conflict",
    "Cut",
    "CutError",
    "DepthsError",
    "Effect",
    "Fault",
    "FinalityProofError",
    "GaveUp",
    "Progress",
    "Ready",
    "Restore",
    "RestoreEffect",
    "RestoreMode",
    "RestoreParameters",
    "Restored",
    "Row",
    "SendTo",
    "Sync",
    "SyncParameters",
    "Trail",
    "answer",
]
