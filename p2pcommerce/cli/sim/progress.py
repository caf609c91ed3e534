"""How far a long run is, and how long it still takes.

On a terminal one line that is drawn anew; elsewhere a plain line now and then, ever more rarely. What had been done
before this run counts as done, and not for the speed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TextIO

__all__ = ["Progress"]

_BAR: Final = 30
_REDRAW_S: Final = 0.1
_PLAIN_EVERY_S: Final = 10.0
_PLAIN_SHARE: Final = 0.05
"""A plain line comes after so much of the time spent, too: a log of a day has some hundred of them."""
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """A bar on a stream; a context manager that leaves a clean line."""

    def __init__(self, stream: TextIO, what: str, total: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Show `what`, of which there is `total`."""
        self._stream = stream
        self._what = what
        self._total = max(total, 1e-9)
        self._clock = clock
        self._is_terminal = stream.isatty()
        self._started_s = clock()
        self._shown_s = self._started_s
        self._before = 0.0

    def had(self, done: float) -> None:
        """So much had been done before."""
        self._before = done

    def show(self, done: float, note: str = "") -> None:
        """Show that `done` is done, if it is time to."""
        now_s = self._clock()
        plain_s = max(_PLAIN_EVERY_S, _PLAIN_SHARE * (now_s - self._started_s))
        if now_s - self._shown_s < (_REDRAW_S if self._is_terminal else plain_s):
            return
        self._shown_s = now_s
        share = min(1.0, done / self._total)
        text = f"{self._what} {share:6.1%}  {self._left(done, now_s)}{note and '  ' + note}"
        if self._is_terminal:
            full = round(share * _BAR)
            self._stream.write(f"{_CLEAR}[{'#' * full}{'.' * (_BAR - full)}] {text}")
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def _left(self, done: float, now_s: float) -> str:
        mine, spent_s = done - self._before, now_s - self._started_s
        if mine <= 0 or spent_s <= 0:
            return "time left unknown"
        return f"{_duration((self._total - done) * spent_s / mine)} left"

    def __enter__(self) -> Self:
        """Return the bar."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Wipe the bar off a terminal."""
        if self._is_terminal:
            self._stream.write(_CLEAR)
            self._stream.flush()


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"
