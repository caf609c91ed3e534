"""Scenarios that cannot be run are refused in one line."""

import pytest

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.gossip import ATTACKS, GossipScenario, GossipScenarioError
from p2pcommerce.simulation.tables import UnknownTableError


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("strategy", "rumour", "chosen, gossipsub, flood"),
        ("attack", "meteor", "never-answering"),
        ("nodes", 1, "nodes is 1"),
        ("transactions", 0, "transactions is 0"),
        ("payload_bytes", 17_000, "payload_bytes"),
        ("rate", 0.0, "rate"),
        ("warmup_s", -1.0, "warmup_s"),
        ("bandwidth_bps", 0, "bandwidth_bps"),
        ("inbound_max", 3, "inbound_max"),
        ("attack_share", 1.0, "attack_share"),
    ],
)
def test_a_field_out_of_its_range_is_named(field, value, named):
    with pytest.raises(GossipScenarioError, match=named) as caught:
        GossipScenario(**{field: value})
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UsageError)


def test_an_unknown_table_is_refused():
    with pytest.raises(UnknownTableError):
        GossipScenario(latency_table="mars")


def test_an_attack_brings_its_own_share_and_places_unless_told_otherwise():
    assert GossipScenario(attack="never-answering").near
    assert GossipScenario(attack="mute").share == ATTACKS["mute"].share
    assert not GossipScenario(attack="never-answering", attackers_near=False).near
    assert GossipScenario(attack="mute", attack_share=0.4).share == 0.4
