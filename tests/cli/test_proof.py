"""`p2pcommerce proof`: what is made goes through pipes and QR codes, and is checked with what is trusted."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.cli.main import main
from p2pcommerce.cli.proof_qr import QR_BYTES_MAX, QR_CHARACTERS_MAX
from tests.runtime.nodes import SHOP, config_of, genesis_of, pay

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "proof.json").read_text(encoding="utf-8"))
TEXT = VECTORS["proofs"]["item"]["text"]
RAW = bytes.fromhex(VECTORS["proofs"]["item"]["raw"])


class Pipe:
    """A stdin that holds bytes."""

    def __init__(self, data):
        self.buffer = io.BytesIO(data)


@pytest.fixture
def anchors(tmp_path):
    for members, anchor in VECTORS["anchors"].items():
        (tmp_path / f"{members}.json").write_text(json.dumps(anchor), encoding="utf-8")
    return {members: tmp_path / f"{members}.json" for members in VECTORS["anchors"]}


def run(capsys, *argv):
    code = main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def verify(capsys, monkeypatch, data, *argv):
    monkeypatch.setattr(sys, "stdin", Pipe(data))
    return run(capsys, "proof", "verify", *argv)


@pytest.mark.parametrize("data", [RAW, TEXT.encode(), TEXT.encode() + b"\r\n"])
def test_verify_reads_bytes_and_text_from_a_pipe(capsys, monkeypatch, anchors, data):
    code, out, _ = verify(capsys, monkeypatch, data, "--trust", anchors["21"], "--json")
    told = json.loads(out)
    assert (code, told["verified"], told["record"]["kind"], len(told["history"])) == (0, True, "item", 6)


def test_verify_tells_a_person_what_a_record_says(capsys, monkeypatch, anchors):
    text = VECTORS["proofs"]["balance"]["text"].encode()
    _, out, _ = verify(capsys, monkeypatch, text, "--trust", anchors["4"])
    assert "it holds" in out
    assert "balance_minor: 5000000" in out
    _, out, _ = verify(capsys, monkeypatch, VECTORS["proofs"]["absence"]["raw"].encode(), "--trust", anchors["4"])
    assert out == ""  # hexadecimal digits are no proof
    absent = bytes.fromhex(VECTORS["proofs"]["absence"]["raw"])
    _, out, _ = verify(capsys, monkeypatch, absent, "--trust", anchors["4"])
    assert "there is no such record (account " in out


def test_the_best_of_several_anchors_is_taken(capsys, monkeypatch, tmp_path, anchors):
    others = []
    for epoch in (8, 12):
        file = tmp_path / f"epoch {epoch}.json"
        file.write_text(json.dumps(VECTORS["anchors"]["21"] | {"epoch": epoch}), encoding="utf-8")
        others += ["--trust", file]
    assert verify(capsys, monkeypatch, RAW, *others, "--trust", anchors["21"])[0] == 0
    for words, complaint in ((others[:2], "light sync"), (others[2:], "older anchor")):
        code, _, err = verify(capsys, monkeypatch, RAW, *words)
        assert (code, err.count("\n")) == (1, 1)
        assert complaint in err
    assert "different networks" in verify(capsys, monkeypatch, RAW, *others, "--trust", anchors["4"])[2]


@pytest.mark.parametrize(
    ("data", "members", "code"),
    [
        (RAW[:-9], "21", "DAMAGED_PROOF"),
        (RAW[:1] + b"\x09" + RAW[2:], "21", "PROOF_VERSION"),
        (RAW, "4", "WRONG_NETWORK"),
    ],
)
def test_a_refusal_has_a_code_and_one_line(capsys, monkeypatch, anchors, data, members, code):
    exit_code, out, err = verify(capsys, monkeypatch, data, "--trust", anchors[members], "--json")
    assert (exit_code, err.count("\n")) == (1, 1)
    assert json.loads(out.splitlines()[-1])["error"]["code"] == code


def test_a_proof_of_something_else_is_refused(capsys, monkeypatch, anchors):
    asked = ["-", "balance", f"account={'ab' * 32}", "--trust", anchors["21"]]
    code, _, err = verify(capsys, monkeypatch, RAW, *asked)
    assert code == 1
    assert "something else" in err


def test_a_header_is_enough(capsys, monkeypatch, tmp_path):
    file, proof = tmp_path / "header.hex", VECTORS["proofs"]["carries_validators"]["text"].encode()
    file.write_text(VECTORS["header"] + "\n")
    code, out, _ = verify(capsys, monkeypatch, proof, "--header", file, "--json")
    assert (code, json.loads(out)["header"]) == (0, VECTORS["header"])
    file.write_text("no header")
    assert "no header" in verify(capsys, monkeypatch, proof, "--header", file)[2]


async def test_make_and_verify_join_through_a_pipe(tmp_path):
    config = config_of(tmp_path, genesis=genesis_of(), listen=("tcp://127.0.0.1:0",), control=True)
    config.genesis.save(tmp_path / "genesis.json")
    python = f'"{sys.executable}" -m p2pcommerce'
    make = f'{python} proof make balance account={SHOP.hex()} --dir "{config.data_dir}" --compact'
    check = f'{python} proof verify --genesis "{tmp_path / "genesis.json"}" --json'
    async with p2p.open_node(config) as node:
        with trio.fail_after(60):
            await node.wait_finalized(await node.submit(pay(5_000_000)))
            done = await trio.run_process(f"{make} | {check}", shell=True, capture_stdout=True)
            await trio.run_process(f'{make} --out "{tmp_path / "a.proof"}"', shell=True, stdout=subprocess.DEVNULL)
    told = json.loads(done.stdout)
    assert told["verified"]
    assert told["record"]["kind"] == "account"
    proven = p2p.verify_proof((tmp_path / "a.proof").read_bytes(), p2p.TrustAnchor.of(config.genesis))
    assert proven.value.hex() == told["value"]


async def test_in_a_node_s_folder_make_and_verify_need_nothing_more(tmp_path):
    config = config_of(tmp_path, genesis=genesis_of(), listen=("tcp://127.0.0.1:0",), control=True)
    python = f'"{sys.executable}" -m p2pcommerce'
    pipe = f"{python} proof make balance account={SHOP.hex()} | {python} proof verify --json"
    elsewhere = f'{python} proof make balance account={SHOP.hex()} --dir "{config.data_dir}" | '
    elsewhere += f'{python} proof verify --dir "{config.data_dir}" --json'
    async with p2p.open_node(config) as node:
        config.genesis.save(config.data_dir / "genesis.json")
        with trio.fail_after(120):
            await node.wait_finalized(await node.submit(pay(5_000_000)))
            here = await trio.run_process(pipe, shell=True, capture_stdout=True, cwd=config.data_dir)
            there = await trio.run_process(elsewhere, shell=True, capture_stdout=True)
    for done in (here, there):
        told = json.loads(done.stdout)
        assert (told["verified"], told["record"]["id"]) == (True, SHOP.hex())


def test_verify_without_a_genesis_in_sight_says_what_to_name(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, err = verify(capsys, monkeypatch, RAW)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "say what is trusted: --genesis, --trust or --header" in err


# --- QR codes ---


@pytest.fixture
def proof_file(tmp_path):
    (tmp_path / "item.proof").write_bytes(RAW)
    return tmp_path / "item.proof"


@pytest.fixture
def segno():
    return pytest.importorskip("segno", reason="needs the extra qr")


@pytest.mark.parametrize("suffix", [".svg", ".png"])
@pytest.mark.parametrize("binary", [(), ("--binary",)])
def test_a_history_of_six_events_is_one_code(capsys, segno, tmp_path, proof_file, suffix, binary):
    out = tmp_path / f"item{suffix}"
    code, told, _ = run(capsys, "proof", "qr", proof_file, "--out", out, "--json", *binary)
    assert code == 0
    told = json.loads(told)
    assert told["bytes"] == len(RAW) <= QR_BYTES_MAX
    assert told["version"] <= 40
    content = out.read_bytes()
    assert content.startswith(b"\x89PNG") if suffix == ".png" else b"<svg" in content


def test_a_code_is_printed_in_the_terminal(capsys, monkeypatch, segno, proof_file):
    monkeypatch.setattr(sys, "stdin", Pipe(TEXT.encode()))
    from_pipe = run(capsys, "proof", "qr")[1]
    assert from_pipe == run(capsys, "proof", "qr", proof_file)[1]
    assert len(from_pipe.splitlines()) > 60


def test_the_limits_of_a_code_are_those_of_the_library(segno):
    for content, mode, limit in ((b"\x00", "byte", QR_BYTES_MAX), ("A", "alphanumeric", QR_CHARACTERS_MAX)):
        assert segno.make_qr(content * limit, error="l", mode=mode, boost_error=False).version == 40
        with pytest.raises(segno.DataOverflowError):
            segno.make_qr(content * (limit + 1), error="l", mode=mode, boost_error=False)


def test_what_does_not_fit_a_code_is_refused_with_a_way_out(capsys, segno, proof_file):
    code, out, err = run(capsys, "proof", "qr", proof_file, "--level", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "4296" in err
    assert "--level l" in err


@pytest.mark.parametrize("content", [b"", b"correct horse battery staple\n", RAW[:-1], RAW + b"\n", TEXT.encode()[:-2]])
def test_no_code_is_made_of_what_is_no_proof(capsys, segno, tmp_path, content):
    (tmp_path / "pass").write_bytes(content)
    code, out, err = run(capsys, "proof", "qr", tmp_path / "pass", "--out", tmp_path / "item.svg")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "item.svg").exists()


def test_a_file_of_another_kind_or_that_exists_is_refused(capsys, tmp_path, proof_file):
    assert ".svg or .png" in run(capsys, "proof", "qr", proof_file, "--out", tmp_path / "item.gif")[2]
    (tmp_path / "item.svg").write_text("mine")
    assert "exists already" in run(capsys, "proof", "qr", proof_file, "--out", tmp_path / "item.svg")[2]


def test_without_the_extra_the_command_names_it(capsys, monkeypatch, proof_file):
    monkeypatch.setitem(sys.modules, "segno", None)
    assert "p2pcommerce[qr]" in run(capsys, "proof", "qr", proof_file)[2]
