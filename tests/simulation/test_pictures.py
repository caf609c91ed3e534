import itertools
import json
import sys

import pytest

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.gossip import GossipScenario
from p2pcommerce.simulation.pictures import ALBUM, CanvasError, PictureSize, UnknownPictureError, measure, picture
from p2pcommerce.simulation.pictures.samples import (
    QUANTILES,
    FaultTask,
    RecordTask,
    gossip_scenarios,
    pooled,
    strategy_of,
)
from p2pcommerce.simulation.scenario import Scenario

SIZE = PictureSize(seeds=2, nodes=20, transactions=10)
RECORD = RecordTask(Scenario(seed=18, faults={"crash": 0.3}, horizon_us=8_000_000, liveness_us=2_000_000, load_tps=1))


def sample(task, record):
    """Return what a world could have left: smooth curves that depend on the strategy."""
    if isinstance(task, GossipScenario):
        slow = 1 + ["chosen", "gossipsub", "flood"].index(task.strategy) + task.share
        return {
            "nodes": task.nodes,
            "transactions": task.transactions,
            "latency_table": task.latency_table,
            "latencies_ms": [slow * step for step in range(QUANTILES + 1)],
            "latency_ms": {"p50": 100 * slow, "p99": 198 * slow},
            "delivered": 1 - task.share / 10,
            "bytes_per_payload_byte": 5 * slow,
            "duplicates_per_delivery": slow,
            "trace_hash": "00" * 32,
        }
    if isinstance(task, FaultTask):
        worst = 1 + round(100 * sum(task.scenario.faults.values()))
        return {
            "delay_us": 100_000,
            "finality_us": [300_000 + 10_000 * worst * step for step in range(100)],
            "fired": {},
            "height": 100 // worst,
            "proposed": 100,
            "undecided": 10,
            "is_good": True,
        }
    return record


@pytest.fixture(scope="module")
def record():
    return measure(RECORD)


@pytest.fixture(scope="module")
def drawn_data(record):
    data = {}
    for each in ALBUM.values():
        results = {task: sample(task, record) for task in each.tasks(SIZE)}
        data[each.name] = each.data(SIZE, results)
    return data


def test_the_album_has_the_pictures_of_the_specification():
    assert list(ALBUM) == ["latency", "bytes", "attacks", "finality", "spacetime"]
    assert all(each.name == name for name, each in ALBUM.items())


def test_an_unknown_picture_is_refused_in_one_line():
    with pytest.raises(UnknownPictureError, match=r"unknown picture 'x'; choose all or one of latency, .*spacetime"):
        picture("x")


@pytest.mark.parametrize("name", ALBUM)
def test_tasks_are_worlds_that_can_be_compared_and_sent(name):
    tasks = picture(name).tasks(SIZE)
    assert tasks
    assert tasks == picture(name).tasks(SIZE)
    assert len(set(tasks)) <= len(tasks)


@pytest.mark.parametrize("name", ALBUM)
def test_the_data_of_a_picture_is_plain(name, drawn_data):
    data = drawn_data[name]
    again = json.loads(json.dumps(data))
    assert json.loads(json.dumps(again)) == again
    assert "e" in json.dumps(again)


def test_a_strategy_with_its_option_has_a_name_of_its_own():
    for name in ("chosen", "gossipsub", "gossipsub, IDONTWANT", "flood"):
        assert {strategy_of(task) for task in gossip_scenarios(SIZE, name)} == {name}


