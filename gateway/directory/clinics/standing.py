"""Whether a clinic works: retired with its doctors, reactivated with them.

The mark is in the clinic's entry, and with it the doctors who were retired along; each
calendar decides for itself that nothing is booked any more. Every step may be repeated:
a request that failed after its first steps is completed by the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.calendar.lifecycle import LIVE
from actors.domain.ids import ClinicId, Minute, ProviderId, is_id
from actors.domain.messages.answers import Done, ProviderView, ScheduleView
from actors.domain.messages.commands import SetRetired
from actors.domain.messages.reads import ReadProvider, ReadSchedule
from actors.errors import Unavailable
from actors.ports import Calendars
from care.directory.entries import ClinicEntry, KeptClinicEntry
from care.directory.ports import DirectoryEntries, EntryChanged
from care.readmodel import Directory, ProviderQuery
from gateway.access.tokens import Caller
from gateway.calendars.commands import Commands
from gateway.wire.errors import NotFound, accepted
from gateway.wire.formats import DAY

PROVIDERS_MAX: Final = 1_000
"""Providers of one clinic; the largest of the English list has a twentieth of it."""
_AT_ONCE: Final = 8
"""Calendars that are asked at once: a clinic must not crowd out bookings."""
_TRIES: Final = 5
"""Edits of the entry at the same moment, after which the request fails."""
_TO_COME_DAYS: Final = 400
"""Beyond any horizon."""


T = TypeVar("T")


class VisitsAhead(Struct, frozen=True):
    """A provider who was retired or reinstated, and the visits that stay booked."""

    provider_id: ProviderId
    name: str
    visits: int
    next_start: Minute | None


class ClinicStands(Struct, frozen=True):
    """Whether a clinic is retired, and whose calendars that changed, or would."""

    clinic_id: ClinicId
    retired: bool
    providers: Sequence[VisitsAhead]


class ClinicStanding:
    """Retires and reactivates clinics.

    Every method may raise Refused, the errors of gateway/wire/errors.py, and
    Unavailable.
    """

    def __init__(
        self,
        entries: DirectoryEntries,
        directory: Directory,
        commands: Commands,
        calendars: Calendars,
    ) -> None:
        self._entries = entries
        self._directory = directory
        self._commands = commands
        self._calendars = calendars

    async def retire(
        self, caller: Caller, clinic_id: str, *, dry_run: bool
    ) -> ClinicStands:
        """Retire a clinic and every doctor of it; their visits stay booked."""
        clinic = await self._known(clinic_id)
        query = ProviderQuery(clinic_id=clinic, with_retired=True)
        ids = await self._directory.ids(query, limit=PROVIDERS_MAX)
        working = [one for one in await self._views(ids) if _works_at(one, clinic)]
        if not dry_run:
            along = [one.provider_id for one in working]
            # The mark first: it takes the clinic out of every search at once, and
            # says whom to reinstate even if this fails half-way.
            await self._mark(clinic, retired=True, along=along)
            await self._set(caller, along, retired=True)
        return ClinicStands(clinic, not dry_run, await self._ahead(working))

    async def reactivate(
        self, caller: Caller, clinic_id: str, *, dry_run: bool
    ) -> ClinicStands:
        """Reactivate a clinic, and the doctors who were retired along with it."""
        clinic = await self._known(clinic_id)
        kept = await self._entries.clinic(clinic)
        back = [
            one
            for one in await self._views(kept.entry.retired_with)
            if one.profile.retired and one.profile.clinic.clinic_id == clinic
        ]
        if not dry_run:
            await self._set(caller, [one.provider_id for one in back], retired=False)
            await self._mark(clinic, retired=False, along=())
        is_retired = kept.entry.retired and dry_run
        return ClinicStands(clinic, is_retired, await self._ahead(back))

    async def _known(self, clinic_id: str) -> ClinicId:
        clinic = ClinicId(clinic_id)
        if not is_id(clinic_id, "cln") or not await self._directory.clinics([clinic]):
            raise NotFound(code="clinic_not_found")
        return clinic

    async def _mark(
        self, clinic_id: ClinicId, *, retired: bool, along: Iterable[ProviderId]
    ) -> None:
        for _ in range(_TRIES):
            kept = await self._entries.clinic(clinic_id)
            entry = _marked(kept, retired=retired, along=along)
            try:
                await self._entries.put_clinic(clinic_id, entry, kept.version)
            except EntryChanged:
                continue
            return
        raise Unavailable("The clinic's entry is being changed all the time.")

    async def _set(
        self, caller: Caller, provider_ids: Sequence[ProviderId], *, retired: bool
    ) -> None:
        async def one(provider_id: ProviderId) -> None:
            stamp = self._commands.stamp(caller, None, "clinic", provider_id, retired)
            command = SetRetired(provider_id=provider_id, retired=retired, **stamp)
            accepted(await self._commands.send(command), Done)

        for some in _portions(provider_ids):
            await asyncio.gather(*map(one, some))

    async def _views(self, provider_ids: Sequence[ProviderId]) -> list[ProviderView]:
        found: list[ProviderView] = []
        for some in _portions(provider_ids):
            asked = (self._calendars.ask(ReadProvider(one)) for one in some)
            for view in await asyncio.gather(*asked):
                found += [view] if isinstance(view, ProviderView) else []
        return found

    async def _ahead(self, views: Sequence[ProviderView]) -> list[VisitsAhead]:
        now = Minute(self._commands.now() // 60_000)
        last = Minute(now + _TO_COME_DAYS * DAY)

        async def one(view: ProviderView) -> VisitsAhead:
            question = ReadSchedule(view.provider_id, now, last)
            found = accepted(await self._calendars.ask(question), ScheduleView)
            starts = [one.start for one in found.bookings if one.status in LIVE]
            name = view.profile.name
            first = min(starts, default=None)
            return VisitsAhead(view.provider_id, name, len(starts), first)

        made: list[VisitsAhead] = []
        for some in _portions(views):
            made += await asyncio.gather(*map(one, some))
        return made


def _works_at(view: ProviderView, clinic_id: ClinicId) -> bool:
    is_here = view.profile.clinic.clinic_id == clinic_id
    return is_here and not view.profile.retired


def _marked(
    kept: KeptClinicEntry, *, retired: bool, along: Iterable[ProviderId]
) -> ClinicEntry:
    """The entry with the mark; retired twice, it keeps whom it was retired with."""
    before = kept.entry.retired_with if retired else ()
    together = tuple(dict.fromkeys((*before, *along)))
    return replace(kept.entry, retired=retired, retired_with=together)


def _portions(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[i : i + _AT_ONCE] for i in range(0, len(items), _AT_ONCE))
