"""A story that is told while it happens: each step is a transaction on the network, or a look at it.

A teller writes one paragraph per step: who does what, in plain language, and beneath it the transaction's id, the
height at which it became final and how long that took. The first step that fails ends the story.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, TextIO

import trio

from p2pcommerce.cli.demo.desk import NONE_REACHED, Desk, Sender
from p2pcommerce.commerce import Body, Sponsor
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.primitives.ids import TransactionId
from p2pcommerce.runtime.control_client import Control, ControlError

__all__ = ["StoryBrokenError", "StoryStep", "Teller"]

_STEP_S: Final = 30.0
"""Seconds after which a transaction that is not final has failed the story."""


class StoryBrokenError(P2PError):
    """A step of the story did not come about."""

    code = "STORY"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryStep:
    """One step, as it was told.

    Attributes:
        number: 1 upwards.
        who: does it.
        what: a sentence.
        type: of its transaction; empty: it is only a look at the network.
        tx_id: hexadecimal; empty without a transaction.
        height: of its block; 0 without a transaction.
        took_ms: until it was final; 0 without a transaction.
        payer: who paid its fee, if that is somebody else.
    """

    number: int
    who: str
    what: str
    type: str = ""
    tx_id: str = ""
    height: int = 0
    took_ms: int = 0
    payer: str = ""

    def to_plain(self) -> dict[str, object]:
        """Return the JSON object."""
        return asdict(self)


class Teller:
    """Tells a story on one network.

    Attributes:
        steps: what was told.
    """

    def __init__(self, desk: Desk, stream: TextIO) -> None:
        """Tell it to a stream."""
        self.steps: list[StoryStep] = []
        self._desk = desk
        self._stream = stream

    def chapter(self, title: str) -> None:
        """Begin a part."""
        self._write(f"\n{title}")

    async def act(
        self,
        who: Sender,
        what: str,
        payload: Body,
        *,
        sponsor: Sender | None = None,
        pays: bool = False,
    ) -> TransactionId:
        """Let somebody send a transaction, and return its id (32 bytes) once it is final.

        Args:
            who: signs it.
            what: a sentence, without the name.
            payload: the body.
            sponsor: pays the fee instead.
            pays: the sponsor pays escrow and deposits, too.

        Raises:
            StoryBrokenError: it was refused, failed, or is not final in time.
        """
        who.known_height = self._desk.height  # what the others did before is known to whoever acts
        given = None if sponsor is None else Sponsor(sponsor.seed, pays)
        with trio.move_on_after(_STEP_S) as patience:
            result = await self._desk.send(who, payload, trio.current_time(), counted=True, sponsor=given)
        if patience.cancelled_caught:
            raise StoryBrokenError(f"{who.name} {what}: is not final after {_STEP_S:.0f} s")
        if not result.ok:
            raise StoryBrokenError(f"{who.name} {what}: {payload.TYPE} came to {result.code.value}")
        step = StoryStep(
            number=len(self.steps) + 1,
            who=who.name,
            what=what,
            type=payload.TYPE,
            tx_id=result.tx_id.hex(),
            height=result.height,
            took_ms=round(result.took_s * 1_000),
            payer="" if sponsor is None else sponsor.name,
        )
        paid = f", paid by {step.payer}" if step.payer else ""
        self._tell(step, f"{step.type} {step.tx_id}{paid}\n     final at height {step.height} after {step.took_ms} ms")
        return result.tx_id

    def look(self, who: str, what: str, details: str) -> None:
        """Tell of something that needs no transaction.

        Args:
            who: does it.
            what: a sentence, without the name.
            details: a line beneath it.
        """
        self._tell(StoryStep(number=len(self.steps) + 1, who=who, what=what), details)

    async def ask(self, name: str, /, **arguments: object) -> dict[str, object]:
        """Return what the network says to a question.

        Raises:
            StoryBrokenError: it says that there is no such thing.
        """
        value = (await self.control().query(name, **arguments)).value
        if not isinstance(value, dict):
            raise StoryBrokenError(f"the network knows no {name} of {arguments}")
        return value

    def control(self) -> Control:
        """Return a connection to the node that stands highest.

        Raises:
            ControlError: none can be reached.
        """
        control = self._desk.link_alive().control
        if control is None:
            raise ControlError(NONE_REACHED)
        return control

    def _tell(self, step: StoryStep, details: str) -> None:
        self.steps.append(step)
        self._write(f"{step.number:>3}. {step.who} {step.what}.\n     {details}")

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()
