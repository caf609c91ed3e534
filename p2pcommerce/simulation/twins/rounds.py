"""Scenarios of Twins: for each round a leader and a partition of the instances, in every arrangement, each once.

A network of n validators has n + 1 instances: one validator runs twice (the twins, instances n - 1 and n, one key).
Honest validators of equal stake are interchangeable, and so are the twins: scenarios that differ by such a renaming
alone count as one, and the first of them in the order of the symbols is the one that is run. They are counted and
picked by number without listing them, so that a sweep can be split and sampled.

Source: Bano et al., *Twins: BFT Systems Made Robust* (arXiv 2004.10617), the generator of scenarios: partitions, then
leaders, then arrangements over the rounds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from p2pcommerce.primitives.errors import UsageError

__all__ = [
    "LEADERS",
    "ROUNDS_MAX",
    "VALIDATORS",
    "Arrangement",
    "Round",
    "Space",
    "SpaceError",
    "read_arrangement",
    "words_of",
]

VALIDATORS: Final = range(4, 7)
"""How many validators there may be: below four nobody may fail; with seven there are too many scenarios."""
ROUNDS_MAX: Final = 8
LEADERS: Final = ("any", "twinned")
"""Who may lead a round: each validator, or the twinned one alone."""
_NAMES: Final = "abcdef"


class SpaceError(UsageError):
    """A set of scenarios, or a scenario, that does not exist."""

    code = "TWINS"


@dataclass(frozen=True, slots=True)
class Round:
    """One round.

    Attributes:
        leader: the validator that leads it, 0 to n - 1; n - 1 is the twinned one.
        groups: for each instance, 0 to n, the number of the group that it can talk to; groups are numbered by their
            first member.
    """

    leader: int
    groups: tuple[int, ...]


Arrangement: TypeAlias = tuple[Round, ...]
"""The rounds of one scenario, in order."""


class Space:
    """Every scenario of a size.

    Attributes:
        validators: n.
        rounds: how many rounds each scenario has.
        groups_max: groups of a partition at most; 1 is a whole network.
        leaders: one of `LEADERS`.
    """

    def __init__(self, validators: int = 4, rounds: int = 4, groups_max: int = 2, leaders: str = LEADERS[0]) -> None:
        """Describe the scenarios.

        Raises:
            SpaceError: a number is out of range, or `leaders` is unknown.
        """
        if validators not in VALIDATORS:
            raise SpaceError(f"{validators} validators; choose {VALIDATORS.start} to {VALIDATORS.stop - 1}")
        if not 1 <= rounds <= ROUNDS_MAX:
            raise SpaceError(f"{rounds} rounds; choose 1 to {ROUNDS_MAX}")
        if not 1 <= groups_max <= validators + 1:
            raise SpaceError(f"{groups_max} groups of {validators + 1} instances; choose 1 to {validators + 1}")
        if leaders not in LEADERS:
            raise SpaceError(f"leaders {leaders!r}; choose {' or '.join(LEADERS)}")
        self.validators, self.rounds, self.groups_max, self.leaders = validators, rounds, groups_max, leaders
        chosen = range(validators) if leaders == LEADERS[0] else range(validators - 1, validators)
        self._symbols = [
            Round(leader, groups) for groups in _partitions(validators + 1, groups_max) for leader in chosen
        ]
        self._renamings = self._permutations()
        self._all = tuple(range(len(self._renamings)))
        self._counts: dict[tuple[int, tuple[int, ...]], int] = {}

    def _permutations(self) -> list[list[int]]:
        """Return what each renaming makes of each symbol."""
        number = {symbol: position for position, symbol in enumerate(self._symbols)}
        honest = self.validators - 1
        return [
            [number[_renamed(symbol, (*order, *twins), honest)] for symbol in self._symbols]
            for order in itertools.permutations(range(honest))
            for twins in ((honest, honest + 1), (honest + 1, honest))
        ]

    @property
    def arrangements(self) -> int:
        """How many there are before renamings are taken out."""
        return int(len(self._symbols) ** self.rounds)

    @property
    def per_round(self) -> int:
        """How many leaders and partitions there are for one round."""
        return len(self._symbols)

    def __len__(self) -> int:
        return self._count(self.rounds, self._all)

    def _choices(self, kept: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the symbols that may come next, and the renamings that change nothing up to and with them.

        Args:
            kept: the renamings that have changed nothing so far.
        """
        renamings = [self._renamings[each] for each in kept]
        for symbol in range(len(self._symbols)):
            if all(renaming[symbol] >= symbol for renaming in renamings):
                yield symbol, tuple(each for each in kept if self._renamings[each][symbol] == symbol)

    def _count(self, rounds: int, kept: tuple[int, ...]) -> int:
        if rounds == 0:
            return 1
        if len(kept) == 1:
            return int(len(self._symbols) ** rounds)
        known = self._counts.get((rounds, kept))
        if known is None:
            known = sum(self._count(rounds - 1, rest) for _, rest in self._choices(kept))
            self._counts[rounds, kept] = known
        return known

    def __getitem__(self, number: int) -> Arrangement:
        """Return a scenario by its number, 0 to the length - 1.

        Raises:
            IndexError: there is none.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"there is no scenario {number} of {len(self)}")
        kept, chosen = self._all, []
        for rounds in range(self.rounds - 1, -1, -1):
            for symbol, rest in self._choices(kept):
                count = self._count(rounds, rest)
                if number < count:
                    chosen.append(self._symbols[symbol])
                    kept = rest
                    break
                number -= count
        return tuple(chosen)


@cache
def _partitions(instances: int, groups_max: int) -> tuple[tuple[int, ...], ...]:
    """Return every partition into at most so many groups, as the group of each instance."""
    found: list[tuple[int, ...]] = [(0,)]
    for _ in range(instances - 1):
        found = [(*start, group) for start in found for group in range(min(max(start) + 2, groups_max))]
    return tuple(found)


def _renamed(symbol: Round, order: Sequence[int], honest: int) -> Round:
    """Return a round with instance i called `order[i]`."""
    groups = [0] * len(order)
    for instance, group in enumerate(symbol.groups):
        groups[order[instance]] = group
    return Round(symbol.leader if symbol.leader == honest else order[symbol.leader], _numbered(groups))


def _numbered(groups: Sequence[int]) -> tuple[int, ...]:
    names: dict[int, int] = {}
    return tuple(names.setdefault(group, len(names)) for group in groups)


# --- words ---


def words_of(arrangement: Arrangement) -> str:
    """Return a scenario as text: `ab/cdD:c` is a round led by c in which a and b talk, and c, d and d's twin D."""
    return " ".join(_round_words(each) for each in arrangement)


