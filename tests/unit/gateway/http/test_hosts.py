"""Names under which a server answers, and addresses that count as one."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.http.hosts import AllowedHosts
from gateway.wire.addresses import network_of
from tests.fakes.live_api import open_live_api


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("slots.example.org", True),
        ("SLOTS.example.org", True),
        ("slots.example.org.", True),
        ("slots.example.org:443", True),
        ("slots.example.org:8443", False),
        ("slots.example.org.evil.test", False),
        ("evil.test", False),
        ("evil.test:443", False),
        ("user@slots.example.org:x", False),
        ("10.0.0.7", False),
        ("localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("127.0.0.2", True),
        ("[::1]:8000", True),
        ("localhost.evil.test", False),
        ("127.0.0.1.evil.test", False),
        ("[::1", False),
        ("", False),
        (None, False),
    ],
)
def test_the_public_url_says_which_names_are_ours(
    host: str | None, allowed: bool
) -> None:
    """Its host and port, and names of this machine; nothing that only looks like it."""
    assert AllowedHosts("https://slots.example.org").allows(host) is allowed


def test_a_port_of_the_public_url_counts() -> None:
    """The one that is named, and no other."""
    hosts = AllowedHosts("http://slots.example.org:8080")
    assert hosts.allows("slots.example.org:8080")
    assert not hosts.allows("slots.example.org")


def test_without_a_public_url_every_name_is_taken() -> None:
    """A server that does not know its name refuses none."""
    assert AllowedHosts().allows("anything")
    assert AllowedHosts().allows(None)


async def test_a_live_socket_is_opened_under_our_name_alone() -> None:
    """A page whose name points here is no page of ours, though its origin agrees."""
    async with open_live_api(public_url="https://slots.example.org") as api:
        address = f"ws://127.0.0.1:{api.port}/v1/live"
        async with connect(address) as connection:
            assert connection.response is not None
        rebound = f"ws://localhost.evil.test:{api.port}/v1/live"
        with pytest.raises(InvalidStatus) as refused:
            await connect(rebound, host="127.0.0.1", port=api.port)
        assert refused.value.response.status_code == 421


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, counted: str) -> None:
    """By RFC 6177 a site has a /64 at least, and any number of addresses in it."""
    assert network_of(address) == counted
