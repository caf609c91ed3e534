"""A scenario: everything that decides a world, as one small frozen value with a JSON form.

The JSON form is what shrinking leaves and what is kept as a regression test. It is read strictly; what is wrong is said
in one line.

Source: the deterministic simulator specification.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from p2pcommerce import finality
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.churn import CHURNS
from p2pcommerce.simulation.faults import (
    FAULTS,
    FaultIntensityError,
    FaultKind,
    UnknownFaultError,
    check_fault,
    draw_faults,
    parse_faults,
)
from p2pcommerce.simulation.links import BANDWIDTH_BPS
from p2pcommerce.simulation.tables import table

__all__ = [
    "ADVERSARIES",
    "ENGINES",
    "FAULTS",
    "SCENARIO_BYTES_MAX",
    "SCENARIO_VERSION",
    "Adversary",
    "FaultIntensityError",
    "FaultKind",
    "Scenario",
    "ScenarioError",
    "ScenarioVersionError",
    "UnknownAdversaryError",
    "UnknownFaultError",
    "check_fault",
    "draw_faults",
    "parse_faults",
]

SCENARIO_VERSION: Final = 1
SCENARIO_BYTES_MAX: Final = 2**20
NODES_MAX: Final = 10_000
ENGINES: Final = tuple(finality.ENGINES)
"""Names of finality engines."""
_STAKE_MAX: Final = 2**53 - 1
_TIME_US_MAX: Final = 86_400 * 365 * MICROSECONDS
ADVERSARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "equivocate": "as leader, proposes different blocks to different peers",
        "double_vote": "votes for two blocks in one view, also after a restart",
        "withhold": "leads without sending its proposal, and keeps its votes to itself",
        "selective": "sends to some peers only",
        "invalid_block": "proposes blocks that break the rules under a valid certificate",
        "lying_sync": "answers with false heights, wrong and truncated blocks",
        "false_time": "proposes blocks with times far ahead or behind",
        "twins": "runs two copies of one identity",
        "sybil": "swarms the network with identities of its own",
        "eclipse": "takes every connection of a victim",
        "announce_spam": "announces transactions that do not exist",
        "pull_spam": "asks for the same and for unknown transactions without end",
        "mute": "connects and then stays silent",
        "mempool_flood": "floods pools with transactions that pay the least or can never run",
        "wild": "votes for everything, told to some only, and proposes where no justify allows it",
        "forge": "makes certificates that others did not sign",
    }
)
"""Strategies of adversaries, by name."""


class ScenarioError(UsageError):
    """A scenario that cannot be: malformed, or its parts do not fit together."""

    code = "SCENARIO"


class ScenarioVersionError(ScenarioError):
    """A scenario written for another version."""

    code = "SCENARIO_VERSION"


class UnknownAdversaryError(ScenarioError):
    """A strategy of that name does not exist."""

    code = "UNKNOWN_ADVERSARY"


@dataclass(frozen=True, slots=True)
class Adversary:
    """Nodes that do not follow the rules.

    Attributes:
        strategy: one of `ADVERSARIES`.
        nodes: their indexes.
    """

    strategy: str
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What decides a world.

    Attributes:
        seed: of every random stream.
        nodes: how many, the validators first.
        stakes: of the validators, minor units; at most one for each node.
        engine: one of `ENGINES`.
        table: name of the latency table.
        bandwidth_bps: upload and download of each node, bits per second.
        horizon_us: length of the world, microseconds.
        liveness_us: its last part, in which faults are off and finality must resume, microseconds.
        load_tps: transactions submitted each second.
        base_delay_us: D0 of the engine, microseconds.
        epoch_blocks: blocks in an epoch.
        churn: one of `CHURNS`: how validators change at epochs, drawn among all nodes.
        faults: kind to intensity.
        adversaries: who breaks the rules, and how.
    """

    seed: int
    nodes: int = 4
    stakes: tuple[int, ...] = (1, 1, 1, 1)
    engine: str = "simplex"
    table: str = "aws"
    bandwidth_bps: int = BANDWIDTH_BPS
    horizon_us: int = 60 * MICROSECONDS
    liveness_us: int = 30 * MICROSECONDS
    load_tps: int = 5
    base_delay_us: int = MICROSECONDS
    epoch_blocks: int = ChainParameters().epoch_blocks
    churn: str = CHURNS[0]
    faults: Mapping[str, float] = field(default_factory=dict)
    adversaries: tuple[Adversary, ...] = ()

    def __post_init__(self) -> None:
        """Check that the parts fit together.

        Raises:
            ScenarioError: or a subclass: a number out of range, an unknown name.
            UnknownFaultError: a fault is unknown.
            UnknownTableError: the latency table is unknown.
        """
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ScenarioError(f"scenario: {name} is {getattr(self, name)}, must be {low} to {high}")
        if not 1 <= len(self.stakes) <= self.nodes or min(self.stakes) < 1 or sum(self.stakes) > _STAKE_MAX:
            raise ScenarioError("scenario: stakes must be one integer above 0 for each validator, at most one per node")
        for name, choices in (("engine", ENGINES), ("churn", CHURNS)):
            if getattr(self, name) not in choices:
                raise ScenarioError(
                    f"scenario: unknown {name} {getattr(self, name)!r}; choose one of {', '.join(choices)}"
                )
        if self.liveness_us > self.horizon_us:
            raise ScenarioError("scenario: liveness_us must not be above horizon_us")
        table(self.table)
        for name, intensity in self.faults.items():
            check_fault(name, intensity)
        self._check_adversaries()

    def _check_adversaries(self) -> None:
        for adversary in self.adversaries:
            if adversary.strategy not in ADVERSARIES:
                raise UnknownAdversaryError(
                    f"unknown strategy {adversary.strategy!r}; choose one of {', '.join(ADVERSARIES)}"
                )
            if not adversary.nodes or not all(0 <= node < self.nodes for node in adversary.nodes):
                raise ScenarioError(f"scenario: strategy {adversary.strategy!r} needs nodes from 0 to {self.nodes - 1}")

    @override
    def __hash__(self) -> int:
        """Hash by the JSON form: equal scenarios have equal ones."""
        return hash(self.to_json())

    @property
    def validators(self) -> int:
        """How many nodes validate: the first ones."""
        return len(self.stakes)

    @property
    def healed_us(self) -> int:
        """World time at which faults are switched off."""
        return self.horizon_us - self.liveness_us

    @property
    def adversary_nodes(self) -> tuple[int, ...]:
        """Every node that does not follow the rules, sorted."""
        return tuple(sorted({node for adversary in self.adversaries for node in adversary.nodes}))

    def with_(self, **changes: Any) -> Scenario:  # noqa: ANN401 - each field has its own type; the constructor checks them
        """Return a scenario with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """Return the readable form, in one line; equal scenarios have equal ones."""
        document = {
            "version": SCENARIO_VERSION,
            **{name: getattr(self, name) for name in _FIELDS if name not in {"faults", "adversaries"}},
            "faults": {name: self.faults[name] for name in FAULTS if name in self.faults},
            "adversaries": [{"strategy": entry.strategy, "nodes": list(entry.nodes)} for entry in self.adversaries],
        }
        return json.dumps(document)

    @classmethod
    def from_json(cls, data: str | bytes) -> Scenario:
        """Read the readable form; fields that are not there have their defaults, except version and seed.

        Raises:
            ScenarioVersionError: of another version.
            ScenarioError: malformed, or its parts do not fit together.
            UnknownFaultError: a fault is unknown.
            UnknownTableError: the latency table is unknown.
        """
        if len(data) > SCENARIO_BYTES_MAX:
            raise ScenarioError(f"scenario: {len(data)} bytes, at most {SCENARIO_BYTES_MAX} allowed")
        try:
            document = json.loads(data, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise ScenarioError(f"scenario: not readable JSON: {error}") from error
        if not isinstance(document, dict):
            raise ScenarioError("scenario: must be a JSON object")
        version = document.pop("version", None)
        if type(version) is not int or version != SCENARIO_VERSION:
            raise ScenarioVersionError(
                f"scenario: version {version!r} is not {SCENARIO_VERSION}; write it again with this program"
            )
        unknown = [name for name in document if name not in _FIELDS]
        if unknown or "seed" not in document:
            raise ScenarioError(f"scenario: unknown member {unknown[0]!r}" if unknown else "scenario: lacks 'seed'")
        return cls(**{name: _FIELDS[name](value, name) for name, value in document.items()})


_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "nodes": (1, NODES_MAX),
    "bandwidth_bps": (1_000, 10**12),
    "horizon_us": (1, _TIME_US_MAX),
    "liveness_us": (0, _TIME_US_MAX),
    "load_tps": (0, 1_000_000),
    "base_delay_us": (1_000, 600 * MICROSECONDS),
    "epoch_blocks": (2, 2**31),
}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ScenarioError("scenario: a member is given twice")
    return members


def _integer(value: object, where: str) -> int:
    if type(value) is not int:
        raise ScenarioError(f"scenario: {where} must be an integer")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ScenarioError(f"scenario: {where} must be a text")
    return value


def _integers(value: object, where: str) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ScenarioError(f"scenario: {where} must be a list of integers")
    return tuple(_integer(entry, where) for entry in value)


def _intensities(value: object, where: str) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ScenarioError(f"scenario: {where} must be an object")
    for name, intensity in value.items():
        if type(intensity) not in {int, float}:
            raise ScenarioError(f"scenario: {where}.{name} must be a number")
    return {name: float(intensity) for name, intensity in value.items()}


def _adversaries(value: object, where: str) -> tuple[Adversary, ...]:
    if not isinstance(value, list):
        raise ScenarioError(f"scenario: {where} must be a list")
    entries = []
    for row in value:
        if not isinstance(row, dict) or set(row) != {"strategy", "nodes"}:
            raise ScenarioError(f"scenario: each of {where} must have strategy and nodes")
        entries.append(Adversary(_text(row["strategy"], where), _integers(row["nodes"], where)))
    return tuple(entries)


_FIELDS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "seed": _integer,
    "nodes": _integer,
    "stakes": _integers,
    "engine": _text,
    "table": _text,
    "bandwidth_bps": _integer,
    "horizon_us": _integer,
    "liveness_us": _integer,
    "load_tps": _integer,
    "base_delay_us": _integer,
    "epoch_blocks": _integer,
    "churn": _text,
    "faults": _intensities,
    "adversaries": _adversaries,
}
