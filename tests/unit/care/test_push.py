"""Where browsers may send this site's requests, and where not."""

from __future__ import annotations

import pytest

from care.notices.push import PushSubscription, only_public, wrong_of

POINT, SECRET = "B" + 86 * "A", 22 * "A"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/x",
        "https://web.push.apple.com:443/x",
    ],
)
def test_endpoints_of_public_services_are_taken(endpoint: str) -> None:
    """Those of the makers of browsers."""
    assert not wrong_of(PushSubscription(endpoint, POINT, SECRET), is_open=False)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example.org/x",
        "ftp://push.example.org/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://10.1/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://localhost/x",
        "https://redis/x",
        "https://push.example.org:6379/x",
        "https://me:pw@push.example.org/x",
        "https://push.example.org:x/",
        "https:///x",
        "https://push.example.org/x y",
        "https://push.example.org/x\n",
        "https://push.example.org/\u00e9",
        "",
    ],
)
def test_other_endpoints_are_refused(endpoint: str) -> None:
    """Without TLS, addresses in numbers, names of this network, other ports."""
    wrong = wrong_of(PushSubscription(endpoint, POINT, SECRET), is_open=False)
    assert list(wrong) == ["endpoint"]


@pytest.mark.parametrize(
    ("p256dh", "auth", "field"),
    [("AAAA", SECRET, "p256dh"), (POINT, "AAAA", "auth"), (POINT, "é", "auth")],
)
def test_keys_have_their_lengths(p256dh: str, auth: str, field: str) -> None:
    """Each is named."""
    found = PushSubscription("https://push.example.org/x", p256dh, auth)
    assert list(wrong_of(found, is_open=False)) == [field]


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("142.250.74.206", True),
        ("2a00:1450:4001:82b::200e", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("fe80::1", False),
        ("ff0e::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("64:ff9b:1::a00:1", False),
        ("::10.0.0.1", False),
        ("fec0::1", False),
    ],
)
def test_public_addresses(address: str, is_public: bool) -> None:
    """One that is not makes a name useless, however many others it has."""
    assert only_public([address]) is is_public
    assert only_public(["142.250.74.206", address]) is is_public
    assert not only_public([])
