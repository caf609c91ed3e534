"""What happens in the demo, in words: the last few events, for people who watch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from p2pcommerce.cli.demo.desk import Result
from p2pcommerce.workload import MINOR_PER_TOKEN, Order

__all__ = ["LINES_MAX", "Story", "StoryLine", "tokens"]

LINES_MAX: Final = 200
_WORDS_MAX: Final = 34


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One event.

    Attributes:
        at_s: trio's time.
        icon: one character.
        text: a sentence.
        took_s: from the moment it was due until it was final.
    """

    at_s: float
    icon: str
    text: str
    took_s: float


class Story:
    """The last events, the newest last.

    Attributes:
        lines: all of them; news: those of the network itself.
        on_news: is called when there is some.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self.lines: deque[StoryLine] = deque(maxlen=LINES_MAX)
        self.news: deque[StoryLine] = deque(maxlen=LINES_MAX)
        self.on_news: Callable[[], None] = _nobody_listens

    def placed(self, order: Order, result: Result) -> None:
        """Tell of an order."""
        first = max(order.lines, key=lambda line: line.total_minor)
        others = f" and {len(order.lines) - 1} more" if len(order.lines) > 1 else ""
        goods = f"{first.quantity} x {_words(first.description or first.code)}{others}"
        self._add("+", f"{_who(order)} orders {goods} for {tokens(order.total_minor)}", result)

    def closed(self, order: Order, result: Result) -> None:
        """Tell of an order that came to its end."""
        if result.ok:
            self._add("$", f"merchant {order.merchant} is paid {tokens(order.total_minor)} by {_who(order)}", result)

    def refunded(self, order: Order, amount_minor: int, result: Result) -> None:
        """Tell of a refund."""
        self._add("<", f"{_who(order)} gets {tokens(amount_minor)} back from merchant {order.merchant}", result)

    def moved(self, what: str, result: Result) -> None:
        """Tell of goods that changed hands."""
        self._add(">", what, result)

    def network(self, what: str) -> None:
        """Tell of something that happened to the network itself."""
        line = StoryLine(trio.current_time(), "!", what, 0.0)
        self.lines.append(line)
        self.news.append(line)
        self.on_news()

    def _add(self, icon: str, text: str, result: Result) -> None:
        self.lines.append(StoryLine(trio.current_time(), icon, text, result.took_s))


def _nobody_listens() -> None:
    pass


def tokens(amount_minor: int) -> str:
    """Write an amount as a person reads it."""
    return f"{amount_minor / MINOR_PER_TOKEN:,.2f}"


def _who(order: Order) -> str:
    return f"customer {order.customer}" if not order.customer.startswith("customer") else order.customer


def _words(text: str) -> str:
    cleaned = "".join(character for character in text if character.isprintable()).strip().lower()
    return cleaned if len(cleaned) <= _WORDS_MAX else cleaned[: _WORDS_MAX - 3] + "..."