def test_a_gossip_world_leaves_its_whole_distribution():
    task = gossip_scenarios(SIZE, "chosen", warmup_s=1.0)[0]
    found = measure(task)
    assert found == measure(task)
    values = found["latencies_ms"]
    assert len(values) == QUANTILES + 1
    assert values == sorted(values)
    assert values[QUANTILES // 2] == pytest.approx(found["latency_ms"]["p50"], rel=0.05)


def test_seeds_are_pooled_into_one_row():
    def row(p99, delivered, low):
        return {
            "delivered": delivered,
            "latency_ms": {"p50": 10.0, "p99": p99},
            "bytes_per_payload_byte": 4.0,
            "latencies_ms": [low + step for step in range(QUANTILES + 1)],
            "trace_hash": str(p99),
        }

    found = pooled([row(30.0, 1.0, 0), row(20.0, 0.5, 100), row(None, 0.9, 200)])
    assert found["latency_ms"] == {"p50": 10.0, "p99": 30.0}
    assert found["p99_range"] == [20.0, 30.0]
    assert found["delivered"] == pytest.approx(0.8)
    assert (found["latencies_ms"][0], found["latencies_ms"][-1], len(found["latencies_ms"])) == (0, 400, QUANTILES + 1)
    assert len(found["trace_hashes"]) == 3
    assert pooled([row(None, 0.0, 0)])["latency_ms"]["p99"] is None


def test_the_diagram_prefers_a_crash_after_which_a_view_is_skipped_and_a_block_is_final(record):
    second = 1_000_000
    views = [[(0, 1)] for _ in range(3)] + [[(0, 1), (5 * second, 0)]]
    telling = {
        **record,
        "seed": 77,
        "downs": [{"at_us": 5 * second, "node": 3}],
        "sent": [{"kind": "nullify", "view": 1, "from": 0, "to": 1, "at_us": 7 * second, "arrives_us": 7 * second + 1}],
        "finals": [{"at_us": 8 * second, "node": 0, "height": 3}],
        "views": views,
    }
    tasks = picture("spacetime").tasks(SIZE)
    results = {task: {**record, "seed": 1} for task in tasks} | {tasks[3]: telling}
    data = picture("spacetime").data(SIZE, results)
    assert data["seed"] == 77
    assert data["start_us"] < 5 * second < 8 * second < data["end_us"]
    silent = results | {tasks[3]: {**telling, "finals": []}}
    assert picture("spacetime").data(SIZE, silent)["seed"] == 1


def test_a_world_under_a_fault_leaves_its_times_to_finality():
    world = FaultTask.of(1, "loss", 0.2).scenario.with_(horizon_us=10_000_000)
    quiet, lossy = measure(FaultTask(world.with_(faults={}))), measure(FaultTask(world))
    assert quiet["fired"] == {}
    assert lossy["fired"]["loss"] > 10
    assert sorted(lossy["finality_us"])[len(lossy["finality_us"]) // 2] > max(quiet["finality_us"]) / 2
    assert quiet["is_good"]


def test_a_recorded_world_tells_messages_views_blocks_and_crashes(record):
    assert {row["kind"] for row in record["sent"]} >= {"propose", "notarize", "finalize"}
    assert all(row["at_us"] < row["arrives_us"] for row in record["sent"])
    assert record["downs"]
    assert {row["node"] for row in record["ups"]} == {0, 1, 2, 3}
    for views in record["views"]:
        times = [at_us for at_us, _ in views]
        assert times == sorted(times)
        assert all(before[1] != after[1] for before, after in itertools.pairwise(views))
    heights = [row["height"] for row in record["finals"] if row["node"] == 0]
    assert heights == sorted(heights)


def test_the_window_of_the_diagram_holds_a_crash(drawn_data):
    data = drawn_data["spacetime"]
    assert data["downs"]
    assert data["start_us"] < data["downs"][0]["at_us"] < data["end_us"]
    for pieces in data["views"]:
        assert pieces[0][0] >= data["start_us"]
        assert pieces[-1][1] == data["end_us"]
        assert all(before[1] == after[0] for before, after in itertools.pairwise(pieces))
    assert all(data["start_us"] <= row["at_us"] and row["arrives_us"] <= data["end_us"] for row in data["sent"])


def test_drawing_without_the_extra_is_refused_in_one_line(monkeypatch, tmp_path, drawn_data):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CanvasError, match=r"p2pcommerce\[sim\]") as caught:
        picture("latency").render(drawn_data["latency"], tmp_path)
    assert isinstance(caught.value, UsageError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ALBUM)
def test_a_picture_becomes_a_png_and_an_svg(name, tmp_path, drawn_data):
    pytest.importorskip("matplotlib")
    png, svg = picture(name).render(drawn_data[name], tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert svg.read_text().rstrip().endswith("</svg>")
    assert (png.name, svg.name) == (f"{name}.png", f"{name}.svg")


def test_equal_data_gives_equal_files(tmp_path, drawn_data):
    pytest.importorskip("matplotlib")
    name = "latency"
    once, again = tmp_path / "once", tmp_path / "again"
    for folder in (once, again):
        folder.mkdir()
        picture(name).render(json.loads(json.dumps(drawn_data[name])), folder)
    assert (once / f"{name}.svg").read_bytes() == (again / f"{name}.svg").read_bytes()
    assert (once / f"{name}.png").read_bytes() == (again / f"{name}.png").read_bytes()


@pytest.mark.parametrize("name", ALBUM)
def test_no_text_of_a_picture_is_cut_off(name, drawn_data):
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
    from matplotlib.text import Text  # noqa: PLC0415 - an extra

    from p2pcommerce.simulation.pictures.canvas import style  # noqa: PLC0415 - beside its use

    with style():
        drawn = picture(name).draw(drawn_data[name])
        canvas = FigureCanvasAgg(drawn)
        canvas.draw()
        width, height = canvas.get_width_height()
        for text in drawn.findobj(Text):
            if text.get_visible() and text.get_text():
                box = text.get_window_extent()
                inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
                assert inside or not _is_shown(text, drawn), text.get_text()


def _is_shown(text, drawn):
    """Tell whether a text is drawn at all: labels of ticks beyond the limits of an axis are not."""
    for axes in drawn.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if text in {tick.label1, tick.label2}:
                    return low <= tick.get_loc() <= high
    return True


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, drawn_data):
    pytest.importorskip("matplotlib")
    with pytest.raises(CanvasError, match="cannot be written"):
        picture("latency").render(drawn_data["latency"], tmp_path / "no")
