"""Watched lists: which of them a change touches, and drawing those again.

Each list knows its matches as bits by row, its members and the last one's start. A
calendar that changed touches the lists of which its provider is a member, and, where
its start became sooner, those in which it would be one. All touched lists are drawn
together: their first rows by what is known are asked, with one question to each shard,
until they are certain.

One file because a change that arrives while lists are drawn must touch them again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from itertools import islice, takewhile
from time import monotonic
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.domain.ids import ProviderId, VisitTypeId
from gateway.directory.lists.names import ListQuery
from gateway.directory.roster.hearing import Hearing
from gateway.directory.roster.matching import Matcher, Matches, Order
from gateway.directory.roster.services import NEVER, UNKNOWN, RosterServices
from gateway.directory.roster.soonest import ASKED_MAX, FoundPage

RENEW_S: Final = 5.0
"""Members are asked this often although no change was heard: a feed may be frozen."""
RENEWED_AT_ONCE: Final = 200
"""Members asked for this reason with one call."""
DRAWN_AT_ONCE: Final = 64
"""Lists drawn with one call; the rest waits for the next."""
LOOKED_UP_MAX: Final = 200
"""Rows up to which each one's start is looked up, rather than those of all."""
DRAWN_IN_A_TURN: Final = 8
"""Lists drawn in one turn of the event loop."""
_BITS: Final = 8

Kinds = tuple[VisitTypeId | None, bool]
"""Which starts count in a list: of this visit type, of remote ones alone."""
Bounds = dict[Kinds, NDArray[np.int32]]
"""By row the least start that is possible; for each kind that was needed."""


