import json

import pytest

from p2pcommerce.cli.main import main


def last_json(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_finality_without_faults_is_safe_and_live(capsys):
    assert (
        main(["sim", "finality", "--seeds", "1", "--validators", "4", "--faults", "none", "--jobs", "1", "--json"]) == 0
    )
    report = last_json(capsys)
    assert (report["safety_violations"], report["stalled"], report["repro"]) == (0, 0, None)
    assert report["seeds"] == 1


def test_gossip_reaches_everybody(capsys):
    assert main(["sim", "gossip", "--nodes", "20", "--transactions", "20", "--json"]) == 0
    report = last_json(capsys)
    assert (report["delivered"], report["strategy"]) == (1.0, "chosen")


@pytest.mark.parametrize(
    "arguments",
    [
        ["finality", "--faults", "gremlins"],
        ["gossip", "--strategy", "rumour"],
        ["gossip", "--latency", "moon"],
        ["finality", "--scenario", "/nowhere/scenario.json"],
    ],
)
def test_what_does_not_exist_is_refused_in_one_line(capsys, arguments):
    try:
        code = main(["sim", *arguments])
    except SystemExit as leave:
        code = leave.code
    assert code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
