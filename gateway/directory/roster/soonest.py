"""The soonest of all matches, exactly: winners are verified before they are shown.

What is known of a start is a lower bound (hearing.py), so the first rows by these
bounds need asking and no others: one that turns out later goes back among the rest.
Rows whose shard does not answer are marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from actors.domain.ids import ProviderId
from gateway.directory.roster.hearing import Hearing
from gateway.directory.roster.matching import Matcher, Matches, Order, RankedAt, Search
from gateway.directory.roster.services import NEVER, UNKNOWN

ASKED_MAX: Final = 300
"""Calendars that one search asks; beyond them the answer is not called live."""


class FoundPage(Struct):
    """Rows in an order."""

    matcher: Matcher
    matches: Matches
    rows: list[int]
    unsure: set[int]
    """Rows whose shard did not answer."""
    is_live: bool


class _Known(Struct):
    """What one search knows of the roster; made again when that changed."""

    search: Search
    matcher: Matcher
    matches: Matches


class Finder:
    """Pages of matches, with starts that calendars have just said."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing

    @property
    def is_ready(self) -> bool:
        """Whether the roster was filled."""
        return self._hearing.live.matcher is not None

    async def page(
        self, search: Search, order: Order, shown: RankedAt | None, count: int
    ) -> FoundPage:
        """The next ``count`` rows after the ``shown`` one.

        Raises:
            ValueError: the place is one of another order.
        """
        if order is Order.SOONEST:
            return await self._soonest(search, shown, count)
        known = self._known(search, None)
        rows = known.matcher.page(known.matches, order, shown, count)
        ids = [known.matcher.roster.ids[row] for row in rows]
        unsure = await self._hearing.verify(ids)
        return self._page(known, rows, ids, unsure)

    async def _soonest(
        self, search: Search, shown: RankedAt | None, count: int
    ) -> FoundPage:
        hearing = self._hearing
        hearing.searched()
        known: _Known | None = None
        asked: set[ProviderId] = set()
        unsure: set[ProviderId] = set()
        ahead, is_cut = count, False
        while True:
            known = self._known(search, known)
            is_last = len(asked) >= ASKED_MAX
            starts = _bounds(known, unsure)
            unheard = starts == UNKNOWN
            if is_last:
                starts[unheard] = NEVER
                is_cut = bool(unheard[known.matches.rows].any())
            rows = known.matcher.page(
                known.matches, Order.SOONEST, shown, ahead, starts
            )
            ids = [known.matcher.roster.ids[row] for row in rows]
            doubtful = {one for one in ids if not hearing.is_sure(one)} - asked - unsure
            if not doubtful & set(ids[:count]):
                break
            if is_last:
                unsure |= doubtful
                break
            asked |= doubtful
            unsure |= await hearing.verify(doubtful)
            # Where many are unknown, more are asked each time.
            ahead = min(2 * ahead, ASKED_MAX)
        page = self._page(known, rows[:count], ids[:count], unsure)
        page.is_live = page.is_live and not is_cut
        return page

    def _known(self, search: Search, known: _Known | None) -> _Known:
        matcher = self._hearing.live.matcher
        assert matcher is not None
        if (
            known is None
            or known.matcher is not matcher
            or known.matches.changes != matcher.roster.changes
        ):
            return _Known(search, matcher, matcher.find(search))
        return known

    def _page(
        self,
        known: _Known,
        rows: list[int],
        ids: list[ProviderId],
        unsure: set[ProviderId],
    ) -> FoundPage:
        marked = {row for row, one in zip(rows, ids, strict=True) if one in unsure}
        is_live = not unsure and self._hearing.hears_all()
        return FoundPage(known.matcher, known.matches, rows, marked, is_live)


def _bounds(known: _Known, unsure: Iterable[ProviderId]) -> NDArray[np.int32]:
    """By row the least start that is possible; those that did not answer come last."""
    roster, search = known.matcher.roster, known.search
    starts = roster.services.next_starts(search.visit_type, remote=search.telehealth)
    for one in unsure:
        row = roster.row_of.get(one)
        if row is not None and starts[row] == UNKNOWN:
            starts[row] = NEVER
    return starts
