"""Links in messages: to the app's pages, and to stop a kind of messages."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, TypeVar
from urllib.parse import urlsplit

from msgspec import DecodeError, Struct, json

from care.keys.sealing import Place, SealBroken
from care.notices.kinds import NoticeKind
from care.notices.links import ChooseLink, Stop
from care.notices.messages import Channel
from persistence.keys.ring import KeyRing, TenantKeys

T = TypeVar("T")
_PLACE: Final = Place("notice_preference", "stop", "link")
"""What a sealed link is bound to: no other sealed value opens as one."""
_CHOOSE: Final = Place("leave_visit", "choose", "link")


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

    def choose_page(self, keys: TenantKeys, link: ChooseLink) -> str:
        """The page where another time is chosen for a visit, without signing in."""
        sealed = keys.seal(_CHOOSE, json.encode(link).decode())
        return self.chosen_at(urlsafe_b64encode(sealed).decode().rstrip("="))

    def chosen_at(self, secret: str) -> str:
        """The address of that page for a secret."""
        return f"{self.site_url}/#/choose?token={secret}"

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
        return _opened(await self._ring.of(), _PLACE, secret, Stop)


class SealedChooseLinks:
    """Implements ChooseLinks: reads the secrets of links to choose another time."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def read(self, secret: str) -> ChooseLink | None:
        """See ChooseLinks.read."""
        return _opened(await self._ring.of(), _CHOOSE, secret, ChooseLink)


def _opened(keys: TenantKeys, place: Place, secret: str, kind: type[T]) -> T | None:
    try:
        sealed = urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
        return json.decode(keys.open(place, sealed), type=kind)
    except (ValueError, SealBroken, DecodeError):
        return None
