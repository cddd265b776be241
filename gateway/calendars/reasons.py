"""Reasons of visits are sealed before a calendar sees them, and opened for readers.

The gateway's calendars and history are wrapped, so that every reader (REST, socket,
topics, exports) sees the same. A calendar never looks at a reason; its journal, its
snapshots and SQL hold what only the person's key opens. What cannot be opened just now
reads "not available now"; the visit itself is not affected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace as with_fields
from typing import Any, Final

from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    ClinicId,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
)
from actors.domain.messages.answers import (
    Affected,
    BookingStatus,
    BookingView,
    HoldView,
    ProviderView,
    Reply,
    ScheduleView,
    TimeOffView,
)
from actors.domain.messages.changes import CalendarChange, FeedBatch
from actors.domain.messages.commands import (
    AddTimeOff,
    BookSlot,
    CancelBooking,
    ConfirmHold,
)
from actors.domain.messages.reads import ReadBooking, ReadHold
from actors.domain.rules import TimeOff
from actors.errors import Unavailable
from actors.ports import Calendars, Feed, Request
from care.keys.ports import PersonKeys
from care.keys.texts import (
    cancel_reason_place,
    is_sealed,
    leave_reason_place,
    reason_place,
)
from care.readmodel import BookingHistory
from gateway.calendars.continuations import become_task
from gateway.config import GatewayPorts

LOAD_S: Final = 0.25
"""How long a reader waits for keys; without them a reason is not shown."""
_ACCOUNT: Final = "acc_"
_NOBODY: Final = PatientId("")

_SEALED: Final = (BookSlot, ConfirmHold, CancelBooking)
"""Commands with a person's words."""


class SealedReasons:
    """Calendars whose callers write and read reasons in the clear."""

    def __init__(self, calendars: Calendars, persons: PersonKeys) -> None:
        self._calendars = calendars
        self._persons = persons

    async def ask(self, request: Request) -> Reply:
        """See Calendars.ask."""
        if isinstance(request, _SEALED) and request.reason:
            request = await self._sealed(request)
        elif isinstance(request, AddTimeOff) and request.reason:
            request = await self._sealed_leave(request)
        answer = await self._calendars.ask(request)
        if isinstance(answer, BookingView):
            if is_sealed(answer.reason) or is_sealed(answer.cancel_reason):
                (answer,) = await opened(self._persons, [answer])
        elif isinstance(answer, ScheduleView | Affected | TimeOffView):
            answer = await self._opened_in(answer)
        if isinstance(answer, ScheduleView | ProviderView | TimeOffView):
            return await self._opened_leaves(answer)
        return answer

    async def _opened_leaves(
        self, answer: ScheduleView | ProviderView | TimeOffView
    ) -> ScheduleView | ProviderView | TimeOffView:
        if isinstance(answer, TimeOffView):
            if not is_sealed(answer.time_off.reason):
                return answer
            (leave,) = await self._leaves(answer.provider_id, [answer.time_off])
            return replace(answer, time_off=leave)
        if not any(is_sealed(one.reason) for one in answer.time_off):
            return answer
        leaves = await self._leaves(answer.provider_id, answer.time_off)
        return replace(answer, time_off=leaves)

    async def _leaves(
        self, provider_id: ProviderId, leaves: Sequence[TimeOff]
    ) -> list[TimeOff]:
        await become_task()
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(LOAD_S):
                await self._persons.load([])  # the site's keys, if not yet known
        whose, shown = _without_row(provider_id), self._persons.open
        return [
            replace(
                one,
                reason=shown(whose, leave_reason_place(one.time_off_id), one.reason),
            )
            for one in leaves
        ]

    async def _sealed_leave(self, command: AddTimeOff) -> AddTimeOff:
        """With a key of the site: a provider has no row of their own."""
        await become_task()
        await self._persons.load([])
        whose = _without_row(command.provider_id)
        place = leave_reason_place(command.time_off_id)
        text = self._persons.seal(whose, place, command.reason)
        return replace(command, reason=text)

    async def _opened_in(
        self, answer: ScheduleView | Affected | TimeOffView
    ) -> ScheduleView | Affected | TimeOffView:
        if not any(map(_is_sealed, answer.bookings)):
            return answer
        views = await opened(self._persons, answer.bookings)
        kind = type(answer.bookings)
        return replace(answer, bookings=kind(views))

    async def _sealed(self, command: BookSlot | ConfirmHold | CancelBooking) -> Any:
        patient = await self._patient_of(command)
        persons = self._persons
        if not persons.knows(patient):
            # Tokens of trials name no account, and people without one have no row.
            await become_task()
            wanted = [patient] if command.by.startswith(_ACCOUNT) else []
            await persons.load(wanted)
        make = cancel_reason_place if type(command) is CancelBooking else reason_place
        text = persons.seal(patient, make(command.booking_id), command.reason)
        return replace(command, reason=text)

    async def _patient_of(
        self, command: BookSlot | ConfirmHold | CancelBooking
    ) -> PatientId:
        """Whose reason it is; staff do not always name them."""
        if isinstance(command, BookSlot):
            return command.patient_id
        if command.owner is not None:
            return command.owner
        provider = ProviderId(command.provider_id)
        question = (
            ReadHold(provider, command.hold_id, None)
            if isinstance(command, ConfirmHold)
            else ReadBooking(provider, command.booking_id)
        )
        found = await self._calendars.ask(question)
        if isinstance(found, HoldView | BookingView):
            return found.patient_id
        return _NOBODY  # it is not there: the command is refused


