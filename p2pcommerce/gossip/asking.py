"""One question to a peer: what does each of us lack?

The asker takes coded symbols of the answerer's set, first about as many as the last question needed, then as many as
the ones at hand say, until they give away everything that differs. When that would cost more than the list of the
answerer's ids, passes the cap, or gives garbage, it takes one page of the list instead, and the next page with the
next question. All short ids are under the answerer's announcement key; this side's are made here, in slices, as a pool
may hold tens of thousands.

Source: the networking specification (Set reconciliation).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, TypeAlias

from p2pcommerce.gossip.coding import SYMBOL_BYTES_MIN, CodedSymbols, read_symbols
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.peeling import GarbageError, Peeling
from p2pcommerce.gossip.seen import short_id
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import TransactionId
from p2pcommerce.wire.messages import SHORT_ID_BYTES, GetIds, GetSymbols, Ids, Symbols
from p2pcommerce.wire.reconcile_messages import RECONCILE_IDS_MAX, SYMBOLS_COUNT_MAX

__all__ = ["LOWEST", "Ask", "BadAnswerError", "Question"]

Question: TypeAlias = GetSymbols | GetIds

LOWEST: Final = bytes(SHORT_ID_BYTES)
"""Where the list of ids begins; a short id of zeros is in no page of it."""
_FIRST_LENGTH: Final = 64
"""Symbols that are compared at first: most questions need fewer, and making them takes half the time of all."""
_MORE_MIN: Final = 4
_MORE_SHARE: Final = 16
"""When a few more may do, a sixteenth is asked for: half of that is wasted, and each question takes a round trip."""
_SURE: Final = 0.45
_UNSURE: Final = 0.6
"""A rough estimate often is too high: what it says is asked for once more than `_SURE` of it is here, else `_UNSURE` of
it. With 100 differences 152 symbols come over in the mean and 171 in one of ten, of 146 that are needed, in 5.5 round
trips; asking for the whole estimate takes 165 and 216, in 4.4."""


class BadAnswerError(RemoteProtocolError):
    """An answer that does not fit the question."""

    code = "BAD_ANSWER"


class Ask:
    """The asker's side of one question.

    Attributes:
        mine: this side's short ids (8 bytes) under the answerer's key -> id.
        question: what was asked last and is not answered.
        is_done: everything that this question can find is found.
        missing: short ids that the answerer has and this side lacks.
        extra: short ids that this side has and the answerer lacks.
        cursor: where the next list of ids begins.
        symbols_used: symbols that were compared.
        took_list: the list of ids was taken.
        gave_garbage: the symbols were of no set.
    """

    __slots__ = (
        "_answer",
        "_builder",
        "_key",
        "_parameters",
        "_peeling",
        "_unhashed",
        "_unspread",
        "cursor",
        "extra",
        "gave_garbage",
        "is_done",
        "mine",
        "missing",
        "question",
        "symbols_used",
        "took_list",
    )

    def __init__(
        self, parameters: GossipParameters, key: bytes, ids: Iterable[TransactionId], *, guess: int, cursor: bytes
    ) -> None:
        """Ask a peer.

        Args:
            parameters: the numbers.
            key: its announcement key, 16 bytes.
            ids: of this side's pool (32 bytes each), as of now.
            guess: symbols that are probably needed.
            cursor: where a list of ids begins (8 bytes).
        """
        self._parameters = parameters
        self._key = key
        self._unhashed = deque(ids)
        self._unspread: deque[bytes] = deque()
        self._builder = CodedSymbols(min(_FIRST_LENGTH, parameters.reconcile_symbols_max))
        self._peeling: Peeling | None = None
        self._answer: Symbols | Ids | None = None
        self.mine: dict[bytes, TransactionId] = {}
        self.question: Question
        if self._unhashed:
            self.question = GetSymbols(0, min(guess, _FIRST_LENGTH, parameters.reconcile_symbols_max))
        else:
            self.question = GetIds(cursor, RECONCILE_IDS_MAX)
        self.is_done = self.took_list = self.gave_garbage = False
        self.missing: list[bytes] = []
        self.extra: list[bytes] = []
        self.cursor = cursor
        self.symbols_used = 0

    @property
    def is_working(self) -> bool:
        """Whether `work` has something to do."""
        return bool(self._unhashed or self._unspread)

    def work(self, count: int) -> Question | None:
        """Make short ids or symbols for so many entries; return what to ask now, if an answer could be used by it."""
        if self._unhashed:
            fresh: list[bytes] = []
            for _ in range(min(count, len(self._unhashed))):
                tx_id = self._unhashed.popleft()
                short = short_id(self._key, tx_id)
                if self.mine.setdefault(short, tx_id) == tx_id:
                    fresh.append(short)
            self._builder.add(fresh)
        elif self._unspread:
            self._builder.add([self._unspread.popleft() for _ in range(min(count, len(self._unspread)))])
        if self.is_working:
            return None
        if self._peeling is None:
            self._peeling = Peeling(self._builder, self.mine)
        elif len(self._builder.values) > self._peeling.length:
            self._peeling.extend(self._builder)
        answer, self._answer = self._answer, None
        return None if answer is None else self.take(answer)

    def take(self, answer: Symbols | Ids) -> Question | None:
        """Take an answer; return what to ask next. None: nothing, or nothing yet.

        Raises:
            BadAnswerError: it does not fit the question.
            CodecError: it holds malformed symbols.
        """
        if self._answer is not None or self.is_done:
            raise BadAnswerError("two answers to one question")
        if self.is_working:
            self._answer = answer
            return None
        if isinstance(answer, Ids):
            self._take_ids(answer)
            return None
        following = self._take_symbols(answer)
        if following is not None:
            self.question = following
        return following

    def _take_symbols(self, answer: Symbols) -> Question | None:
        question, peeling = self.question, self._peeling
        if peeling is None or not isinstance(question, GetSymbols) or answer.first != question.first:
            raise BadAnswerError("symbols that were not asked for")
        symbols = read_symbols(answer.data, answer.first, answer.size)
        if len(symbols) > question.count:
            raise BadAnswerError(f"{len(symbols)} symbols, {question.count} were asked for")
        if not answer.size:
            self._finish((), self.mine)
            return None
        if not symbols:
            return self._list()
        try:
            peeling.receive(symbols)
        except GarbageError:
            self.gave_garbage = True
            return self._list()
        self.symbols_used = peeling.received
        if peeling.is_done:
            self._finish(peeling.theirs, peeling.ours)
            return None
        return self._more(peeling, answer.size)

    def _more(self, peeling: Peeling, size: int) -> Question:
        """Return what to ask when the symbols at hand are too few."""
        received, length_max = peeling.received, self._parameters.reconcile_symbols_max
        needed = peeling.estimate()
        if received < _SURE * needed:
            needed = round(_UNSURE * needed)
        more = max(needed - received, received // _MORE_SHARE, _MORE_MIN)
        if received + more > length_max or more * SYMBOL_BYTES_MIN > size * SHORT_ID_BYTES:
            return self._list()
        more = min(more, SYMBOLS_COUNT_MAX)
        if received + more > peeling.length:
            self._builder = CodedSymbols(length_max)
            self._unspread.extend(self.mine)
            if not self._unspread:
                peeling.extend(self._builder)
        return GetSymbols(received, more)

    def _list(self) -> GetIds:
        return GetIds(self.cursor, RECONCILE_IDS_MAX)

    def _take_ids(self, answer: Ids) -> None:
        question = self.question
        if not isinstance(question, GetIds) or answer.after != question.after:
            raise BadAnswerError("ids that were not asked for")
        data, last = answer.data, answer.after
        theirs: dict[bytes, None] = {}
        for start in range(0, len(data), SHORT_ID_BYTES):
            short = data[start : start + SHORT_ID_BYTES]
            if short <= last:
                raise BadAnswerError("ids that are not in rising order")
            theirs[short] = None
            last = short
        if len(theirs) > question.count or not (theirs or answer.is_last):
            raise BadAnswerError(f"{len(theirs)} ids, 1 to {question.count} were asked for")
        self.took_list = True
        self.cursor = LOWEST if answer.is_last else last
        self._finish(
            (short for short in theirs if short not in self.mine),
            (
                short
                for short in self.mine
                if short > answer.after and (answer.is_last or short <= last) and short not in theirs
            ),
        )

    def _finish(self, missing: Iterable[bytes], extra: Iterable[bytes]) -> None:
        self.is_done = True
        self.missing = list(missing)
        self.extra = list(extra)
