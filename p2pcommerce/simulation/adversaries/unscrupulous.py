"""An engine that does not stop when it sees that its key signed something else.

An honest validator halts for ever once it meets a signature of its own that it does not know: that is what stops a
second instance. Adversaries would take that rule out first.

Source: the recovery of the finality specification; Bano et al., *Twins* (arXiv 2004.10617).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from p2pcommerce.finality import FFG, Simplex
from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.engine import Context, Effect, Halt
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.validators import ValidatorSet
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import BlockHash, Epoch

__all__ = ["Unscrupulous", "UnscrupulousFFG"]


class Unscrupulous(Simplex):
    """Simplex without the check for a second instance."""

    @override
    def start(
        self, context: Context, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int
    ) -> list[Effect]:
        """Begin; see `FinalityEngine.start`."""
        return self._unbound(super().start(context, records, blocks, now))

    @override
    def on_epoch(
        self, epoch: Epoch, validators: ValidatorSet, following: ValidatorSet, seed: bytes, now: int
    ) -> list[Effect]:
        """Begin an epoch; see `FinalityEngine.on_epoch`."""
        return self._unbound(super().on_epoch(epoch, validators, following, seed, now))

    def _unbound(self, effects: list[Effect]) -> list[Effect]:
        signer = self._running.state.signer
        signer.knows = lambda message: True  # type: ignore[method-assign] # an adversary's patch
        signer.halted = None
        return [effect for effect in effects if not isinstance(effect, Halt)]

    def certificates(self) -> list[Certificate]:
        """Return every certificate that is held."""
        return self._running.state.held.all()


class UnscrupulousFFG(FFG):
    """FFG without that check."""

    @override
    def start(
        self, context: Context, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int
    ) -> list[Effect]:
        """Begin; see `FinalityEngine.start`."""
        effects = super().start(context, records, blocks, now)
        signer = self._running.state.signer
        signer.knows = lambda message: True  # type: ignore[method-assign] # an adversary's patch
        signer.halted = None
        return [effect for effect in effects if not isinstance(effect, Halt)]
