"""Whether a provider works: retired, suspended, reinstated.

The calendar decides that, and knows it without any database. Why a provider is
suspended is kept in the records, sealed, as long as the suspension lasts; what was
read there counts only while the calendar says that they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from msgspec import Meta, Struct

from actors.domain.calendar.lifecycle import LIVE
from actors.domain.ids import Minute, ProviderId
from actors.domain.messages.answers import Done, ProviderView, ScheduleView
from actors.domain.messages.commands import SetRetired, SetSuspended
from actors.domain.messages.reads import ReadProvider, ReadSchedule
from actors.domain.rules import Profile
from actors.errors import Unavailable
from actors.ports import Calendars
from care.grants.ports import Suspensions
from care.grants.values import Suspension
from gateway.access.rights import Access, Action
from gateway.access.tokens import Caller
from gateway.bookings.schemas import BookingBody, booking_body
from gateway.calendars.commands import Commands
from gateway.directory.clinics.service import ClinicService
from gateway.wire.errors import accepted
from gateway.wire.fields import (
    REASON_CHARACTERS_MAX,
    Epoch,
    ProviderRef,
    Version,
    checked_text,
)
from gateway.wire.formats import DAY, Instant, millis_text

_TO_COME_DAYS: Final = 400
"""Beyond any horizon: covers all upcoming visits of a retiring provider."""


class SuspendRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Why; optional. The provider and those who may suspend them read it."""

    reason: Annotated[
        str,
        Meta(
            max_length=REASON_CHARACTERS_MAX,
            description="Free text for the provider and the clinic's administrators.",
        ),
    ] = ""


class SuspensionBody(Struct, frozen=True):
    """Whether a provider is suspended, why and since when.

    ``since`` is null, and ``reason`` empty, if there is no suspension, or if it is
    older than the records of them.
    """

    provider_id: ProviderRef
    suspended: bool
    reason: str
    since: Instant | None


class SuspendedBody(Struct, frozen=True):
    """Whether a provider is suspended, and the visits to come, which stay booked."""

    provider_id: ProviderRef
    suspended: bool
    affected: list[BookingBody]
    epoch: Epoch
    version: Version
    reason: str
    since: Instant | None


class RetiredBody(Struct, frozen=True):
    """Whether a provider is retired, and the visits to come, which stay booked."""

    provider_id: ProviderRef
    retired: bool
    affected: list[BookingBody]
    epoch: Epoch
    version: Version
    suspended: bool


