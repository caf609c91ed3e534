"""Team orders: a lower price for several buyers who come together within a window.

The first order of a team opens it, others name it; each is an order of its own, with its own escrow. Until the team is
full nothing is shipped and nobody cancels; if the window closes before, every order of it is settled and given back.
When it is full the time to ship begins for all of them at once, and no order need be written for that: an order's
deadline while it is placed is its team's (`order.due_ms`).

Every close of an order decrements the team, and its count while it is not full, which makes room for another buyer; the
last one removes it, and its deposit goes back to whoever paid it.

Source: "Trade" of the commerce specification.
Deviations: the members of a team are not kept, so that one account may count twice: as many keys as one likes would do
the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.commerce.errors import NotFoundError, StateError, TooLateError
from p2pcommerce.commerce.kind import AMOUNT, U63, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.listing import Listing
from p2pcommerce.primitives.codec import HASH, KEY, U32, record_of
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["NEW_TEAM", "TEAM", "TEAM_BYTES", "TeamBuy", "join_team", "leave_team", "open_team", "team_of"]

TEAM_BYTES: Final = 192
NEW_TEAM: Final = bytes(32)
"""What an order names that opens a team: no transaction has this id."""
_SECOND_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class TeamBuy:
    """One team; its id is that of the order that opened it (32 bytes).

    Attributes:
        store: account, 32 bytes.
        listing: number of the store's listing.
        revision: of the listing, 32 bytes.
        payer: who paid the team's deposit; account, 32 bytes.
        size: buyers that make it full.
        count: buyers that it has, or had when it became full.
        open: its open orders.
        closes_ms: application time at which its window ends.
        full_ms: application time at which it became full; 0: it is not.
    """

    store: PublicKey
    listing: int
    revision: TransactionId
    payer: PublicKey
    size: int
    count: int
    open: int
    closes_ms: int
    full_ms: int


TEAM: Final = Kind(
    "team",
    b"\x10",
    record_of(
        TeamBuy,
        store=KEY,
        listing=U32,
        revision=HASH,
        payer=KEY,
        size=U32,
        count=U32,
        open=AMOUNT,
        closes_ms=U63,
        full_ms=U63,
    ),
    size=lambda _: TEAM_BYTES,
    tallies=lambda team_id, team: ((b"\x10" + team_id, -team.open),),
)


def open_team(
    ledger: Ledger, order_id: TransactionId, store: PublicKey, number: int, listing: Listing, payer: PublicKey
) -> TeamBuy:
    """Open a team with an order of its own first buyer.

    Raises:
        StateError: the listing has no price for teams.
    """
    if listing.team is None:
        raise StateError(f"listing {number} has no price for teams")
    closes_ms = ledger.now_ms + listing.team.window_s * _SECOND_MS
    team = TeamBuy(store, number, listing.revision, payer, listing.team.size, 1, 1, closes_ms, 0)
    ledger.put(TEAM, order_id, team, bill=payer)
    return team


def join_team(ledger: Ledger, team_id: bytes, store: PublicKey, number: int, listing: Listing) -> TeamBuy:
    """Count one more buyer of a team.

    Raises:
        NotFoundError: there is no such team, or all of its orders are closed.
        StateError: it is full, or of another listing or revision.
        TooLateError: its window is over.
    """
    team = ledger.get(TEAM, team_id)
    if team is None:
        raise NotFoundError("there is no such team, or all of its orders are closed")
    if (team.store, team.listing, team.revision) != (store, number, listing.revision):
        raise StateError("the team buys another listing, or another revision of it")
    if team.full_ms:
        raise StateError("the team is full")
    if ledger.now_ms > team.closes_ms:
        raise TooLateError("the team's window is over")
    count = team.count + 1
    full_ms = ledger.now_ms if count >= team.size else 0
    joined = replace(team, count=count, open=team.open + 1, full_ms=full_ms)
    ledger.put(TEAM, team_id, joined, bill=team.payer)
    return joined


def leave_team(ledger: Ledger, team_id: bytes) -> None:
    """Take a closed order out of its team; the last one removes it."""
    team = team_of(ledger, team_id)
    if team.open == 1:
        ledger.remove(TEAM, team_id, bill=team.payer)
        return
    count = team.count if team.full_ms else team.count - 1
    ledger.put(TEAM, team_id, replace(team, open=team.open - 1, count=count), bill=team.payer)


def team_of(ledger: Ledger, team_id: bytes) -> TeamBuy:
    """Return the team of an open order, which is there as long as the order is."""
    team = ledger.get(TEAM, team_id)
    if team is None:
        raise LocalProtocolError("an open order is of a team that is gone")
    return team