class WatchedList:
    """One list: its members as they were drawn last."""

    __slots__ = (
        "bits",
        "bound",
        "ids",
        "is_cut",
        "is_kept",
        "matcher",
        "matches",
        "query",
        "rows",
        "starts",
        "tracked",
        "unsure",
    )

    def __init__(self, query: ListQuery) -> None:
        self.query = query
        self.matcher: Matcher | None = None
        self.matches: Matches | None = None
        self.bits: NDArray[np.uint8] = np.empty(0, np.uint8)
        """The matches, one bit each row."""
        self.rows: list[int] = []
        self.ids: list[ProviderId] = []
        self.tracked: set[ProviderId] = set()
        """Members, and while it is drawn those that may become some."""
        self.starts: dict[ProviderId, int] = {}
        """The members' next starts as they are shown."""
        self.unsure: set[ProviderId] = set()
        """Members whose shard does not answer."""
        self.bound = NEVER
        """What starts later than this is no member."""
        self.is_kept = True
        self.is_cut = False
        """More calendars would have to be asked than one drawing may."""

    @property
    def kinds(self) -> Kinds:
        """Which starts count."""
        return self.query.visit_type, self.query.telehealth

    @property
    def may_grow(self) -> bool:
        """Whether starts decide who is a member, and there are others."""
        is_by_start = self.query.order is Order.SOONEST
        others = 0 if self.matches is None else len(self.matches.rows) - len(self.rows)
        return is_by_start and others > 0

    def is_outdated(self, matcher: Matcher | None) -> bool:
        """Whether the matches must be found again: the roster has changed."""
        return (
            matcher is None
            or self.matches is None
            or self.matcher is not matcher
            or self.matches.changes != matcher.roster.changes
        )

    def find(self, matcher: Matcher) -> Matches:
        """The matches in the present roster."""
        if self.matches is None or self.is_outdated(matcher):
            self.matcher = matcher
            self.matches = _kept(matcher.find(self.query), self.query.order)
            mask = np.zeros(matcher.roster.size, np.bool_)
            mask[self.matches.rows] = True
            self.bits = np.packbits(mask)
        return self.matches

    def would_enter(self, rows: NDArray[np.int64], starts: NDArray[np.int32]) -> bool:
        """Whether a row that is no member's, with its start, may become one's."""
        others = (rows < _BITS * len(self.bits)) & ~np.isin(rows, self.rows)
        rows, starts = rows[others], starts[others]
        match = (self.bits[rows // _BITS] >> (_BITS - 1 - rows % _BITS)) & 1 == 1
        if self.is_cut:
            return bool(match.any())
        sooner = (starts < self.bound) | ((starts == self.bound) & (starts != NEVER))
        return bool((match & sooner).any())


class WatchedLists:
    """All lists that this gateway keeps current: a ``StartsFollower``."""

    def __init__(self, hearing: Hearing, now: Callable[[], float] = monotonic) -> None:
        self.drawn = 0
        """Drawings of lists since the start."""
        self.asked = 0
        """Calendars asked for them."""
        self.lists: dict[str, WatchedList] = {}
        self.news = asyncio.Event()
        """Set when a list may have to be drawn again."""
        self._hearing = hearing
        self._now = now
        self._touched: dict[WatchedList, None] = {}
        self._of: dict[ProviderId, set[WatchedList]] = {}
        """The lists of which a provider is a member, or may become one."""
        self._exact: dict[ProviderId, float] = {}
        """Of these, those of whom nothing was heard since their calendar said all, and
        when it did, the longest ago first."""
        self._silent: dict[ProviderId, float] = {}
        """Those whose shard did not answer when they were asked last."""
        self._heard: set[ProviderId] = set()
        self._edited: set[ProviderId] = set()
        self._is_live = True
        self._minute = 0
        hearing.follower = self

    # --- lists ---------------------------------------------------------------------

    @property
    def is_interested(self) -> bool:
        """Whether there is a list."""
        return bool(self.lists)

    def members(self) -> int:
        """Providers that are a member of any list."""
        return len(self._of)

    def waiting(self) -> int:
        """Lists that a calendar touched since they were drawn."""
        return len(self._touched)

    def add(self, name: str, query: ListQuery) -> WatchedList:
        """The list of this name, which is kept from now on."""
        found = self.lists.get(name)
        if found is None:
            found = self.lists[name] = WatchedList(query)
            if len(self.lists) == 1:
                self._hearing.look()
        return found

    def keep_only(self, names: Collection[str]) -> None:
        """Forget all other lists."""
        for name in self.lists.keys() - set(names):
            gone = self.lists.pop(name)
            gone.is_kept = False
            self._touched.pop(gone, None)
            self._track(gone, set())
        if not self.lists:
            self._heard.clear()
            self._edited.clear()

    def touch(self, one: WatchedList) -> None:
        """Draw a list again, soon."""
        self._touched[one] = None
        self.news.set()

    def take_edited(self) -> set[ProviderId]:
        """Providers of whom something beside their starts has changed."""
        edited, self._edited = self._edited, set()
        return edited

    # --- what changes --------------------------------------------------------------

    def doubted(self, provider_id: ProviderId) -> None:
        """A time may be taken: of a member, another may stand in its place."""
        lists = self._of.get(provider_id)
        if lists is not None:
            self._exact.pop(provider_id, None)
            for one in lists:
                self.touch(one)

    def heard(self, provider_id: ProviderId) -> None:
        """A calendar has said its starts; which lists that touches is seen later."""
        if self.lists:
            if provider_id in self._of:
                self._exact.pop(provider_id, None)
                self._exact[provider_id] = self._now()
                self._silent.pop(provider_id, None)
            self._heard.add(provider_id)
            self.news.set()

    def edited(self, provider_ids: Collection[ProviderId]) -> None:
        """Rows of the roster have changed: any list may have other matches."""
        if self.lists:
            self._edited.update(provider_ids)
            self.news.set()

    def lost(self) -> None:
        """Something was not heard: all members are asked again."""
        self._exact.clear()
        for one in self.lists.values():
            self.touch(one)

    def is_live(self) -> bool:
        """Whether nothing was missed that could change a list."""
        return not self._silent and self._hearing.hears_feeds()

    def take_touched(self) -> list[WatchedList]:
        """Lists to draw: those that a calendar touched, then those of an old roster."""
        self.news.clear()
        self._hearing.pass_time()
        self._touch_heard()
        is_live, self._is_live = self._is_live, self.is_live()
        if is_live is not self._is_live:
            self._touched.update(dict.fromkeys(self.lists.values()))
        matcher = self._hearing.live.matcher
        outdated = (one for one in self.lists.values() if one.is_outdated(matcher))
        wanted = dict.fromkeys((*self._touched, *outdated))
        taken = list(islice(wanted, DRAWN_AT_ONCE))
        for one in taken:
            self._touched.pop(one, None)
        if len(wanted) > len(taken):
            self.news.set()
        return taken

    def _touch_heard(self) -> None:
        """Touch the lists that are other than calendars have said since."""
        roster = self._hearing.live.roster
        heard, self._heard = self._heard, set()
        if roster is None:
            return
        members = heard & self._of.keys()
        minute = roster.services.moved_to
        if minute != self._minute:
            # Members' starts may have passed; others' can only have become later.
            self._minute, members = minute, set(self._of)
        for provider_id in members:
            row = roster.row_of.get(provider_id)
            for one in self._of[provider_id]:
                if row is not None and self._is_other(one, provider_id, row):
                    self._touched[one] = None
        rows = [roster.row_of[one] for one in heard if one in roster.row_of]
        if rows:
            self._touch_entered(roster.services, np.array(rows, np.int64))

    def _is_other(self, one: WatchedList, provider_id: ProviderId, row: int) -> bool:
        """Whether a member is shown otherwise than what its calendar has said."""
        if provider_id not in one.starts:
            return False
        if provider_id in one.unsure and provider_id not in self._silent:
            return True
        kind, remote = one.kinds
        services = self._hearing.live.services
        said = services.bound_of(row, kind, remote=remote)
        return said != one.starts[provider_id]

    def _touch_entered(self, services: RosterServices, rows: NDArray[np.int64]) -> None:
        """Touch the lists of which these rows may become members."""
        bounds: Bounds = {}
        for one in self.lists.values():
            if one in self._touched or not one.may_grow:
                continue
            if one.kinds not in bounds:
                kind, remote = one.kinds
                if len(rows) > LOOKED_UP_MAX:
                    all_rows = services.next_starts(kind, remote=remote)
                    bounds[one.kinds] = all_rows[rows]
                else:
                    bounds[one.kinds] = np.array(
                        [services.bound_of(row, kind, remote=remote)
                         for row in rows.tolist()],
                        np.int32,
                    )  # fmt: skip
            if one.would_enter(rows, bounds[one.kinds]):
                self._touched[one] = None

    # --- drawing -------------------------------------------------------------------

    async def renew(self) -> None:
        """Ask members of whom nothing was heard for a while; those that wait longest.

        A frozen feed brings no news, and a frozen shard does not answer.
        """
        due = self._now() - RENEW_S
        wanted = {
            one
            for known in (self._exact, self._silent)
            for one, _ in islice(
                takewhile(lambda item: item[1] <= due, known.items()), RENEWED_AT_ONCE
            )
        }
        if wanted:
            await self._ask(wanted)

    async def _ask(self, wanted: set[ProviderId]) -> None:
        self.asked += len(wanted)
        silent = await self._hearing.ask(wanted)
        for provider_id in silent & self._of.keys():
            self._exact.pop(provider_id, None)
            if self._silent.pop(provider_id, None) is None:
                for one in self._of[provider_id]:
                    self.touch(one)
            self._silent[provider_id] = self._now()

    async def draw(self, lists: Iterable[WatchedList]) -> None:
        """Draw lists from what calendars say now."""
        drawings = [_Drawing(one) for one in lists]
        self.drawn += len(drawings)
        while drawings:
            bounds: Bounds = {}
            doubtful: set[ProviderId] = set()
            unfinished = []
            for number, drawing in enumerate(drawings, 1):
                wanted = self._draw(drawing, bounds)
                if wanted:
                    doubtful |= wanted
                    unfinished.append(drawing)
                if number % DRAWN_IN_A_TURN == 0:
                    bounds = {}  # calendars may say something meanwhile
                    await asyncio.sleep(0)
            if doubtful:
                await self._ask(doubtful)
            drawings = unfinished

    def _draw(self, drawing: _Drawing, bounds: Bounds) -> set[ProviderId]:
        """Draw by what is known; who has to be asked before it is certain."""
        one, live = drawing.list, self._hearing.live
        matcher = live.matcher
        if matcher is None or not one.is_kept:
            return set()
        matches = one.find(matcher)
        starts = self._bounds(one, matcher, bounds)
        is_last = len(drawing.asked) >= ASKED_MAX
        one.is_cut = False
        if is_last:
            unheard = starts == UNKNOWN
            one.is_cut = bool(unheard[matches.rows].any())
            starts = np.where(unheard, np.int32(NEVER), starts)
        order, count = one.query.order, one.query.count
        rows = matcher.page(matches, order, None, drawing.ahead, starts)
        ids = [matcher.roster.ids[row] for row in rows]
        self._track(one, set(ids))
        doubtful = {
            provider_id
            for row, provider_id in zip(rows, ids, strict=True)
            if not self._is_certain(provider_id, row)
        } - drawing.asked
        if is_last or not doubtful.intersection(ids[:count]):
            self._end(one, rows[:count], ids[:count], starts)
            return set()
        drawing.asked |= doubtful
        drawing.ahead = min(2 * drawing.ahead, ASKED_MAX)
        return doubtful

    def _is_certain(self, provider_id: ProviderId, row: int) -> bool:
        if provider_id in self._silent:
            return True
        known = self._hearing.live.services.is_known(row)
        return known and provider_id in self._exact

    def _bounds(
        self, one: WatchedList, matcher: Matcher, bounds: Bounds
    ) -> NDArray[np.int32]:
        starts = bounds.get(one.kinds)
        if starts is None:
            kind, remote = one.kinds
            roster = matcher.roster
            starts = roster.services.next_starts(kind, remote=remote)
            for provider_id in self._silent:
                row = roster.row_of.get(provider_id)
                if row is not None and starts[row] == UNKNOWN:
                    starts[row] = NEVER
            bounds[one.kinds] = starts
        return starts

    def _end(
        self,
        one: WatchedList,
        rows: list[int],
        ids: list[ProviderId],
        starts: NDArray[np.int32],
    ) -> None:
        self._track(one, set(ids))
        one.rows, one.ids = rows, ids
        one.starts = {
            provider_id: int(starts[row])
            for row, provider_id in zip(rows, ids, strict=True)
        }
        one.unsure = self._silent.keys() & set(ids)
        one.bound = NEVER
        if len(ids) == one.query.count:
            one.bound = one.starts[ids[-1]]
        if any(not self._is_certain(*pair) for pair in zip(ids, rows, strict=True)):
            self.touch(one)  # it changed while it was asked

    def _track(self, one: WatchedList, ids: set[ProviderId]) -> None:
        for provider_id in one.tracked - ids:
            lists = self._of[provider_id]
            lists.discard(one)
            if not lists:
                del self._of[provider_id]
                self._exact.pop(provider_id, None)
                self._silent.pop(provider_id, None)
        for provider_id in ids - one.tracked:
            self._of.setdefault(provider_id, set()).add(one)
        one.tracked = ids

    def page(self, one: WatchedList) -> FoundPage | None:
        """A list as it was drawn last; None before its first drawing."""
        if one.matcher is None or one.matches is None:
            return None
        unsure = {
            row
            for row, provider_id in zip(one.rows, one.ids, strict=True)
            if provider_id in one.unsure
        }
        is_live = self.is_live() and not one.is_cut
        return FoundPage(one.matcher, one.matches, one.rows, unsure, is_live)


class _Drawing:
    """One list that is being drawn."""

    __slots__ = ("ahead", "asked", "list")

    def __init__(self, one: WatchedList) -> None:
        self.list = one
        self.ahead = one.query.count
        self.asked: set[ProviderId] = set()


def _kept(matches: Matches, order: Order) -> Matches:
    """The matches with what their order needs alone.

    There may be hundreds of lists, each of all providers.
    """
    if order is not Order.MATCH:
        matches.scores = np.broadcast_to(np.int32(1), len(matches.rows))
    if order is not Order.DISTANCE:
        matches.metres = None
    return matches
