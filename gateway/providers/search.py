"""Finding providers: pages of a search, with the next free start of each.

A gateway finds them in the roster that it keeps in memory; the shown listings come from
the directory, their starts from the calendars. Until the roster has been filled, and
without one, the directory in SQL answers what it can.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import msgspec

from actors.domain.ids import ProviderId
from actors.errors import Unavailable
from care.readmodel import Directory, ProviderListing, ProviderQuery
from gateway.directory.photo_addresses import photo_of_provider
from gateway.directory.roster.matching import Facets as Counts
from gateway.directory.roster.matching import Order, RankedAt, Search
from gateway.directory.roster.services import NEVER
from gateway.directory.roster.soonest import Finder, FoundPage
from gateway.providers.next_free import NextFree, Starts
from gateway.providers.schemas import (
    Facets,
    FacetValue,
    ProviderItem,
    ProviderList,
    provider_item,
)
from gateway.wire.errors import FieldError, InvalidRequest

T = TypeVar("T")

_NEVER: Final = 1 << 62
_CURSOR: Final = msgspec.json.Decoder(tuple[int, str])
_PLACE: Final = msgspec.json.Decoder(tuple[Order, RankedAt])
_OF_ROSTER: Final = "~"
"""Begins cursors that continue a page of the roster."""

_NOTHING: Final = (None, None)


class ProviderSearch:
    """Lists of providers."""

    def __init__(
        self,
        directory: Directory,
        next_free: NextFree,
        *,
        soonest_max: int,
        finder: Finder | None = None,
    ) -> None:
        self._directory = directory
        self._next_free = next_free
        self._soonest_max = soonest_max
        self._finder = finder

    async def find(
        self, search: Search, order: Order, cursor: str, limit: int
    ) -> ProviderList:
        """A page in an order.

        Raises:
            InvalidRequest: the cursor is not valid.
            Unavailable: what SQL cannot answer was asked before the roster was filled.
        """
        finder = self._finder
        is_continued = bool(cursor) and not cursor.startswith(_OF_ROSTER)
        if finder is not None and finder.is_ready and not is_continued:
            return await self._of_roster(finder, search, order, cursor, limit)
        query = _query_of(search, order)
        if order is Order.SOONEST:
            return await self._by_soonest(query, cursor, limit)
        return await self._by_name(query, cursor, limit)

    # --- by the roster -------------------------------------------------------------

    async def _of_roster(
        self, finder: Finder, search: Search, order: Order, cursor: str, limit: int
    ) -> ProviderList:
        shown = _read_place(order, cursor)
        try:
            page = await finder.page(search, order, shown, limit + 1)
        except ValueError:
            raise _bad_cursor() from None
        rows = page.rows[:limit]
        roster = page.matcher.roster
        listings = await self._directory.listings(
            [roster.ids[row] for row in rows], search.near
        )
        following = None
        if len(page.rows) > limit:
            following = place_cursor(page, search, order, rows[-1])
        return ProviderList(
            shown_items(page, search, rows, listings),
            following,
            total=len(page.matches.rows),
            did_you_mean=page.matches.did_you_mean,
            wider_km=page.matches.wider_km,
            live=page.is_live,
            facets=None if cursor else _facets(page.matcher.facets(search)),
        )

    # --- by the directory in SQL ---------------------------------------------------

    async def _by_name(
        self, query: ProviderQuery, cursor: str, limit: int
    ) -> ProviderList:
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
            provider_item(
                listing,
                *starts.get(listing.provider_id, _NOTHING),
                live=listing.provider_id in starts,
            )
            for listing in listings
        ]
        return ProviderList(items, following, live=len(starts) == len(ids))

    async def _by_soonest(
        self, query: ProviderQuery, cursor: str, limit: int
    ) -> ProviderList:
        """Among the first matches; not live where there may be more.

        Raises Unavailable: a shard did not answer.
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
        following = _cursor(page[-1]) if len(order) > limit else None
        return ProviderList(items, following, live=len(ids) < self._soonest_max)


def shown_items(
    page: FoundPage,
    search: Search,
    rows: Iterable[int],
    listings: Mapping[ProviderId, ProviderListing],
) -> list[ProviderItem]:
    """Rows as lists show them, those that have a listing."""
    ids = page.matcher.roster.ids
    return [
        _item(page, search, row, listings[ids[row]])
        for row in rows
        if ids[row] in listings
    ]


def _item(
    page: FoundPage, search: Search, row: int, listing: ProviderListing
) -> ProviderItem:
    roster = page.matcher.roster
    services = roster.services
    start = services.next_of(row, search.visit_type, remote=search.telehealth)
    price, currency = services.price_of(row) or _NOTHING
    rating, count = roster.rating_of(row) or _NOTHING
    photo, _ = roster.photos_of(listing.provider_id)
    item = provider_item(listing, *(start or _NOTHING), live=row not in page.unsure)
    return msgspec.structs.replace(
        item,
        telehealth=services.is_remote(row),
        accepts_new=bool(roster.accepts_new[row]),
        price=price,
        currency=currency,
        rating=None if rating is None else round(rating, 2),
        rating_count=count,
        photo=photo_of_provider(listing.provider_id, photo),
    )


def _facets(counts: Counts) -> Facets:
    return Facets(
        **{
            name: [FacetValue(value, count) for value, count in values]
            for name, values in counts.items()
        }
    )


def _query_of(search: Search, order: Order) -> ProviderQuery:
    """The same for SQL. Raises Unavailable: it has no such filter or order."""
    query = ProviderQuery(
        words=search.words,
        specialty=search.specialty,
        clinic_id=search.clinic_id,
        near=search.near,
        within_km=search.within_km,
    )
    same = Search(
        words=search.words,
        specialty=search.specialty,
        clinic_id=search.clinic_id,
        near=search.near,
        within_km=search.within_km,
    )
    if search != same or order is Order.RATING:
        raise Unavailable("the search is being prepared; try again in a moment")
    return query


def _start(starts: Starts, provider: ProviderId) -> int:
    start = starts.get(provider, _NOTHING)[0]
    return _NEVER if start is None else start


def _encoded(value: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def _decoded(decoder: msgspec.json.Decoder[T], cursor: str) -> T:
    """Raises InvalidRequest: it is no cursor of ours."""
    try:
        return decoder.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, msgspec.MsgspecError):
        raise _bad_cursor() from None


def _cursor(place: tuple[int, str]) -> str:
    return _encoded(place)


def _read_cursor(cursor: str) -> tuple[int, str]:
    return _decoded(_CURSOR, cursor) if cursor else (-1, "")


def place_cursor(page: FoundPage, search: Search, order: Order, row: int) -> str:
    """Where the page after a row begins."""
    found = page.matcher.roster.services.next_of(
        row, search.visit_type, remote=search.telehealth
    )
    start = NEVER if found is None else found[0]
    place = page.matcher.place(page.matches, order, row, start)
    return _OF_ROSTER + _encoded((order, place))


def _read_place(order: Order, cursor: str) -> RankedAt | None:
    if not cursor:
        return None
    of, place = _decoded(_PLACE, cursor.removeprefix(_OF_ROSTER))
    if of is not order:
        raise _bad_cursor()
    return place


def _bad_cursor() -> InvalidRequest:
    return InvalidRequest(
        "", FieldError("cursor", "is not valid; start again without one")
    )
