"""Finding providers: the directory's pages, with the next free start of each.

The directory is SQL; next free starts come from the calendars, all of a shard in one
question. ``sort=soonest`` asks the calendars of the first ``soonest_providers_max``
matches and pages through them by (start, id), so that a page stays right while starts
move.
"""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from actors.domain.ids import Minute, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import NextFreeView
from actors.domain.messages.reads import ReadNextFree
from actors.errors import Unavailable
from actors.ports import Calendars, ShardLinks
from care.readmodel import Directory, ProviderQuery
from gateway.providers.schemas import ProviderItem, ProviderList, provider_item
from gateway.wire.errors import FieldError, InvalidRequest, accepted

_NEVER: Final = 1 << 62
_ASKED_AT_ONCE: Final = 250
"""Providers per request: the shard answers between batches and must not stall."""
_CURSOR: Final = msgspec.json.Decoder(tuple[int, str])

Starts = Mapping[ProviderId, tuple[Minute | None, VisitTypeId | None]]
"""The soonest free start of each provider, and its visit type."""
_NOTHING: Final = (None, None)


class ProviderSearch:
    """Lists of providers."""

    def __init__(
        self,
        directory: Directory,
        calendars: Calendars,
        links: ShardLinks,
        *,
        soonest_max: int,
    ) -> None:
        self._directory = directory
        self._calendars = calendars
        self._links = links
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
        starts = await self._next_free(ids, forgive=True)
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
        starts = await self._next_free(ids, forgive=False)
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

    async def _next_free(
        self, provider_ids: Sequence[ProviderId], *, forgive: bool
    ) -> Starts:
        shards: dict[ShardId, list[ProviderId]] = {}
        for provider in provider_ids:
            shards.setdefault(self._links.shard_of(provider), []).append(provider)
        questions = [
            tuple(asked[at : at + _ASKED_AT_ONCE])
            for asked in shards.values()
            for at in range(0, len(asked), _ASKED_AT_ONCE)
        ]
        answers = await asyncio.gather(
            *(self._ask(question, forgive=forgive) for question in questions)
        )
        return {provider: start for part in answers for provider, start in part.items()}

    async def _ask(
        self, provider_ids: tuple[ProviderId, ...], *, forgive: bool
    ) -> Starts:
        try:
            reply = await self._calendars.ask(ReadNextFree(provider_ids))
        except Unavailable:
            if forgive:
                return {}
            raise
        view = accepted(reply, NextFreeView)
        kinds = view.visit_types
        return {one: (start, kinds.get(one)) for one, start in view.starts.items()}


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
