"""Web Push: browsers that a person asked to show notices, and what they are sent."""

from __future__ import annotations

import ipaddress
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from actors.domain.ids import Millis
from care.jobs.jobs import JobError

SUBSCRIPTIONS_MAX: Final = 20
"""Browsers of one account; another one replaces the oldest."""
ENDPOINT_CHARACTERS_MAX: Final = 1_024
POINT_BYTES: Final = 65
"""A public key on P-256, uncompressed."""
AUTH_BYTES: Final = 16
_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+", re.ASCII)


class PushSubscription(Struct, frozen=True):
    """Where a browser takes messages, and the keys that they are sealed with.

    An app on a phone has ``fcm:`` and its token there, and no keys.
    """

    endpoint: str
    p256dh: str
    auth: str


_DEVICE: Final = "fcm:"
DEVICE_CHARACTERS_MAX: Final = ENDPOINT_CHARACTERS_MAX - len(_DEVICE)
_DEVICE_TOKEN: Final = re.compile(r"[A-Za-z0-9_:\-]{20,}", re.ASCII)


def device_subscription(token: str) -> PushSubscription | None:
    """The subscription of an app by its token; None if it is none."""
    if len(token) > DEVICE_CHARACTERS_MAX or not _DEVICE_TOKEN.fullmatch(token):
        return None
    return PushSubscription(f"{_DEVICE}{token}", "", "")


def device_token(subscription: PushSubscription) -> str | None:
    """The token of an app; None if it is a browser's subscription."""
    if not subscription.endpoint.startswith(_DEVICE):
        return None
    return subscription.endpoint.removeprefix(_DEVICE)


class RecipientGone(JobError):
    """The address takes messages no more; the message is given up, with no alarm."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, final=True)


class PushSubscriptions(Protocol):
    """Subscriptions of accounts, one for each browser. All may raise Unavailable."""

    async def add(
        self,
        account_id: str,
        session_id: str,
        subscription: PushSubscription,
        *,
        now: Millis,
    ) -> None:
        """Keep a subscription; it ends with its session. Of one browser there is one.

        Another account that was told at this endpoint is not any more.
        """
        ...

    async def remove(self, account_id: str, endpoint: str) -> None:
        """Forget an account's subscription; no effect if it has none there."""
        ...

    async def find(self, subscription_id: str) -> PushSubscription | None:
        """A subscription that is in force."""
        ...

    async def drop(self, subscription_id: str) -> None:
        """Forget one that the browser's service no longer knows."""
        ...


class PushPorts(Struct, frozen=True):
    """What the routes of Web Push need; ``public_key`` in base64url."""

    subscriptions: PushSubscriptions
    public_key: str
    is_open: bool = False
    """Whether endpoints may be of any network, without TLS: for tests."""
    takes_devices: bool = False
    """Whether the site sends to apps on phones."""


def decoded(text: str) -> bytes:
    """Bytes from base64url with or without padding. Raises ValueError."""
    return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def wrong_of(subscription: PushSubscription, *, is_open: bool) -> Mapping[str, str]:
    """What is wrong with a subscription, by field; empty if nothing is."""
    wrong = {}
    is_device = device_token(subscription) is not None
    if is_device or not (is_open or is_public_endpoint(subscription.endpoint)):
        wrong["endpoint"] = "must be an https address of a public service"
    for name, text, length in (
        ("p256dh", subscription.p256dh, POINT_BYTES),
        ("auth", subscription.auth, AUTH_BYTES),
    ):
        try:
            is_right = len(decoded(text)) == length
        except ValueError:
            is_right = False
        if not is_right:
            wrong[name] = f"must be {length} bytes in base64url"
    return wrong


def is_public_endpoint(endpoint: str) -> bool:
    """Whether an address may be asked; where its name leads is checked at each call."""
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    # Parsers drop some of these silently, and a request with them cannot be written.
    if not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        return False
    plain = parts.scheme == "https" and port in (None, 443) and "@" not in parts.netloc
    return plain and _NAME.fullmatch(host) is not None and not _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # A name that ends in a number is read as an address by some resolvers.
        return host.rpartition(".")[2].isdigit()
    return True


_GIVEN_OUT: Final = ipaddress.ip_network("2000::/3")
"""The only part of IPv6 that is given out for the public internet: outside of it are
former private networks, and ways of writing addresses of the old kind."""
_TRANSLATED: Final = ipaddress.ip_network("2002::/16")
"""Addresses that carry one of the old kind, which may be private."""


def is_public_address(text: str) -> bool:
    """Whether an address is of the public internet, and no other network's."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public_address(str(address.ipv4_mapped))
        if address not in _GIVEN_OUT or address in _TRANSLATED or address.teredo:
            return False
    return address.is_global and not address.is_multicast


def only_public(addresses: Sequence[str]) -> bool:
    """Whether a name leads to the public internet alone."""
    return bool(addresses) and all(map(is_public_address, addresses))
