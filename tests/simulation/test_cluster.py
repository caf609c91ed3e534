"""`Cluster`: what an embedding application tests itself with."""

from __future__ import annotations

import pytest

from p2pcommerce.commerce import Commerce, Transfer
from p2pcommerce.ledger.application import QueryError
from p2pcommerce.primitives.errors import RejectionCode, TransactionRejectedError, UsageError
from p2pcommerce.simulation.cluster import ACCOUNT_MINOR, Cluster, ClusterError
from p2pcommerce.simulation.simulation import Simulation

from .worlds import scenario


def pay(cluster, amount=1_000_000, **more):
    return cluster.submit(Transfer(cluster.account("bob"), amount), sender="ann", **more)


def balance(cluster, node=0):
    return cluster.query("account", node=node, account=cluster.account("bob"))["balance_minor"]


def make(**more):
    return Cluster(4, accounts=("ann", "bob"), **more)


@pytest.fixture(scope="module")
def start():
    """What an account has at first: the deposit for its record is taken at genesis."""
    with make() as cluster:
        cluster.run_for(1)
        return balance(cluster)


def test_a_payment_is_final_on_every_node(start):
    with make() as cluster:
        tx_id = pay(cluster)
        assert cluster.outcome(tx_id) is None
        assert cluster.run_until_final(tx_id).code is RejectionCode.OK
        cluster.assert_agreement()
        assert [balance(cluster, node) for node in range(4)] == [start + 1_000_000] * 4


def test_payments_of_one_account_follow_each_other_without_waiting(start):
    with make() as cluster:
        ids = [pay(cluster, amount) for amount in (1, 2, 3)]
        for tx_id in ids:
            assert cluster.run_until_final(tx_id).code is RejectionCode.OK
        assert balance(cluster) == start + 6


def test_a_node_pays_from_its_own_account(start):
    with make() as cluster:
        tx_id = cluster.submit(Transfer(cluster.account("bob"), 9), node=3)
        cluster.run_until_final(tx_id)
        cluster.assert_agreement()
        assert balance(cluster, node=2) == start + 9
        assert cluster.query("account", account=cluster.key(3))["nonce"] == 1


def test_halves_finalize_nothing_until_they_are_joined():
    with make() as cluster:
        cluster.run_for(2)
        cluster.partition([[0, 1], [2, 3]])
        tx_id = pay(cluster)
        heights = cluster.heights
        cluster.run_for(20)
        assert cluster.outcome(tx_id) is None
        assert max(cluster.heights) <= max(heights) + 1
        cluster.heal()
        assert cluster.run_until_final(tx_id).code is RejectionCode.OK
        cluster.assert_agreement()


def test_a_majority_goes_on_and_the_rest_catches_up(start):
    with make() as cluster:
        cluster.run_for(2)
        cluster.partition([[3]])
        for amount in range(1, 4):
            cluster.run_until_final(pay(cluster, amount))
        assert cluster.heights[3] < cluster.heights[0]
        cluster.heal()
        cluster.assert_agreement()
        assert balance(cluster, node=3) == start + 6


def test_a_crashed_node_stays_down_until_it_is_restarted(start):
    with make() as cluster:
        cluster.run_for(2)
        cluster.crash(2)
        cluster.run_until_final(pay(cluster))
        cluster.run_for(10)
        with pytest.raises(ClusterError, match="down"):
            cluster.query("supply", node=2)
        cluster.restart(2)
        cluster.assert_agreement()
        assert balance(cluster, node=2) == start + 1_000_000


def test_after_healing_no_fault_strikes_any_more():
    with make(seed=5, faults={"crash": 0.5, "partition": 0.5, "clock_jump": 0.1, "loss": 0.1}) as cluster:
        cluster.run_for(15)
        cluster.heal()
        cluster.run_for(6)
        fired = cluster.world.schedule.fired()
        assert set(fired) == {"crash", "partition", "clock_jump", "loss"}
        cluster.run_until_final(pay(cluster))
        cluster.run_for(20)
        assert cluster.world.schedule.fired() == fired
        cluster.assert_agreement()


def test_one_seed_is_one_run():
    hashes = set()
    for _ in range(2):
        with make(seed=9, faults={"loss": 0.1}) as cluster:
            cluster.run_until_final(pay(cluster))
            hashes.add(cluster.trace_hash)
    assert len(hashes) == 1


def test_a_refusal_has_its_code():
    with make() as cluster, pytest.raises(TransactionRejectedError) as refused:
        cluster.submit(Transfer(cluster.account("bob"), 10 * ACCOUNT_MINOR), sender="ann")
    assert refused.value.rejection is RejectionCode.NO_FUNDS


def test_an_application_of_ones_own_runs_on_it():
    class Shouting(Commerce):
        name = "shouting"

        def query(self, name, arguments, view):
            return "LOUD" if name == "shout" else super().query(name, arguments, view)

    with make(application=Shouting) as cluster:
        assert cluster.query("shout") == "LOUD"
        with pytest.raises(QueryError):
            cluster.query("whisper")


def test_what_does_not_come_is_said_with_its_time():
    with make() as cluster, pytest.raises(ClusterError, match="3 simulated seconds"):
        cluster.run_until(lambda: False, within_s=3)


def test_run_until_says_how_long_it_took():
    with make() as cluster:
        tx_id = pay(cluster)
        assert 0 < cluster.run_until(lambda: cluster.outcome(tx_id) is not None) < 2


