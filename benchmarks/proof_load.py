"""Claims to be proven: an item with a history, under validators with real keys, in a state of a given depth.

Everything is made from numbers by hashing: the same arguments give the same bytes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

from p2pcommerce.commerce import HistoryEntry, item_id, item_key
from p2pcommerce.commerce.item import ITEM, new_item, next_head
from p2pcommerce.finality.certificates import Vote, make_certificate
from p2pcommerce.finality.proof import encode_proof
from p2pcommerce.finality.simplex.messages import Seal, encode_seal
from p2pcommerce.finality.voting import VOTE_DOMAIN, Ballot, VoteKind
from p2pcommerce.ledger.block import BLOCK_VERSION, Header
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.node.compact import Claim
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.primitives.crypto import ED25519, blake2b_256, signed_bytes
from p2pcommerce.primitives.ids import BlockHash, Epoch, Height, PublicKey, Stake, TransactionId
from p2pcommerce.primitives.sparse_merkle import StateProof, state_root_of

TIME_MS: Final = 1_760_000_000_000
HOUR_MS: Final = 3_600_000
EPOCH: Final = Epoch(10)
GTIN: Final = "09520001000010"
SERIAL: Final = "7c4f-000117"
_VIEW: Final = 123_456
_STEPS: Final = (
    ("trace.commission", "maker"),
    ("trace.ship", "maker"),
    ("trace.receive", "carrier"),
    ("trace.ship", "carrier"),
    ("trace.receive", "store"),
    ("trace.observe", "store"),
)


def digest(name: str) -> bytes:
    """Return 32 bytes that stand for something."""
    return blake2b_256(name.encode())


@cache
def key_of(name: str) -> PublicKey:
    """Return the public key of somebody."""
    return ED25519.public_key(digest(name))


class ProofLoad:
    """A network of some validators with equal stake, in its tenth epoch."""

    def __init__(self, validators: int = 21) -> None:
        """Found it."""
        seeds = {key_of(f"validator {number}"): digest(f"validator {number}") for number in range(validators)}
        self.validators = ValidatorSet.of([Validator(key, Stake(1_000_000)) for key in seeds])
        self.genesis = Genesis.new("proofs", self.validators.validators, time_ms=TIME_MS, parameters=ChainParameters())
        self.anchor = replace(TrustAnchor.of(self.genesis), epoch=EPOCH, time_ms=TIME_MS)
        self._seeds = [seeds[key] for key in self.validators.keys]

    def history(self, events: int) -> tuple[HistoryEntry, ...]:
        """Return the events of an item, four hours apart."""
        entries = []
        for number in range(events):
            kind, signer = _STEPS[number % len(_STEPS)] if number else _STEPS[0]
            time_ms = TIME_MS + 4 * number * HOUR_MS + 311
            entry = HistoryEntry(
                TransactionId(digest(f"transaction {number}")),
                kind,
                key_of(signer),
                digest(f"event {number}"),
                time_ms - 45_000,
                time_ms,
            )
            entries.append(entry)
        return tuple(entries)

    def claim(self, events: int = 6, depth: int = 20, signatures: int | None = None, descendants: int = 0) -> Claim:
        """Return what is proven of an item.

        Args:
            events: in its history, at least 1.
            depth: of its leaf in the state tree: 20 with about a million records.
            signatures: in the certificate; None: a quorum.
            descendants: blocks between the item's block and the one that the certificate is of.
        """
        history = self.history(events)
        item = new_item(key_of("maker"), 1, history[0])
        head = item.head
        for entry in history[1:]:
            head = next_head(head, entry)
        item = replace(item, custodian=history[-1].signer, owner=history[-1].signer, head=head, n=events)
        key = item_key(item_id(key_of("maker"), GTIN, serial=SERIAL))
        return self.claim_of(key, ITEM.write(item), depth, history, signatures, descendants)

    def claim_of(
        self,
        key: bytes,
        value: bytes | None,
        depth: int = 20,
        history: tuple[HistoryEntry, ...] = (),
        signatures: int | None = None,
        descendants: int = 0,
    ) -> Claim:
        """Return what is proven of a record, or of its absence; the arguments are those of `claim`."""
        state = StateProof(tuple(digest(f"sibling {level}") for level in range(depth)), None)
        root = state_root_of(key, value, state)
        if root is None:
            raise ValueError("no state of this depth")
        header = self._header(0, BlockHash(digest("parent")), root)
        headers = [header]
        for number in range(1, descendants + 1):
            headers.append(self._header(number, headers[-1].hash, digest(f"state {number}")))
        finality = self._certify(headers, signatures)
        return Claim("simplex", header, finality, key, value, state, history)

    def _header(self, number: int, parent: BlockHash, root: bytes) -> Header:
        seal = Seal(_VIEW + number, _VIEW + number - 1, digest("justify"), bytes(80), carrier=False)
        return Header(
            version=BLOCK_VERSION,
            genesis_hash=self.genesis.hash,
            epoch=EPOCH,
            height=Height(72_001 + number),
            parent_hash=parent,
            proposer=self.validators.keys[0],
            time_ms=TIME_MS + 90 * 24 * HOUR_MS + number,
            tx_root=digest("transactions"),
            receipts_root=digest("receipts"),
            state_root=root,
            validators_hash=self.validators.hash,
            next_validators_hash=self.validators.hash,
            engine_data=encode_seal(seal),
        )

    def _certify(self, headers: list[Header], signatures: int | None) -> bytes:
        last = headers[-1]
        ballot = Ballot(EPOCH, _VIEW + len(headers) - 1, VoteKind.FINALIZE, last.hash)
        message = signed_bytes(VOTE_DOMAIN, self.genesis.hash, ballot.data)
        count = 2 * len(self.validators) // 3 + 1 if signatures is None else signatures
        votes = [Vote(ballot, number, ED25519.sign(self._seeds[number], message)) for number in range(count)]
        return encode_proof(make_certificate(votes, self.validators), headers[1:])
