"""The programs of docs/examples do what their pages say."""

from pathlib import Path

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.commerce import Transfer
from p2pcommerce.simulation import Cluster
from tests.finality.cases import example
from tests.runtime.nodes import Note, Notes, config_of, genesis_of

ROOT = Path(__file__).parents[2]
authority = example("authority")
notes = example("notes")
ticket_shop = example("ticket_shop")
flash_offers = example("flash_offers")


async def test_the_authority_engine_runs_a_real_network(tmp_path):
    genesis = genesis_of(0, 1, engine="authority")
    settings = {"genesis": genesis, "listen": ("tcp://127.0.0.1:0",)}
    first = config_of(tmp_path, 0, **settings)
    async with p2p.open_node(first, application=Notes(), engine=authority.Authority()) as node:
        second = config_of(tmp_path, 1, **settings, bootstrap=node.listen_addresses)
        async with p2p.open_node(second, application=Notes(), engine=authority.Authority()) as other:
            await node.wait_peers(1)
            with trio.fail_after(20):
                for number in range(3):
                    await node.wait_finalized(await node.submit(Note(b"paid", bytes([number]))))
                while other.height < node.height:
                    await other.wait_height(node.height)
            assert other.height >= 3


def test_the_authority_engine_survives_crashes_in_the_simulator():
    with Cluster(4, engine=authority.Authority, seed=3) as cluster:
        for node in (1, 2):
            paid = cluster.submit(Transfer(cluster.key(0), 5), node=3)
            cluster.run_for(0.3)
            cluster.crash(node)
            cluster.run_for(1)
            cluster.restart(node)
            cluster.run_until_final(paid)
        cluster.assert_agreement()
        cluster.check()


async def test_a_node_without_the_engine_is_told_so(tmp_path):
    with pytest.raises(p2p.ConfigError, match="hand the engine to open_node"):
        async with p2p.open_node(config_of(tmp_path, genesis=genesis_of(engine="authority")), application=Notes()):
            pass


async def test_the_ticket_shop_sells_a_seat_once_on_four_nodes(tmp_path, capsys):
    await ticket_shop.main(tmp_path)
    assert capsys.readouterr().out == "OK \nNO_STOCK the seat is sold\nit is Ann's: True\n"


def test_the_ticket_shop_has_under_120_lines():
    assert len((ROOT / "docs/examples/ticket_shop.py").read_text().splitlines()) < 120


def test_the_ticket_shop_survives_crashes_and_takes_no_money_for_what_it_refuses():
    with Cluster(4, application=ticket_shop.TicketShop, seed=9) as cluster:

        def balance(node):
            return cluster.query("account", node=0, account=cluster.key(node).hex())["balance_minor"]

        def does(payload, node):
            receipt = cluster.run_until_final(cluster.submit(payload, node=node))
            return receipt.code.value

        assert does(ticket_shop.OpenEvent("concert", 3, 1_000), 1) == "OK"
        assert does(ticket_shop.OpenEvent("concert", 9, 1), 2) == "EXISTS"
        cluster.crash(3)
        before = balance(1), balance(2)
        assert does(ticket_shop.BuyTicket("concert", 3), 2) == "OK"
        assert balance(1) >= before[0] + 1_000
        assert balance(2) <= before[1] - 1_000 + 10_000  # fees of blocks that it proposed come back
        assert does(ticket_shop.BuyTicket("concert", 3), 1) == "NO_STOCK"
        assert does(ticket_shop.BuyTicket("concert", 4), 1) == "NOT_FOUND"
        cluster.restart(3)
        cluster.run_for(5)
        assert cluster.query("seat", node=3, event="concert", seat=3) == cluster.key(2).hex()
        cluster.check()


async def test_the_notes_example_runs(tmp_path, capsys):
    await notes.main(tmp_path)
    assert capsys.readouterr().out == "OK open on sundays\n"


async def test_flash_offers_reach_a_customer_over_tcp(tmp_path):
    settings = {"genesis": genesis_of(), "listen": ("tcp://127.0.0.1:0",)}
    async with p2p.open_node(config_of(tmp_path, 0, **settings), application=Notes()) as shop:
        config = config_of(tmp_path, 1, **settings, bootstrap=shop.listen_addresses)
        async with (
            p2p.open_node(config, application=Notes()) as customer,
            customer.listen(flash_offers.TOPIC, validator=flash_offers.judge) as listener,
        ):
            with trio.fail_after(20):
                while not await flash_offers.announce(shop, "tea", 450):  # noqa: ASYNC110 - as an application does
                    await trio.sleep(0.01)
                origin, offer = await flash_offers.next_offer(listener)
            assert (origin, offer) == (shop.identity.public_key, {"product": "tea", "minor": 450})


def test_the_judge_of_flash_offers_knows_what_can_be_one():
    def verdict(data):
        return flash_offers.judge(p2p.Post(1, flash_offers.TOPIC, bytes(32), 1, 2, data, bytes(64)))

    assert verdict(b'{"product": "tea", "minor": 1}') is p2p.Verdict.ACCEPT
    assert verdict(b'{"product": "tea", "minor": 0}') is p2p.Verdict.IGNORE
    for data in (b"", b"[]", b'{"product": 1, "minor": 1}', b'{"product": "tea", "minor": 1.5}', b"\xff"):
        assert verdict(data) is p2p.Verdict.REJECT
