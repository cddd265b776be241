"""Finding providers: the directory's pages, with the next free start of each.

The directory is SQL; next free starts come from the calendars, all of a shard in one
question. ``sort=soonest`` asks the calendars of the first ``soonest_providers_max``
matches and pages through them by (start, id), so that a page stays right while starts
move.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

from actors.domain.ids import ProviderId
from care.readmodel import Directory, ProviderQuery
from gateway.providers.next_free import NextFree, Starts
from gateway.providers.schemas import ProviderItem, ProviderList, provider_item
from gateway.wire.errors import FieldError, InvalidRequest

_NEVER: Final = 1 << 62
_CURSOR: Final = msgspec.json.Decoder(tuple[int, str])

_NOTHING: Final = (None, None)


class ProviderSearch:
    """Lists of providers."""

    def __init__(
        self,
        directory: Directory,
        next_free: NextFree,
        *,
        soonest_max: int,
    ) -> None:
        self._directory = directory
        self._next_free = next_free
        self._soonest_max = soonest_max

    async def by_name(
        self, query: ProviderQuery, cursor: str, limit: int
    ) -> ProviderList:
        """A page in the directory's order.

        Raises:
            InvalidRequest: the cursor is not valid.
        """
        try:
            listings, following = await self._directory.find(
                query, after=cursor, limit=limit
            )
        except ValueError:
            raise _bad_cursor() from None
        # A page without some of its starts is better than no page.
        ids = [listing.provider_id for listing in listings]
        starts = await self._next_free.of(ids, forgive=True)
        items = [
            provider_item(listing, *starts.get(listing.provider_id, _NOTHING))
            for listing in listings
        ]
        return ProviderList(items, following)

    async def by_soonest(
        self, query: ProviderQuery, cursor: str, limit: int
    ) -> ProviderList:
        """A page by the soonest free start; providers without one come last.

        Raises:
            InvalidRequest: the cursor is not valid.
            Unavailable: a shard did not answer; without it the order would be wrong.
        """
        shown = _read_cursor(cursor)
        ids = await self._directory.ids(query, limit=self._soonest_max)
        starts = await self._next_free.of(ids, forgive=False)
        order = sorted(
            place
            for place in ((_start(starts, provider), provider) for provider in ids)
            if place > shown
        )
        page = order[:limit]
        listings = await self._directory.listings(
            [provider for _, provider in page], query.near
        )
        items: list[ProviderItem] = [
            provider_item(listings[provider], *starts.get(provider, _NOTHING))
            for _, provider in page
            if provider in listings
        ]
        return ProviderList(items, _cursor(page[-1]) if len(order) > limit else None)


def _start(starts: Starts, provider: ProviderId) -> int:
    start = starts.get(provider, _NOTHING)[0]
    return _NEVER if start is None else start


def _cursor(place: tuple[int, str]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    if not cursor:
        return -1, ""
    try:
        return _CURSOR.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, msgspec.MsgspecError):
        raise _bad_cursor() from None


def _bad_cursor() -> InvalidRequest:
    return InvalidRequest(
        "", FieldError("cursor", "is not valid; start again without one")
    )
