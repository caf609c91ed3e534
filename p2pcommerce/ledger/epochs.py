"""Epochs: which validators decide which heights, and the records of them that the chain keeps in the state.

An epoch is `epoch_blocks` heights. The set S_e decides epoch e. S_0 and S_1 are the genesis set; S_{e+2} is frozen when
the last block of epoch e, its boundary block, is executed, from the candidates as they then are. So each header can
name its own set and the next one, and a change of stake in epoch e acts from epoch e+2 on.

The records below are written by the chain, never by the application, in the same state, so that the state root covers
them. Their keys begin with a zero byte and have at least one more:

    00 'c'          the candidates: public key and stake of everybody whom the application named last with stake
    00 'v' epoch    the set of an epoch
    00 's' epoch    the seed of an epoch
    00 't' epoch    the chain's time at the first block of an epoch, but epoch 0
    00 'r'          the seed of the next epoch, as far as the blocks of this one give it
    00 'l'          the lowest epoch whose records are kept
    00 'k'          the chain's time: milliseconds from the genesis on, at most 60 s for each block

Evidence of an epoch counts until `unbonding_s` after the first block of the next one, when the first stake that voted
in it may be withdrawn; so long its records are kept, but of at most `EPOCHS_KEPT_MAX` epochs. Both are measured by
the chain's time: by the time of headers, a halt of the chain would let evidence grow old while nobody could submit it,
and offenders could still be punished.

Source: the epochs of the finality specification. Deviations: the seed is a chain of hashes, seed -> H(seed | output)
for each final block of the epoch in order, in the place of one hash over all outputs: it needs no list of them. The age
of evidence is not measured in days of 24 hours, but by the chain's time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.state import State, StateChanges, StateView
from p2pcommerce.ledger.validators import (
    VALIDATOR,
    VALIDATORS,
    VALIDATORS_MAX,
    Validator,
    ValidatorSet,
    ValidatorSetError,
    ValidatorUpdate,
)
from p2pcommerce.primitives.codec import U32, U64, array, decode, encode
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import Epoch, PublicKey

__all__ = [
    "CANDIDATES_MAX",
    "EPOCHS_KEPT_MAX",
    "SystemKeyError",
    "boundary_of",
    "candidates_in",
    "chain_time_in",
    "check_application_keys",
    "epoch_of",
    "epoch_of_set_key",
    "evidence_sets_in",
    "founding_state",
    "is_boundary",
    "is_system_key",
    "read_set",
    "seed_in",
    "set_key",
    "sets_change_in",
    "sets_in",
    "settle",
]

CANDIDATES_MAX: Final = 1_024
"""Candidates kept at most, those with the most stake: four times what one set holds."""
EPOCHS_KEPT_MAX: Final = 4_096
"""Epochs whose sets and seeds are kept at most, whatever the evidence age: half a year of epochs of an hour."""
_RECORD_BYTES_MAX: Final = 64 * CANDIDATES_MAX
_CANDIDATES: Final = b"\x00c"
_SET: Final = b"\x00v"
_SEED: Final = b"\x00s"
_STARTED: Final = b"\x00t"
_GROWING_SEED: Final = b"\x00r"
_LOWEST: Final = b"\x00l"
_TIME: Final = b"\x00k"
_TIME_BYTES_MAX: Final = 16
_CANDIDATES_SHAPE: Final = array(VALIDATOR, CANDIDATES_MAX)


class SystemKeyError(LocalProtocolError):
    """An application wrote a record that belongs to the chain: a defect of the application."""

    code = "SYSTEM_KEY"


# --- heights ---


def epoch_of(height: int, epoch_blocks: int) -> Epoch:
    """Return the epoch that decides a height; genesis (0) counts to epoch 0."""
    return Epoch(max(height - 1, 0) // epoch_blocks)


def boundary_of(epoch: int, epoch_blocks: int) -> int:
    """Return the height of an epoch's last block."""
    return (epoch + 1) * epoch_blocks


def is_boundary(height: int, epoch_blocks: int) -> bool:
    """Tell whether the block of this height is the last one of an epoch."""
    return height > 0 and height % epoch_blocks == 0


