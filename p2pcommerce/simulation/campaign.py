"""A campaign: which worlds a sweep runs, one for each seed.

Faults that a person names are on in every world, at the intensity named. With `all`, each seed draws its own
selection and strengths (`draw_faults`). Adversaries are cast by the seed, too: one strategy, and validators with less
than a third of the stake, or nodes that do not validate where the strategy needs no stake.

Stakes that nobody named are drawn, too: equal in every third world, else unequal, up to twelve times
the lightest; adversaries and nodes that are spoilt are chosen so that they stay below a third of them.

A disk that breaks its promises needs a node that may be spoilt, which a network has only if the adversaries leave some
of the third; a fault of links needs a second node. Such faults are left out of `all` where there is none, and refused
by name. Strategies that only worlds of gossip know are treated the same way.

Source: the sweeps of the simulator specification.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.simulation.adversaries import STRATEGIES
from p2pcommerce.simulation.adversaries.casting import strategy_of
from p2pcommerce.simulation.faults import FAULTS, draw_faults, parse_faults
from p2pcommerce.simulation.outcome import STACKS, Outcome, SeedTask, run_seed
from p2pcommerce.simulation.outcome_file import OutcomeFile
from p2pcommerce.simulation.program import program_digest
from p2pcommerce.simulation.scenario import ADVERSARIES, Adversary, Scenario, ScenarioError, UnknownAdversaryError
from p2pcommerce.simulation.schedule import BREAKS_PROMISES
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.sweep import Workers

__all__ = ["SEEDS_MAX", "Campaign", "OtherProgramError", "run_campaign"]

SEEDS_MAX: Final = 10_000_000
_NEED_NO_STAKE: Final = frozenset({"announce_spam", "pull_spam", "mute", "mempool_flood"})
_EQUAL_ONE_IN: Final = 3
"""One world in so many has equal stakes."""
_STAKE_MAX: Final = 12
"""Of drawn stakes: the heaviest validator may have so many times the stake of the lightest."""
_NEEDS_A_THIRD: Final = 4
"""With equal stakes, less than a third is at least one validator from this many on."""


class OtherProgramError(P2PError):
    """A worker ran other sources than this process has: its results are those of another program."""

    code = "OTHER_PROGRAM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Seeds, and what their worlds have in common.

    Attributes:
        base: what all worlds share; its seed, faults and adversaries are replaced.
        stack: one of `STACKS`.
        first_seed: of the worlds.
        seeds: how many.
        faults: the chosen kinds and their intensities.
        is_drawn: each seed draws its own selection of the faults.
        adversaries: strategies from which each seed draws one.
        are_adversaries_drawn: half of the seeds have no adversary.
        cast: adversaries of every world, in the place of drawn ones.
        above_third: adversaries have a third of the stake or a little more, and every fork must convict them.
        are_stakes_drawn: each seed draws its own stakes, if there are enough validators for one to be faulty.
    """

    base: Scenario
    stack: str = STACKS[0]
    first_seed: int = 1
    seeds: int = 100
    faults: Mapping[str, float] = field(default_factory=dict)
    is_drawn: bool = True
    adversaries: tuple[str, ...] = ()
    are_adversaries_drawn: bool = False
    cast: tuple[Adversary, ...] = ()
    above_third: bool = False
    are_stakes_drawn: bool = False

    @classmethod
    def of(
        cls,
        base: Scenario,
        stack: str,
        first_seed: int,
        seeds: int,
        *,
        faults: str = "all",
        adversaries: str = "none",
        above_third: bool = False,
        draw_stakes: bool = False,
    ) -> Campaign:
        """Make one of what a person typed.

        Args:
            base: what all worlds share.
            stack: one of `STACKS`.
            first_seed: of the worlds.
            seeds: how many, 1 to `SEEDS_MAX`.
            faults: `all`, `none`, or NAME or NAME=INTENSITY with commas between.
            adversaries: `all`, `none`, or names with commas between.
            above_third: the adversaries have a third of the stake or a little more.
            draw_stakes: each seed draws its own stakes; else all worlds have those of `base`.

        Raises:
            UnknownFaultError: a fault is unknown.
            FaultIntensityError: an intensity is out of range.
            UnknownAdversaryError: a strategy is unknown.
            ScenarioError: a fault or an adversary needs more validators, or the number of seeds is out of range.
        """
        if not 1 <= seeds <= SEEDS_MAX:
            raise ScenarioError(f"{seeds} seeds; choose 1 to {SEEDS_MAX:,}")
        strategies = _strategies(adversaries, base.engine)
        is_all = adversaries == "all"
        if strategies and not _has_room(base) and not is_all:
            raise ScenarioError(
                f"adversaries need at least {_NEEDS_A_THIRD} validators, of which they are under a third"
            )
        if above_third and (not strategies or is_all or _NEED_NO_STAKE.intersection(strategies)):
            raise ScenarioError("above a third: name adversaries that validate, twins or double_vote for example")
        can_spoil = _has_room(base) and (not strategies or is_all)
        chosen = _possible(base, faults, can_spoil=can_spoil)
        return cls(
            base=base,
            stack=stack,
            first_seed=first_seed,
            seeds=seeds,
            faults=chosen,
            is_drawn=faults == "all",
            adversaries=strategies if _has_room(base) else (),
            are_adversaries_drawn=is_all,
            above_third=above_third,
            are_stakes_drawn=draw_stakes,
        )

    def scenario(self, seed: int) -> Scenario:
        """Return the world of a seed."""
        streams = Streams(seed)
        faults = draw_faults(self.faults, streams) if self.is_drawn else dict(self.faults)
        stakes = self._stakes(streams)
        return self.base.with_(seed=seed, stakes=stakes, faults=faults, adversaries=self._cast(streams, stakes))

    def tasks(self) -> Iterator[SeedTask]:
        """Return the work, in the order of seeds."""
        for seed in range(self.first_seed, self.first_seed + self.seeds):
            yield SeedTask(self.scenario(seed), self.stack)

    def _stakes(self, streams: Streams) -> tuple[int, ...]:
        count = self.base.validators
        if not self.are_stakes_drawn or count < _NEEDS_A_THIRD:
            return self.base.stakes
        rng = streams.fresh("campaign.stakes")
        if not rng.randrange(_EQUAL_ONE_IN):
            return self.base.stakes
        return tuple(rng.randint(1, _STAKE_MAX) for _ in range(count))

    def _cast(self, streams: Streams, stakes: Sequence[int]) -> tuple[Adversary, ...]:
        if not self.adversaries:
            return self.cast
        rng = streams.fresh("campaign.adversaries")
        is_quiet, pick = rng.random() < 0.5, rng.randrange(len(self.adversaries))
        if is_quiet and self.are_adversaries_drawn:
            return ()
        strategy = self.adversaries[pick]
        validators, nodes = self.base.validators, self.base.nodes
        if strategy in _NEED_NO_STAKE and nodes > validators:
            among = range(validators, nodes)
            chosen = rng.sample(among, rng.randint(1, len(among)))
        else:
            if self.above_third:
                return (Adversary(strategy, _third_of(stakes, rng.sample(range(validators), validators))),)
            chosen = _below_a_third(stakes, rng)
        return (Adversary(strategy, tuple(sorted(chosen))),)


