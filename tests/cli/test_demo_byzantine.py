"""The demo's offender: what it says of it, and that no node can be configured to be one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from p2pcommerce.cli.demo.byzantine.offender import Conviction
from p2pcommerce.cli.demo.byzantine.two_faced import Equivocation, TwoFaced
from p2pcommerce.cli.demo.folder import EPOCH_BLOCKS_MAX, DemoFolder, DemoFolderError
from p2pcommerce.cli.demo.options import DemoOptions
from p2pcommerce.cli.main import main
from p2pcommerce.finality import ENGINES
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.simplex.messages import Proposal, decode_message
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, VoteKind
from p2pcommerce.primitives.crypto import signed_bytes
from tests.cli.test_demo import COMMAND, run, stopped
from tests.finality.bench import Bench
from tests.finality.network import GENESIS_HASH, KEYED

ROOT = Path(__file__).parents[2] / "p2pcommerce"
ASIDE = 2**40
SAID = (
    "bonded 400.00 tokens at height",
    "is in the set from epoch",
    "signed two blocks at height",
    "found the evidence: validator",
    "the evidence is on the chain at height",
    "is slashed by 40.00 tokens: 20.00 go to the reporter",
    "is out of the set",
)


def test_a_newcomer_joins_signs_two_blocks_and_is_slashed(tmp_path):
    arguments = ["--nodes", "3", "--rate", "10", "--duration", "5", "--seed", "1", "--byzantine", "1", "--json"]
    done = run([*COMMAND, "demo", *arguments, "--dir", tmp_path / "network"])
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])["byzantine"]
    assert told["slashed"]
    assert told["jailed"]
    assert told["rule"] == "E5"
    assert told["validator"] == 3
    assert told["slashed_minor"] == 40_000_000
    assert told["reward_minor"] == 20_000_000
    assert told["reporter"] in {0, 1, 2}
    assert told["found_by"]
    first = told["equivocations"][0]
    assert len(set(first["blocks"])) == 2
    assert told["bonded_at_height"] < first["height"] <= told["included_at_height"]
    assert told["in_set_from_epoch"] <= told["offence_epoch"] < told["out_from_epoch"]
    for words in SAID:
        assert words in done.stderr, words
    assert stopped(tmp_path / "network", 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--byzantine", "2"], "less than a third"),
        (["--byzantine", "1", "--nodes", "1"], "--nodes 2"),
        (["--byzantine", "1", "--kill-one"], "leave --forever and --kill-one out"),
        (["--byzantine", "1", "--engine", "ffg"], "needs --engine simplex"),
        (["--byzantine", "1", "--forever"], "leave --forever and --kill-one out"),
    ],
)
def test_what_does_not_fit_together_is_refused(capsys, arguments, words):
    assert main(["demo", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_network_with_long_epochs_is_not_continued_with_an_offender(tmp_path):
    DemoFolder.open(tmp_path / "long", 2, 1)
    with pytest.raises(DemoFolderError, match="long epochs"):
        DemoFolder.open(tmp_path / "long", None, 1, epoch_blocks=20)
    founded = DemoFolder.open(tmp_path / "short", 2, 1, epoch_blocks=20)
    assert founded.genesis.parameters.epoch_blocks == 20
    assert DemoFolder.open(tmp_path / "short", None, 1, epoch_blocks=8).genesis.parameters.epoch_blocks == 20


def test_epochs_are_as_long_as_the_load_lets_them_be(tmp_path):
    def chosen(duration_s, byzantine=1):
        return DemoOptions(folder=tmp_path, duration_s=duration_s, byzantine=byzantine).epoch_blocks

    assert [chosen(5), chosen(60), chosen(10_000)] == [8, 20, EPOCH_BLOCKS_MAX]
    assert chosen(60, 0) is None


def test_slashed_is_who_lost_stake_is_jailed_and_out():
    assert not Conviction().slashed
    assert not Conviction(jailed=True, slashed_minor=1).slashed
    assert not Conviction(jailed=True, out_from_epoch=3).slashed
    assert Conviction(jailed=True, slashed_minor=1, out_from_epoch=3).slashed


class OffenderBench(Bench):
    """A bench that signs what the offender asks for aside."""

    def answer(self, effect: seam.Effect) -> Sequence[seam.Effect]:
        if isinstance(effect, seam.Sign) and effect.request > ASIDE:
            assert self.guard.admit(effect.kind, effect.data), "its guard lets everything pass"
            signed = signed_bytes(effect.kind, GENESIS_HASH, effect.data)
            return self.engine.on_signed(effect.request, KEYED.sign(self.seeds[self.key], signed), self.now)
        return super().answer(effect)


def test_it_tells_each_half_of_its_peers_of_another_block_that_it_signed(monkeypatch):
    told: list[Equivocation] = []
    monkeypatch.setattr("tests.finality.bench.Simplex", lambda: TwoFaced(told.append))
    bench = OffenderBench(leads=True, pending=False)
    for index in bench.others:
        bench.do(bench.engine.on_peer(bench.validators.keys[index], bench.now))
    bench.pending = True
    bench.do(bench.engine.on_pending(bench.now))
    sent = {effect.to: decode_message(effect.data) for effect in bench.of(seam.Send) if effect.data[:1] == b"\x03"}
    blocks = {peer: said.header.hash for peer, said in sent.items() if isinstance(said, Proposal)}
    assert set(blocks) == {bench.validators.keys[index] for index in bench.others}
    (done,) = told
    assert set(blocks.values()) == {done.first, done.second}
    for said in sent.values():
        assert isinstance(said, Proposal)
        ballot = Ballot(0, done.view, VoteKind.PROPOSE, said.header.hash)
        assert KEYED.verify(bench.key, signed_bytes(PROPOSAL_DOMAIN, GENESIS_HASH, ballot.data), said.signature)


def test_no_configuration_and_no_other_room_reaches_the_offender():
    assert sorted(ENGINES) == ["ffg", "simplex", "solo"]
    assert TwoFaced not in ENGINES.values()
    importers = [
        str(path.relative_to(ROOT)) for path in sorted(ROOT.rglob("*.py")) if "two_faced import" in path.read_text()
    ]
    assert importers == ["cli/demo/byzantine/__main__.py"]
    code = "import sys, p2pcommerce.cli.main, p2pcommerce; print([m for m in sys.modules if 'two_faced' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout.strip() == "[]"