# --- keys ---


def is_system_key(key: bytes) -> bool:
    """Tell whether a state key belongs to the chain."""
    return len(key) > 1 and key[0] == 0


def check_application_keys(changes: Mapping[bytes, bytes | None]) -> None:
    """Check that an application wrote its own records only.

    Raises:
        SystemKeyError: it did not.
    """
    for key in changes:
        if key[:1] == b"\x00" and len(key) > 1:
            raise SystemKeyError(f"the application wrote the chain's own record {key[:8].hex()}: use other keys")


def set_key(epoch: int) -> bytes:
    """Return the state key of an epoch's validator set."""
    return _at(_SET, epoch)


def epoch_of_set_key(key: bytes) -> int | None:
    """Return the epoch of whose set a state key is, None for other keys."""
    return int.from_bytes(key[2:], "big") if key[:2] == _SET and len(key) == 6 else None


def read_set(raw: bytes) -> ValidatorSet:
    """Read a validator set's record.

    Raises:
        CodecError: it is none.
        ValidatorSetError: it is no set.
    """
    return ValidatorSet(decode(VALIDATORS, raw, _RECORD_BYTES_MAX))


def _at(tag: bytes, epoch: int) -> bytes:
    return tag + epoch.to_bytes(4, "big")


# --- reading ---


_read_set = lru_cache(maxsize=64)(read_set)


def sets_in(view: StateView) -> Callable[[int], ValidatorSet]:
    """Return epoch -> its validator set as a state has it; KeyError for an epoch that is not known, or no longer."""

    def find(epoch: int) -> ValidatorSet:
        raw = view.get(set_key(epoch)) if 0 <= epoch < 2**32 else None
        if raw is None:
            raise KeyError(epoch)
        return _read_set(raw)

    return find


def chain_time_in(view: StateView) -> int:
    """Return the chain's time: milliseconds from the genesis on, without what each block took longer than 60 s."""
    raw = view.get(_TIME)
    return 0 if raw is None else decode(U64, raw, _TIME_BYTES_MAX)


def evidence_sets_in(view: StateView, step_ms: int, unbonding_s: int) -> Callable[[int], ValidatorSet]:
    """Return epoch -> its set, of the epochs from which evidence counts; KeyError for others.

    Args:
        view: the state before the block that judges.
        step_ms: by which that block moves the chain's time; 0: as of the state itself.
        unbonding_s: how long evidence counts, seconds.
    """
    find, now_ms = sets_in(view), chain_time_in(view) + step_ms

    def find_young(epoch: int) -> ValidatorSet:
        validators = find(epoch)
        if _is_free(view, epoch, now_ms, unbonding_s):
            raise KeyError(epoch)
        return validators

    return find_young


def _is_free(view: StateView, epoch: int, now_ms: int, unbonding_s: int) -> bool:
    """Tell whether stake that voted in an epoch may have been withdrawn: as `commerce.epoch_clock` has it."""
    raw = view.get(_at(_STARTED, epoch + 1)) if epoch < 2**32 - 1 else None
    return raw is not None and now_ms >= decode(U64, raw, _TIME_BYTES_MAX) + unbonding_s * 1_000


def seed_in(view: StateView, epoch: int) -> bytes:
    """Return the seed (32 bytes) of an epoch that has begun.

    Raises:
        KeyError: it is not known, or no longer.
    """
    seed = view.get(_at(_SEED, epoch))
    if seed is None:
        raise KeyError(epoch)
    return seed


def sets_change_in(view: StateView) -> bool:
    """Tell whether this chain's sets change: its engine follows epochs, and one block at least is executed.

    With an engine that does not, no block writes a record, and the set of the genesis is for ever that of epoch 0. At
    height 0 the two cannot be told apart, for the state names no engine, and the answer is no.
    """
    return view.get(_GROWING_SEED) != view.get(_at(_SEED, 0))


def candidates_in(view: StateView) -> dict[PublicKey, int]:
    """Return public key (32 bytes) -> stake of everybody who may become a validator."""
    raw = view.get(_CANDIDATES)
    found = () if raw is None else decode(_CANDIDATES_SHAPE, raw, _RECORD_BYTES_MAX)
    return {candidate.public_key: candidate.stake for candidate in found}


