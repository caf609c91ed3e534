"""The command line: every usage error is one line and exit code 2, never a traceback."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from p2pcommerce.cli import commands
from p2pcommerce.cli.main import main
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.primitives.errors import P2PError, UsageError
from p2pcommerce.runtime.config import NodeConfig
from p2pcommerce.runtime.identity import Identity, KeyFileCost

CHEAP = KeyFileCost(passes=1, memory_kib=8)
KEY = "ab" * 32


@pytest.fixture
def passphrase(tmp_path):
    file = tmp_path / "passphrase"
    file.write_text("open sesame\n")
    return str(file)


@pytest.fixture
def key_file(tmp_path):
    Identity.from_seed(bytes(32)).save(tmp_path / "a.key", "open sesame", cost=CHEAP)
    return tmp_path / "a.key"


@pytest.fixture
def genesis_file(tmp_path, key_file):
    Genesis.local("test", {Identity.from_seed(bytes(32)).public_key: 10**9}, engine="solo").save(
        tmp_path / "genesis.json"
    )
    return tmp_path / "genesis.json"


def run(capsys, *argv):
    code = main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, *argv):
    """Run what must be refused as a usage error, and return the line."""
    code, out, err = run(capsys, *argv)
    assert code == 2
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert err.startswith("p2pcommerce: ")
    return err


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["key"],
        ["key", "new"],
        ["key", "old", "f"],
        ["genesis", "new"],
        ["init"],
        ["init", "d"],
        ["run"],
        ["run", "d", "--fast"],
        ["tx"],
        ["query"],
        ["proof"],
        ["proof", "verify"],
        ["light"],
        ["light", "sync"],
        ["demo", "--rate"],
        ["demo", "--rate", "many"],
        ["demo", "--nodes", "1.5"],
        ["tx", "token.transfer", "--fee", "-1"],
        ["tx", "token.transfer", "--nonce", str(2**64)],
    ],
)
def test_wrong_words_are_one_line_with_a_pointer_to_the_help(capsys, argv):
    assert "--help" in refused(capsys, *argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["demo"],
        ["key", "new"],
        ["genesis", "new"],
        ["init"],
        ["run"],
        ["tx"],
        ["query"],
        ["proof", "make"],
        ["proof", "verify"],
        ["light", "sync"],
    ],
)
def test_every_command_has_help_with_an_example(capsys, argv):
    with pytest.raises(SystemExit) as caught:
        main([*argv, "--help"])
    assert caught.value.code == 0
    assert "example: p2pcommerce" in capsys.readouterr().out.replace("\n", " ")


def test_an_error_is_a_json_object_too_where_json_is_wanted(capsys, tmp_path):
    code, out, err = run(capsys, "query", "time", "--dir", tmp_path, "--json")
    assert code == 2
    assert json.loads(out.splitlines()[-1])["error"]["code"] == "NOT_RUNNING"
    assert err.count("\n") == 1


# key new


def test_key_new_makes_a_private_file_that_its_passphrase_opens(capsys, tmp_path, passphrase):
    file = tmp_path / "shop.key"
    code, out, _ = run(capsys, "key", "new", file, "--passphrase-file", passphrase, "--json")
    assert code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(out)["public_key"] == Identity.load(file, "open sesame").public_key.hex()


def test_key_new_never_overwrites(capsys, key_file, passphrase):
    before = key_file.read_bytes()
    assert "exists already" in refused(capsys, "key", "new", key_file, "--passphrase-file", passphrase)
    assert key_file.read_bytes() == before


def test_key_new_refuses_an_empty_passphrase(capsys, tmp_path):
    (tmp_path / "empty").write_text("\n")
    line = refused(capsys, "key", "new", tmp_path / "x.key", "--passphrase-file", tmp_path / "empty")
    assert "empty passphrase" in line
    assert not (tmp_path / "x.key").exists()


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"x" * 5_000])
def test_a_passphrase_file_that_holds_none_is_refused(capsys, tmp_path, content):
    (tmp_path / "p").write_bytes(content)
    assert "first line" in refused(capsys, "key", "new", tmp_path / "x.key", "--passphrase-file", tmp_path / "p")


def test_a_passphrase_file_that_is_not_there_is_refused(capsys, tmp_path):
    assert "cannot be read" in refused(capsys, "key", "new", tmp_path / "x", "--passphrase-file", tmp_path / "no")


def test_without_a_terminal_nobody_is_asked(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert "--passphrase-file" in refused(capsys, "key", "new", tmp_path / "x.key")


def test_a_key_cannot_be_written_where_there_is_no_folder(capsys, tmp_path, passphrase):
    refused(capsys, "key", "new", tmp_path / "no" / "x.key", "--passphrase-file", passphrase)


# genesis new


def test_genesis_new_founds_a_network(capsys, tmp_path, key_file):
    out = tmp_path / "g.json"
    code, text, _ = run(
        capsys,
        *["genesis", "new", "--network", "corner", "--validator", f"{key_file}:1000.5", "--balance", f"{KEY}:7"],
        *[out, "--json"],
    )
    genesis = Genesis.load(out)
    assert code == 0
    assert json.loads(text)["genesis_hash"] == genesis.hash.hex()
    assert genesis.network == "corner"
    assert [validator.stake for validator in genesis.validators] == [1_000_500_000]
    assert dict(genesis.balances) == {bytes.fromhex(KEY): 7_000_000}
    assert genesis.parameters.block_interval_ms == 500


def test_genesis_new_sets_parameters(capsys, tmp_path):
    argv = ["genesis", "new", "--local", "--set", "done_order_s=600", "--set", "fee_floor=0", "--validator", f"{KEY}:1"]
    assert run(capsys, *argv, tmp_path / "g.json")[0] == 0
    found = Genesis.load(tmp_path / "g.json").parameters
    assert found == replace(ChainParameters.local(), done_order_s=600, fee_floor=0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["done_orders=6"], "the parameters are block_interval_ms,"),
        (["done_order_s"], "write NAME=NUMBER"),
        (["done_order_s=-6"], "write NAME=NUMBER"),
        (["done_order_s=1", "done_order_s=2"], "given twice"),
        (["done_order_s=0"], "done_order_s"),
        (["epoch_blocks=10"], "set epoch_blocks to 886 or more"),
        (["block_interval_ms=0"], "block_interval_ms"),
        (["term_s_max=1"], "term_s_max must not be below term_s_min"),
        (["confirm_s_min=0"], "confirm_s_min must be an integer from 1 to 31536000"),
        (["confirm_s_min=9999999"], "term_s_max must not be below term_s_min or confirm_s_min"),
        (["block_weight_max=20000"], "block_weight_max is 20000, but one transaction may weigh 209884"),
    ],
)
def test_genesis_new_says_which_parameter_is_wrong(capsys, tmp_path, changes, says):
    options = [word for change in changes for word in ("--set", change)]
    code, _, error = run(capsys, "genesis", "new", *options, "--validator", f"{KEY}:1", tmp_path / "g.json")
    assert code != 0
    assert says in error
    assert not (tmp_path / "g.json").exists()


def test_genesis_new_local_has_fast_parameters(capsys, tmp_path):
    assert run(capsys, "genesis", "new", "--local", "--validator", f"{KEY}:1", tmp_path / "g.json")[0] == 0
    assert Genesis.load(tmp_path / "g.json").parameters.block_interval_ms == 100


@pytest.mark.parametrize("engine", ["simplex", "ffg", "solo"])
def test_genesis_new_names_the_engine(capsys, tmp_path, engine):
    out = tmp_path / "g.json"
    code, text, _ = run(capsys, "genesis", "new", "--engine", engine, "--validator", f"{KEY}:1", out, "--json")
    assert code == 0
    assert json.loads(text)["engine"] == Genesis.load(out).engine == engine


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--engine", "solo", "--validator", f"{KEY}:1", "--validator", f"{'cd' * 32}:1"], "is one validator's"),
        ([], "needs a validator"),
        (["--validator", KEY], "write KEY:TOKENS"),
        (["--validator", "nobody:5"], "neither a key"),
        (["--validator", f"{KEY}:"], "no amount"),
        (["--validator", f"{KEY}:much"], "no amount"),
        (["--validator", f"{KEY}:0"], "no amount"),
        (["--validator", f"{KEY}:-5"], "no amount"),
        (["--validator", f"{KEY}:nan"], "no amount"),
        (["--validator", f"{KEY}:1e400"], "no amount"),
        (["--validator", f"{KEY}:0.0000001"], "no amount"),
        (["--validator", f"{KEY}:1", "--validator", f"{KEY}:2"], "given twice"),
        (["--validator", f"{KEY}:1", "--network", "x" * 33], "network"),
        (["--validator", f"{KEY}:1", "--network", ""], "name"),
    ],
)
def test_genesis_new_says_what_is_wrong(capsys, tmp_path, argv, says):
    assert says in refused(capsys, "genesis", "new", tmp_path / "g.json", *argv)
    assert not (tmp_path / "g.json").exists()


def test_genesis_new_never_overwrites(capsys, genesis_file):
    assert "exists already" in refused(capsys, "genesis", "new", "--validator", f"{KEY}:1", genesis_file)


# init


def test_init_makes_a_folder_that_a_node_can_be_configured_from(capsys, tmp_path, key_file, genesis_file):
    folder = tmp_path / "shop"
    code, _, _ = run(
        capsys,
        *["init", folder, "--genesis", genesis_file, "--key", key_file, "--bootstrap", "tcp://127.0.0.1:7400"],
        *["--listen", "tcp://127.0.0.1:0", "--name", "shop", "--engine", "solo"],
    )
    assert code == 0
    assert stat.S_IMODE((folder / "node.key").stat().st_mode) == 0o600
    config = NodeConfig.from_toml(folder / "config.toml", "open sesame")
    assert config.bootstrap == ("tcp://127.0.0.1:7400",)
    assert config.listen == ("tcp://127.0.0.1:0",)
    assert (config.name, config.genesis.engine) == ("shop", "solo")
    assert config.identity.public_key == Identity.from_seed(bytes(32)).public_key


def test_init_never_overwrites(capsys, tmp_path, key_file, genesis_file):
    arguments = ["init", tmp_path / "shop", "--genesis", genesis_file, "--key", key_file]
    assert run(capsys, *arguments)[0] == 0
    assert "exists already" in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"--genesis": "no.json"}, "no.json"),
        ({"--engine": "ffg"}, "runs solo; leave it out"),
        ({"--key": "no.key"}, "no.key"),
        ({"--bootstrap": "shop.example"}, "no address"),
        ({"--bootstrap": "tcp://127.0.0.1:0"}, "can be dialled"),
        ({"--listen": "tcp://h:99999"}, "the port must be"),
        ({"--name": "x" * 33}, "name"),
        ({"--engine": "magic"}, "magic"),
    ],
)
def test_init_says_what_is_wrong(capsys, tmp_path, key_file, genesis_file, change, says):
    arguments = {"--genesis": genesis_file, "--key": key_file} | change
    assert says in refused(capsys, "init", tmp_path / "n", *[word for pair in arguments.items() for word in pair])


def test_a_malformed_genesis_is_refused_with_its_place(capsys, tmp_path, key_file):
    (tmp_path / "bad.json").write_text('{"network": 1,\n oops}')
    line = refused(capsys, "init", tmp_path / "n", "--genesis", tmp_path / "bad.json", "--key", key_file)
    assert "bad.json" in line
    assert "line 2" in line


# run


@pytest.fixture
def folder(capsys, tmp_path, key_file, genesis_file):
    made = tmp_path / "node"
    assert run(capsys, "init", made, "--genesis", genesis_file, "--key", key_file, "--engine", "solo")[0] == 0
    return made


def test_run_wants_a_nodes_folder(capsys, tmp_path, passphrase):
    assert "p2pcommerce init" in refused(capsys, "run", tmp_path / "no", "--passphrase-file", passphrase)


def test_run_refuses_a_wrong_passphrase(capsys, tmp_path, folder):
    (tmp_path / "wrong").write_text("guess")
    assert "wrong passphrase" in refused(capsys, "run", folder, "--passphrase-file", tmp_path / "wrong")


def test_run_names_an_unknown_key_of_the_configuration(capsys, folder, passphrase):
    path = folder / "config.toml"
    path.write_text(path.read_text() + "colour = 7\n")
    assert '"colour"' in refused(capsys, "run", folder, "--passphrase-file", passphrase)


def test_run_names_the_line_of_malformed_toml(capsys, folder, passphrase):
    (folder / "config.toml").write_text("name = \n")
    assert "line 1" in refused(capsys, "run", folder, "--passphrase-file", passphrase)


# tx, query, proof


def test_tx_needs_a_running_node(capsys, folder, passphrase):
    line = refused(
        capsys, "tx", "token.transfer", f"to={KEY}", "amount_minor=1", "--dir", folder, "--passphrase-file", passphrase
    )
    assert "p2pcommerce run" in line


def test_query_needs_a_running_node(capsys, folder):
    assert "no node runs here" in refused(capsys, "query", "time", "--dir", folder)


def test_proof_make_needs_a_running_node(capsys, folder, tmp_path):
    line = refused(capsys, "proof", "make", "account", f"account={KEY}", "--dir", folder, "--out", tmp_path / "p")
    assert "no node runs here" in line


@pytest.mark.parametrize("argument", ["account", "=x", "account:x"])
def test_an_argument_that_is_no_pair_is_refused(capsys, argument):
    assert "name=value" in refused(capsys, "query", "account", argument)


def test_a_field_given_twice_is_refused(capsys):
    assert "given twice" in refused(capsys, "query", "account", "account=1", "account=2")


@pytest.mark.parametrize("content", [b"", b"\xc0", bytes(100), b"x" * (2**20 + 1)])
def test_bytes_that_are_no_proof_do_not_verify(capsys, tmp_path, genesis_file, content):
    (tmp_path / "p").write_bytes(content)
    code, out, err = run(capsys, "proof", "verify", tmp_path / "p", "--genesis", genesis_file)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1


def test_a_proof_that_is_not_there_is_a_usage_error(capsys, tmp_path, genesis_file):
    assert "cannot be read" in refused(capsys, "proof", "verify", tmp_path / "no", "--genesis", genesis_file)


def test_a_proof_is_checked_with_a_trust_anchor(capsys, tmp_path):
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "light.json").read_text(encoding="utf-8"))
    proof, anchor = tmp_path / "p", tmp_path / "anchor.json"
    proof.write_bytes(bytes.fromhex(vectors["proofs"]["presence"]))
    anchor.write_text(json.dumps(vectors["anchor"]), encoding="utf-8")
    code, out, _ = run(capsys, "proof", "verify", proof, "--trust", anchor, "--json")
    assert code == 0
    assert json.loads(out)["value"] == b"value 7".hex()
    assert "no JSON" in refused(capsys, "proof", "verify", proof, "--trust", proof)


def test_light_sync_says_what_it_cannot_do(capsys, tmp_path, genesis_file):
    anchor = tmp_path / "anchor.json"
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "light.json").read_text(encoding="utf-8"))
    anchor.write_text(json.dumps(vectors["anchor"]), encoding="utf-8")
    words = ("light", "sync", "--genesis", genesis_file, "--peer", "tcp://127.0.0.1:1")
    assert "another network" in refused(capsys, *words, "--trust", anchor)
    assert "cannot be read" in refused(capsys, *words, "--trust", tmp_path / "nothing")


# demo


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--nodes", "0"], "--nodes"),
        (["--nodes", "33"], "--nodes"),
        (["--nodes", "3", "--kill-one"], "--nodes 4"),
        (["--rate", "0"], "--rate"),
        (["--rate", "nan"], "--rate"),
        (["--duration", "0"], "--forever"),
        (["--duration", "inf"], "--forever"),
        (["--orders", "/no/such.csv"], "/no/such.csv"),
        (["--epcis", "/no/such"], "/no/such"),
    ],
)
def test_demo_says_what_is_wrong(capsys, argv, says):
    assert says in refused(capsys, "demo", *argv)


def test_demo_does_not_take_a_folder_that_holds_something_else(capsys, tmp_path):
    (tmp_path / "mine").write_text("precious")
    assert "not empty" in refused(capsys, "demo", "--dir", tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nodes": 99, "run": 1, "passphrase": "", "secret": ""}'])
def test_demo_does_not_go_on_in_a_damaged_folder(capsys, tmp_path, text):
    (tmp_path / "demo.json").write_text(text)
    assert "damaged" in refused(capsys, "demo", "--dir", tmp_path)


# what errors become


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("do it so"), 2, "p2pcommerce: do it so\n"),
        (P2PError("two\nlines"), 1, "p2pcommerce: two lines\n"),
        (ExceptionGroup("many", [ExceptionGroup("more", [KeyError(), P2PError("inner")])]), 1, "p2pcommerce: inner\n"),
        (BaseExceptionGroup("many", [KeyboardInterrupt()]), 130, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_become_a_line_and_an_exit_code(capsys, monkeypatch, error, code, line):
    def fail(arguments):
        raise error

    monkeypatch.setattr(commands, "_run", fail)
    assert main([]) == code
    assert capsys.readouterr().err == line


def test_a_defect_is_not_hidden(monkeypatch):
    def fail(arguments):
        raise ExceptionGroup("many", [KeyError("defect")])

    monkeypatch.setattr(commands, "_run", fail)
    with pytest.RaisesGroup(KeyError):
        main([])


def test_a_signal_while_the_commands_are_imported_ends_quietly():
    program = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'p2pcommerce.cli.commands':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from p2pcommerce.cli.main import main\n"
        "main(['--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
