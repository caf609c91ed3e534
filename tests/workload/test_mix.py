"""What the mix says of an order's life, and when its peaks are."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from p2pcommerce.workload.mix import CANCELLED_SHARE, MIX, REVIEWED_SHARE, Ending, ending_of, is_peak, peak_share


def test_the_shares_are_those_of_the_specification():
    assert MIX == {
        "place": 21,
        "ship": 20,
        "confirm": 16,
        "settle": 3,
        "refund": 1.6,
        "dispute": 0.4,
        "review": 8,
        "trace": 22,
        "catalogue": 3,
        "transfer": 3,
        "points": 1,
        "campaign": 0.3,
        "stake": 0.6,
        "attest": 0.1,
    }
    assert sum(MIX.values()) == pytest.approx(100)


def test_endings_follow_from_the_mix():
    rng = random.Random(1)
    endings = Counter(ending_of(rng) for _ in range(100_000))
    confirmed = endings[Ending.CONFIRMED]
    assert endings[Ending.SETTLED] / confirmed == pytest.approx(MIX["settle"] / MIX["confirm"], rel=0.05)
    assert endings[Ending.DISPUTED] / confirmed == pytest.approx(MIX["dispute"] / 2 / MIX["confirm"], rel=0.1)
    assert pytest.approx(0.5 / 21) == CANCELLED_SHARE
    assert pytest.approx(MIX["review"] / MIX["confirm"]) == REVIEWED_SHARE


@pytest.mark.parametrize("duration_s", [1, 25, 28, 30, 59, 600])
def test_the_share_of_peaks_is_that_of_their_moments(duration_s):
    moments = [offset / 10 for offset in range(10 * duration_s)]
    assert peak_share(duration_s) == pytest.approx(sum(map(is_peak, moments)) / len(moments))