# --- writing ---


def founding_state(genesis: Genesis, changes: StateChanges) -> StateChanges:
    """Return the whole state at height 0.

    Args:
        genesis: the network.
        changes: the application's part.

    Raises:
        SystemKeyError: the application wrote the chain's records.
    """
    check_application_keys(changes)
    first = encode(VALIDATORS, genesis.validators.validators)
    return dict(changes) | {
        _CANDIDATES: encode(_CANDIDATES_SHAPE, genesis.validators.validators),
        set_key(0): first,
        set_key(1): first,
        _at(_SEED, 0): bytes(genesis.hash),
        _GROWING_SEED: bytes(genesis.hash),
        _LOWEST: encode(U32, 0),
        _TIME: encode(U64, 0),
    }


def settle(
    state: State, genesis: Genesis, *, height: int, step_ms: int, updates: Sequence[ValidatorUpdate], output: bytes
) -> None:
    """Write what a block changes in the chain's records.

    Args:
        state: the draft after the application's part.
        genesis: the network.
        height: of the block.
        step_ms: by which the block moves the chain's time, milliseconds (`BlockContext.step_ms`).
        updates: the changes of stake that the application reports; of two for one key the last counts.
        output: the random output of the block's proposer.
    """
    if updates:
        _update_candidates(state, updates)
    seed = blake2b_256((state.get(_GROWING_SEED) or b"") + output)
    state.put(_GROWING_SEED, seed)
    now_ms = chain_time_in(state) + step_ms
    state.put(_TIME, encode(U64, now_ms))
    blocks = genesis.parameters.epoch_blocks
    epoch = epoch_of(height, blocks)
    if is_boundary(height - 1, blocks):
        state.put(_at(_STARTED, epoch), encode(U64, now_ms))
    if is_boundary(height, blocks):
        state.put(_at(_SEED, epoch + 1), seed)
        state.put(set_key(epoch + 2), _frozen(state, epoch + 1))
        _forget(state, epoch, now_ms, genesis.parameters.unbonding_s)


def _update_candidates(state: State, updates: Sequence[ValidatorUpdate]) -> None:
    candidates = candidates_in(state)
    for update in updates:
        if update.stake > 0:
            candidates[update.public_key] = update.stake
        else:
            candidates.pop(update.public_key, None)
    kept = _top(candidates, CANDIDATES_MAX)
    raw = encode(_CANDIDATES_SHAPE, tuple(kept))
    if raw != state.get(_CANDIDATES):
        state.put(_CANDIDATES, raw)


def _top(candidates: Mapping[PublicKey, int], count: int) -> list[Validator]:
    """Return those with the most stake (of equals the lower keys), by public key."""
    ranked = sorted(candidates.items(), key=lambda item: (-item[1], item[0]))[:count]
    return [Validator(key, stake) for key, stake in sorted(ranked)]  # type: ignore[arg-type] # a stake, as it was named


def _frozen(state: State, before: int) -> bytes:
    """Return the next set as a record: from the candidates; the set of epoch `before` if they make none."""
    try:
        chosen = ValidatorSet(tuple(_top(candidates_in(state), VALIDATORS_MAX)))
    except ValidatorSetError:
        return encode(VALIDATORS, sets_in(state)(before).validators)
    return encode(VALIDATORS, chosen.validators)


def _forget(state: State, epoch: int, now_ms: int, unbonding_s: int) -> None:
    """Remove the records of epochs from which no evidence counts any more, and of too many."""
    lowest = first = decode(U32, state.get(_LOWEST) or encode(U32, 0), 8)
    while lowest < epoch:
        if not _is_free(state, lowest, now_ms, unbonding_s) and epoch - lowest < EPOCHS_KEPT_MAX:
            break
        for tag in (_SET, _SEED, _STARTED):
            state.remove(_at(tag, lowest))
        lowest += 1
    if lowest != first:
        state.put(_LOWEST, encode(U32, lowest))
