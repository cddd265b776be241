"""Delivers messages to browsers through their push services."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import httpcore
from msgspec import json

from actors.domain.ids import Millis
from actors.ports import Clock
from care.jobs.jobs import JobError
from care.notices.messages import OutgoingMessage
from care.notices.push import (
    PushSubscription,
    PushSubscriptions,
    RecipientGone,
    device_token,
    wrong_of,
)
from care.notices.visits import MINUTE_MS
from persistence.notices.push.fcm import FcmSender
from persistence.notices.push.network import PrivateAddress
from persistence.notices.push.sealing import sealed
from persistence.notices.push.vapid import Vapid

ANSWER_S: Final = 10.0
"""How long a service may take: below the time of a job."""
KEPT_S_MAX: Final = 2 * 24 * 3_600
"""How long a service keeps a message for a browser that is off."""
PAGE: Final = "/me/notices"
"""What opens when the person touches it."""
_GONE: Final = frozenset({404, 410})
_TOO_MANY: Final = 429
_TIMEOUTS: Final = dict.fromkeys(("connect", "read", "write", "pool"), ANSWER_S)


class PushCourier:
    """Implements MessageSender.

    A message's recipient is a subscription's id. A repeated message has the same
    ``Topic`` and tag, by which service and browser show it once. A subscription that
    the service does not know any more is removed. ``devices``: how apps on phones are
    reached, if they are. ``is_open``: for tests.
    """

    def __init__(
        self,
        subscriptions: PushSubscriptions,
        vapid: Vapid,
        pool: httpcore.AsyncConnectionPool,
        clock: Clock,
        *,
        devices: FcmSender | None = None,
        is_open: bool = False,
    ) -> None:
        self._devices = devices
        self._subscriptions = subscriptions
        self._vapid = vapid
        self._pool = pool
        self._clock = clock
        self._is_open = is_open

    async def deliver(self, outgoing: OutgoingMessage) -> str:
        """See MessageSender.deliver. Raises RecipientGone."""
        subscription_id = outgoing.message.recipient
        found = await self._subscriptions.find(subscription_id)
        if found is None:
            raise RecipientGone("the browser's subscription has ended")
        if (device := device_token(found)) is not None:
            await self._send_to_device(device, outgoing)
            return ""
        if wrong_of(found, is_open=self._is_open):
            raise RecipientGone("the subscription is of no use")
        status, after_ms = await self._post(found, outgoing)
        if status in _GONE:
            await self._subscriptions.drop(subscription_id)
            raise RecipientGone(f"the service answered {status}")
        if status // 100 == 2:  # noqa: PLR2004 - success
            return ""
        final = status // 100 in (3, 4) and status != _TOO_MANY
        reason = f"the service answered {status}"
        raise JobError(reason, after_ms=after_ms, final=final)

    async def _send_to_device(self, device: str, outgoing: OutgoingMessage) -> None:
        if self._devices is None:
            raise RecipientGone("this site sends nothing to apps")
        kept_s = _kept_s(outgoing, self._clock.now())
        await self._devices.send(device, outgoing, _tag_of(outgoing), kept_s)

    async def _post(
        self, subscription: PushSubscription, outgoing: OutgoingMessage
    ) -> tuple[int, int | None]:
        """Status, and when to come back if the service says so. Raises JobError."""
        try:
            body = sealed(subscription, self._plain(outgoing))
        except ValueError:
            raise RecipientGone("the subscription's keys are none") from None
        try:
            async with self._pool.stream(
                "POST",
                subscription.endpoint,
                headers=self._headers(subscription, outgoing, len(body)),
                content=body,
                extensions={"timeout": _TIMEOUTS},
            ) as answer:
                # Its text may repeat the address, and could be endless: not read.
                return answer.status, _after_ms(answer.headers)
        except PrivateAddress:
            raise RecipientGone("the endpoint is of no public network") from None
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
        ) as error:
            raise JobError(f"no answer: {type(error).__name__}") from None

    def _headers(
        self, subscription: PushSubscription, outgoing: OutgoingMessage, length: int
    ) -> list[tuple[bytes, bytes]]:
        now = self._clock.now()
        host = urlsplit(subscription.endpoint).netloc
        fields = {
            "Host": host,
            "Authorization": self._vapid.header(subscription.endpoint, now),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Content-Length": str(length),
            "TTL": str(_kept_s(outgoing, now)),
            "Topic": _tag_of(outgoing),
            "Urgency": "high",
        }
        return [(name.encode(), value.encode()) for name, value in fields.items()]

    def _plain(self, outgoing: OutgoingMessage) -> bytes:
        message = outgoing.message
        return json.encode(
            {
                "tag": _tag_of(outgoing),
                "title": message.subject,
                "body": message.text,
                "page": PAGE,
            }
        )


def _tag_of(outgoing: OutgoingMessage) -> str:
    """What repetitions of a message have in common; at most 32 characters."""
    about = outgoing.about
    return (outgoing.message_id if about is None else about.notice_id)[:32]


def _kept_s(outgoing: OutgoingMessage, now: Millis) -> int:
    """Not beyond the start of the visit."""
    about = outgoing.about
    if about is None:
        return KEPT_S_MAX
    return max(0, min(KEPT_S_MAX, (about.start * MINUTE_MS - now) // 1000))


def _after_ms(headers: list[tuple[bytes, bytes]]) -> int | None:
    """``Retry-After`` in seconds, an hour at most."""
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit():
            return min(int(value[:6]), 3_600) * 1000
    return None
