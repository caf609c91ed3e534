"""From the goods and parties of EPCIS to items and accounts of the ledger, and from steps to bodies of transactions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce import (
    Body,
    Lot,
    Output,
    TraceCommission,
    TraceDecommission,
    TraceObserve,
    TracePack,
    TraceReceive,
    TraceReject,
    TraceShip,
    TraceTransform,
    TraceUnpack,
)
from p2pcommerce.commerce.epcis import Event, Goods, Step, StepKind, canonical_uri, event_hash
from p2pcommerce.commerce.item_ids import lot_id, serial_id, unit_id
from p2pcommerce.commerce.product import ProductId
from p2pcommerce.commerce.trace import IDS_MAX, SERIALS_MAX
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.runtime.identity import Identity

__all__ = ["ACCOUNT_URN", "Actor", "Parties", "goods_id", "made_goods", "payloads"]

ACCOUNT_URN: Final = "urn:p2pcommerce:account:"
"""How a document names an account of the ledger as a party, if it does: with 64 hexadecimal digits behind it."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does a step.

    Attributes:
        account: for whom it is done, 32 bytes.
        signer: whose key signs it, unless the sender has an active key.
        store: the account, if the signer is an operator of it.
    """

    account: PublicKey
    signer: Identity
    store: PublicKey | None

    @property
    def sender(self) -> PublicKey:
        """Whose transactions they are, 32 bytes: the operator's, if there is one."""
        return self.account if self.store is None else self.signer.public_key


@dataclass(frozen=True, slots=True)
class Parties:
    """Who is who.

    Attributes:
        actors: those for whom a key is here, the default one first.
        accounts: canonical URI of a party (PGLN, GLN, any other) -> its account, 32 bytes.
        issuers: further accounts under whose products or SSCCs goods are looked for, 32 bytes each.
        to: who gets what is shipped by an event that does not say it; None: such an event is refused.
        keys: all keys that are here, beside those of the actors.
    """

    actors: tuple[Actor, ...]
    accounts: Mapping[str, PublicKey]
    issuers: tuple[PublicKey, ...] = ()
    to: PublicKey | None = None
    keys: tuple[Identity, ...] = ()

    def account_of(self, uri: str) -> PublicKey | None:
        """Return the account of a party, None if it is unknown."""
        if uri.startswith(ACCOUNT_URN):
            try:
                found = bytes.fromhex(uri.removeprefix(ACCOUNT_URN))
            except ValueError:
                return None
            return PublicKey(found) if len(found) == 32 else None
        return self.accounts.get(canonical_uri(uri))

    def actor_of(self, account: PublicKey | None) -> Actor | None:
        """Return who acts for an account, None if no key for that is here."""
        return next((actor for actor in self.actors if actor.account == account), None)

    def key(self, public_key: PublicKey) -> Identity | None:
        """Return a key that is here by its public one, None if it is not."""
        here = (*(actor.signer for actor in self.actors), *self.keys)
        return next((identity for identity in here if identity.public_key == public_key), None)

    def known(self) -> tuple[PublicKey, ...]:
        """Return all accounts under which goods are looked for, each once."""
        own = (actor.account for actor in self.actors)
        return tuple(dict.fromkeys((*own, *self.issuers, *self.accounts.values())))


def goods_id(goods: Goods, issuer: PublicKey) -> bytes:
    """Return the item id of goods of an issuer or packer."""
    if goods.sscc:
        return unit_id(issuer, goods.sscc)
    product = ProductId(issuer, goods.gtin14)
    return serial_id(product, goods.serial) if goods.serial else lot_id(product, goods.lot)


def made_goods(step: Step) -> Mapping[Goods, int | None]:
    """Return the goods that a step brings into the world."""
    return step.goods if step.kind is StepKind.COMMISSION else step.outputs


def payloads(
    step: Step, event: Event, actor: Actor, ids: Sequence[bytes], goods: Sequence[Goods], parent: bytes, level: int
) -> Iterator[Body]:
    """Yield the bodies of a step, as many as its goods need.

    Args:
        step: what is done; `holder_after` of a shipment is the hexadecimal account.
        event: that says so.
        actor: who does it.
        ids: items of the goods that remain to be done, strictly increasing.
        goods: the same goods, for a commission.
        parent: id of the logistic unit, of a packing.
        level: of that unit.
    """
    said = (event_hash(event), event.time_ms)
    store = actor.store
    if step.kind is StepKind.COMMISSION:
        yield from _commissions(step, goods, said, store)
        return
    if step.kind is StepKind.TRANSFORM:
        yield TraceTransform(tuple(ids), _outputs(step), *said, store)
        return
    for start in range(0, len(ids), IDS_MAX):
        chunk = tuple(ids[start : start + IDS_MAX])
        yield _body(step, chunk, said, actor, parent, level)


def _body(step: Step, ids: tuple[bytes, ...], said: tuple[bytes, int], actor: Actor, parent: bytes, level: int) -> Body:
    store = actor.store
    match step.kind:
        case StepKind.SHIP:
            return TraceShip(ids, PublicKey(bytes.fromhex(step.holder_after)), *said, step.moves_owner, store)
        case StepKind.RECEIVE:
            return TraceReceive(ids, *said, store)
        case StepKind.REJECT:
            return TraceReject(ids, *said, store)
        case StepKind.PACK:
            return TracePack(parent, level, ids, *said, store)
        case StepKind.UNPACK:
            return TraceUnpack(parent, ids, *said, store)
        case StepKind.DECOMMISSION:
            return TraceDecommission(ids, step.biz_step or "decommissioning", *said)
        case _:
            return TraceObserve(ids, step.biz_step, step.disposition, *said, store)


def _commissions(
    step: Step, goods: Sequence[Goods], said: tuple[bytes, int], store: PublicKey | None
) -> Iterator[Body]:
    serials: dict[str, list[str]] = {}
    for each in sorted(goods):
        if each.lot:
            yield TraceCommission(each.gtin14, (), Lot(each.lot, step.goods[each] or 0), *said, store)
        else:
            serials.setdefault(each.gtin14, []).append(each.serial)
    for gtin14, names in serials.items():
        for start in range(0, len(names), SERIALS_MAX):
            yield TraceCommission(gtin14, tuple(names[start : start + SERIALS_MAX]), None, *said, store)


def _outputs(step: Step) -> tuple[Output, ...]:
    made: list[Output] = []
    serials: dict[str, list[str]] = {}
    for each, units in step.outputs.items():
        if each.lot:
            made.append(Output(each.gtin14, (), Lot(each.lot, units or 0)))
        else:
            serials.setdefault(each.gtin14, []).append(each.serial)
    made += [Output(gtin14, tuple(sorted(names))) for gtin14, names in serials.items()]
    return tuple(sorted(made, key=lambda output: (output.gtin14, "" if output.lot is None else output.lot.lot)))
