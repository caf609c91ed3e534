"""What must hold in a scenario of twins; it shares no code with the engine.

- fork: no two blocks are final at one height, with anybody, the twins included
- order: every instance holds blocks for final parent by parent, each with a proof that the engine accepts
- double_sign: no honest instance signs what contradicts what it signed before (`ballots`), or what is not in its log
- conviction: evidence convicts, and nobody but the twinned validator
- blame: no honest instance closes a connection because another honest one broke a rule
- halt: no honest instance stops
- stalled: after healing finality resumes; exception: no engine raises

Source: the oracles of the simulator specification; Bano et al., *Twins* (arXiv 2004.10617).
"""

from __future__ import annotations

from collections.abc import Sequence

from p2pcommerce.finality import engine as seam
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.ids import BlockHash, PublicKey
from p2pcommerce.simulation.ballots import BallotJudge
from p2pcommerce.simulation.twins.instance import Instance, Setting

__all__ = ["ORACLES", "Judge"]

ORACLES = ("fork", "order", "double_sign", "conviction", "blame", "halt", "stalled", "exception")


class Judge:
    """Watches one scenario.

    Attributes:
        oracle: what was broken first; empty: nothing.
        detail: one line about it.
        convictions: honest instance and rule of the offence that it found evidence of.
    """

    def __init__(self, setting: Setting, honest: Sequence[Instance], twinned: PublicKey) -> None:
        """Watch instances of which these are honest; `twinned`: the key of the others, 32 bytes."""
        self.oracle = self.detail = ""
        self.convictions: dict[tuple[int, str], str] = {}
        self._setting = setting
        self._honest = {each.number: each.key for each in honest}
        self._twinned = twinned
        self._ballots = BallotJudge()
        self._finals: dict[int, BlockHash] = {0: setting.genesis.hash}
        self._heads: dict[int, BlockHash] = {}

    @property
    def is_equivocal(self) -> bool:
        """Whether the twinned validator signed what contradicts itself."""
        return self._twinned in self._ballots.contradictions

    def report(self, oracle: str, detail: str) -> None:
        """Note that something was broken; the first is kept."""
        if not self.oracle:
            self.oracle, self.detail = oracle, detail

    def on_signed(self, instance: Instance, data: bytes, *, is_logged: bool) -> None:
        """A ballot (49 bytes) is being signed."""
        found = self._ballots.see(instance.key, data)
        if instance.number in self._honest:
            if found is not None:
                self.report("double_sign", f"instance {instance.number}: {found.rule} in view {found.view}")
            if not is_logged:
                self.report("double_sign", f"instance {instance.number} signs what is not in its log")

    def on_final(self, instance: Instance, header: Header, proof: bytes) -> None:
        """An instance holds a block for final."""
        name = f"instance {instance.number}"
        head = self._heads.get(instance.number, self._setting.genesis.hash)
        if header.parent_hash != head:
            self.report("order", f"{name}: height {header.height} is final before its parent")
        self._heads[instance.number] = header.hash
        if self._finals.setdefault(header.height, header.hash) != header.hash:
            self.report("fork", f"{name}: another block is final at height {header.height}")
        if not instance.engine.verify(header, proof, lambda _epoch: self._setting.validators):
            self.report("order", f"{name}: the proof of height {header.height} does not hold")

    def on_effect(self, instance: Instance, effect: seam.Evidence | seam.Blame | seam.Halt) -> None:
        """An instance accuses somebody, or stops."""
        if instance.number not in self._honest:
            return
        name = f"instance {instance.number}"
        match effect:
            case seam.Evidence(data):
                offence = instance.engine.convict(data, lambda _epoch: self._setting.validators)
                if offence is None:
                    self.report("conviction", f"{name}: evidence that convicts nobody")
                elif offence.offender != self._twinned:
                    self.report("conviction", f"{name}: an honest validator is convicted of {offence.kind}")
                else:
                    self.convictions[instance.number, offence.kind] = offence.kind
            case seam.Blame(peer, reason):
                if peer != self._twinned:
                    self.report("blame", f"{name} blames an honest validator: {reason}")
            case seam.Halt(reason):
                self.report("halt", f"{name}: {reason}")
