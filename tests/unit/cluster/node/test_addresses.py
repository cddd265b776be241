"""Addresses of HTTP servers as they are printed and asked."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from cluster.terminal.addresses import http_url, local_url, page_url


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1", "clinic.example"])
def test_an_address_keeps_host_and_port(host: str) -> None:
    """The address is read back as the same host and port, IPv6 hosts too."""
    for url in (http_url(host, 8000), local_url(host, 8000)):
        read = urlsplit(url)
        assert (read.hostname, read.port) == (host, 8000)


@pytest.mark.parametrize(("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "::1")])
def test_a_server_on_every_address_is_asked_on_loopback(host: str, asked: str) -> None:
    """An address to listen on is not one to ask; the family stays."""
    read = urlsplit(local_url(host, 8000))
    assert (read.hostname, read.port) == (asked, 8000)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://localhost:8000"),
        ("::1", "http://localhost:8000"),
        ("0.0.0.0", "http://localhost:8000"),
        ("clinic.example.org", "http://clinic.example.org:8000"),
        ("10.0.0.7", "http://10.0.0.7:8000"),
    ],
)
def test_people_get_an_address_that_offers_passkeys(host: str, url: str) -> None:
    """Of this machine it is localhost: browsers have no passkeys on addresses."""
    assert page_url(host, 8000) == url
