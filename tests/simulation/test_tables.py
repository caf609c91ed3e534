import random
from collections import Counter

import pytest

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.tables import TABLES, UnknownTableError, place, table, uniform


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_square_and_positive(name):
    chosen = table(name)
    count = len(chosen.regions)
    assert 2 <= count <= 12
    assert len(set(chosen.regions)) == count == len(chosen.weights)
    for matrix in (chosen.one_way_us, chosen.jitter_us):
        assert [len(row) for row in matrix] == [count] * count
    assert min(map(min, chosen.one_way_us)) > 0
    assert min(map(min, chosen.jitter_us)) >= 0
    assert min(chosen.weights) > 0
    assert chosen.source


@pytest.mark.parametrize("name", ["aws", "ethereum8"])  # not so in simblock
def test_a_region_is_nearest_to_itself(name):
    chosen = table(name)
    for region, row in enumerate(chosen.one_way_us):
        assert row[region] == min(row)


def test_aws_round_trips_are_halved():
    aws = table("aws")
    east, ireland = aws.regions.index("us-east-1"), aws.regions.index("eu-west-1")
    assert (aws.one_way_us[east][ireland], aws.jitter_us[east][ireland]) == (35_000, 2_500)


def test_the_other_tables_are_applied_to_one_direction_as_in_their_source():
    for name in ("simblock", "ethereum8"):
        assert "one direction" in table(name).source
    ethereum8 = table("ethereum8")
    names = ethereum8.regions
    assert ethereum8.one_way_us[names.index("europe")][names.index("na_east")] == 70_000
    assert ethereum8.one_way_us[names.index("south_america")][names.index("south_africa")] == 195_000
    assert ethereum8.one_way_us[names.index("south_africa")][names.index("south_america")] == 190_000


def test_simblock_has_the_quantiles_of_its_pareto_distribution():
    simblock = table("simblock")
    rng = random.Random(5)
    mean_ms = 124
    draws = sorted((mean_ms - 5) / rng.random() ** (1 / (0.2 * mean_ms)) for _ in range(20_000))
    median_us = simblock.one_way_us[0][1]
    assert median_us == pytest.approx(draws[10_000] * 1_000, rel=0.01)
    assert median_us + simblock.jitter_us[0][1] == pytest.approx(draws[18_000] * 1_000, rel=0.01)


def test_an_unknown_table_is_a_usage_error_that_names_the_known_ones():
    with pytest.raises(UnknownTableError, match="aws, simblock, ethereum8") as caught:
        table("moon")
    assert isinstance(caught.value, UsageError)


def test_nodes_are_placed_by_weight():
    ethereum8 = table("ethereum8")
    placed = Counter(place(ethereum8, 20_000, random.Random(1)))
    total = sum(ethereum8.weights)
    for region, weight in enumerate(ethereum8.weights):
        assert placed[region] / 20_000 == pytest.approx(weight / total, abs=0.01)


def test_a_uniform_table_has_one_delay():
    assert set(place(uniform(5), 10, random.Random(1))) == {0}
    assert (uniform(5, 2).one_way_us, uniform(5, 2).jitter_us) == (((5,),), ((2,),))
