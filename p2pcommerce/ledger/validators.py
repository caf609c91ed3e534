"""The validator set: who votes, with how much stake, and what a quorum is.

Stake is an integer of minor units. The order of a set is by public key, so that every node gives a validator the same
index; certificates name signers by that index.

Source: quorum q = floor(2W/3) + 1 of Chan & Pass, Simplex Consensus (ePrint 2023/463), weighted by stake.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.primitives.codec import KEY, Shape, array, encode, record_of, uint
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.primitives.ids import PublicKey, Stake, VoteWeight

__all__ = [
    "STAKE_MAX",
    "VALIDATORS_MAX",
    "Offence",
    "Validator",
    "ValidatorSet",
    "ValidatorSetError",
    "ValidatorUpdate",
]

VALIDATORS_MAX: Final = 256
"""Validators in one set at most: a bitmap of signers is 32 bytes."""
STAKE_MAX: Final = 2**63 - 1
"""Total stake stays below 2^63 minor units."""


class ValidatorSetError(P2PError):
    """A validator set that is empty, too large, or names a validator twice or without stake."""

    code = "VALIDATOR_SET"


@dataclass(frozen=True, slots=True)
class Validator:
    """One voter.

    Attributes:
        public_key: 32 bytes.
        stake: minor units, at least 1.
    """

    public_key: PublicKey
    stake: Stake


VALIDATOR: Final[Shape[Validator]] = record_of(Validator, public_key=KEY, stake=uint(STAKE_MAX, 1))
VALIDATORS: Final = array(VALIDATOR, VALIDATORS_MAX, 1)


@dataclass(frozen=True, slots=True)
class ValidatorUpdate:
    """A change of one validator's stake, taken up at an epoch boundary; stake 0 removes it."""

    public_key: PublicKey
    stake: Stake


@dataclass(frozen=True, slots=True)
class Offence:
    """Somebody signed two messages that no honest validator signs together.

    Attributes:
        offender: public key, 32 bytes.
        epoch: the epoch of the signed messages.
        kind: which rule was broken ("E1" to "E6").
    """

    offender: PublicKey
    epoch: int
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class ValidatorSet:
    """An ordered set of validators with their stake.

    Attributes:
        validators: by public key, ascending.
        total: W, the sum of stake.
        quorum: q = floor(2W/3) + 1.
        hash: BLAKE2b-256 over the canonical encoding; committed in headers.
    """

    validators: tuple[Validator, ...]
    total: VoteWeight = field(init=False)
    quorum: VoteWeight = field(init=False)
    hash: bytes = field(init=False)
    _index: dict[PublicKey, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the members and derive the totals.

        Raises:
            ValidatorSetError: empty, over 256, out of order, a key twice, stake below 1 or a total of 2^63.
        """
        count = len(self.validators)
        if not 1 <= count <= VALIDATORS_MAX:
            raise ValidatorSetError(f"a validator set has 1 to {VALIDATORS_MAX} members, this one has {count}")
        keys = [validator.public_key for validator in self.validators]
        if any(first >= second for first, second in itertools.pairwise(keys)):
            raise ValidatorSetError("the validators must be ordered by public key, each named once")
        if any(validator.stake < 1 for validator in self.validators):
            raise ValidatorSetError("each validator must have stake")
        total = sum(validator.stake for validator in self.validators)
        if total > STAKE_MAX:
            raise ValidatorSetError(f"the stake adds up to {total}, at most {STAKE_MAX} is possible")
        object.__setattr__(self, "total", VoteWeight(total))
        object.__setattr__(self, "quorum", VoteWeight(2 * total // 3 + 1))
        object.__setattr__(self, "hash", blake2b_256(encode(VALIDATORS, self.validators)))
        object.__setattr__(self, "_index", {key: index for index, key in enumerate(keys)})

    @classmethod
    def of(cls, validators: Iterable[Validator]) -> ValidatorSet:
        """Return the set of `validators` given in any order."""
        return cls(tuple(sorted(validators, key=lambda validator: validator.public_key)))

    def __len__(self) -> int:
        return len(self.validators)

    def __iter__(self) -> Iterator[Validator]:
        return iter(self.validators)

    def __contains__(self, key: object) -> bool:
        return key in self._index

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValidatorSet) and self.validators == other.validators

    @override
    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def keys(self) -> Sequence[PublicKey]:
        """The public keys in index order."""
        return [validator.public_key for validator in self.validators]

    def index(self, key: PublicKey) -> int | None:
        """Return the index of a validator, None for a stranger."""
        return self._index.get(key)

    def stake(self, key: PublicKey) -> Stake:
        """Return the stake of a validator, 0 for a stranger."""
        index = self._index.get(key)
        return Stake(0) if index is None else self.validators[index].stake

    def weight(self, keys: Iterable[PublicKey]) -> VoteWeight:
        """Return the vote weight of some signers; each counts once."""
        return VoteWeight(sum(self.stake(key) for key in dict.fromkeys(keys)))
