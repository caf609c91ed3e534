"""Topics of the embedding application: what it publishes, and what its listeners get.

A publisher is pushed back: `publish` waits while the node has used up its budget, which is half of what others take of
one origin, so that nothing of it is dropped for being too much. A listener is never waited for: each has a queue
bounded in posts and bytes, and when it reads too slowly the oldest posts are dropped and counted
(`TopicListener.dropped`).

A validator runs on what any peer may send. If it raises, or returns no verdict, the post is ignored: nobody is blamed,
the node goes on, and it is counted and, once for each listener, logged with the place where it happened. The node does
nothing else while a validator runs, so one that takes longer than `SLOW_US` is counted and logged, too; its verdict
stands.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from p2pcommerce.gossip import GossipParameters, Post, Validator, sign_post
from p2pcommerce.gossip.budget import Budget
from p2pcommerce.node.effects import Effect, Transmit
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError, UsageError, Verdict
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.identity import Identity
from p2pcommerce.runtime.log import Log

__all__ = ["CAPACITY", "LIFE_S", "LISTENERS_MAX", "QUEUE_BYTES_MAX", "SLOW_US", "TopicListener", "Topics"]

CAPACITY: Final = 1_024
"""Posts that wait for a listener, unless it asks for another number."""
QUEUE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of them, at most."""
LISTENERS_MAX: Final = 1_024
SLOW_US: Final = 50_000
"""A validator that keeps the node from everything else for longer is slow, microseconds."""
LIFE_S: Final = 60.0
"""Seconds for which a post is passed on, unless its publisher says otherwise."""
_POST_BYTES: Final = 64
"""Charged to the budget beside a post's bytes."""


class TopicListener(AsyncIterator[Post]):
    """The posts of one topic as they come, signatures checked; it ends when the node stops.

    Attributes:
        topic: its name.
        dropped: posts that were dropped because this listener read too slowly: each time the oldest.
        failed: posts that were ignored because this listener's validator raised, or returned no verdict.
        slow: posts on which this listener's validator kept the whole node waiting.
    """

    def __init__(self, topic: str, capacity: int) -> None:
        """Made by `RunningNode.listen`."""
        self.topic = topic
        self.dropped = 0
        self.failed = 0
        self.slow = 0
        self._capacity = capacity
        self._posts: deque[Post] = deque()
        self._bytes = 0
        self._closed = False
        self._wake = trio.Event()

    def put(self, post: Post) -> None:
        """Take a post; the oldest are dropped if there is no room."""
        self._posts.append(post)
        self._bytes += len(post.raw)
        while len(self._posts) > self._capacity or self._bytes > QUEUE_BYTES_MAX:
            self._bytes -= len(self._posts.popleft().raw)
            self.dropped += 1
        self._wake.set()

    def close(self) -> None:
        """The node stops: what has come is still told, then the iteration ends."""
        self._closed = True
        self._wake.set()

    @override
    async def __anext__(self) -> Post:
        """Return the next post.

        Raises:
            StopAsyncIteration: the node has stopped.
        """
        await trio.lowlevel.checkpoint()
        while not self._posts:
            if self._closed:
                raise StopAsyncIteration
            self._wake = trio.Event()
            await self._wake.wait()
        post = self._posts.popleft()
        self._bytes -= len(post.raw)
        return post


