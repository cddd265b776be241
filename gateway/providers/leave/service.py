"""Shows and settles visits that a leave affects, for staff and for patients.

Rows are made when the leave is taken, by the worker; a gateway that is asked before
that makes them itself, so that what staff see right afterwards is whole. What is shown
was compared with the calendars.

One file because each method is one operation on the same queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    Minute,
    PatientId,
    ProviderId,
    TimeOffId,
    provider_of,
)
from actors.domain.messages.answers import BookingView, ProviderView
from actors.domain.messages.reads import ReadBooking, ReadProvider
from actors.domain.messages.refusals import NO_BOOKING, RefusalCode
from actors.domain.rules import Clinic
from actors.ports import Clock
from care.leave.carrying import Carrier
from care.leave.opening import leave_of, open_leave, settle_open
from care.leave.ports import LeavePorts, LeaveQueue, ToldOf
from care.leave.visits import (
    MINUTE_MS,
    Choice,
    Chooser,
    Equivalent,
    LeaveProgress,
    LeaveVisit,
    Resolution,
    RowState,
    TakenLeave,
    VisitOutcome,
)
from gateway.access.rights import Access, Action, owner_of
from gateway.access.tokens import Caller
from gateway.bookings.names import PatientNames
from gateway.calendars.members.whole import WholeVisits
from gateway.config import GatewayPorts
from gateway.directory.roster.hearing import Hearing
from gateway.providers.leave.equivalents import EquivalentFinder
from gateway.wire.errors import NotFound, Refused, RequestError

LEAVES_MAX: Final = 50
"""Leaves of a provider that are shown, the newest ones."""
DEAD_LINK: Final = "This link is none of this site, or the visit's time is over."
LEAVE: Final = "leave"
"""Why a visit is stranded that has a queue."""


class AlreadySettled(RequestError):
    """Another choice was made for this visit meanwhile; read it again."""

    code = "already_settled"


class TimeTaken(RequestError):
    """This time has just been taken; choose another of those that are proposed now."""

    code = "slot_unavailable"


class NotProposed(RequestError):
    """This time is not proposed for the visit; choose one that is."""

    code = "slot_not_offered"


class ProviderFactsShown(Struct, frozen=True):
    """What may be said of a provider to whom a visit goes, and nothing medical."""

    name: str
    clinic: Clinic
    time_zone: str


class LeaveShown(Struct, frozen=True):
    """The queue of a leave, compared with the calendar."""

    leave: TakenLeave
    rows: Sequence[LeaveVisit]
    told: Mapping[str, ToldOf]
    names: Mapping[PatientId, str]
    providers: Mapping[ProviderId, ProviderFactsShown]
    at: int


class VisitShown(Struct, frozen=True):
    """A visit, and what stands in for it. Without a row it is affected by no leave."""

    view: BookingView
    row: LeaveVisit | None
    providers: Mapping[ProviderId, ProviderFactsShown]


class LeaveService:
    """The operations on visits that leave affects.

    Every method may raise Refused, the errors of gateway/wire/errors.py, and
    Unavailable.
    """

    def __init__(
        self,
        ports: GatewayPorts,
        leave: LeavePorts,
        whole: WholeVisits,
        access: Access,
        hearing: Hearing | None,
    ) -> None:
        self._queue: LeaveQueue = leave.queue
        self._links = leave.links
        self._ask = whole.ask
        """Commands are noted, so that lists of this gateway show what they change."""
        self._access = access
        self._clock: Clock = ports.clock
        self._tokens = ports.tokens
        self._names = PatientNames(ports.patients)
        self._finder = EquivalentFinder(whole.ask, hearing, ports.clock)
        self._carrier = Carrier(leave.queue, self._ask, ports.clock)

    # --- staff -----------------------------------------------------------------------

    async def leaves(self, provider_id: ProviderId) -> Sequence[LeaveProgress]:
        """How far the queues of a provider's leaves are, the newest first."""
        now = self._clock.now()
        return await self._queue.leaves(provider_id, now=now, limit=LEAVES_MAX)

    async def queue(
        self, caller: Caller, provider_id: ProviderId, time_off_id: TimeOffId
    ) -> LeaveShown:
        """The queue of a leave."""
        leave = await self._leave(provider_id, time_off_id)
        rows = await self._settled(await self._queue.visits(time_off_id), time_off_id)
        rows = await self._proposed(rows)
        told = await self._queue.told([one.booking_id for one in rows])
        names = await self._names.of(caller, [one.patient_id for one in rows])
        providers = await self._providers(_providers_in(rows) | {provider_id})
        return LeaveShown(leave, rows, told, names, providers, self._clock.now())

    async def row(
        self, provider_id: ProviderId, time_off_id: TimeOffId, booking_id: BookingId
    ) -> LeaveVisit:
        """A row of a leave's queue. Raises NotFound."""
        await self._leave(provider_id, time_off_id)
        for row in await self._queue.visits(time_off_id):
            if row.booking_id == booking_id:
                return row
        raise Refused(NO_BOOKING)

    async def choose_by_staff(
        self, caller: Caller, row: LeaveVisit, to: tuple[ProviderId, Minute]
    ) -> None:
        """Move a visit on the patient's behalf, within the clinic.

        Raises:
            NotProposed, TimeTaken, AlreadySettled: nothing was changed.
            DataRestricted: the patient restricted the use of their data.
        """
        await self._access.restricted.check_remembered(caller, row.patient_id)
        mine = await self._access.facts(row.provider_id)
        theirs = await self._access.facts(to[0])
        if mine is None or theirs is None or mine.clinic_id != theirs.clinic_id:
            raise NotProposed("Staff book within their clinic; ask the patient.")
        await self._choose(row, to, Chooser.STAFF, caller.acting_as)

    async def cancel_by_staff(self, caller: Caller, row: LeaveVisit) -> None:
        """Cancel a visit. Raises AlreadySettled, DataRestricted."""
        await self._access.restricted.check_remembered(caller, row.patient_id)
        choice = Choice(self._tokens(), None, Chooser.STAFF, caller.acting_as)
        how = await self._carried(row, choice)
        if how is None or how.outcome is not VisitOutcome.CANCELLED:
            raise AlreadySettled

    async def keep(self, caller: Caller, row: LeaveVisit) -> None:
        """Say that a visit takes place all the same. Raises AlreadySettled."""
        await self._access.restricted.check_remembered(caller, row.patient_id)
        how = Resolution(VisitOutcome.KEPT, Chooser.STAFF)
        is_done = await self._queue.resolve(row.booking_id, how, now=self._clock.now())
        if not is_done:
            found = await self._queue.of_booking(row.booking_id)
            if found is None or found.outcome is not VisitOutcome.KEPT:
                raise AlreadySettled

    async def _leave(
        self, provider_id: ProviderId, time_off_id: TimeOffId
    ) -> TakenLeave:
        """A leave of this provider, with its rows made. Raises NotFound."""
        if provider_of(time_off_id) != provider_id:
            raise NotFound(code="time_off_not_found")
        found = await self._queue.leave(time_off_id)
        if found is not None:
            return found
        now = self._clock.now()
        leave = await leave_of(self._ask, provider_id, time_off_id, now)
        if leave is None:
            raise NotFound(code="time_off_not_found")
        await open_leave(self._queue, self._ask, leave, now)
        return leave

    # --- patients --------------------------------------------------------------------

    async def of_patient(self, caller: Caller, booked: str) -> VisitShown:
        """A visit of the patient, as they or a guardian see it."""
        return await self._shown(await self._own(caller, booked))

    async def _own(self, caller: Caller, booked: str) -> BookingView:
        caller, _ = await self._access.to_object(
            caller, Action.CHOOSE_EQUIVALENT, "bkg", booked
        )
        view = await self._view(BookingId(booked))
        is_hidden = caller.is_proxy and view is not None and view.confidential
        if view is None or is_hidden or owner_of(caller) != view.patient_id:
            raise Refused(NO_BOOKING)
        return view

    async def choose_by_patient(
        self, caller: Caller, booked: str, to: tuple[ProviderId, Minute]
    ) -> VisitShown:
        """Move the visit. Raises NotProposed, TimeTaken, AlreadySettled."""
        row = await self._row_of(await self._own(caller, booked))
        if row is None:
            raise AlreadySettled("No leave affects this visit; move it as any other.")
        await self._choose(row, to, Chooser.PATIENT, caller.acting_as)
        return await self.of_patient(caller, booked)

    async def of_link(self, secret: str) -> VisitShown:
        """The visit of a link. Raises NotFound: it is for nothing any more."""
        return await self._shown((await self._linked(secret))[0])

    async def _linked(self, secret: str) -> tuple[BookingView, LeaveVisit]:
        link = await self._links.read(secret)
        view = None if link is None else await self._view(link.booking_id)
        if link is None or view is None or (link.is_proxy and view.confidential):
            raise NotFound(DEAD_LINK, code="link_expired")
        row = await self._row_of(view)
        is_over = row is None or row.end * MINUTE_MS <= self._clock.now()
        if is_over or row is None or row.start != link.start:
            raise NotFound(DEAD_LINK, code="link_expired")
        return view, row

    async def choose_by_link(
        self, secret: str, to: tuple[ProviderId, Minute]
    ) -> VisitShown:
        """Move the visit of a link. Raises NotProposed, TimeTaken, AlreadySettled."""
        _, row = await self._linked(secret)
        await self._choose(row, to, Chooser.LINK, row.patient_id)
        return await self.of_link(secret)

    async def _view(self, booking_id: BookingId) -> BookingView | None:
        provider_id = provider_of(booking_id)
        if provider_id is None:
            return None
        reply = await self._ask(ReadBooking(provider_id, booking_id))
        if isinstance(reply, BookingView):
            return reply
        if getattr(reply, "code", None) in (
            RefusalCode.BOOKING_NOT_FOUND,
            RefusalCode.PROVIDER_NOT_FOUND,
        ):
            return None
        raise Refused(reply)  # type: ignore[arg-type]

    async def _row_of(self, view: BookingView) -> LeaveVisit | None:
        """The row of a visit, compared with its calendar; None: it has none."""
        row = await self._queue.of_booking(view.booking_id)
        if view.stranded == LEAVE and (row is None or row.is_resolved):
            row = await self._opened(view) or row
        if row is not None:
            (row,) = await self._settled([row])
        return row

    async def _shown(self, view: BookingView) -> VisitShown:
        row = await self._row_of(view)
        if row is not None:
            (row,) = await self._proposed([row])
        providers = await self._providers(
            {view.provider_id} | (_providers_in([row]) if row is not None else set())
        )
        return VisitShown(view, row, providers)

    async def _opened(self, view: BookingView) -> LeaveVisit | None:
        """The row of a visit whose leave was taken a moment ago."""
        provider = await self._ask(ReadProvider(view.provider_id))
        if not isinstance(provider, ProviderView):
            return None
        now = self._clock.now()
        for one in provider.time_off:
            is_known = await self._queue.leave(one.time_off_id) is not None
            if view.start < one.end and one.start < view.end and not is_known:
                leave = TakenLeave(
                    one.time_off_id, view.provider_id, one.start, one.end, now
                )
                await open_leave(self._queue, self._ask, leave, now)
        return await self._queue.of_booking(view.booking_id)

    # --- choosing --------------------------------------------------------------------

    async def _choose(
        self,
        row: LeaveVisit,
        to: tuple[ProviderId, Minute],
        chooser: Chooser,
        by: str,
    ) -> None:
        wanted = _named(row, to)
        if wanted is None:
            if row.moved_to is not None and _is_at(row.moved_to, to):
                return  # done before
            if row.state is not RowState.OPEN:
                raise AlreadySettled
            raise NotProposed
        how = await self._carried(row, Choice(self._tokens(), wanted, chooser, by))
        if how is None:
            raise TimeTaken
        if how.moved_to is None or not _is_at(how.moved_to, to):
            raise AlreadySettled

    async def _carried(self, row: LeaveVisit, choice: Choice) -> Resolution | None:
        """How the row ends with a choice; None: the chosen time was taken.

        Raises:
            AlreadySettled: another choice came first.
        """
        now = self._clock.now()
        held = await self._queue.choose(row.booking_id, choice, now=now)
        if held is None:
            raise AlreadySettled
        if held.is_resolved and held.outcome is not None and held.chooser is not None:
            return Resolution(held.outcome, held.chooser, held.moved_to)
        if held.choice is None or held.choice.to != choice.to:
            raise AlreadySettled
        # The same one, by another request or before a crash: it is gone on with.
        return await self._carrier.carry(held)

    async def _settled(
        self, rows: Sequence[LeaveVisit], time_off_id: TimeOffId | None = None
    ) -> Sequence[LeaveVisit]:
        """The rows once those were resolved that need nothing any more."""
        is_open = [one for one in rows if one.state is RowState.OPEN]
        if not is_open:
            return rows
        await settle_open(self._queue, self._ask, is_open, self._clock.now())
        if time_off_id is not None:
            return await self._queue.visits(time_off_id)
        found = [await self._queue.of_booking(one.booking_id) for one in rows]
        return [one for one in found if one is not None]

    async def _proposed(self, rows: Sequence[LeaveVisit]) -> Sequence[LeaveVisit]:
        """The rows with times that are free now, which are kept."""
        is_open = [one for one in rows if one.state is RowState.OPEN]
        if not is_open:
            return rows
        found = await self._finder.find(is_open)
        changed = {
            one.booking_id: found[one.booking_id]
            for one in is_open
            if tuple(found[one.booking_id]) != one.proposed
        }
        if changed:
            await self._queue.propose(changed)
        return [
            one
            if one.state is not RowState.OPEN
            else _with_times(one, found[one.booking_id])
            for one in rows
        ]

    async def _providers(
        self, provider_ids: Collection[ProviderId]
    ) -> Mapping[ProviderId, ProviderFactsShown]:
        wanted = sorted(provider_ids)
        views = await asyncio.gather(*(self._ask(ReadProvider(one)) for one in wanted))
        return {
            one: ProviderFactsShown(
                view.profile.name,
                view.profile.clinic,
                view.availability.locations[0].time_zone
                if view.availability.locations
                else view.profile.clinic.time_zone,
            )
            for one, view in zip(wanted, views, strict=True)
            if isinstance(view, ProviderView)
        }


def _with_times(row: LeaveVisit, times: Sequence[Equivalent]) -> LeaveVisit:
    return replace(row, proposed=tuple(times))


def _providers_in(rows: Sequence[LeaveVisit]) -> set[ProviderId]:
    times = [time for row in rows for time in row.proposed]
    times += [row.moved_to for row in rows if row.moved_to is not None]
    return {one.provider_id for one in times}


def _named(row: LeaveVisit, to: tuple[ProviderId, Minute]) -> Equivalent | None:
    """The proposed time with this provider and start."""
    return next((one for one in row.proposed if _is_at(one, to)), None)


def _is_at(one: Equivalent, to: tuple[ProviderId, Minute]) -> bool:
    return (one.provider_id, one.start) == to
