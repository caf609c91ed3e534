"""The certificates that are held, and what follows from them: the view, the parents a leader may choose.

The present view is one above the highest certificate (rule 1 and 6). Kept are the highest F, the N above it within the
window and the highest of all, and the Z of the view before and above. A second Z of a view replaces the first only if
its anchor is lower, because it then allows more parents.

Source: rules 1, 2, 4, 6, 7 and 11 of the finality specification.
"""

from __future__ import annotations

from collections.abc import Iterator

from p2pcommerce.finality.certificates import Certificate
from p2pcommerce.finality.voting import VoteKind

__all__ = ["Held"]


class Held:
    """Verified certificates of one epoch.

    Attributes:
        view: the present view.
        final: the highest F.
        highest: the N or F of the highest view.
        opening: the certificate that opened the present view.
    """

    def __init__(self, window_views: int) -> None:
        """Hold nothing: view 1."""
        self.view = 1
        self.final: Certificate | None = None
        self.highest: Certificate | None = None
        self.opening: Certificate | None = None
        self._window_views = window_views
        self._notarized: dict[int, Certificate] = {}
        self._nullified: dict[int, Certificate] = {}

    @property
    def final_view(self) -> int:
        """The view of the highest F, 0 if there is none."""
        return 0 if self.final is None else self.final.view

    @property
    def highest_view(self) -> int:
        """The view of the highest N or F, 0 if there is none."""
        return 0 if self.highest is None else self.highest.view

    @property
    def head_is_final(self) -> bool:
        """Whether the branch of the highest N is final."""
        return self.highest_view <= self.final_view

    def is_useful(self, certificate: Certificate) -> bool:
        """Tell whether holding this certificate would change anything."""
        view = certificate.view
        if certificate.kind is VoteKind.FINALIZE:
            return view > self.final_view
        if certificate.kind is VoteKind.NOTARIZE:
            in_window = view >= self.view - self._window_views
            return view > self.final_view and view not in self._notarized and in_window
        if view < self.view - 1:
            return False
        other = self._nullified.get(view)
        return other is None or certificate.anchor < other.anchor

    def add(self, certificate: Certificate) -> bool:
        """Hold a verified, useful certificate; tell whether it opens a new view."""
        view = certificate.view
        if certificate.kind is VoteKind.NULLIFY:
            self._nullified[view] = certificate
        else:
            if certificate.kind is VoteKind.FINALIZE:
                self.final = certificate
            else:
                self._notarized[view] = certificate
            if view > self.highest_view:
                self.highest = certificate
        opens = view >= self.view
        if opens:
            self.view = view + 1
            self.opening = certificate
        self._prune()
        return opens

    def _prune(self) -> None:
        low = max(self.final_view, self.view - 1 - self._window_views)
        for view in [view for view in self._notarized if view <= low and view != self.highest_view]:
            del self._notarized[view]
        for view in [view for view in self._nullified if view < self.view - 1]:
            del self._nullified[view]

    def notarized(self) -> list[Certificate]:
        """Return the N that are held, by view."""
        return [self._notarized[view] for view in sorted(self._notarized)]

    def notarizes(self, view: int) -> bool:
        """Tell whether an N of a view is held."""
        return view in self._notarized

    def nullification(self, view: int) -> Certificate | None:
        """Return the Z of a view, if it is held."""
        return self._nullified.get(view)

    def parents(self) -> Iterator[Certificate | None]:
        """Yield what a proposal of the present view may build on, highest first; None is the epoch's first block."""
        nullification = self._nullified.get(self.view - 1)
        lowest = self.view - 1 if nullification is None else nullification.anchor
        views = dict(self._notarized)
        if self.final is not None:
            views[self.final.view] = self.final
        for view in sorted(views, reverse=True):
            if view >= max(lowest, self.final_view):
                yield views[view]
        if lowest == 0 and self.final is None:
            yield None

    def all(self) -> list[Certificate]:
        """Return everything held, in an order in which it can be held again."""
        final = [] if self.final is None else [self.final]
        return [*final, *self.notarized(), *[self._nullified[view] for view in sorted(self._nullified)]]

    def newest(self) -> tuple[Certificate, ...]:
        """Return the highest F, the highest N above it, and the Z that opened the view."""
        chosen: list[Certificate] = [] if self.final is None else [self.final]
        if self.highest is not None and self.highest_view > self.final_view:
            chosen.append(self.highest)
        if self.opening is not None and self.opening.kind is VoteKind.NULLIFY:
            chosen.append(self.opening)
        return tuple(chosen)