class Topics:
    """The listeners and the publisher of one running node."""

    def __init__(
        self,
        identity: Identity,
        core: Node,
        clock: Clock,
        give: Callable[[list[Effect]], None],
        parameters: GossipParameters,
        log: Log,
    ) -> None:
        """Listen to nothing; `give` does the core's effects."""
        self._identity = identity
        self._core = core
        self._clock = clock
        self._give = give
        self._listeners: dict[int, TopicListener] = {}
        self._log = log
        self._dropped = self._failed = self._slow = 0
        self._closed = False
        now = clock.now()
        self._sequence = now  # above that of the node's life before, if its clock was not set back
        self._life_us_max = parameters.post_life_us_max
        self._budget = Budget(
            parameters.post_origin_rate // 2,
            parameters.post_origin_burst // 2,
            parameters.post_origin_bytes_rate // 2,
            parameters.post_origin_bytes_burst // 2,
            now,
        )

    async def publish(self, topic: str, data: bytes, life_s: float) -> int:
        """Publish; see `RunningNode.publish`."""
        life_us = int(life_s * MICROSECONDS)
        if not 0 < life_us <= self._life_us_max:
            raise UsageError(f"life_s: {life_s:g} seconds; above 0 and at most {self._life_us_max // MICROSECONDS}")
        size = len(data) + _POST_BYTES
        await trio.lowlevel.checkpoint()
        self._check_open()
        while wait_us := self._budget.wait_us(size, self._clock.now()):
            await trio.sleep(wait_us / MICROSECONDS)
            self._check_open()
        now = self._clock.now()
        try:
            post = sign_post(
                ED25519,
                self._identity.seed,
                self._core.genesis.hash,
                topic,
                data,
                self._sequence + 1,
                (now + life_us) // 1_000,
            )
            effects = self._core.on_publish(post, now)
        except (CodecError, LocalProtocolError) as error:
            raise UsageError(str(error)) from error
        self._sequence += 1
        self._budget.spend(size, now)
        self._give(effects)
        return len({effect.peer for effect in effects if isinstance(effect, Transmit)})

    @asynccontextmanager
    async def listen(self, topic: str, validator: Validator | None, capacity: int) -> AsyncIterator[TopicListener]:
        """Listen while the context is open; see `RunningNode.listen`."""
        self._check_open()
        if capacity < 1:
            raise UsageError(f"a listener with room for {capacity} posts: give it a capacity of at least 1")
        if len(self._listeners) >= LISTENERS_MAX:
            raise UsageError(f"there are {LISTENERS_MAX} listeners already: let one listener serve many readers")
        listener = TopicListener(topic, capacity)
        judge = None if validator is None else self._guarded(listener, validator)
        try:
            number, effects = self._core.on_listen(topic, judge, self._clock.now())
        except (CodecError, LocalProtocolError) as error:
            raise UsageError(str(error)) from error
        self._listeners[number] = listener
        self._give(effects)
        try:
            yield listener
        finally:
            del self._listeners[number]
            self._dropped += listener.dropped
            self._failed += listener.failed
            self._slow += listener.slow
            effects = self._core.on_unlisten(number, self._clock.now())
            if not self._closed:
                self._give(effects)

    def deliver(self, post: Post) -> None:
        """Hand a post to the listeners of its topic."""
        for listener in self._listeners.values():
            if listener.topic == post.topic:
                listener.put(post)

    def statistics(self) -> dict[str, int]:
        """Return counters by name."""
        return {
            "listeners": len(self._listeners),
            "dropped": self._dropped + sum(listener.dropped for listener in self._listeners.values()),
            "failed": self._failed + sum(listener.failed for listener in self._listeners.values()),
            "slow": self._slow + sum(listener.slow for listener in self._listeners.values()),
        }

    def close(self) -> None:
        """The node stops: every listener ends."""
        self._closed = True
        for listener in self._listeners.values():
            listener.close()

    def _guarded(self, listener: TopicListener, validator: Validator) -> Validator:
        """Return a validator that gives a verdict whatever the application's does."""

        def judge(post: Post) -> Verdict:
            begun_us = self._clock.now()
            try:
                verdict: object = validator(post)
            except Exception as error:  # noqa: BLE001 - the application's code, on what any peer may send: it must not end the node
                place = traceback.extract_tb(error.__traceback__)[-1]
                reason = f"raised {type(error).__name__} at {place.filename}:{place.lineno}: {error}"
            else:
                if isinstance(verdict, Verdict):
                    self._see_slow(listener, self._clock.now() - begun_us)
                    return verdict
                reason = f"returned {verdict!r}"
            self._tell_failure(listener, reason)
            return Verdict.IGNORE

        return judge

    def _tell_failure(self, listener: TopicListener, reason: str) -> None:
        listener.failed += 1
        if listener.failed == 1:  # by peers' posts alone the log must not grow
            told = f'the validator of "{listener.topic}" {reason[:400]}: the post is ignored; it must return a Verdict'
            self._log.error("topics", told)

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the node has stopped")

    def _see_slow(self, listener: TopicListener, took_us: int) -> None:
        if took_us <= SLOW_US:
            return
        listener.slow += 1
        if listener.slow == 1:
            told = (
                f'the validator of "{listener.topic}" took {took_us / 1_000:.0f} ms, in which this node did nothing '
                "else: return ACCEPT for what looks right, and do the long work where the listener reads, in a thread"
            )
            self._log.warning("topics", told)