def _round_words(each: Round) -> str:
    names = _instance_names(len(each.groups))
    groups = [""] * (max(each.groups) + 1)
    for name, group in zip(names, each.groups, strict=True):
        groups[group] += name
    return f"{'/'.join(groups)}:{names[each.leader]}"


def _instance_names(instances: int) -> str:
    return _NAMES[: instances - 1] + _NAMES[instances - 2].upper()


def read_arrangement(text: str) -> Arrangement:
    """Read what `words_of` wrote.

    Raises:
        SpaceError: it is no scenario.
    """
    rounds = [_read_round(word) for word in text.split()]
    if not 1 <= len(rounds) <= ROUNDS_MAX or len({len(each.groups) for each in rounds}) != 1:
        raise SpaceError(f"{text!r} is no scenario: give 1 to {ROUNDS_MAX} rounds of the same instances")
    return tuple(rounds)


def _read_round(word: str) -> Round:
    groups, _, leader = word.partition(":")
    members = groups.replace("/", "")
    names = _instance_names(len(members)) if len(members) - 1 in VALIDATORS else ""
    if not names or sorted(members) != sorted(names) or not leader or leader not in names[:-1] or len(leader) != 1:
        raise SpaceError(f"{word!r} is no round; one is written like ab/cdD:c, with each instance once, and its leader")
    group_of = {name: number for number, group in enumerate(groups.split("/")) for name in group}
    return Round(names.index(leader), _numbered([group_of[name] for name in names]))
