"""A request to the control port whose answers are on their way."""

from __future__ import annotations

from typing import Final

import trio

from p2pcommerce.primitives.codec import ANY, pair, text
from p2pcommerce.runtime.control_file import ControlAnswerError, ControlError, NodeStoppedError
from p2pcommerce.runtime.control_frames import Answer

__all__ = ["ERROR", "Pending"]

ERROR: Final = pair(text(64), ANY)
"""The value of an answer that is an error: code and detail."""


class Pending:
    """One request without its answer yet."""

    def __init__(self, capacity: int) -> None:
        """Keep so many answers that nobody has read."""
        self.send, self.receive = trio.open_memory_channel[Answer](capacity)
        self.failure: ControlError | None = None

    def put(self, answer: Answer) -> None:
        """Take an answer."""
        try:
            self.send.send_nowait(answer)
        except trio.WouldBlock:
            self.fail(ControlAnswerError("SUBSCRIBER_LAGGED", "blocks were not read in time; subscribe again"))
        except trio.ClosedResourceError:
            return  # it has failed already

    def fail(self, failure: ControlError) -> None:
        """End it: no answer will come any more."""
        self.failure = self.failure or failure
        self.send.close()

    async def next(self) -> Answer:
        """Return the next answer or item.

        Raises:
            ControlError: the node refused, or is gone.
        """
        try:
            answer = await self.receive.receive()
        except trio.EndOfChannel:
            raise self.failure or NodeStoppedError("the node stopped") from None
        if answer.status == "error":
            code, detail = ERROR.read(answer.value)
            raise ControlAnswerError(code, str(detail))
        return answer
