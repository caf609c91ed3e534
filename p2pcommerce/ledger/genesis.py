"""Genesis: the parameters, validators and balances from which a network starts.

A readable JSON file for people; its hash, the chain id, is over the canonical encoding and not over the JSON text, so
that white space changes nothing. A malformed file is refused with the place and the reason.

Source: the chain parameters of the interface specification.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from p2pcommerce.ledger.validators import STAKE_MAX, VALIDATORS, Validator, ValidatorSet, ValidatorSetError
from p2pcommerce.primitives.codec import KEY, U64, Shape, array, encode, pair, record, text, uint
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.ids import GenesisHash, PublicKey, Stake

__all__ = ["GENESIS_BYTES_MAX", "TOKEN_MINOR", "ChainParameters", "Genesis", "GenesisError"]

T = TypeVar("T")

TOKEN_MINOR: Final = 1_000_000
"""Minor units in one token."""
GENESIS_BYTES_MAX: Final = 16 * 2**20
BALANCES_MAX: Final = 100_000
SUPPLY_MAX: Final = 2**63 - 1
_DAY_S: Final = 86_400
_ENGINE: Final = re.compile(r"[a-z0-9-]{1,16}")


class GenesisError(UsageError):
    """A genesis file or genesis arguments that cannot found a network."""

    code = "GENESIS"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainParameters:
    """What every node of one network agrees on. Source of all numbers: the interface specification.

    Attributes:
        block_interval_ms: least time between a block and its parent, milliseconds.
        base_delay_ms: D0 of the finality engine, milliseconds.
        heartbeat_ms: an idle network makes a block at least this often, milliseconds.
        epoch_blocks: blocks in an epoch.
        bond_minor_min: least bond of a validator, minor units.
        unbonding_s: seconds from leaving the set to withdrawal; also the age up to which evidence counts.
        fee_floor: minor units per weight.
        byte_price: minor units of deposit per byte of state.
        slash_bps: basis points of stake lost by an offender.
        reporter_bps: basis points of the slashed stake paid to the reporter.
        block_bytes_max: bytes of transactions in a block at most.
        block_weight_max: sum of weights in a block at most.
        block_transactions_max: transactions in a block at most.
        term_s_min: least ship time in terms, and least window of a team, seconds.
        confirm_s_min: least confirm and dispute time in terms, seconds.
        term_s_max: most of all these times, seconds.
        done_order_s: how long a finished order waits for its review, seconds.
        protocol_fee_bps: basis points of a finished order, half of it burned.
    """

    block_interval_ms: int = 500
    base_delay_ms: int = 1_000
    heartbeat_ms: int = 5_000
    epoch_blocks: int = 7_200
    bond_minor_min: int = 1_000 * TOKEN_MINOR
    unbonding_s: int = 21 * _DAY_S
    fee_floor: int = 1
    byte_price: int = 10
    slash_bps: int = 1_000
    reporter_bps: int = 5_000
    block_bytes_max: int = 1_000_000
    block_weight_max: int = 8_000_000
    block_transactions_max: int = 1_500
    term_s_min: int = 3_600
    confirm_s_min: int = _DAY_S
    term_s_max: int = 60 * _DAY_S
    done_order_s: int = 30 * _DAY_S
    protocol_fee_bps: int = 50

    @classmethod
    def local(cls) -> ChainParameters:
        """Return the parameters for demos and tests on one machine."""
        return cls(
            block_interval_ms=100,
            base_delay_ms=100,
            epoch_blocks=200,
            bond_minor_min=TOKEN_MINOR,
            unbonding_s=60,
            term_s_min=1,
            confirm_s_min=1,
            done_order_s=10,
        )


_PARAMETER_RANGES: Final[dict[str, tuple[int, int]]] = {
    "block_interval_ms": (1, 600_000),
    "base_delay_ms": (1, 600_000),
    "heartbeat_ms": (1, 86_400_000),
    "epoch_blocks": (2, 2**31),
    "bond_minor_min": (1, STAKE_MAX),
    "unbonding_s": (1, 10 * 365 * _DAY_S),
    "fee_floor": (0, 2**32),
    "byte_price": (0, 2**32),
    "slash_bps": (0, 10_000),
    "reporter_bps": (0, 10_000),
    "block_bytes_max": (20_000, 1_000_000),
    "block_weight_max": (20_000, 2**32),
    "block_transactions_max": (1, 1_500),
    "term_s_min": (1, 365 * _DAY_S),
    "confirm_s_min": (1, 365 * _DAY_S),
    "term_s_max": (1, 10 * 365 * _DAY_S),
    "done_order_s": (1, 10 * 365 * _DAY_S),
    "protocol_fee_bps": (0, 1_000),
}
_PARAMETERS: Final = record(
    lambda *values: ChainParameters(**dict(zip(_PARAMETER_RANGES, values, strict=True))),
    **{name: uint(high, low) for name, (low, high) in _PARAMETER_RANGES.items()},
)


@dataclass(frozen=True, slots=False, kw_only=True)
class Genesis:
    """The start of one network.

    Attributes:
        network: its name, at most 32 bytes.
        time_ms: Unix milliseconds of height 0.
        engine: name of the finality engine that all of its nodes run; 1 to 16 of a-z, 0-9 and "-".
        parameters: what every node agrees on.
        validators: the first validator set.
        balances: account (32 bytes) to minor units, at least 1.
    """

    network: str
    time_ms: int
    parameters: ChainParameters
    validators: ValidatorSet
    balances: Mapping[PublicKey, int] = field(default_factory=dict)
    engine: str = "simplex"

    def __post_init__(self) -> None:
        """Check what the shapes of the fields do not say.

        Raises:
            GenesisError: a number out of range, a total above the supply limit.
        """
        try:
            _PARAMETERS.read(tuple(getattr(self.parameters, name) for name in _PARAMETER_RANGES))
            _HEAD.read((self.network, self.time_ms))
            _BALANCES.read(tuple(sorted(self.balances.items())))
        except CodecError as error:
            raise GenesisError(f"genesis: {error}") from error
        if not self.network:
            raise GenesisError("genesis: network must have a name")
        if not isinstance(self.engine, str) or not _ENGINE.fullmatch(self.engine):
            raise GenesisError('genesis: engine must be a name of 1 to 16 of a-z, 0-9 and "-"')
        if self.parameters.term_s_max < max(self.parameters.term_s_min, self.parameters.confirm_s_min):
            raise GenesisError("genesis: term_s_max must not be below term_s_min or confirm_s_min")
        if self.supply_minor > SUPPLY_MAX:
            raise GenesisError(
                f"genesis: balances and stake add up to {self.supply_minor}, at most {SUPPLY_MAX} allowed"
            )

    @classmethod
    def new(
        cls,
        network: str,
        validators: Iterable[Validator] | Mapping[PublicKey, int],
        balances: Mapping[PublicKey, int] | None = None,
        *,
        time_ms: int = 0,
        parameters: ChainParameters | None = None,
        engine: str = "simplex",
    ) -> Genesis:
        """Build a genesis with the parameters of a wide network.

        Args:
            network: its name, at most 32 bytes.
            validators: the first validators, or a mapping from public key (32 bytes) to stake in minor units.
            balances: account (32 bytes) to minor units.
            time_ms: Unix milliseconds of height 0.
            parameters: other than the defaults.
            engine: name of the finality engine that all of its nodes run.

        Raises:
            GenesisError: something is out of range.
        """
        members = (
            [Validator(key, Stake(stake)) for key, stake in validators.items()]
            if isinstance(validators, Mapping)
            else list(validators)
        )
        try:
            chosen = ValidatorSet.of(members)
        except ValidatorSetError as error:
            raise GenesisError(f"genesis: {error}") from error
        return cls(
            network=network,
            time_ms=time_ms,
            parameters=ChainParameters() if parameters is None else parameters,
            validators=chosen,
            balances=dict(balances or {}),
            engine=engine,
        )

    @classmethod
    def local(
        cls,
        network: str,
        validators: Iterable[Validator] | Mapping[PublicKey, int],
        balances: Mapping[PublicKey, int] | None = None,
        *,
        time_ms: int = 0,
        engine: str = "simplex",
    ) -> Genesis:
        """Build a genesis with the parameters for demos and tests on one machine; see `new`."""
        return cls.new(
            network, validators, balances, time_ms=time_ms, parameters=ChainParameters.local(), engine=engine
        )

    @cached_property
    def supply_minor(self) -> int:
        """Every minor unit there will ever be: balances and stake; each block is audited against it."""
        return sum(self.balances.values()) + self.validators.total

    @cached_property
    def hash(self) -> GenesisHash:
        """The chain id: BLAKE2b-256 over the canonical encoding."""
        return GenesisHash(blake2b_256(encode(_GENESIS, self)))

    def to_json(self) -> str:
        """Return the readable form."""
        document = {
            "network": self.network,
            "time_ms": self.time_ms,
            "engine": self.engine,
            "parameters": dataclasses.asdict(self.parameters),
            "validators": [
                {"public_key": validator.public_key.hex(), "stake_minor": validator.stake}
                for validator in self.validators
            ],
            "balances": [
                {"account": account.hex(), "amount_minor": amount} for account, amount in sorted(self.balances.items())
            ],
        }
        return json.dumps(document, indent=2) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the readable form to a file.

        Raises:
            GenesisError: the file cannot be written.
        """
        try:
            Path(path).write_text(self.to_json(), encoding="utf-8")
        except OSError as error:
            raise GenesisError(f"{path}: cannot be written: {error.strerror or error}") from error

    @classmethod
    def load(cls, path: str | Path) -> Genesis:
        """Read a genesis from a file.

        Raises:
            GenesisError: the file cannot be read or is malformed; the message names file, place and reason.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise GenesisError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            return cls.from_json(data)
        except GenesisError as error:
            raise GenesisError(f"{path}: {error}") from error

    @classmethod
    def from_json(cls, data: bytes) -> Genesis:
        """Read a genesis from its readable form.

        Raises:
            GenesisError: malformed; the message names place and reason.
        """
        if len(data) > GENESIS_BYTES_MAX:
            raise GenesisError(f"{len(data)} bytes, at most {GENESIS_BYTES_MAX} allowed")
        try:
            document = json.loads(data, object_pairs_hook=_unique)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno} column {error.colno}"
            raise GenesisError(f"is no genesis, as it is not JSON: {where}: {error.msg}") from error
        except (ValueError, RecursionError) as error:  # not UTF-8, a number of thousands of digits, or nested too deep
            raise GenesisError(f"is no genesis, as it is not readable JSON: {error}") from error
        top = _members(document, "genesis", ("network", "time_ms", "engine", "parameters", "validators", "balances"))
        given = _members(top["parameters"], "parameters", tuple(_PARAMETER_RANGES))
        parameters = _read(_PARAMETERS, tuple(given[name] for name in _PARAMETER_RANGES), "parameters")
        validators = [
            Validator(
                _key(row["public_key"], f"{where}.public_key"),
                Stake(_integer(row["stake_minor"], f"{where}.stake_minor")),
            )
            for where, row in _rows(top["validators"], "validators", ("public_key", "stake_minor"))
        ]
        balances: dict[PublicKey, int] = {}
        for where, row in _rows(top["balances"], "balances", ("account", "amount_minor")):
            account = _key(row["account"], f"{where}.account")
            if account in balances:
                raise GenesisError(f"{where}: account {account.hex()} is named twice")
            balances[account] = _integer(row["amount_minor"], f"{where}.amount_minor")
        network, time_ms = _read(_HEAD, (top["network"], top["time_ms"]), "genesis")
        return cls.new(network, validators, balances, time_ms=time_ms, parameters=parameters, engine=top["engine"])


_HEAD: Final[Shape[tuple[str, int]]] = record(
    lambda network, time_ms: (network, time_ms), network=text(32), time_ms=U64
)
_BALANCES: Final = array(pair(KEY, uint(SUPPLY_MAX, 1)), BALANCES_MAX)


def _plain_genesis(genesis: Genesis) -> object:
    return (
        1,
        genesis.network,
        genesis.time_ms,
        genesis.engine,
        _PARAMETERS.plain(genesis.parameters),
        VALIDATORS.plain(genesis.validators.validators),
        tuple(sorted(genesis.balances.items())),
    )


def _never_read(_: object) -> Genesis:
    raise CodecError("a genesis is read from JSON, never from its canonical encoding")


_GENESIS: Final[Shape[Genesis]] = Shape(_never_read, _plain_genesis)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise GenesisError(f'"{twice}" is given twice')
    return members


def _members(value: object, where: str, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GenesisError(f"{where} must be an object")
    missing = [name for name in names if name not in value]
    unknown = [name for name in value if name not in names]
    if missing:
        raise GenesisError(f'{where} lacks "{missing[0]}"')
    if unknown:
        raise GenesisError(f'{where} has an unknown member "{unknown[0]}"')
    return value


def _rows(value: object, where: str, names: tuple[str, ...]) -> Iterable[tuple[str, dict[str, Any]]]:
    if not isinstance(value, list):
        raise GenesisError(f"{where} must be a list")
    for index, row in enumerate(value):
        yield f"{where}[{index}]", _members(row, f"{where}[{index}]", names)


def _key(value: object, where: str) -> PublicKey:
    try:
        key = bytes.fromhex(value) if isinstance(value, str) and len(value) == 64 else b""
    except ValueError:
        key = b""
    if len(key) != 32:
        raise GenesisError(f"{where} must be 64 hexadecimal digits")
    return PublicKey(key)


def _integer(value: object, where: str) -> int:
    if type(value) is not int:
        raise GenesisError(f"{where} must be an integer")
    return value


def _read(shape: Shape[T], value: tuple[object, ...], where: str) -> T:
    try:
        return shape.read(value)
    except CodecError as error:
        raise GenesisError(f"{where}: {error}") from error
