"""Reviews: stars for a store, by who bought there, weighted by what the purchase paid to the network.

An order's weight is the protocol fee that it paid: many small orders weigh no more than one large one, and a rating
costs its buyer real money (half of the fee is burned). The text of a review stays off the chain; its hash is in the
transaction. What the state keeps is three sums for each store, of which anyone computes the same mean:

    mean = (PRIOR_WEIGHT x PRIOR_STARS + sum of weight x stars) / (PRIOR_WEIGHT + sum of weights)

in thousandths of a star, rounded down: a Bayesian mean, so that a store with one small review is neither best nor
worst.

Source: "Trade" of the commerce specification.
Deviations: the prior is this room's choice, see `PRIOR_WEIGHT_MINOR`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import LimitError, StateError
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.order import DONE_ORDER, DoneOrder
from p2pcommerce.commerce.order_machine import enter
from p2pcommerce.commerce.rating import RATING, Rating
from p2pcommerce.primitives.codec import HASH, uint
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["STARS_MAX", "ReviewPost"]

STARS_MAX: Final = 5
_SUM_MAX: Final = 2**63 - 1


@body("review.post", order=HASH, stars=uint(STARS_MAX, 1), text_hash=HASH)
@dataclass(frozen=True, slots=True)
class ReviewPost(Body):
    """Rate the store of a finished order, once. By the buyer, in time; the order's deposit goes to the sender.

    Attributes:
        order: its id, 32 bytes.
        stars: 1 to 5.
        text_hash: SHA-256 of the text, 32 bytes; zeros for none.
    """

    order: TransactionId
    stars: int
    text_hash: bytes = bytes(32)

    @override
    def records(self) -> int:
        """The sender's account and the rating; the order's record was paid for when it was placed."""
        return 2

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Add to the rating and remove the order; see `Body.apply`."""
        _, done = enter(ledger, call, self.order)
        if not isinstance(done, DoneOrder):
            raise StateError("the order is not finished")
        rating = ledger.get(RATING, done.store) or Rating(0, 0, 0)
        weighted = rating.weighted_stars + done.weight * self.stars
        if weighted > _SUM_MAX:
            raise LimitError("the store's rating is full")
        ledger.put(RATING, done.store, Rating(rating.weight + done.weight, weighted, rating.count + 1))
        ledger.remove(DONE_ORDER, self.order)
        return (self.order, call.sender, done.store)
