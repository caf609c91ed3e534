"""Share links and sponsors on the command line, at a node that runs in this process."""

from __future__ import annotations

import json

import pytest

from p2pcommerce.cli.main import main
from p2pcommerce.commerce import ShareLink, read_share_link, write_share_link
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.runtime.identity import Identity

SHOP, SIA = (Identity.from_seed(bytes([number]) * 32).public_key for number in (1, 2))


@pytest.fixture
def genesis_file(tmp_path):
    Genesis.local("test", {SHOP: 10**9}, engine="solo").save(tmp_path / "genesis.json")
    return tmp_path / "genesis.json"


def run(capsys, *argv):
    code = main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_link_is_made_without_a_node(capsys, genesis_file):
    code, out, _ = run(capsys, "share", "make", SHOP.hex(), "7", "--referrer", SIA.hex(), "--genesis", genesis_file)
    assert code == 0
    assert read_share_link(out) == ShareLink(Genesis.load(genesis_file).hash, SHOP, 7, SIA)


def test_a_link_may_name_nobody_and_be_json(capsys, genesis_file):
    _, out, _ = run(capsys, "share", "make", SHOP.hex(), "7", "--genesis", genesis_file, "--json")
    assert read_share_link(json.loads(out)["link"]).referrer is None


@pytest.mark.parametrize("number", ["x", "-1", "99999999999", str(2**32)])
def test_a_listing_has_a_number(capsys, genesis_file, number):
    code, out, err = run(capsys, "share", "make", "--genesis", genesis_file, SHOP.hex(), "--", number)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_spoilt_link_is_told_before_any_node_is_asked(capsys, genesis_file):
    link = write_share_link(ShareLink(Genesis.load(genesis_file).hash, PublicKey(SHOP), 1))
    code, _, err = run(capsys, "share", "read", link[:-1] + ("a" if link[-1] != "a" else "b"))
    assert code == 2
    assert "checksum" in err


def test_a_link_is_read_at_a_running_node(capsys, genesis_file, tmp_path):
    link = write_share_link(ShareLink(Genesis.load(genesis_file).hash, PublicKey(SHOP), 1))
    code, _, err = run(capsys, "share", "read", link, "--dir", tmp_path)
    assert code in {1, 2}
    assert "no node runs" in err


@pytest.mark.parametrize("option", [["--sponsor-pays"], ["--sponsor-passphrase-file", "f"]])
def test_what_is_a_sponsors_needs_a_sponsor(capsys, genesis_file, option):
    (genesis_file.parent / "control.json").write_text("{}")
    fields = ["to=" + SIA.hex(), "amount_minor=1"]
    code, _, err = run(capsys, "tx", "token.transfer", *fields, *option, "--dir", genesis_file.parent)
    assert code == 2
    assert "--sponsor FILE" in err
