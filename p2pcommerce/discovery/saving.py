"""When the book is to be saved: a minute after the first change, and the less often the larger it is.

Source: none; what is lost by a crash is what was learnt in that time.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.parameters import DiscoveryParameters

__all__ = ["Saving"]

_SAVED_EACH_TIME: Final = 2_048
"""A book of up to so many entries is saved as often as it may be; ten times the book costs ten times as much to write,
and is written a tenth as often."""


class Saving:
    """The next saving of a book.

    Attributes:
        due_us: when it is, microseconds; None: nothing has changed.
    """

    __slots__ = ("_book", "_parameters", "due_us")

    def __init__(self, parameters: DiscoveryParameters, book: Book) -> None:
        """Nothing has changed yet."""
        self._parameters = parameters
        self._book = book
        self.due_us: int | None = None

    def on_change(self, now: int) -> None:
        """The book has changed."""
        if self.due_us is None:
            times = max(1, len(self._book) // _SAVED_EACH_TIME)
            self.due_us = now + self._parameters.book_save_us * times

    def take(self, now: int) -> bool:
        """Tell whether the book is to be saved now; then it is not due any more."""
        if self.due_us is None or self.due_us > now:
            return False
        self.due_us = None
        return True