def test_leaving_a_cluster_looks_at_the_oracles():
    cluster = make()
    cluster.run_for(1)
    cluster.world.oracles.report("supply", 0, "for this test")
    with pytest.raises(ClusterError, match="for this test"), cluster:
        pass


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"nodes": 0}, "1 to 1000 nodes"),
        ({"nodes": 3, "validators": 4}, "4 validators among 3"),
        ({"faults": {"gremlins": 0.5}}, "unknown fault"),
        ({"table": "moon"}, "unknown latency table"),
        ({"nodes": 4.5}, r"give an integer: nodes=4"),
        ({"validators": True}, "give an integer: validators=4"),
        ({"seed": "x"}, "give an integer: seed=1"),
        ({"accounts": "ann"}, r"accounts=\('ann',\)"),
        ({"accounts": [1]}, r"accounts=\('ann', 'bob'\)"),
        ({"latency_ms": -1}, "latency_ms is -1"),
        ({"latency_ms": float("nan")}, "latency_ms is nan"),
        ({"faults": ["loss"]}, r"faults=\{'loss': 0.05\}"),
        ({"faults": {"loss": "much"}}, "intensity"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments, match):
    with pytest.raises(UsageError, match=match) as refused:
        Cluster(**arguments)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda cluster: cluster.partition([[0, 1], [9]]), "no node 9"),
        (lambda cluster: cluster.partition([[0, 1], [1, 2]]), "node 1 is named twice"),
        (lambda cluster: cluster.partition([0, 1]), "needs groups"),
        (lambda cluster: cluster.partition("01"), "needs groups"),
        (lambda cluster: cluster.partition([[0, 1, 2, 3]]), "one group"),
        (lambda cluster: cluster.partition([]), "one group"),
        (lambda cluster: cluster.set_fault("partition"), "use cluster.partition"),
        (lambda cluster: cluster.set_fault("crash"), "not one of links"),
        (lambda cluster: cluster.run_for(-1), "seconds is -1"),
        (lambda cluster: cluster.run_for(float("nan")), "seconds is nan"),
        (lambda cluster: cluster.run_for(float("inf")), "seconds is inf"),
        (lambda cluster: cluster.run_for("5"), "seconds is '5'"),
        (lambda cluster: cluster.run_until(True), "run_until\\(lambda"),
        (lambda cluster: cluster.run_until(lambda: True, within_s=-2), "within_s is -2"),
        (lambda cluster: cluster.submit("x"), "submit takes a payload"),
        (lambda cluster: cluster.crash("0"), "no node '0'"),
    ],
)
def test_misuse_is_refused_in_one_line_that_says_what_to_write(call, match):
    with make() as cluster, pytest.raises(UsageError, match=match) as refused:
        call(cluster)
    assert "\n" not in str(refused.value)


def test_what_faults_do_by_themselves_is_not_done_by_hand_until_they_are_healed():
    with make(faults={"partition": 0.3, "loss": 0.05}) as cluster:
        with pytest.raises(UsageError, match=r"faults=\{'partition': ...\}; leave that out, or heal"):
            cluster.partition([[0, 1], [2, 3]])
        with pytest.raises(UsageError, match="'loss'"):
            cluster.set_fault("loss", 0.5)
        cluster.set_fault("duplication", 0.1)
        cluster.heal()
        cluster.partition([[0, 1], [2, 3]])
        assert not cluster.world.links.reachable(0, 2)


def test_submissions_of_one_account_are_numbered_in_order_at_whatever_node(start):
    with make() as cluster:
        ids = [pay(cluster, amount, node=node) for amount, node in ((1, 0), (2, 3), (3, 1), (4, 2))]
        for tx_id in ids:
            assert cluster.run_until_final(tx_id).code is RejectionCode.OK
        assert balance(cluster) == start + 10


def test_a_transaction_signed_elsewhere_counts_too():
    with make() as cluster, make() as elsewhere:
        purse = elsewhere._purse
        host = cluster.world.hosts[0]
        cluster.run_for(1)
        signed = purse.sign(Transfer(cluster.account("bob"), 5), cluster._seed_of("ann"), host.node)
        ids = [cluster.submit(signed, node=1), pay(cluster, 6, node=2)]
        for tx_id in ids:
            assert cluster.run_until_final(tx_id).code is RejectionCode.OK


def test_a_nonce_that_a_node_cannot_place_is_explained():
    with make() as cluster:
        cluster.partition([[0, 1, 2], [3]])
        for amount in range(1, 30):
            pay(cluster, amount)
        with pytest.raises(TransactionRejectedError, match="BAD_NONCE: refused by node 3: it has not heard"):
            pay(cluster, node=3)


def test_what_only_shows_at_the_end_is_looked_for_when_a_cluster_is_left(monkeypatch):
    cluster = make()

    def find(*_arguments, **_options):
        cluster.world.oracles.report("conviction", cluster.world.now_us, "for this test")

    monkeypatch.setattr(cluster.world.oracles, "check_end", find)
    with pytest.raises(ClusterError, match="for this test"), cluster:
        cluster.run_for(1)


def test_unknown_accounts_and_nodes_are_refused_by_name():
    cluster = make()
    with pytest.raises(UsageError, match="no account 'eve'"):
        cluster.account("eve")
    with pytest.raises(UsageError, match="no node 7"):
        cluster.crash(7)


def test_a_simulation_runs_a_scenario():
    result = Simulation(scenario(1, seconds=4, liveness=2)).run()
    assert result.is_good
    assert "good" in result.words


def test_a_core_that_raises_is_told_with_its_cause():
    cluster = make()
    cluster.run_for(1)
    cluster.world.hosts[1].node.on_message = None
    with pytest.raises(ClusterError, match=r"exception at .* TypeError: .*p2pcommerce/simulation/host\.py:\d+") as told:
        cluster.run_for(10)
    assert isinstance(told.value.__cause__, TypeError)
