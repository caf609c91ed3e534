"""Answering a peer that asks what each of us lacks: see `asking` for the other side.

A peer may begin once in `reconcile_rest_us`, gets `reconcile_symbols_max` symbols and one page of ids at most, and may
then say once what it lacks. Nothing of this has a cost for who keeps to it; what goes beyond is dropped and counted.
"""

from __future__ import annotations

from typing import TypeAlias

from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.sketch import Sketch, Snapshot
from p2pcommerce.wire.messages import GetIds, GetSymbols, Ids, Symbols

__all__ = ["Serving"]

_Question: TypeAlias = GetSymbols | GetIds


class Serving:
    """What one peer has been given.

    Attributes:
        waiting: its question that waits for the sketch.
        begun_us: when it last began; None: never.
        may_lack: it may still say what it lacks.
    """

    __slots__ = ("_had_list", "_parameters", "_sent", "_snapshot", "begun_us", "may_lack", "waiting")

    def __init__(self, parameters: GossipParameters) -> None:
        """Serve a peer that has asked for nothing."""
        self._parameters = parameters
        self._snapshot: Snapshot | None = None
        self._sent = 0
        self._had_list = False
        self.waiting: _Question | None = None
        self.begun_us: int | None = None
        self.may_lack = False

    def begins(self, question: _Question) -> bool:
        """Tell whether a question is a beginning, and not the next one of what goes on."""
        return not self.may_lack or (isinstance(question, GetSymbols) and not question.first)

    def take(self, question: _Question, now: int) -> bool:
        """Take a question; False: it is out of turn, and gets no answer."""
        if self.waiting is not None:
            return False
        if self.begins(question):
            if self.begun_us is not None and now - self.begun_us < self._parameters.reconcile_rest_us:
                return False
            if isinstance(question, GetSymbols) and question.first:
                return False
            self.begun_us = now
            self._snapshot, self._sent, self._had_list = None, 0, False
            self.may_lack = True
        elif isinstance(question, GetSymbols) and question.first != self._sent:
            return False
        if isinstance(question, GetIds):
            if self._had_list:
                return False
            self._had_list = True
        self.waiting = question
        return True

    def answer(self, sketch: Sketch) -> Symbols | Ids | None:
        """Answer the question that waits, from a sketch that is up to date."""
        question, self.waiting = self.waiting, None
        if isinstance(question, GetIds):
            shorts, is_last = sketch.page(question.after, question.count)
            return Ids(question.after, is_last, b"".join(shorts))
        if question is None:
            return None
        if self._snapshot is None:
            self._snapshot = sketch.snapshot()
        snapshot = self._snapshot
        count = min(question.count, len(snapshot.values) - question.first)
        self._sent = question.first + max(count, 0)
        return Symbols(question.first, snapshot.size, snapshot.cut(question.first, max(count, 0)))

    def end(self) -> None:
        """Let go of what was kept for the peer: it has said what it lacks, or time is up."""
        self.waiting = self._snapshot = None
        self.may_lack = False
