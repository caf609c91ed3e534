"""Ratings: the sums of all reviews of a store, and the mean that anyone computes of them.

The record is made with the store, at the owner's cost, so that the first buyer who reviews pays nothing.

Source: "Trade" of the commerce specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.kind import U63, Kind
from p2pcommerce.primitives.codec import record_of

__all__ = ["PRIOR_MILLISTARS", "PRIOR_WEIGHT_MINOR", "RATING", "RATING_BYTES", "Rating"]

PRIOR_WEIGHT_MINOR: Final = 1_000_000
"""What everybody starts with: the protocol fee of about 200 tokens of sales."""
PRIOR_MILLISTARS: Final = 3_000
RATING_BYTES: Final = 72


@dataclass(frozen=True, slots=True)
class Rating:
    """The reviews of one store; its id is the store's account (32 bytes).

    Attributes:
        weight: sum of the weights of all reviews, minor units.
        weighted_stars: sum of weight x stars.
        count: reviews.
    """

    weight: int
    weighted_stars: int
    count: int

    @property
    def mean_millistars(self) -> int:
        """The Bayesian mean, thousandths of a star, rounded down."""
        sum_millistars = PRIOR_WEIGHT_MINOR * PRIOR_MILLISTARS + 1_000 * self.weighted_stars
        return sum_millistars // (PRIOR_WEIGHT_MINOR + self.weight)


RATING: Final = Kind(
    "rating", b"\x14", record_of(Rating, weight=U63, weighted_stars=U63, count=U63), size=lambda _: RATING_BYTES
)
