"""What a verifier believes beforehand: a network, and who decides in one of its epochs.

An anchor is a readable JSON file, so that an operator can hand one on as a checkpoint:

    {"version": 2, "genesis_hash": "<64 hex digits>", "epoch": 12, "epoch_blocks": 7200, "time_ms": 1700000000000,
     "validators": [{"public_key": "<64 hex digits>", "stake": 1000}],
     "before": {"block_hash": "<64 hex digits>", "time_ms": 1699990000000, "validators": [...]}}

`before` is the last block of the epoch before, with the validators who decided on it: the newest snapshot of a network
is of that block, and a node that begins with the anchor has to be able to check it. An anchor of epoch 0 has none.

`epoch_blocks`, how many blocks an epoch has, tells which block is an epoch's last one: who follows epochs from the
anchor takes no other for it, and would else name a wrong one in the anchor that it hands on.

Source: weak subjectivity in the finality specification.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from p2pcommerce.finality.engine import Sets
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.validators import STAKE_MAX, Validator, ValidatorSet, ValidatorSetError
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import HASH_BYTES, BlockHash, Epoch, GenesisHash, PublicKey, Stake

__all__ = ["ANCHOR_BYTES_MAX", "AnchorError", "EpochEnd", "TrustAnchor"]

ANCHOR_BYTES_MAX: Final = 128 * 1024
"""An anchor of two sets of 256 validators has about 75 KB."""
_VERSION: Final = 2
_EPOCH_MAX: Final = 2**32 - 1
_EPOCH_BLOCKS_MAX: Final = 2**31
_TIME_MS_MAX: Final = 2**63 - 1


class AnchorError(UsageError):
    """A trust anchor that cannot be read; one line says where and why."""

    code = "ANCHOR"


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """The last block of an epoch.

    Attributes:
        block_hash: 32 bytes.
        time_ms: its time, Unix milliseconds: from then on those of its validators who left may get their stake back.
        validators: who decided in that epoch.
    """

    block_hash: BlockHash
    time_ms: int
    validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """What a verifier believes beforehand.

    Attributes:
        genesis_hash: the network, 32 bytes.
        validators: who decides in the epoch.
        epoch: its number.
        time_ms: of the newest block that is known to be final, Unix milliseconds: how old the trust is; 0: not known,
            which is too old for a light client, and nothing to a proof.
        before: the end of the epoch before, from which the set is known; None: not known, or the genesis.
        epoch_blocks: blocks of an epoch; None: not known, which is enough to check proofs by, but not to follow epochs
            from, nor for a file.
    """

    genesis_hash: GenesisHash
    validators: ValidatorSet
    epoch: Epoch = field(default=Epoch(0))
    time_ms: int = 0
    before: EpochEnd | None = None
    epoch_blocks: int | None = None

    @classmethod
    def of(cls, genesis: Genesis) -> TrustAnchor:
        """Trust a genesis."""
        blocks = genesis.parameters.epoch_blocks
        return cls(genesis.hash, genesis.validators, Epoch(0), genesis.time_ms, epoch_blocks=blocks)

    def require_epoch_blocks(self) -> int:
        """Return how many blocks an epoch has.

        Raises:
            AnchorError: the anchor does not say.
        """
        if self.epoch_blocks is None:
            raise AnchorError(
                "the trust anchor does not say how many blocks an epoch has: name epoch_blocks, or take an anchor of a "
                "genesis (TrustAnchor.of), of a file or of a node"
            )
        return self.epoch_blocks

    @property
    def sets(self) -> Sets:
        """Epoch -> the trusted set; KeyError for every other epoch."""
        return {int(self.epoch): self.validators}.__getitem__

    def to_json(self) -> str:
        """Return the readable form.

        Raises:
            AnchorError: it does not say how many blocks an epoch has.
        """
        document: dict[str, object] = {
            "version": _VERSION,
            "genesis_hash": self.genesis_hash.hex(),
            "epoch": self.epoch,
            "epoch_blocks": self.require_epoch_blocks(),
            "time_ms": self.time_ms,
            "validators": _plain(self.validators),
        }
        if self.before is not None:
            document["before"] = {
                "block_hash": self.before.block_hash.hex(),
                "time_ms": self.before.time_ms,
                "validators": _plain(self.before.validators),
            }
        return json.dumps(document, indent=1) + "\n"

    @classmethod
    def from_json(cls, data: str | bytes) -> TrustAnchor:
        """Read the readable form.

        Raises:
            AnchorError: too large, malformed, of another version, or its validators are no set.
        """
        if len(data) > ANCHOR_BYTES_MAX:
            raise AnchorError(f"a trust anchor of {len(data)} bytes, at most {ANCHOR_BYTES_MAX} are possible")
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise AnchorError(f"a trust anchor that is no JSON: {error}") from error
        names = {"version", "genesis_hash", "epoch", "epoch_blocks", "time_ms", "validators"}
        is_known = isinstance(document, dict) and set(document) - {"before"} == names
        if not is_known or document["version"] != _VERSION:
            raise AnchorError(f"a trust anchor has version {_VERSION} and the members {', '.join(sorted(names))}")
        epoch = Epoch(_integer(document["epoch"], "epoch", 0, _EPOCH_MAX))
        before = document.get("before")
        if "before" in document and epoch == 0:
            raise AnchorError("a trust anchor of epoch 0 has no epoch before")
        return cls(
            GenesisHash(_digest(document["genesis_hash"])),
            _validators(document["validators"]),
            epoch,
            _integer(document["time_ms"], "time_ms", 0, _TIME_MS_MAX),
            None if "before" not in document else _end(before),
            _integer(document["epoch_blocks"], "epoch_blocks", 1, _EPOCH_BLOCKS_MAX),
        )

    @classmethod
    def load(cls, path: str | Path) -> TrustAnchor:
        """Read an anchor's file.

        Raises:
            AnchorError: it cannot be read, or holds no anchor; the message names the file.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                data = file.read(ANCHOR_BYTES_MAX + 1)
        except OSError as error:
            raise AnchorError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            return cls.from_json(data)
        except AnchorError as error:
            raise AnchorError(f"{path}: {error}") from error


