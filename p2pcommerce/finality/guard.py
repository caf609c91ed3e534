"""The signing guard: the last line against signing two messages that contradict each other.

It remembers the last message of each slot in a file of its own, apart from the engine's log, and judges each new one by
the engine's pure rule. It knows nothing of networks, views or blocks. The caller appends the frame and makes it durable
*before* it signs. A byte-fresh copy of the whole folder on a second machine cannot be excluded by any file.

Source: the signing guard of the finality specification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.primitives.codec import Shape, blob, decode, encode, record_of, text
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.vrf import VRF_KIND

__all__ = ["GUARD_FRAME_BYTES_MAX", "GuardError", "SigningGuard"]

GUARD_FRAME_BYTES_MAX: Final = 512


class GuardError(UsageError):
    """The guard file holds something that this engine never wrote."""

    code = "GUARD"


@dataclass(frozen=True, slots=True)
class _Frame:
    """One line of the guard file."""

    kind: str
    data: bytes


_FRAME: Final[Shape[_Frame]] = record_of(_Frame, kind=text(32), data=blob(256))


class SigningGuard:
    """Decides whether a message may be signed."""

    def __init__(self, engine: FinalityEngine) -> None:
        """Make a guard that knows of no signature; `engine` gives the rule."""
        self._engine = engine
        self._last: dict[str, _Frame] = {}

    @property
    def last(self) -> Mapping[str, bytes]:
        """By slot, the last message that was admitted; for `Context.signed`."""
        return {name: frame.data for name, frame in self._last.items()}

    def restore(self, frames: Sequence[bytes]) -> None:
        """Take up the frames of the guard file, oldest first.

        Raises:
            GuardError: a frame is malformed, or not of this engine.
        """
        for number, raw in enumerate(frames):
            try:
                frame = decode(_FRAME, raw, GUARD_FRAME_BYTES_MAX)
                name = self._engine.slot(frame.kind, frame.data)
            except CodecError as error:
                raise GuardError(
                    f"guard: frame {number}: {error}; restore the file from this node's own disk, or use a new key"
                ) from error
            self._remember(name, frame)

    def admit(self, kind: str, data: bytes) -> bytes | None:
        """Decide on one message.

        Args:
            kind: domain tag.
            data: what is to be signed.

        Returns:
            The frame to append durably before signing; empty for a message that was the last of its slot already, and
            for the input of a random output; None: do not sign.
        """
        if kind == VRF_KIND:
            return b""  # one answer for one input, ever: there is nothing to contradict
        try:
            name = self._engine.slot(kind, data)
        except CodecError:
            return None
        last = self.last
        if last.get(name) == data:
            return b""
        if not self._engine.may_sign(last, kind, data):
            return None
        frame = _Frame(kind, data)
        self._remember(name, frame)
        return encode(_FRAME, frame)

    def frames(self) -> list[bytes]:
        """Return frames that say all this guard knows, for a rewritten file."""
        return [encode(_FRAME, frame) for frame in self._last.values()]

    def _remember(self, name: str, frame: _Frame) -> None:
        self._last.pop(name, None)
        self._last[name] = frame