class ProviderStanding:
    """Retires, suspends and reinstates providers.

    ``suspensions``: where reasons are kept; None where there are no records. Every
    method may raise Refused, the errors of gateway/wire/errors.py, and Unavailable.
    """

    def __init__(
        self,
        commands: Commands,
        calendars: Calendars,
        access: Access,
        suspensions: Suspensions | None,
        clinics: ClinicService,
        *,
        listed: Callable[[ProviderId, Profile], None] = lambda _whose, _profile: None,
    ) -> None:
        """``listed`` hears of a room or piece of equipment that has changed."""
        self._listed = listed
        self._commands = commands
        self._calendars = calendars
        self._access = access
        self._suspensions = suspensions
        self._clinics = clinics

    async def retire(
        self, caller: Caller | None, key: str | None, provider_id: ProviderId
    ) -> RetiredBody:
        """Retire a provider."""
        action = Action.RETIRE_PROVIDER
        caller = await self._access.to_provider(caller, action, provider_id)
        stamp = self._commands.stamp(caller, key, action, provider_id)
        return await self._retired(
            SetRetired(provider_id=provider_id, retired=True, **stamp)
        )

    async def reinstate(
        self, caller: Caller | None, key: str | None, provider_id: ProviderId
    ) -> RetiredBody:
        """Reinstate a provider that is retired, suspended, or both.

        Ending a suspension needs the right to suspend. One that begins meanwhile
        stays. Raises ClinicRetired: the clinic itself is.
        """
        action = Action.REINSTATE_PROVIDER
        caller = await self._access.to_provider(caller, action, provider_id)
        profile = (await self._view(provider_id)).profile
        suspended = profile.suspended
        await self._clinics.check_open(profile.clinic.clinic_id)
        if suspended:
            await self._access.to_provider(caller, Action.SUSPEND_PROVIDER, provider_id)
        stamp = self._commands.stamp(caller, key, action, provider_id)
        body = await self._retired(
            SetRetired(
                provider_id=provider_id,
                retired=False,
                suspended=False if suspended else None,
                **stamp,
            )
        )
        if not body.suspended:
            await self._forget(provider_id)
        return body

    async def suspend(
        self,
        caller: Caller | None,
        key: str | None,
        provider_id: ProviderId,
        request: SuspendRequest,
    ) -> SuspendedBody:
        """Suspend a provider, or replace the reason; since when stays as it was.

        The calendar first: if the records do not answer then, nothing is booked any
        more, and the request repeated stores the reason.
        """
        caller = await self._access.to_provider(
            caller, Action.SUSPEND_PROVIDER, provider_id
        )
        reason = checked_text(request.reason, "reason")
        if reason and self._suspensions is None:
            raise Unavailable("This site has no records that could keep a reason.")
        said = (self._commands.private(reason),) if reason else ()
        goes_on = (await self._view(provider_id)).profile.suspended
        done = await self._set(caller, key, provider_id, *said, suspended=True)
        view, now = await self._view(provider_id), self._commands.now()
        # A repeated request may be answered after the suspension has ended.
        if self._suspensions is not None and view.profile.suspended:
            clinic_id = view.profile.clinic.clinic_id
            one = Suspension(provider_id, clinic_id, reason, now, caller.account)
            now = await self._suspensions.put(one, goes_on=goes_on)
        return SuspendedBody(
            provider_id=provider_id,
            suspended=True,
            affected=await self._to_come(provider_id),
            epoch=done.epoch,
            version=done.version,
            reason=reason,
            since=millis_text(now),
        )

    async def unsuspend(
        self, caller: Caller | None, key: str | None, provider_id: ProviderId
    ) -> SuspendedBody:
        """End a suspension, and nothing else."""
        caller = await self._access.to_provider(
            caller, Action.SUSPEND_PROVIDER, provider_id
        )
        done = await self._set(caller, key, provider_id, suspended=False)
        if not (await self._view(provider_id)).profile.suspended:
            await self._forget(provider_id)
        return SuspendedBody(
            provider_id=provider_id,
            suspended=False,
            affected=await self._to_come(provider_id),
            epoch=done.epoch,
            version=done.version,
            reason="",
            since=None,
        )

    async def suspension(
        self, caller: Caller | None, provider_id: ProviderId
    ) -> SuspensionBody:
        """Whether, why and since when a provider is suspended."""
        await self._access.to_provider(caller, Action.READ_SUSPENSION, provider_id)
        suspended = (await self._view(provider_id)).profile.suspended
        kept, found = self._suspensions, None
        if suspended and kept is not None:
            found = await kept.find(provider_id)
        return SuspensionBody(
            provider_id=provider_id,
            suspended=suspended,
            reason="" if found is None else found.reason,
            since=None if found is None else millis_text(found.since),
        )

    async def _set(
        self,
        caller: Caller,
        key: str | None,
        provider_id: ProviderId,
        *said: str,
        suspended: bool,
    ) -> Done:
        content = (provider_id, suspended, *said)
        stamp = self._commands.stamp(caller, key, "suspend", *content)
        command = SetSuspended(provider_id=provider_id, suspended=suspended, **stamp)
        return accepted(await self._commands.send(command), Done)

    async def _retired(self, command: SetRetired) -> RetiredBody:
        done = accepted(await self._commands.send(command), Done)
        view = await self._view(command.provider_id)
        if view.profile.resource is not None:
            self._listed(command.provider_id, view.profile)
        return RetiredBody(
            provider_id=command.provider_id,
            retired=command.retired,
            affected=await self._to_come(command.provider_id),
            epoch=done.epoch,
            version=done.version,
            suspended=view.profile.suspended,
        )

    async def _forget(self, provider_id: ProviderId) -> None:
        if self._suspensions is not None:
            await self._suspensions.remove(provider_id)

    async def _view(self, provider_id: ProviderId) -> ProviderView:
        reply = await self._calendars.ask(ReadProvider(provider_id))
        return accepted(reply, ProviderView)

    async def _to_come(self, provider_id: ProviderId) -> list[BookingBody]:
        now = Minute(self._commands.now() // 60_000)
        to_come = ReadSchedule(provider_id, now, Minute(now + _TO_COME_DAYS * DAY))
        found = accepted(await self._calendars.ask(to_come), ScheduleView)
        return [booking_body(one) for one in found.bookings if one.status in LIVE]