def run_campaign(
    campaign: Campaign, workers: Workers, file: OutcomeFile | None = None
) -> Generator[Outcome, None, None]:
    """Yield the outcome of each seed, in order.

    Args:
        campaign: what to run.
        workers: who runs it.
        file: outcomes that are in it are taken from there, the others are added to it as they come; None: run all.

    Raises:
        OtherProgramError: a worker has other sources.
        WorkerLostError: a worker died.
        DaskError: the Dask cluster cannot be used.
    """
    known: Mapping[str, Outcome] = {} if file is None else file.known
    missing = (task for task in campaign.tasks() if task.key not in known)
    with closing(_run(workers, missing)) as outcomes:
        for task in campaign.tasks():
            outcome = known.get(task.key)
            if outcome is None:
                outcome = next(outcomes)
                if outcome.program != program_digest():
                    raise OtherProgramError("a worker ran other sources than this process; start all of them anew")
                if file is not None:
                    file.add(outcome)
            yield outcome


def _run(workers: Workers, tasks: Iterator[SeedTask]) -> Generator[Outcome, None, None]:
    yield from workers.map(run_seed, tasks)


def _below_a_third(stakes: Sequence[int], rng: random.Random) -> list[int]:
    """Draw validators with less than a third of the stake: at least one that has less, and up to as many as fit."""
    total, used = sum(stakes), 0
    chosen: list[int] = []
    for index in rng.sample(range(len(stakes)), len(stakes)):
        if 3 * (used + stakes[index]) < total:
            used += stakes[index]
            chosen.append(index)
    return chosen[: rng.randint(1, len(chosen))]


def _has_room(base: Scenario) -> bool:
    """Tell whether some validator has less than a third of the stake: it may be faulty."""
    return 3 * min(base.stakes) < sum(base.stakes)


def _third_of(stakes: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    """Return the first validators of an order that have a third of the stake together."""
    chosen: list[int] = []
    for node in order:
        if 3 * sum(stakes[each] for each in chosen) >= sum(stakes):
            break
        chosen.append(node)
    return tuple(sorted(chosen))


def _possible(base: Scenario, text: str, *, can_spoil: bool) -> dict[str, float]:
    """Return the chosen faults without those that cannot strike; refuse one of them that was named."""
    chosen = parse_faults(text)
    why: dict[str, str] = {}
    if not can_spoil:
        reason = (
            f"{_NEEDS_A_THIRD} validators or more, and no adversaries named: less than a third of the stake may lose "
            "what it signed"
        )
        why |= dict.fromkeys(BREAKS_PROMISES, reason)
    if base.nodes == 1:
        why |= {name: "a second node" for name, kind in FAULTS.items() if kind.part == "link"}
    for name in chosen:
        if text != "all" and name in why:
            raise ScenarioError(f"fault {name!r} needs {why[name]}")
    return {name: intensity for name, intensity in chosen.items() if name not in why}


def _strategies(text: str, engine: str) -> tuple[str, ...]:
    if text == "none":
        return ()
    if text == "all":
        return tuple(name for name in STRATEGIES if strategy_of(name, engine) is not None)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in ADVERSARIES:
            raise UnknownAdversaryError(
                f"unknown adversary {name!r}; choose all, none, or some of {', '.join(STRATEGIES)}"
            )
        if name not in STRATEGIES:
            raise ScenarioError(
                f"adversary {name!r} is for worlds of gossip; choose all, none, or some of {', '.join(STRATEGIES)}"
            )
    return names
