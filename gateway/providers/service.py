"""One provider: profile, slots, schedule, rules and leave.

One file because each method is one operation on the same calendar, and short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from actors.domain.calendar.validation import TIME_OFF_MINUTES_MAX
from actors.domain.ids import (
    BookingId,
    ClinicId,
    LocationId,
    Minute,
    ProviderId,
    TimeOffId,
    VisitTypeId,
    booking_id,
    provider_of,
    time_off_id,
)
from actors.domain.messages.answers import (
    Affected,
    BookingView,
    Done,
    ProviderView,
    Reply,
    ScheduleView,
    SlotsView,
    TimeOffView,
    Unchanged,
)
from actors.domain.messages.commands import (
    AddTimeOff,
    RegisterProvider,
    RemoveTimeOff,
    SetAvailability,
)
from actors.domain.messages.reads import (
    ReadBooking,
    ReadEffect,
    ReadProvider,
    ReadSchedule,
    ReadSlots,
)
from actors.domain.messages.refusals import NO_PROVIDER, Refusal, RefusalCode
from actors.domain.rules import Clinic
from actors.ports import Calendars
from gateway.access.rights import Access, Action, owner_of, zone_name_of
from gateway.access.tokens import Caller
from gateway.bookings.names import PatientNames
from gateway.calendars.commands import Commands
from gateway.calendars.hot_pages import LastShown, OldPage
from gateway.calendars.members.slots import MemberSlots
from gateway.directory.clinics.service import ClinicService
from gateway.providers.opening_rules import (
    AvailabilityAnswer,
    AvailabilityBody,
    AvailabilityRequest,
    availability_answer,
    availability_body,
)
from gateway.providers.rule_checks import RuleChecks
from gateway.providers.schemas import (
    ProfileRequest,
    ProviderBody,
    RegisteredBody,
    ScheduleBody,
    TimeOffAnswer,
    TimeOffEffect,
    TimeOffList,
    TimeOffRequest,
    profile_of,
    provider_body,
    registered_body,
    schedule_body,
    time_off_answer,
    time_off_body,
    time_off_effect,
)
from gateway.providers.slot_pages import (
    SlotPages,
    etag_of,
    is_known,
    position_in,
    tag_of_content,
)
from gateway.wire.errors import FieldError, InvalidRequest, Refused, accepted
from gateway.wire.fields import OF_ANOTHER, checked_text
from gateway.wire.formats import (
    DAY,
    begin_of_bound,
    bound_minute,
    end_of_bound,
    is_backwards,
    later,
    parse_bound,
    parse_exact_bound,
    slots_json,
    today,
)
from gateway.wire.replies import KeptBody

DAYS_MAX: Final = 62
_DAYS_DEFAULT: Final = 7

Span = tuple[str | Minute, str | Minute]


@dataclass(frozen=True, slots=True)
class SlotsAnswer:
    """Slots as they are sent, and the tag that changes whenever they do.

    No ``page``: the client has the newest one. ``age_s`` is how old it is if its
    calendar does not answer just now; then there is no tag.
    """

    page: KeptBody | None
    etag: str
    age_s: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader of slots knows: a version to be reached, tags of answers."""

    at_least: int = 0
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Moving:
    """The slots are wanted in order to move this booking."""

    booking_id: str
    caller: Caller | None


@dataclass(frozen=True, slots=True)
class RulesVersion:
    """The version of the rules known to the caller, 0 if not given.

    ``dry_run`` sets nothing.
    """

    known: int = 0
    dry_run: bool = False


