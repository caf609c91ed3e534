import pytest

from p2pcommerce.discovery import advertised


@pytest.mark.parametrize(
    ("listening", "observed", "told"),
    [
        (["tcp://0.0.0.0:7400"], None, ()),
        (["tcp://0.0.0.0:7400"], "9.9.9.9", ("tcp://9.9.9.9:7400",)),
        (["tcp://[::]:7400"], "2a00:1450::1", ("tcp://[2a00:1450::1]:7400",)),
        (["tcp://192.168.0.5:7400"], "9.9.9.9", ("tcp://9.9.9.9:7400", "tcp://192.168.0.5:7400")),
        (["tcp://8.8.8.8:7400"], "9.9.9.9", ("tcp://8.8.8.8:7400",)),
        (["tcp://127.0.0.1:7400"], "9.9.9.9", ("tcp://127.0.0.1:7400",)),
        (["memory://a"], "9.9.9.9", ("memory://a",)),
        ([], "9.9.9.9", ()),
    ],
)
def test_a_node_says_where_it_listens_and_where_a_majority_sees_it(listening, observed, told):
    assert advertised(listening, observed) == told


def test_what_a_router_maps_comes_first_and_at_the_host_that_a_majority_sees():
    listening, mapped = ("tcp://192.168.1.5:7400",), ("tcp://8.8.8.8:40000",)
    assert advertised(listening, None, mapped) == ("tcp://8.8.8.8:40000", "tcp://192.168.1.5:7400")
    assert advertised(listening, "9.9.9.9", mapped)[:2] == ("tcp://9.9.9.9:40000", "tcp://9.9.9.9:7400")
    assert advertised(listening, "2600::9", mapped)[0] == "tcp://8.8.8.8:40000"
    assert advertised(("tcp://9.9.9.9:7400",), None, mapped) == ("tcp://8.8.8.8:40000", "tcp://9.9.9.9:7400")
