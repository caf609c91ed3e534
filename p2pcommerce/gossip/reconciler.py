"""Set reconciliation with every peer: whatever gossip missed comes over within a minute.

On connecting, the side that dialled asks (`asking`); later each side asks a peer that it has had no such talk with for
about a minute. The asker learns both directions: it tells the answerer what that one lacks (`Found`), and says what it
lacks itself (`Lacking`), which the answerer then tells it. A `Found` is an announcement: its ids are pulled like
others, with the same bounds, and not to deliver what one told of is a broken promise. It is a message of its own, as
nobody owes old transactions by push, and as they say nothing of anybody's lag. So nothing is delivered twice, and
nothing is taken on trust.

If both ask at once, the question of the side that dialled stands, and the other side drops its own. What a peer can do
wrong: not answer, or give garbage (as bad as a broken promise); ask too often, answer what was not asked, tell more
than it was asked for (dropped and counted). Messages that no honest peer makes raise, and the connection is closed.

Source: the networking specification (Set reconciliation); `coding` for the paper.
Deviations: short ids are under the answerer's announcement key instead of one key per session, see `sketch`; a page of
the sorted list of ids stands for the whole list, so that the bytes of a session are bounded and the next one goes on.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Final, TypeAlias, assert_never

from p2pcommerce.gossip.answering import Serving
from p2pcommerce.gossip.asking import LOWEST, Ask, BadAnswerError
from p2pcommerce.gossip.effects import SendTo
from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.pulls import Pulls
from p2pcommerce.gossip.seen import Seen, short_id
from p2pcommerce.gossip.sketch import Sketch
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import SHORT_ID_BYTES, Found, GetIds, GetSymbols, Ids, Lacking, Symbols
from p2pcommerce.wire.reconcile_messages import RECONCILE_IDS_MAX

__all__ = ["ReconcileMessage", "Reconciler"]

ReconcileMessage: TypeAlias = GetSymbols | Symbols | GetIds | Ids | Lacking | Found

_GUESS_FIRST: Final = 16
_GUESS_MIN: Final = 4


class _Pair:
    """One peer.

    Attributes:
        link: its connection.
        due_us: when to ask it.
        ask: what is being asked of it.
        answer_by_us: until when it must answer.
        serving: what it is given.
        cursor: where the next list of its ids begins.
        may_find: how many ids it may still tell.
    """

    __slots__ = ("answer_by_us", "ask", "cursor", "due_us", "link", "may_find", "serving")

    def __init__(self, link: Link, parameters: GossipParameters, due_us: int) -> None:
        self.link = link
        self.due_us = due_us
        self.ask: Ask | None = None
        self.answer_by_us = 0
        self.serving = Serving(parameters)
        self.cursor = LOWEST
        self.may_find = 0


class Reconciler:
    """The talks with all peers.

    Attributes:
        deadline: when something is due, microseconds; None: never.
    """

    __slots__ = (
        "_asks",
        "_counts",
        "_guess",
        "_index",
        "_pairs",
        "_parameters",
        "_pulls",
        "_rng",
        "_seen",
        "_sketch",
        "deadline",
    )

    def __init__(
        self,
        parameters: GossipParameters,
        rng: random.Random,
        index: IdIndex,
        seen: Seen,
        pulls: Pulls,
        counts: Counter[str],
    ) -> None:
        """Start without peers.

        Args:
            parameters: the numbers.
            rng: draws the times of questions.
            index: the pool's ids.
            seen: what is known.
            pulls: what is wanted.
            counts: where everything is counted, as `reconcile_...`.
        """
        self._parameters = parameters
        self._rng = rng
        self._index = index
        self._seen = seen
        self._pulls = pulls
        self._counts = counts
        self._sketch = Sketch(index, parameters.reconcile_symbols_max)
        self._pairs: dict[PeerId, _Pair] = {}
        self._asks = 0
        self._guess = _GUESS_FIRST
        self.deadline: int | None = None

    @property
    def asking(self) -> int:
        """How many peers are being asked."""
        return self._asks

    # --- connections ---

    def on_connected(self, link: Link, own_key: bytes, now: int) -> None:
        """Plan to ask a new peer: soon if this node dialled, else if it has not asked by then."""
        self._sketch.key = own_key
        if link.outbound:
            due_us = now + self._rng.randrange(self._parameters.reconcile_connect_us)
        else:
            due_us = self._next_us(now)
        self._pairs[link.peer] = _Pair(link, self._parameters, due_us)
        self._plan(now)

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """Forget a peer (32 bytes)."""
        pair = self._pairs.pop(peer, None)
        if pair is not None and pair.ask is not None:
            self._asks -= 1
        self._plan(now)

    # --- messages ---

    def take(self, peer: PeerId, message: ReconcileMessage, now: int) -> list[SendTo]:
        """Take a message of a connected peer (32 bytes).

        Raises:
            CodecError: it holds malformed symbols.
        """
        pair = self._pairs.get(peer)
        if pair is None:
            return []
        effects = self._dispatch(pair, message, now)
        self._plan(now)
        return effects

    def _dispatch(self, pair: _Pair, message: ReconcileMessage, now: int) -> list[SendTo]:
        match message:
            case Found(data):
                self._on_found(pair, data, now)
                return []
            case Lacking(data):
                return self._on_lacking(pair, data, now)
            case Symbols() | Ids():
                return self._on_answer(pair, message, now)
            case GetSymbols() | GetIds():
                return self._on_question(pair, message, now)
            case _:
                assert_never(message)

    def _on_question(self, pair: _Pair, question: GetSymbols | GetIds, now: int) -> list[SendTo]:
        if pair.ask is not None and pair.serving.begins(question):
            self._counts["reconcile_ties"] += 1
            if pair.link.outbound:
                return []
            self._drop(pair, now)
        if not pair.serving.take(question, now):
            self._counts["reconcile_out_of_turn"] += 1
            return []
        pair.due_us = self._next_us(now)
        pair.may_find = RECONCILE_IDS_MAX
        if not self._sketch.refresh(self._parameters.reconcile_slice):
            return []
        return self._serve(pair)

    def _serve(self, pair: _Pair) -> list[SendTo]:
        answer = pair.serving.answer(self._sketch)
        if answer is None:
            return []
        self._counts["reconcile_answered"] += 1
        self._counts["reconcile_shadowed"] = self._sketch.shadowed
        return [SendTo(pair.link.peer, answer)]

    def _on_answer(self, pair: _Pair, answer: Symbols | Ids, now: int) -> list[SendTo]:
        ask = pair.ask
        if ask is None:
            self._counts["reconcile_stray"] += 1
            return []
        had_garbage = ask.gave_garbage
        try:
            question = ask.take(answer)
        except BadAnswerError:
            self._blame(pair, "reconcile_bad_answers")
            self._drop(pair, now)
            return []
        if ask.gave_garbage and not had_garbage:
            self._blame(pair, "reconcile_garbage")
        return self._go_on(pair, ask, question, now)

    def _go_on(self, pair: _Pair, ask: Ask, question: GetSymbols | GetIds | None, now: int) -> list[SendTo]:
        if question is not None:
            pair.answer_by_us = now + self._parameters.reconcile_answer_us
            return [SendTo(pair.link.peer, question)]
        if not ask.is_done:
            return []
        self._drop(pair, now)
        return self._conclude(pair, ask)

    def _conclude(self, pair: _Pair, ask: Ask) -> list[SendTo]:
        """Tell what the peer lacks, and say what this node lacks."""
        link, counts = pair.link, self._counts
        counts["reconcile_done"] += 1
        counts["reconcile_symbols"] += ask.symbols_used
        if ask.took_list:
            counts["reconcile_lists"] += 1
            pair.cursor = ask.cursor
        else:
            self._guess = max(ask.symbols_used, _GUESS_MIN)
        effects: list[SendTo] = []
        extra = [short for short in ask.extra if ask.mine[short] in self._index][:RECONCILE_IDS_MAX]
        if extra:
            for short in extra:
                link.offer(short, ask.mine[short], self._parameters.announced_max)
            counts["reconcile_told"] += len(extra)
            effects.append(SendTo(link.peer, Found(b"".join(extra))))
        missing = ask.missing[:RECONCILE_IDS_MAX]
        if missing:
            pair.may_find = len(missing)
            counts["reconcile_lacked"] += len(missing)
            effects.append(SendTo(link.peer, Lacking(b"".join(missing))))
        return effects

    def _on_lacking(self, pair: _Pair, data: bytes, now: int) -> list[SendTo]:
        """Tell a peer what it lacks, by its own short ids."""
        del now
        if not pair.serving.may_lack:
            self._counts["reconcile_out_of_turn"] += 1
            return []
        pair.serving.end()
        link, told = pair.link, []
        for start in range(0, len(data), SHORT_ID_BYTES):
            tx_id = self._sketch.by_short(data[start : start + SHORT_ID_BYTES])
            if tx_id is not None and tx_id in self._index:
                short = short_id(link.key, tx_id)
                link.offer(short, tx_id, self._parameters.announced_max)
                told.append(short)
        if not told:
            return []
        self._counts["reconcile_told"] += len(told)
        return [SendTo(link.peer, Found(b"".join(told)))]

    def _on_found(self, pair: _Pair, data: bytes, now: int) -> None:
        """Plan to pull what a peer tells of, as far as it was asked and it is not known."""
        count = len(data) // SHORT_ID_BYTES
        taken = min(count, pair.may_find)
        pair.may_find -= taken
        self._counts["reconcile_found"] += taken
        if count > taken:
            self._counts["reconcile_out_of_turn"] += 1
        for start in range(0, taken * SHORT_ID_BYTES, SHORT_ID_BYTES):
            short = data[start : start + SHORT_ID_BYTES]
            if self._seen.by_short(short) is None and self._sketch.by_short(short) is None:
                self._pulls.announced(pair.link, short, now)

    # --- time ---

    def on_deadline(self, now: int) -> list[SendTo]:
        """Do what is due: one slice of work, questions, and what nobody answered."""
        if self.deadline is None or now < self.deadline:
            return []
        effects = self._work(now)
        for pair in self._pairs.values():
            if pair.ask is not None and not pair.ask.is_working and pair.answer_by_us <= now:
                self._blame(pair, "reconcile_unanswered")
                self._drop(pair, now)
            serving = pair.serving
            if serving.may_lack and self._served_until(serving) <= now:
                serving.end()
        for pair in self._pairs.values():
            if self._asks >= self._parameters.reconcile_asks_max:
                break
            if self._is_free(pair) and pair.due_us <= now:
                effects += self._begin(pair, now)
        self._plan(now)
        return effects

    def _work(self, now: int) -> list[SendTo]:
        """Do one slice: for those who asked first, then for the own questions."""
        count = self._parameters.reconcile_slice
        waiting = [pair for pair in self._pairs.values() if pair.serving.waiting is not None]
        if waiting:
            if not self._sketch.refresh(count):
                return []
            return [effect for pair in waiting for effect in self._serve(pair)]
        for pair in self._pairs.values():
            if pair.ask is not None and pair.ask.is_working:
                return self._work_on(pair, pair.ask, now)
        return []

    def _work_on(self, pair: _Pair, ask: Ask, now: int) -> list[SendTo]:
        try:
            question = ask.work(self._parameters.reconcile_slice)
        except RemoteProtocolError:  # the answer came while this side was working
            self._blame(pair, "reconcile_bad_answers")
            self._drop(pair, now)
            return []
        return self._go_on(pair, ask, question, now)

    def _begin(self, pair: _Pair, now: int) -> list[SendTo]:
        ask = Ask(self._parameters, pair.link.key, self._index, guess=self._guess, cursor=pair.cursor)
        pair.ask = ask
        pair.answer_by_us = now + self._parameters.reconcile_answer_us
        self._asks += 1
        self._counts["reconcile_asked"] += 1
        ask.work(self._parameters.reconcile_slice)
        return [SendTo(pair.link.peer, ask.question)]

    def _drop(self, pair: _Pair, now: int) -> None:
        """End a question, whatever came of it."""
        if pair.ask is not None:
            pair.ask = None
            self._asks -= 1
            pair.due_us = self._next_us(now)

    def _blame(self, pair: _Pair, name: str) -> None:
        self._counts[name] += 1
        pair.link.score.broken += 1

    def _is_free(self, pair: _Pair) -> bool:
        return pair.ask is None and not pair.serving.may_lack

    def _served_until(self, serving: Serving) -> int:
        return (serving.begun_us or 0) + self._parameters.reconcile_rest_us

    def _next_us(self, now: int) -> int:
        """Return a time about an interval from now: a quarter of it sooner or later."""
        interval_us = self._parameters.reconcile_us
        return now + interval_us - interval_us // 4 + self._rng.randrange(interval_us // 2)

    def _plan(self, now: int) -> None:
        """Find the deadline anew."""
        first: int | None = None
        has_room = self._asks < self._parameters.reconcile_asks_max
        for pair in self._pairs.values():
            if pair.serving.waiting is not None or (pair.ask is not None and pair.ask.is_working):
                due_us = now
            elif pair.ask is not None:
                due_us = pair.answer_by_us
            elif pair.serving.may_lack:
                due_us = self._served_until(pair.serving)
            elif has_room:
                due_us = pair.due_us
            else:
                continue
            if first is None or due_us < first:
                first = due_us
        self.deadline = first
