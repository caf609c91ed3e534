"""What a target is, and how bytes become the inputs of a core.

A target takes any bytes and tells whether the product accepted them. What it raises is a finding: an exception that the
product does not document, or a `BrokenRuleError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final, TypeVar

from fuzz.verdicts import BrokenRuleError
from p2pcommerce.primitives.errors import P2PError, RemoteProtocolError, UsageError

__all__ = ["STEPS_MAX", "Form", "Step", "Target", "decoder", "script", "steps_of"]

T = TypeVar("T")

STEPS_MAX: Final = 192
"""Steps of a script that are taken: an input of a few KiB then ends soon, whatever it says."""
_STEP_BYTES: Final = 4


@unique
class Form(Enum):
    """What the bytes of a target are, so that mutation knows where to cut."""

    PACKED = "packed"
    """Canonical msgpack."""
    TAGGED = "tagged"
    """One byte, then canonical msgpack."""
    RAW = "raw"
    """Of fixed or own form."""
    TEXT = "text"
    """For people: JSON, TOML, addresses."""
    SCRIPT = "script"
    """Steps; see `Step`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a script: `code` and `argument` (a byte each), and a payload (u16 length, big-endian, then bytes)."""

    code: int
    argument: int = 0
    payload: bytes = b""

    @property
    def raw(self) -> bytes:
        """The bytes of the step."""
        return bytes([self.code, self.argument]) + len(self.payload).to_bytes(2, "big") + self.payload


@dataclass(frozen=True)
class Target:
    """One decoder, or the inputs of one core.

    Attributes:
        name: on the command line, and of the corpus's folder.
        take: any bytes -> whether the product accepted them.
        covers: names of the product's decoders that it reaches ("ledger.block.decode_header").
        form: see `Form`.
        examples: inputs by hand, where the village says none.
    """

    name: str
    take: Callable[[bytes], bool]
    covers: tuple[str, ...] = ()
    form: Form = Form.PACKED
    examples: tuple[bytes, ...] = ()


def decoder(
    name: str,
    decode: Callable[[bytes], T],
    encode: Callable[[T], bytes] | None = None,
    *,
    covers: Iterable[str] = (),
    form: Form = Form.PACKED,
    refused: tuple[type[Exception], ...] = (RemoteProtocolError, UsageError),
    examples: Sequence[bytes] = (),
) -> Target:
    """Return the target of a decoder: it refuses by name, or what it read is written as it was.

    Args:
        name: of the target.
        decode: reads untrusted bytes.
        encode: writes what was read; None: there is no one form.
        covers: see `Target`.
        form: see `Target`.
        refused: what `decode` may raise.
        examples: see `Target`.
    """

    def take(data: bytes) -> bool:
        try:
            value = decode(data)
        except refused as error:
            if isinstance(error, P2PError) and not str(error):
                raise BrokenRuleError(f"{type(error).__name__} without a word") from error
            return False
        if encode is not None:
            again = encode(value)
            if again != data:
                raise BrokenRuleError(f"encode(decode(x)) is {again[:64].hex()}..., not x")
        return True

    return Target(name, take, tuple(covers), form, tuple(examples))


def steps_of(data: bytes) -> Iterator[Step]:
    """Read a script, as far as it goes: a last step that is cut off has what is there as its payload."""
    offset = 0
    for _ in range(STEPS_MAX):
        head = data[offset : offset + _STEP_BYTES]
        if len(head) < _STEP_BYTES:
            return
        offset += _STEP_BYTES
        size = int.from_bytes(head[2:], "big")
        yield Step(head[0], head[1], data[offset : offset + size])
        offset += size


def script(steps: Iterable[Step]) -> bytes:
    """Write a script."""
    return b"".join(step.raw for step in steps)
