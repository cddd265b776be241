"""Links in messages: to the app's pages, and to stop a kind of messages."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from urllib.parse import urlsplit

from msgspec import DecodeError, Struct, json

from care.keys.sealing import Place, SealBroken
from care.notices.kinds import NoticeKind
from care.notices.links import Stop
from care.notices.messages import Channel
from persistence.keys.ring import KeyRing, TenantKeys

_PLACE: Final = Place("notice_preference", "stop", "link")
"""What a sealed link is bound to: no other sealed value opens as one."""


class NoticeLinks(Struct, frozen=True):
    """Addresses of a site; ``site_url`` is its public one, without a path."""

    site_url: str

    @property
    def host(self) -> str:
        """The site's name, the right side of ids that leave it."""
        return urlsplit(self.site_url).hostname or "localhost"

    def event_uid(self, booking_id: str) -> str:
        """The id of a visit in other people's calendars, the same for ever."""
        return f"{booking_id}@{self.host}"

    @property
    def visits(self) -> str:
        """The page of the person's visits."""
        return f"{self.site_url}/#/me/visits"

    @property
    def choices(self) -> str:
        """The page where they choose what they hear of."""
        return f"{self.site_url}/#/me/notices"

    def stop(
        self, keys: TenantKeys, person: str, kind: NoticeKind, channel: Channel
    ) -> str:
        """The secret of a link that stops these messages; sealed, it tells nothing."""
        text = json.encode(Stop(person, kind, channel)).decode()
        sealed = keys.seal(_PLACE, text)
        return urlsafe_b64encode(sealed).decode().rstrip("=")

    def stop_page(self, secret: str) -> str:
        """The page that shows what a link stops, and stops it when it is told to."""
        return f"{self.site_url}/#/unsubscribe?token={secret}"

    def stop_post(self, secret: str) -> str:
        """Where a mail program posts to (RFC 8058)."""
        return f"{self.site_url}/v1/unsubscribe/{secret}"


class SealedStops:
    """Implements Stops: reads the secrets of links that stop messages."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def read(self, secret: str) -> Stop | None:
        """See Stops.read."""
        keys = await self._ring.of()
        try:
            sealed = urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
            return json.decode(keys.open(_PLACE, sealed), type=Stop)
        except (ValueError, SealBroken, DecodeError):
            return None
