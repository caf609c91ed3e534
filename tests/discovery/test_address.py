import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery import Address, AddressError, parse_address
from p2pcommerce.discovery.address import ADDRESS_BYTES_MAX
from p2pcommerce.primitives.errors import UsageError


@pytest.mark.parametrize(
    ("text", "host", "port", "canonical"),
    [
        ("tcp://192.0.2.7:7400", "192.0.2.7", 7400, None),
        ("tcp://Seed.Example:07400", "seed.example", 7400, "tcp://seed.example:7400"),
        ("tcp://localhost:1", "localhost", 1, None),
        ("tcp://[2001:DB8:0:0::7]:65535", "2001:db8::7", 65535, "tcp://[2001:db8::7]:65535"),
        ("tcp://0.0.0.0:0", "0.0.0.0", 0, None),
        ("memory://node-1", "node-1", 0, None),
    ],
)
def test_addresses_are_read_and_printed_in_one_form(text, host, port, canonical):
    address = parse_address(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == (canonical or text)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no address"),
        ("192.0.2.7:7400", "no address"),
        ("udp://192.0.2.7:7400", "no known transport"),
        ("tcp://192.0.2.7", "no port"),
        ("tcp://192.0.2.7:", "port must be"),
        ("tcp://192.0.2.7:65536", "port must be"),
        ("tcp://192.0.2.7:-1", "port must be"),
        ("tcp://192.0.2.7:+1", "port must be"),
        ("tcp://192.0.2.7:٣", "port must be"),
        ("tcp://192.0.2.256:1", "no IPv4"),
        ("tcp://1.2.3:1", "no IPv4"),
        ("tcp://2001:db8::7:7400", "in brackets"),
        ("tcp://[2001:db8::7]", r"\[address\]:port"),
        ("tcp://[2001:db8::7", r"\[address\]:port"),
        ("tcp://[2001:db8::zz]:1", "no IPv6"),
        ("tcp://[fe80::1%eth0]:1", "zone"),
        ("tcp://:7400", "no host name"),
        ("tcp://-a.example:1", "no host name"),
        ("tcp://a..b:1", "no host name"),
        ("tcp://a b:1", "no host name"),
        ("tcp://münchen.example:1", "no host name"),
        ("tcp://" + ".".join(["a" * 60] * 5) + ":1", "allowed"),
        ("tcp://" + ".".join(["a" * 50] * 5) + ":1", "no host name"),
        ("memory://", "memory name"),
        ("memory://A", "memory name"),
        ("x" * (ADDRESS_BYTES_MAX + 1), "allowed"),
    ],
)
def test_what_is_no_address_is_refused_with_its_reason(text, reason):
    with pytest.raises(AddressError, match=reason):
        parse_address(text)


def test_an_address_error_is_a_usage_error():
    assert issubclass(AddressError, UsageError)


@pytest.mark.parametrize(
    ("text", "dialled"),
    [
        ("tcp://0.0.0.0:7400", False),
        ("tcp://[::]:7400", False),
        ("tcp://h:0", False),
        ("tcp://h:1", True),
        ("memory://n", True),
    ],
)
def test_what_names_no_place_cannot_be_dialled(text, dialled):
    assert parse_address(text).can_be_dialled is dialled


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text(max_size=40).map(lambda tail: "tcp://" + tail)))
def test_any_text_is_an_address_or_an_address_error(text):
    try:
        address = parse_address(text)
    except AddressError:
        return
    assert isinstance(address, Address)
    assert parse_address(str(address)) == address
