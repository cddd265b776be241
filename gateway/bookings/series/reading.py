"""Reads series of visits for those who may see them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from actors.domain.ids import Minute, ProviderId, VisitTypeId
from actors.domain.messages.answers import BookingView, ProviderView
from actors.domain.messages.reads import ReadBooking, ReadProvider
from actors.domain.messages.refusals import (
    NO_PROVIDER,
    NO_VISIT_TYPE,
    Refusal,
    RefusalCode,
)
from actors.domain.rules import VisitType
from care.series.ids import SeriesId, is_series_id, visit_id
from care.series.ports import Series, SeriesStore, SeriesVisit, SeriesVisitState
from care.series.preview import assessed, kind_of
from care.series.rules import PlannedDate
from gateway.access.rights import Access, Action, owner_of
from gateway.access.tokens import Caller
from gateway.calendars.commands import Commands
from gateway.calendars.members.whole import WholeVisits
from gateway.config import GatewayPorts
from gateway.wire.errors import Refused, accepted

ALTERNATIVES_MAX: Final = 10
"""Failed visits of a series for which alternatives are looked for."""
NO_BOOKING: Final = Refusal(RefusalCode.BOOKING_NOT_FOUND)


@dataclass(frozen=True, kw_only=True)
class ShownVisit:
    """A visit of a series as one who asks may see it."""

    visit: SeriesVisit
    view: BookingView | None = None
    alternatives: tuple[Minute, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ShownSeries:
    """A series as one who asks may see it."""

    series: Series
    time_zone: str
    visits: Sequence[ShownVisit]


class SeriesReader:
    """Methods may raise Refused, the errors of gateway/wire/errors.py, Unavailable."""

    def __init__(
        self,
        store: SeriesStore,
        ports: GatewayPorts,
        commands: Commands,
        access: Access,
        whole: WholeVisits,
    ) -> None:
        self._store = store
        self._ports = ports
        self._commands = commands
        self._access = access
        self.ask = whole.ask
        """What calendars answer to who means visits with the rooms that they take."""
        self._now = ports.clock.now

    def key_of_move(
        self, caller: Caller, key: str | None, series: Series, *content: object
    ) -> str:
        """What the same request has again, at whatever gateway. Raises KeyReused."""
        named = (series.series_id, *content)
        return self._commands.stamp(caller, key, "move_series", *named)["key"]

    async def offered(
        self, provider_id: ProviderId, visit_type: VisitTypeId
    ) -> tuple[ProviderView, VisitType]:
        """The provider, and an active visit type of theirs."""
        reply = await self._ports.calendars.ask(ReadProvider(provider_id))
        view = accepted(reply, ProviderView)
        if view.profile.resource is not None:  # a room is no provider to who asks
            raise Refused(NO_PROVIDER)
        kind = kind_of(view, visit_type)
        if kind is None:
            raise Refused(NO_VISIT_TYPE)
        return view, kind

    async def of(
        self, caller: Caller, action: Action, name: str
    ) -> tuple[Caller, Series]:
        """The series, if it is the caller's to know of."""
        known = SeriesId(name) if is_series_id(name) else None
        # Its first visit's id: rights on a series are those on its visits.
        owned = "" if known is None else visit_id(known, 1, 1)
        caller, _ = await self._access.to_object(caller, action, "bkg", owned)
        series = None if known is None else await self._store.find(known)
        owner = owner_of(caller)
        if (
            series is None
            or (caller.is_proxy and series.confidential)
            or owner not in (None, series.patient_id)
        ):
            raise missing()
        return caller, series

    async def found(self, caller: Caller, name: SeriesId) -> ShownSeries:
        """A series that was just changed; its visits count as commitments at once."""
        series = await self._store.find(name)
        if series is None:
            raise missing()
        shown = await self.shown(caller, series)
        for one in shown.visits:
            if one.view is not None:
                self._commands.recent.note(one.view)
                self._commands.on_visit(one.view)
        return shown

    async def shown(self, caller: Caller, series: Series) -> ShownSeries:
        """A series as the caller may see it, with alternatives to what failed."""
        views = await asyncio.gather(
            *(self._view_of(series, one) for one in series.visits)
        )
        shown = [
            _as_seen(caller, visit, view)
            for visit, view in zip(series.visits, views, strict=True)
        ]
        zone = await self._access.zone_of(series.provider_id)
        failed = [
            one.visit for one in shown if one.visit.state is SeriesVisitState.FAILED
        ]
        if not failed:
            return ShownSeries(series=series, time_zone=zone, visits=shown)
        near = await self._alternatives(series, failed[:ALTERNATIVES_MAX])
        with_others = [
            ShownVisit(
                visit=one.visit,
                view=one.view,
                alternatives=near.get(one.visit.number, ()),
            )
            for one in shown
        ]
        return ShownSeries(series=series, time_zone=zone, visits=with_others)

    async def _view_of(self, series: Series, visit: SeriesVisit) -> BookingView | None:
        if visit.state is not SeriesVisitState.PLACED:
            return None
        name = series.booking_of(visit.number)
        reply = await self._ports.calendars.ask(ReadBooking(series.provider_id, name))
        if isinstance(reply, BookingView):
            return reply
        return await self._ports.history.booking(name)

    async def _alternatives(
        self, series: Series, failed: Sequence[SeriesVisit]
    ) -> dict[int, tuple[Minute, ...]]:
        reply = await self._ports.calendars.ask(ReadProvider(series.provider_id))
        kind = None
        if isinstance(reply, ProviderView):
            kind = kind_of(reply, series.visit_type)
        if kind is None or not isinstance(reply, ProviderView):
            return {}
        dates = [PlannedDate(one.start) for one in failed]
        found = await assessed(self.ask, reply, kind, dates, self._now())
        return {
            visit.number: one.alternatives
            for visit, one in zip(failed, found, strict=True)
        }


def missing() -> Refused:
    """There is no such series, or it is not the caller's to know of."""
    return Refused(NO_BOOKING)


def _as_seen(
    caller: Caller, visit: SeriesVisit, view: BookingView | None
) -> ShownVisit:
    """A visit; to a proxy a confidential one looks as one that was given up."""
    if view is not None and view.confidential and caller.is_proxy:
        hidden = SeriesVisit(visit.number, visit.start, SeriesVisitState.DROPPED)
        return ShownVisit(visit=hidden)
    return ShownVisit(visit=visit, view=view)
