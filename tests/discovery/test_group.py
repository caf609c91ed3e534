import pytest

from p2pcommerce.discovery.group import group_of, host_of, is_local, is_name, known_place, source_group_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://9.9.1.1:7400", "tcp://9.9.255.255:1"),
        ("tcp://[2a00:1450:1::1]:1", "tcp://[2a00:1450:ffff::2]:2"),
        ("tcp://a.seed.example:1", "tcp://b.seed.example:2"),
        ("tcp://[::ffff:9.9.1.1]:1", "tcp://9.9.2.2:1"),
        ("tcp://[2002:909:101::1]:1", "tcp://9.9.2.2:1"),
        ("tcp://[64:ff9b::909:101]:1", "tcp://9.9.2.2:1"),
    ],
)
def test_addresses_of_one_group(one, other):
    assert group_of(one) == group_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://9.9.1.1:7400", "tcp://9.8.1.1:7400"),
        ("tcp://[2a00:1450::1]:1", "tcp://[2a00:1451::1]:1"),
        ("tcp://seed.example:1", "tcp://seed.example.net:1"),
        ("tcp://127.0.0.1:7400", "tcp://127.0.0.1:7401"),
        ("tcp://192.168.0.1:7400", "tcp://192.168.0.2:7400"),
        ("tcp://[fd00::1]:7400", "tcp://[fd00::2]:7400"),
        ("memory://a", "memory://b"),
    ],
)
def test_addresses_of_two_groups(one, other):
    assert group_of(one) != group_of(other)


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1:1",
        "tcp://10.1.2.3:1",
        "tcp://172.16.0.1:1",
        "tcp://192.168.0.1:1",
        "tcp://169.254.0.1:1",
        "tcp://224.0.0.1:1",
        "tcp://[::1]:1",
        "tcp://[fe80::1]:1",
        "tcp://[fd00::1]:1",
        "tcp://[::ffff:10.0.0.1]:1",
        "tcp://localhost:1",
        "tcp://printer.local:1",
        "memory://a",
    ],
)
def test_local_addresses(address):
    assert is_local(address)
    assert host_of(address) is None


@pytest.mark.parametrize("address", ["tcp://9.9.9.9:1", "tcp://[2a00:1450::1]:1", "tcp://seed.example:1"])
def test_addresses_that_mean_something_everywhere(address):
    assert not is_local(address)


def test_the_port_of_a_caller_says_nothing_about_its_group():
    for host in ("127.0.0.1", "9.9.9.9"):
        assert source_group_of(f"tcp://{host}:50000") == source_group_of(f"tcp://{host}:50001")


def test_the_host_of_a_place_is_its_global_address():
    assert host_of("tcp://9.9.9.9:1") == "9.9.9.9"
    assert host_of("tcp://[::ffff:9.9.9.9]:1") == "9.9.9.9"
    assert host_of("tcp://seed.example:1") is None


def test_what_a_transport_says_may_be_no_address():
    assert known_place("tcp://[2A00:1450::0]:1") == "tcp://[2a00:1450::]:1"
    assert known_place("unix socket") is None


@pytest.mark.parametrize("address", ["tcp://seed.example:1", "tcp://1.seed.example:1"])
def test_a_name_leads_wherever_its_owner_wants(address):
    assert is_name(address)


@pytest.mark.parametrize("address", ["tcp://9.9.9.9:1", "tcp://[2a00:1450::1]:1", "tcp://localhost:1", "memory://a"])
def test_an_address_that_is_no_name(address):
    assert not is_name(address)
