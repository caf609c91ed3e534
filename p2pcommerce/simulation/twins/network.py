"""The rounds of one scenario: instances over links that take one step, partitioned round by round, then healed.

Time goes in steps: what is sent in one step arrives in the next, in the order of sending, if the two could talk when
it was sent; otherwise it is lost. In a round everybody has time for a proposal, its votes and, if it fails, for giving
it up: `ROUND_STEPS`. The interval between blocks is a round, so that a view follows its round as long as it does not
fail; a view that fails may end in the next round. The first views are led as the scenario says, later ones by the
seed. Instances that come into reach of each other are told, as nodes whose connection is made again.

After the last round all can talk, and the network must agree on a new block.

Source: Bano et al., *Twins* (arXiv 2004.10617). Deviations: partitions go by time and not by the round a message names,
because a validator that has no quorum to leave a view with would be kept in it for ever.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.finality import engine as seam
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.primitives.ids import BlockHash, PeerId, Stake
from p2pcommerce.simulation.clocks import UNIX_BASE_US
from p2pcommerce.simulation.scheme import STAND_IN
from p2pcommerce.simulation.twins.instance import Instance, Setting, Surroundings, genesis_header
from p2pcommerce.simulation.twins.judge import Judge
from p2pcommerce.simulation.twins.leaders import LeaderSeeds
from p2pcommerce.simulation.twins.rounds import Arrangement

__all__ = ["HEAL_STEPS_MAX", "ROUND_STEPS", "STEPS_PER_DELAY", "Ran", "TwinsNetwork", "run_arrangement"]

STEP_US: Final = 10_000
STEPS_PER_DELAY: Final = 2
"""Steps in D0, the engine's base delay."""
ROUND_STEPS: Final = 7
"""A proposal (1), N (1) and F (1); or the leader's timer of 2 D0 (4), Z (1), and D0 (2) until the next view starts."""
HEAL_STEPS_MAX: Final = 60 * STEPS_PER_DELAY
"""Steps after the last round within which all honest instances must hold a new block for final."""
EPOCH_BLOCKS: Final = 1_000
"""Far more than a scenario makes: it stays in epoch 0."""
_GREETING_STEPS: Final = 2
"""At the start a validator asks the others what it has signed: one step there, one back."""
_DEFECTS: Final = (P2PError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
_US_PER_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one scenario.

    Attributes:
        oracle: what was broken first; empty: all is well.
        detail: one line about it.
        steps: from the last round's end until all honest instances had a new final block.
        heights: blocks final when the last round ended, and at the end.
        is_equivocal: whether the twinned validator signed what contradicts itself.
        convictions: offences ("E1" ...) that honest instances found evidence of, each once for an instance.
        events: messages that arrived.
    """

    oracle: str
    detail: str
    steps: int
    heights: tuple[int, int]
    is_equivocal: bool
    convictions: dict[str, int]
    events: int


class _Kind:
    """What the scenarios of one size have in common."""

    def __init__(self, validators: int, rounds: int) -> None:
        seeds = [blake2b_256(b"twins validator %d" % number) for number in range(validators)]
        self.set = ValidatorSet.of(Validator(STAND_IN.public_key(seed), Stake(1)) for seed in seeds)
        by_key = {STAND_IN.public_key(seed): seed for seed in seeds}
        # Instance i is validator i of the set, so that a leader's index is its instance.
        self.seeds = [by_key[key] for key in self.set.keys]
        self.leaders = LeaderSeeds(self.set, rounds)
        self.parameters = replace(
            ChainParameters.local(),
            block_interval_ms=ROUND_STEPS * STEP_US // _US_PER_MS,
            base_delay_ms=STEPS_PER_DELAY * STEP_US // _US_PER_MS,
            heartbeat_ms=STEPS_PER_DELAY * STEP_US // _US_PER_MS,
            epoch_blocks=EPOCH_BLOCKS,
        )


_KINDS: Final[dict[tuple[int, int], _Kind]] = {}
"""Made once in a process: finding the seeds of leaders takes a while."""


class TwinsNetwork(Surroundings):
    """The instances of one scenario, and time."""

    def __init__(self, arrangement: Arrangement) -> None:
        """Set a scenario up; nothing has happened yet."""
        size = len(arrangement[0].groups) - 1, len(arrangement)
        kind = _KINDS.get(size)
        if kind is None:
            kind = _KINDS[size] = _Kind(*size)
        self.now_us = UNIX_BASE_US
        self.events = 0
        genesis_hash = kind.leaders.of([each.leader for each in arrangement])
        born_us = UNIX_BASE_US + (_GREETING_STEPS - ROUND_STEPS) * STEP_US
        genesis = genesis_header(genesis_hash, kind.set, born_us // _US_PER_MS)
        setting = Setting(kind.parameters, kind.set, genesis)
        honest = size[0] - 1
        seeds = [*kind.seeds, kind.seeds[honest]]
        self.instances = [
            Instance(number, seed, setting, self, is_twin=number >= honest) for number, seed in enumerate(seeds)
        ]
        self.honest = self.instances[:honest]
        self.judge = Judge(setting, self.honest, kind.set.keys[honest])
        self._arrangement = arrangement
        self._numbers = {key: [each for each in self.instances if each.key == key] for key in kind.set.keys}
        self._groups: tuple[int, ...] = (0,) * len(self.instances)
        self._queue: list[tuple[Instance, PeerId, bytes]] = []

    # --- what instances ask for ---

    @override
    def send(self, sender: int, to: PeerId | seam.Target, data: bytes) -> None:
        """Put a message on its way to whom it reaches; a key stands for both twins."""
        source, group = self.instances[sender], self._groups[sender]
        targets = self.instances if isinstance(to, seam.Target) else self._numbers.get(to, ())
        for target in targets:
            if target.key != source.key and self._groups[target.number] == group:
                self._queue.append((target, PeerId(source.key), data))

    @override
    def holds(self, asker: int, block_hash: BlockHash) -> Header | None:
        """Return the header of a block that somebody in the asker's group holds."""
        group = self._groups[asker]
        for each, its_group in zip(self.instances, self._groups, strict=True):
            if its_group == group and block_hash in each.headers:
                return each.headers[block_hash]
        return None

    @override
    def on_signed(self, number: int, data: bytes, *, is_logged: bool) -> None:
        """A ballot is being signed."""
        self.judge.on_signed(self.instances[number], data, is_logged=is_logged)

    @override
    def on_final(self, number: int, header: Header, proof: bytes) -> None:
        """A block is final."""
        self.judge.on_final(self.instances[number], header, proof)

    @override
    def on_effect(self, number: int, effect: seam.Evidence | seam.Blame | seam.Halt) -> None:
        """An instance accuses somebody, or stops."""
        self.judge.on_effect(self.instances[number], effect)

    # --- time ---

    def run(self) -> Ran:
        """Run the whole scenario."""
        judge, steps, height = self.judge, 0, 0
        try:
            for each in self.instances:
                each.start()
            self._pass(_GREETING_STEPS)
            for part in self._arrangement:
                self._divide(part.groups)
                self._pass(ROUND_STEPS)
            self._divide((0,) * len(self.instances))
            height = max(each.final.height for each in self.honest)
            while min(each.final.height for each in self.honest) <= height and not judge.oracle:
                if steps == HEAL_STEPS_MAX:
                    heights = [each.final.height for each in self.honest]
                    judge.report(
                        "stalled", f"{steps} steps after the last round heights are {heights}, not {height + 1}"
                    )
                    break
                self._pass(1)
                steps += 1
        except _DEFECTS as error:
            judge.report("exception", f"{type(error).__name__}: {error}")
        return Ran(
            oracle=judge.oracle,
            detail=judge.detail,
            steps=steps,
            heights=(height, min(each.final.height for each in self.honest)),
            is_equivocal=judge.is_equivocal,
            convictions=dict(sorted(Counter(judge.convictions.values()).items())),
            events=self.events,
        )

    def _divide(self, groups: tuple[int, ...]) -> None:
        """Let groups talk among themselves; those who could not before are told of each other."""
        before, self._groups = self._groups, groups
        for one in self.instances:
            for other in self.instances:
                here = groups[one.number] == groups[other.number]
                if here and one.key != other.key and before[one.number] != before[other.number]:
                    one.give(lambda now, one=one, other=other: one.engine.on_peer(PeerId(other.key), now))  # type: ignore[misc] # bound defaults
        for each in self.instances:
            each.fetch_missing()

    def _pass(self, steps: int) -> None:
        """Let time pass."""
        for _ in range(steps):
            self.now_us += STEP_US
            arrived, self._queue = self._queue, []
            self.events += len(arrived)
            for target, peer, data in arrived:
                target.give(lambda now, target=target, peer=peer, data=data: target.engine.on_message(peer, data, now))  # type: ignore[misc] # bound defaults
            for each in self.instances:
                each.wake()


def run_arrangement(arrangement: Arrangement) -> Ran:
    """Run one scenario."""
    return TwinsNetwork(arrangement).run()