def _plain(validators: ValidatorSet) -> list[dict[str, object]]:
    return [{"public_key": each.public_key.hex(), "stake": each.stake} for each in validators]


def _end(document: Any) -> EpochEnd:  # noqa: ANN401 - of a file: any type may come
    names = {"block_hash", "time_ms", "validators"}
    if not isinstance(document, dict) or set(document) != names:
        raise AnchorError(f"a trust anchor's before has the members {', '.join(sorted(names))}")
    return EpochEnd(
        BlockHash(_digest(document["block_hash"])),
        _integer(document["time_ms"], "time_ms", 0, _TIME_MS_MAX),
        _validators(document["validators"]),
    )


def _validators(members: Any) -> ValidatorSet:  # noqa: ANN401 - of a file: any type may come
    if not isinstance(members, list):
        raise AnchorError("a trust anchor's validators must be a list")
    try:
        return ValidatorSet.of([_validator(member) for member in members])
    except ValidatorSetError as error:
        raise AnchorError(f"a trust anchor's validators: {error}") from error


def _validator(member: Any) -> Validator:  # noqa: ANN401 - of a file: any type may come
    if not isinstance(member, dict) or set(member) != {"public_key", "stake"}:
        raise AnchorError("each validator of a trust anchor must have public_key and stake")
    stake = _integer(member["stake"], "stake", 1, STAKE_MAX)
    return Validator(PublicKey(_digest(member["public_key"])), Stake(stake))


def _digest(value: Any) -> bytes:  # noqa: ANN401 - of a file: any type may come
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != HASH_BYTES or raw.hex() != value:
        raise AnchorError(f"a trust anchor holds hashes and keys of {2 * HASH_BYTES} lower-case hexadecimal digits")
    return raw


def _integer(value: Any, name: str, low: int, high: int) -> int:  # noqa: ANN401 - of a file: any type may come
    if type(value) is not int or not low <= value <= high:
        raise AnchorError(f"a trust anchor's {name} must be an integer from {low} to {high}")
    return value
