"""Every target: those that are found in the product, and those that are written by hand."""

from __future__ import annotations

from functools import cache
from typing import Final

from fuzz.catching_up import catching_up_targets
from fuzz.cores import core_targets
from fuzz.decoders import decoder_targets
from fuzz.engines import engine_targets
from fuzz.files import file_targets
from fuzz.finding import finding_targets
from fuzz.found import found_targets
from fuzz.nodes import node_targets
from fuzz.sessions import session_targets
from fuzz.target import Target

__all__ = ["NOT_HOSTILE", "found_names", "targets"]

NOT_HOSTILE: Final = {
    "runtime.control_off_chain.OffChainControl.read_message": "asks the own node; `control_frames` reads the answer",
    "runtime.off_chain_files.OffChainFiles.read": "reads an own file by its name; what it holds is checked by its hash",
    "simulation.disks.SimulatedDisk.read": "reads a file of the simulator by its name",
    "simulation.peers.flat_book.FlatBook.load": "of a peer that the simulator plays, from its own memory",
}
"""Named like decoders, but what they take is not untrusted; each with the reason."""


@cache
def found_names() -> frozenset[str]:
    """Return the names of the targets that are made from what the product registers."""
    return frozenset(target.name for target in found_targets())


@cache
def targets() -> dict[str, Target]:
    """Return all targets by name; one written by hand takes the place of the found one of its name."""
    made = (*found_targets(), *decoder_targets(), *file_targets(), *session_targets(), *core_targets())
    all_ = (*made, *catching_up_targets(), *engine_targets(), *finding_targets(), *node_targets())
    return dict(sorted({target.name: target for target in all_}.items()))
