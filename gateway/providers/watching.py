"""Watched lists as their watchers see them: members with their listings.

Listings are read once for each member, and again after an edit. While the read model
does not answer, a new member without one is left out, and the list is not called live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from msgspec import json

from actors.domain.ids import ProviderId
from actors.errors import Unavailable
from care.readmodel import Directory, ProviderListing
from gateway.directory.lists.names import ListQuery
from gateway.directory.lists.shown import ListView
from gateway.directory.lists.watched import WatchedList, WatchedLists
from gateway.providers.search import place_cursor, shown_items

Listings = dict[ProviderId, ProviderListing]


class ShownLists:
    """The lists that this gateway keeps current, as they are shown."""

    def __init__(self, watched: WatchedLists, directory: Directory) -> None:
        self.watched = watched
        self._directory = directory
        self._listings: dict[WatchedList, Listings] = {}

    async def begin(self, name: str, query: ListQuery) -> ListView:
        """The list of this name, which is kept current from now on.

        Raises:
            Unavailable: the search is still being prepared.
        """
        one = self.watched.add(name, query)
        await self.watched.draw([one])
        view = await self._view(one)
        if view is None:
            raise Unavailable("the search is being prepared; try again in a moment")
        return view

    def keep_only(self, names: Collection[str]) -> None:
        """Forget all other lists."""
        self.watched.keep_only(names)
        kept = set(self.watched.lists.values())
        self._listings = {
            one: found for one, found in self._listings.items() if one in kept
        }

    def touch(self, name: str) -> None:
        """Let the next step show a list again."""
        one = self.watched.lists.get(name)
        if one is not None:
            self.watched.touch(one)

    async def until_touched(self, wait_s: float) -> None:
        """Wait until a list may have changed, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.watched.news.wait()

    async def step(self) -> Mapping[str, ListView]:
        """Draw the lists that changes have touched; what is to be shown of them."""
        touched = self.watched.take_touched()
        edited = self.watched.take_edited()
        for known in self._listings.values():
            for provider_id in edited & known.keys():
                del known[provider_id]
        try:
            await self.watched.draw(touched)
            return await self._views(touched)
        except BaseException:
            for one in touched:
                self.watched.touch(one)
            raise

    async def _views(self, touched: Iterable[WatchedList]) -> Mapping[str, ListView]:
        names = {one: name for name, one in self.watched.lists.items()}
        views = {}
        for one in touched:
            view = await self._view(one) if one in names else None
            if view is not None:
                views[names[one]] = view
        return views

    async def renew(self) -> None:
        """Ask calendars of which nothing was heard for a while."""
        await self.watched.renew()

    async def _view(self, one: WatchedList) -> ListView | None:
        page, query = self.watched.page(one), one.query
        if page is None:
            return None
        ids = [page.matcher.roster.ids[row] for row in page.rows]
        listings, is_whole = await self._of_members(one, ids)
        items = shown_items(page, query, page.rows, listings)
        following = None
        if len(page.matches.rows) > len(page.rows) > 0:
            following = place_cursor(page, query, query.order, page.rows[-1])
        return ListView(
            members={item.provider_id: json.encode(item) for item in items},
            total=len(page.matches.rows),
            live=page.is_live and is_whole,
            next_cursor=following,
        )

    async def _of_members(
        self, one: WatchedList, ids: list[ProviderId]
    ) -> tuple[Listings, bool]:
        """The members' listings, and whether all could be read."""
        former = self._listings.get(one, {})
        known = {member: former[member] for member in ids if member in former}
        missing = [member for member in ids if member not in known]
        is_whole = True
        if missing:
            try:
                known |= await self._directory.listings(missing, one.query.near)
            except Unavailable:
                is_whole = False
                self.watched.touch(one)
        if one.is_kept:
            self._listings[one] = known
        return known, is_whole