async def sealed_reasons(
    persons: PersonKeys | None,
    by: str,
    patient_id: PatientId,
    bookings: Sequence[BookingId],
    reason: str,
) -> list[str]:
    """A reason as the calendar gets it with each of these bookings of a patient.

    ``by``: who asks, as in commands. Raises Unavailable.
    """
    if persons is None or not reason:
        return [reason] * len(bookings)
    if not persons.knows(patient_id):
        await persons.load([patient_id] if by.startswith(_ACCOUNT) else [])
    return [persons.seal(patient_id, reason_place(one), reason) for one in bookings]


class OpenedHistory:
    """Bookings of the read model with their reasons in the clear."""

    def __init__(self, history: BookingHistory, persons: PersonKeys) -> None:
        self._history = history
        self._persons = persons

    async def of_patient(  # noqa: PLR0913 - one for each filter
        self,
        patient_id: PatientId,
        *,
        first: Minute | None,
        last: Minute | None,
        status: BookingStatus | None,
        after: str,
        limit: int,
        proxy: bool = False,
    ) -> tuple[Sequence[BookingView], str | None]:
        """See BookingHistory.of_patient."""
        views, cursor = await self._history.of_patient(
            patient_id,
            first=first,
            last=last,
            status=status,
            after=after,
            limit=limit,
            proxy=proxy,
        )
        return await opened(self._persons, views), cursor

    async def booking(self, booking_id: BookingId) -> BookingView | None:
        """See BookingHistory.booking."""
        view = await self._history.booking(booking_id)
        if view is None:
            return None
        (view,) = await opened(self._persons, [view])
        return view

    async def is_known(self, clinic_id: ClinicId, patient_id: PatientId) -> bool:
        """See BookingHistory.is_known."""
        return await self._history.is_known(clinic_id, patient_id)


class OpenedFeed:
    """Changes of calendars with their reasons in the clear.

    Keys are read only for providers whose schedule ``is_shown`` here: those of patients
    are known from their tokens.
    """

    def __init__(
        self, feed: Feed, persons: PersonKeys, is_shown: Callable[[ProviderId], bool]
    ) -> None:
        self._feed = feed
        self._persons = persons
        self._is_shown = is_shown

    async def poll(
        self, shard: ShardId, epoch: int, number: int, wait_ms: int
    ) -> FeedBatch:
        """See Feed.poll."""
        batch = await self._feed.poll(shard, epoch, number, wait_ms)
        wanted = {
            view.patient_id
            for change in batch.changes
            for view in change.bookings
            if _is_sealed(view)
        }
        if not wanted:
            return batch
        shown = {
            view.patient_id
            for change in batch.changes
            if self._is_shown(change.provider_id)
            for view in change.bookings
        }
        await _load(self._persons, wanted & shown)
        changes = [_change(self._persons, one) for one in batch.changes]
        return replace(batch, changes=changes)


def with_reasons(ports: GatewayPorts) -> GatewayPorts:
    """Ports that seal and open reasons, where there are keys of people."""
    persons = ports.persons
    if persons is None:
        return ports
    return with_fields(
        ports,
        calendars=SealedReasons(ports.calendars, persons),
        history=OpenedHistory(ports.history, persons),
    )


async def opened(
    persons: PersonKeys, views: Sequence[BookingView]
) -> list[BookingView]:
    """Views with their reasons in the clear; unknown keys take one read for all."""
    await _load(persons, {v.patient_id for v in views if _is_sealed(v)})
    return [_open(persons, view) for view in views]


def _change(persons: PersonKeys, change: CalendarChange) -> CalendarChange:
    if not any(map(_is_sealed, change.bookings)):
        return change
    return replace(change, bookings=[_open(persons, v) for v in change.bookings])


async def _load(persons: PersonKeys, people: Collection[PatientId]) -> None:
    unknown = [one for one in people if not persons.knows(one)]
    if not unknown:
        return
    await become_task()
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(LOAD_S):
            await persons.load(unknown)


def _without_row(provider_id: ProviderId) -> PatientId:
    """Whose key seals what is about a provider: made of the id alone."""
    return PatientId(provider_id)


def _is_sealed(view: BookingView) -> bool:
    return is_sealed(view.reason) or is_sealed(view.cancel_reason)


def _open(persons: PersonKeys, view: BookingView) -> BookingView:
    if not _is_sealed(view):
        return view
    patient, booking = view.patient_id, view.booking_id
    return replace(
        view,
        reason=persons.open(patient, reason_place(booking), view.reason),
        cancel_reason=persons.open(
            patient, cancel_reason_place(booking), view.cancel_reason
        ),
    )