class ProviderService:
    """The operations on one provider.

    Every method may raise Refused, the errors of gateway/wire/errors.py, and
    Unavailable.
    """

    def __init__(
        self,
        commands: Commands,
        calendars: Calendars,
        access: Access,
        clinics: ClinicService,
        last_shown: LastShown | None = None,
        *,
        cell_minutes: int = 5,
    ) -> None:
        self.names = PatientNames(None)
        """Of the patients on schedules; replaced where there are patients."""
        self.photos_of: Callable[[ProviderId], tuple[str, str]] = lambda _id: ("", "")
        """Ids of photos; replaced where a search knows them."""
        self.members: MemberSlots | None = None
        """What narrows slots to those with rooms; without it visits need none."""
        self._commands = commands
        self._calendars = calendars
        self._access = access
        self._clinics = clinics
        self._last_shown = last_shown
        self._pages = SlotPages()
        self._checks = RuleChecks(cell_minutes)

    async def show(self, provider_id: ProviderId) -> ProviderBody:
        """The provider with all details."""
        view = await self._read(provider_id)
        check_person(view)
        clinic = await self._clinics.shown(view.profile.clinic)
        return provider_body(view, clinic, self.photos_of(provider_id))

    async def slots(
        self,
        provider_id: ProviderId,
        visit_type: str,
        bounds: tuple[str | None, str | None],
        seen: Seen,
        location_id: str = "",
        moving: Moving | None = None,
    ) -> SlotsAnswer:
        """Slots of a visit type, the first active one if ``visit_type`` is empty.

        With a ``location_id`` only those there, in dates of its zone. ``moving``: as
        seen by a booking of the caller that is to move.
        """
        first, last = await self._span(provider_id, bounds, location_id)
        question = ReadSlots(
            provider_id,
            VisitTypeId(visit_type),
            first,
            last,
            location_id=LocationId(location_id),
        )
        if moving is not None:
            return await self._slots_to_move(question, seen.at_least, moving)
        kept = self._pages.find(question)
        known = kept.position if kept is not None else position_in(seen.tags, question)
        reply = await self._read_slots(question, seen.at_least, known)
        if isinstance(reply, OldPage):
            old = await self._narrowed(reply.view)
            return SlotsAnswer(KeptBody(slots_json(old)), "", reply.age_s)
        if isinstance(reply, SlotsView) and reply.members is not None:
            # The calendar's position does not say what rooms and equipment show.
            body = slots_json(await self._narrowed(reply))
            etag = tag_of_content(question, body)
            is_seen = is_known(seen.tags, etag)
            return SlotsAnswer(None if is_seen else KeptBody(body), etag)
        if isinstance(reply, Unchanged):
            if kept is None:
                return SlotsAnswer(None, etag_of(question, reply))
        else:
            kept = self._pages.show(question, accepted(reply, SlotsView))
        has_it = is_known(seen.tags, kept.etag)
        return SlotsAnswer(None if has_it else kept, kept.etag)

    async def _slots_to_move(
        self, question: ReadSlots, at_least: int, moving: Moving
    ) -> SlotsAnswer:
        caller, provider_id = await self._access.to_object(
            moving.caller, Action.RESCHEDULE_BOOKING, "bkg", moving.booking_id
        )
        if provider_id != question.provider_id:
            raise InvalidRequest("", FieldError("moving", OF_ANOTHER))
        reply = await self._calendars.ask(
            replace(
                question,
                at_least=at_least,
                moving=BookingId(moving.booking_id),
                owner=owner_of(caller),
                proxy=caller.is_proxy,
            )
        )
        view = accepted(reply, SlotsView)
        own: Sequence[BookingId] = ()
        if view.members is not None:
            own = await self._parts_of(provider_id, BookingId(moving.booking_id))
        return SlotsAnswer(KeptBody(slots_json(await self._narrowed(view, own))), "")

    async def _parts_of(
        self, provider_id: ProviderId, visit: BookingId
    ) -> list[BookingId]:
        """The bookings of the rooms and equipment of a visit."""
        view = await self._calendars.ask(ReadBooking(provider_id, visit))
        if not isinstance(view, BookingView) or view.group is None:
            return []
        return [booking_id(one, view.group.group_id) for one in view.group.members]

    async def _narrowed(
        self, view: SlotsView, moving: Sequence[BookingId] = ()
    ) -> SlotsView:
        """The slots for which there are rooms and equipment, if they need some."""
        if view.members is None or self.members is None:
            return view
        return await self.members.narrowed(view, moving)

    async def schedule(
        self,
        caller: Caller | None,
        provider_id: ProviderId,
        bounds: tuple[str | None, str | None],
    ) -> ScheduleBody:
        """Bookings with patients, for staff."""
        caller = await self._access.to_provider(
            caller, Action.READ_SCHEDULE, provider_id
        )
        first, last = await self._span(provider_id, bounds)
        reply = await self._calendars.ask(ReadSchedule(provider_id, first, last))
        await self._access.audit_read(caller, "read_schedule", provider_id, provider_id)
        view = accepted(reply, ScheduleView)
        names = await self.names.of(caller, (one.patient_id for one in view.bookings))
        return schedule_body(view, names)

    async def availability(
        self, caller: Caller | None, provider_id: ProviderId
    ) -> tuple[AvailabilityBody, int]:
        """The rules, in the form used to set them, with their version."""
        await self._access.to_provider(caller, Action.READ_AVAILABILITY, provider_id)
        view = await self._read(provider_id)
        return availability_body(view), view.rules_version

    async def set_availability(
        self,
        caller: Caller | None,
        key: str | None,
        provider_id: ProviderId,
        request: AvailabilityRequest,
        version: RulesVersion,
    ) -> AvailabilityAnswer:
        """Replace all rules, or try it.

        Answers with the rules and the affected bookings.
        """
        caller = await self._access.to_provider(
            caller, Action.SET_AVAILABILITY, provider_id
        )
        rules = await self._checks.rules_of(request, self._commands.now())
        known = version.known or request.version
        if version.dry_run:
            now = self._commands.now()
            effect = ReadEffect(provider_id, now, rules, known=known)
            would = accepted(await self._calendars.ask(effect), Affected)
            return availability_answer(request, would, now)
        content = (provider_id, rules, known) if known else (provider_id, rules)
        stamp = self._commands.stamp(caller, key, "availability", *content)
        answer = await self._commands.send(
            SetAvailability(
                provider_id=provider_id,
                availability=rules,
                known=known,
                **stamp,
            )
        )
        if isinstance(answer, Done):  # remembered by an older version
            answer = Affected(provider_id, answer.epoch, answer.version)
        done = accepted(answer, Affected)
        self._access.forget(provider_id)
        return availability_answer(request, done, self._commands.now())

    async def register(
        self,
        caller: Caller | None,
        key: str | None,
        provider_id: ProviderId,
        request: ProfileRequest,
    ) -> RegisteredBody:
        """Create a calendar, or change its provider's profile."""
        caller = await self._access.to_provider(
            caller, Action.REGISTER_PROVIDER, provider_id
        )
        profile = profile_of(request, await self._clinic_of(request))
        # From the request: a retry is the same even if the clinic has changed.
        stamp = self._commands.stamp(caller, key, "register", provider_id, request)
        answer = await self._commands.send(
            RegisterProvider(
                provider_id=provider_id,
                profile=profile,
                **stamp,
            )
        )
        done = accepted(answer, Done)
        self._access.forget(provider_id)
        return registered_body(done, profile)

    async def time_off(
        self, caller: Caller | None, provider_id: ProviderId
    ) -> TimeOffList:
        """All leave, by start."""
        await self._access.to_provider(caller, Action.READ_TIME_OFF, provider_id)
        view = await self._read(provider_id)
        leaves = sorted(view.time_off, key=lambda leave: leave.start)
        return TimeOffList([time_off_body(leave) for leave in leaves])

    async def add_time_off(
        self,
        caller: Caller | None,
        key: str | None,
        provider_id: ProviderId,
        request: TimeOffRequest,
    ) -> TimeOffAnswer:
        """Take leave; affected bookings are kept and listed in the answer."""
        caller = await self._access.to_provider(
            caller, Action.ADD_TIME_OFF, provider_id
        )
        start, end = await self._leave_span(provider_id, request)
        reason = checked_text(request.reason, "reason")
        said = self._commands.private(reason)
        stamp = self._commands.stamp(
            caller, key, "time_off", provider_id, start, end, said
        )
        answer = await self._commands.send(
            AddTimeOff(
                provider_id=provider_id,
                time_off_id=time_off_id(provider_id, self._commands.tokens()),
                start=start,
                end=end,
                reason=reason,
                **stamp,
            )
        )
        return time_off_answer(accepted(answer, TimeOffView), self._commands.now())

    async def try_time_off(
        self,
        caller: Caller | None,
        provider_id: ProviderId,
        request: TimeOffRequest,
    ) -> TimeOffEffect:
        """The bookings and holds a leave would affect; nothing is changed."""
        await self._access.to_provider(caller, Action.ADD_TIME_OFF, provider_id)
        start, end = await self._leave_span(provider_id, request)
        now = self._commands.now()
        effect = ReadEffect(provider_id, now, start=start, end=end)
        would = accepted(await self._calendars.ask(effect), Affected)
        return time_off_effect((start, end), would, now)

    async def remove_time_off(
        self,
        caller: Caller | None,
        key: str | None,
        provider_id: ProviderId,
        leave: str,
    ) -> Done:
        """End a leave; its time is offered again."""
        caller = await self._access.to_provider(
            caller, Action.REMOVE_TIME_OFF, provider_id
        )
        if not leave.startswith("off_") or provider_of(leave) != provider_id:
            raise Refused(Refusal(RefusalCode.TIME_OFF_NOT_FOUND))
        stamp = self._commands.stamp(caller, key, "time_on", leave)
        answer = await self._commands.send(
            RemoveTimeOff(
                provider_id=provider_id,
                time_off_id=TimeOffId(leave),
                **stamp,
            )
        )
        return accepted(answer, Done)

    async def _clinic_of(self, request: ProfileRequest) -> Clinic:
        if (request.clinic_id is None) == (request.clinic is None):
            raise InvalidRequest("Send either clinic_id or clinic.")
        if request.clinic is not None:
            clinic = await self._clinics.kept(request.clinic)
        else:
            clinic = await self._clinics.record(ClinicId(request.clinic_id or ""))
        await self._clinics.check_open(clinic.clinic_id)
        return clinic

    async def _leave_span(
        self, provider_id: ProviderId, request: TimeOffRequest
    ) -> tuple[Minute, Minute]:
        """The span of a leave; dates are whole days on the clinic's calendar."""
        first = parse_exact_bound(request.start, "start")
        last = parse_exact_bound(request.end, "end")
        zone = "UTC"
        if isinstance(first, str) or isinstance(last, str):
            zone = zone_name_of(await self._read(provider_id))
        start, end = begin_of_bound(first, zone), end_of_bound(last, zone)
        if end <= start:
            raise InvalidRequest("", FieldError("end", "must be after start"))
        if end - start > TIME_OFF_MINUTES_MAX:
            hint = "must be at most two years after start; add another for the rest"
            raise InvalidRequest("", FieldError("end", hint))
        return start, end

    async def _read_slots(
        self, question: ReadSlots, at_least: int, known: tuple[int, int] | None
    ) -> Reply | OldPage:
        """The slots; Unchanged if the calendar still stands where they are known."""
        shown = self._last_shown
        if known is not None and shown is not None and shown.wants(question, *known):
            known = None  # the other gateways' copy of the page needs the view
        asked = replace(question, at_least=at_least, known=known)
        if shown is None:
            return await self._calendars.ask(asked)
        return await shown.ask(asked, lambda: self._calendars.ask(asked))

    async def _read(self, provider_id: ProviderId) -> ProviderView:
        return accepted(
            await self._calendars.ask(ReadProvider(provider_id)), ProviderView
        )

    async def _span(
        self,
        provider_id: ProviderId,
        bounds: tuple[str | None, str | None],
        location_id: str = "",
    ) -> Span:
        """From and to; without them seven days, today first, by the clinic's zone."""
        if bounds[0] is not None:
            first = parse_bound(bounds[0], "from")
        else:
            facts = await self._access.facts(provider_id)
            if facts is None:
                raise Refused(Refusal(RefusalCode.PROVIDER_NOT_FOUND))
            zone = facts.zones.get(location_id, facts.time_zone)
            first = today(self._commands.now(), zone)
        if bounds[1] is not None:
            last = parse_bound(bounds[1], "to")
        else:
            last = later(first, _DAYS_DEFAULT - isinstance(first, str))
        _check_span(first, last)
        return first, last


def check_person(view: ProviderView) -> None:
    """Raises Refused: a room or equipment is no provider to those who look for one."""
    if view.profile.resource is not None:
        raise Refused(NO_PROVIDER)


def _check_span(first: str | Minute, last: str | Minute) -> None:
    if is_backwards(first, last):
        raise InvalidRequest("", FieldError("to", "must not be before from"))
    # A date beside an instant is only known to a day or so without its zone.
    slack = DAY if isinstance(first, str) != isinstance(last, str) else 0
    if bound_minute(last) - bound_minute(first) > DAYS_MAX * DAY + slack:
        raise InvalidRequest(
            "", FieldError("to", f"must be at most {DAYS_MAX} days after from")
        )
