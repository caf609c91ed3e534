import pytest

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.faults import FAULTS, FaultIntensityError, UnknownFaultError, draw_faults, parse_faults
from p2pcommerce.simulation.streams import Streams

NAMES = [
    "loss",
    "duplication",
    "reordering",
    "corruption",
    "one_way",
    "asymmetric",
    "slow_link",
    "partition",
    "clock_skew",
    "clock_jump",
    "clock_drift",
    "crash",
    "torn_write",
    "lost_fsync",
    "disk_full",
    "disk_error",
    "bit_rot",
    "stale_backup",
]


def test_the_table_has_every_kind_with_a_part_a_meaning_and_an_intensity():
    assert list(FAULTS) == NAMES
    for kind in FAULTS.values():
        assert kind.part in {"link", "clock", "disk", "host"}
        assert len(kind.meaning) > 20
        assert 0 < kind.intensity <= 1


def test_a_person_may_choose_all_none_or_some():
    assert parse_faults("all") == {name: kind.intensity for name, kind in FAULTS.items()}
    assert parse_faults("none") == {}
    assert parse_faults("crash, loss=0.25") == {"loss": 0.25, "crash": FAULTS["crash"].intensity}


def test_the_order_of_choosing_decides_nothing():
    assert list(parse_faults("crash,loss")) == list(parse_faults("loss,crash"))


@pytest.mark.parametrize("text", ["rain", "", "loss,", "all,loss", "rain=0.5", "LOSS"])
def test_an_unknown_name_is_a_usage_error_in_one_line(text):
    with pytest.raises(UnknownFaultError, match="choose all, none, or some of loss") as caught:
        parse_faults(text)
    assert isinstance(caught.value, UsageError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["loss=", "loss=x", "loss=0", "loss=1.1", "loss=-1", "loss=nan", "loss=inf"])
def test_an_intensity_out_of_range_is_a_usage_error(text):
    with pytest.raises(FaultIntensityError, match="'loss'"):
        parse_faults(text)


def test_each_kind_is_on_in_about_half_of_the_seeds_at_varied_intensity():
    chosen = parse_faults("all")
    worlds = [draw_faults(chosen, Streams(seed)) for seed in range(400)]
    for name, intensity in chosen.items():
        strengths = [world[name] for world in worlds if name in world]
        assert 140 < len(strengths) < 260
        assert len(set(strengths)) > 5
        assert min(strengths) > 0
        assert max(strengths) <= min(1.0, 2 * intensity)


def test_leaving_a_kind_out_changes_no_other():
    chosen = parse_faults("all")
    for seed in range(20):
        world = draw_faults(chosen, Streams(seed))
        fewer = draw_faults({name: chosen[name] for name in chosen if name != "crash"}, Streams(seed))
        assert fewer == {name: world[name] for name in world if name != "crash"}
