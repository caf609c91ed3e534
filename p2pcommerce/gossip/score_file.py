"""Scores on disk, so that a restart of this node washes nothing off its peers.

A canonical array with a row for each peer: key, the four counts, end and length of the last ban, when the counts last
faded and when the peer was last connected. What is read is bounded in number and clamped to the present: a clock that
was set back cannot make a ban longer than the longest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.score import Score
from p2pcommerce.primitives.codec import KEY, U64, array, decode, encode, record
from p2pcommerce.primitives.ids import PeerId

__all__ = ["SCORES_BYTES_MAX", "dump_scores", "load_scores"]

_ROWS_MAX: Final = 8_192
_ROW_BYTES_MAX: Final = 1 + 34 + 8 * 9
SCORES_BYTES_MAX: Final = 5 + _ROWS_MAX * _ROW_BYTES_MAX


@dataclass(frozen=True, slots=True)
class _Row:
    peer: PeerId
    useful: int
    invalid: int
    broken: int
    stalls: int
    banned_until_us: int
    ban_us: int
    faded_us: int
    gone_us: int


_SCORES: Final = array(
    record(
        _Row,
        peer=KEY,
        useful=U64,
        invalid=U64,
        broken=U64,
        stalls=U64,
        banned_until_us=U64,
        ban_us=U64,
        faded_us=U64,
        gone_us=U64,
    ),
    _ROWS_MAX,
)


def dump_scores(scores: Iterable[tuple[PeerId, Score]], now: int) -> bytes:
    """Return the bytes of scores; whoever is connected counts as having gone now (microseconds)."""
    rows = [
        _Row(
            peer,
            score.useful,
            score.invalid,
            score.broken,
            score.stalls,
            score.banned_until_us,
            score.ban_us,
            score.faded_us,
            now if score.gone_us is None else score.gone_us,
        )
        for peer, score in scores
        if score.useful or score.invalid or score.broken or score.stalls or score.ban_us
    ]
    return encode(_SCORES, tuple(rows[-_ROWS_MAX:]))


def load_scores(data: bytes, parameters: GossipParameters, now: int) -> list[tuple[PeerId, Score]]:
    """Return saved scores, those first that went first.

    Raises:
        CodecError: damaged.
    """
    loaded: list[tuple[PeerId, Score]] = []
    for row in decode(_SCORES, data, SCORES_BYTES_MAX):
        score = Score(min(row.faded_us, now))
        score.useful, score.invalid, score.broken, score.stalls = row.useful, row.invalid, row.broken, row.stalls
        score.ban_us = min(row.ban_us, parameters.ban_us_max)
        score.banned_until_us = min(row.banned_until_us, now + score.ban_us)
        score.gone_us = min(row.gone_us, now)
        loaded.append((row.peer, score))
    return sorted(loaded, key=lambda item: (item[1].gone_us or 0, item[0]))
