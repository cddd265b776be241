"""Makes things of the domain: say what matters, the rest is a sensible default.

Ids are numbered, never random. All instants hang on ``MONDAY``, a Monday midnight in
UTC; the provider's clinic is in UTC unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.calendar import views
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import decode, encode
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    BookingId,
    ClinicId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    TimeOffId,
    VisitTypeId,
    booking_id,
    hold_id,
    time_off_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages.events import Event
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import (
    Availability,
    Clinic,
    Hours,
    Location,
    Policy,
    Profile,
    VisitType,
)

DAY = 24 * 60
MONDAY = Minute(29_772_000)
"""2026-08-10T00:00Z, a Monday."""
NOW = Millis(MONDAY * 60_000)
PROVIDER = ProviderId("prv_1")
CONSULT = VisitTypeId("consult")
NINE_TO_FIVE = (Hours(9 * 60, 17 * 60),)
ALL_DAY = (Hours(0, DAY),)


def a_provider_id(number: int = 1) -> ProviderId:
    return ProviderId(f"prv_{number}")


def a_patient_id(number: int = 1) -> PatientId:
    return PatientId(f"pat_{number}")


def a_hold_id(number: int = 1, provider_id: ProviderId = PROVIDER) -> HoldId:
    return hold_id(provider_id, f"t{number}")


def a_booking_id(number: int = 1, provider_id: ProviderId = PROVIDER) -> BookingId:
    return booking_id(provider_id, f"t{number}")


def a_time_off_id(number: int = 1, provider_id: ProviderId = PROVIDER) -> TimeOffId:
    return time_off_id(provider_id, f"t{number}")


def a_clinic(number: int = 1, **changes: object) -> Clinic:
    given = {
        "clinic_id": ClinicId(f"cln_{number}"),
        "name": f"Clinic {number}",
        "time_zone": "UTC",
    }
    return Clinic(**(given | changes))  # type: ignore[arg-type]


def a_profile(number: int = 1, **changes: object) -> Profile:
    given = {
        "name": f"Dr. Number {number}",
        "specialty": "general practice",
        "clinic": a_clinic(),
    }
    return Profile(**(given | changes))  # type: ignore[arg-type]


def a_visit_type(name: str = "consult", **changes: object) -> VisitType:
    """Half an hour, at every half hour, from now on, for four weeks."""
    given = {
        "visit_type": VisitTypeId(name),
        "title": name.capitalize(),
        "minutes": 30,
        "alignment": 30,
        "notice": 0,
        "horizon": 28 * DAY,
    }
    return VisitType(**(given | changes))  # type: ignore[arg-type]


def a_location(number: int = 1, **changes: object) -> Location:
    """Open 9 to 5, every day of the week."""
    given = {
        "location_id": LocationId(f"loc_{number}"),
        "time_zone": "UTC",
        "weekly": (NINE_TO_FIVE,) * 7,
    }
    return Location(**(given | changes))  # type: ignore[arg-type]


def an_availability(
    *visit_types: VisitType, locations: Sequence[Location] | None = None
) -> Availability:
    """One location and one visit type, unless given."""
    places = (a_location(),) if locations is None else tuple(locations)
    return Availability(places, visit_types or (a_visit_type(),))


def register(number: int = 1, **changes: object) -> cm.RegisterProvider:
    given = {
        "provider_id": PROVIDER,
        "key": f"register-{number}",
        "profile": a_profile(),
    }
    return cm.RegisterProvider(**(given | changes))  # type: ignore[arg-type]


def set_availability(
    availability: Availability | None = None, number: int = 1, **changes: object
) -> cm.SetAvailability:
    given = {
        "provider_id": PROVIDER,
        "key": f"rules-{number}",
        "availability": availability or an_availability(),
    }
    return cm.SetAvailability(**(given | changes))  # type: ignore[arg-type]


def at(hour: int, minute: int = 0, day: int = 0) -> Minute:
    """An instant, hours after ``MONDAY``."""
    return Minute(MONDAY + day * DAY + hour * 60 + minute)


def millis(minute: int) -> Millis:
    """A minute's instant as the ``now`` of a decision."""
    return Millis(minute * 60_000)


def place_hold(number: int = 1, start: int = at(9), **changes: object) -> cm.PlaceHold:
    given = {
        "provider_id": PROVIDER,
        "key": f"hold-{number}",
        "hold_id": a_hold_id(number),
        "patient_id": a_patient_id(number),
        "visit_type": CONSULT,
        "start": start,
    }
    return cm.PlaceHold(**(given | changes))  # type: ignore[arg-type]


def extend_hold(number: int = 1, **changes: object) -> cm.ExtendHold:
    given = {"provider_id": PROVIDER, "key": f"extend-{number}", "owner": None}
    given |= {"hold_id": a_hold_id(number)}
    return cm.ExtendHold(**(given | changes))  # type: ignore[arg-type]


def release_hold(number: int = 1, **changes: object) -> cm.ReleaseHold:
    given = {"provider_id": PROVIDER, "key": f"release-{number}", "owner": None}
    given |= {"hold_id": a_hold_id(number)}
    return cm.ReleaseHold(**(given | changes))  # type: ignore[arg-type]


def confirm_hold(number: int = 1, **changes: object) -> cm.ConfirmHold:
    given = {"provider_id": PROVIDER, "key": f"confirm-{number}", "owner": None}
    given |= {"hold_id": a_hold_id(number), "booking_id": a_booking_id(number)}
    return cm.ConfirmHold(**(given | changes))  # type: ignore[arg-type]


def book_slot(number: int = 1, start: int = at(9), **changes: object) -> cm.BookSlot:
    given = {
        "provider_id": PROVIDER,
        "key": f"book-{number}",
        "booking_id": a_booking_id(number),
        "patient_id": a_patient_id(number),
        "visit_type": CONSULT,
        "start": start,
    }
    return cm.BookSlot(**(given | changes))  # type: ignore[arg-type]


def cancel_booking(number: int = 1, **changes: object) -> cm.CancelBooking:
    given = {"provider_id": PROVIDER, "key": f"cancel-{number}", "owner": None}
    given |= {"booking_id": a_booking_id(number)}
    return cm.CancelBooking(**(given | changes))  # type: ignore[arg-type]


def reschedule_booking(number: int = 1, **changes: object) -> cm.RescheduleBooking:
    """Say ``start`` or ``hold_id``."""
    given = {"provider_id": PROVIDER, "key": f"move-{number}", "owner": None}
    given |= {"booking_id": a_booking_id(number)}
    return cm.RescheduleBooking(**(given | changes))  # type: ignore[arg-type]


def add_time_off(
    number: int = 1, start: int = at(0), end: int = at(24), **changes: object
) -> cm.AddTimeOff:
    given = {
        "provider_id": PROVIDER,
        "key": f"off-{number}",
        "time_off_id": a_time_off_id(number),
        "start": start,
        "end": end,
    }
    return cm.AddTimeOff(**(given | changes))  # type: ignore[arg-type]


def remove_time_off(number: int = 1, **changes: object) -> cm.RemoveTimeOff:
    given = {"provider_id": PROVIDER, "key": f"on-{number}"}
    given |= {"time_off_id": a_time_off_id(number)}
    return cm.RemoveTimeOff(**(given | changes))  # type: ignore[arg-type]


def set_retired(**changes: object) -> cm.SetRetired:
    given = {"provider_id": PROVIDER, "key": f"retired-{changes['retired']}"}
    return cm.SetRetired(**(given | changes))  # type: ignore[arg-type]


def check_in(number: int = 1, **changes: object) -> cm.CheckIn:
    given = {"provider_id": PROVIDER, "key": f"check-in-{number}"}
    given |= {"booking_id": a_booking_id(number)}
    return cm.CheckIn(**(given | changes))  # type: ignore[arg-type]


def complete_visit(number: int = 1, **changes: object) -> cm.CompleteVisit:
    given = {"provider_id": PROVIDER, "key": f"complete-{number}"}
    given |= {"booking_id": a_booking_id(number)}
    return cm.CompleteVisit(**(given | changes))  # type: ignore[arg-type]


def mark_no_show(number: int = 1, **changes: object) -> cm.MarkNoShow:
    given = {"provider_id": PROVIDER, "key": f"no-show-{number}"}
    given |= {"booking_id": a_booking_id(number)}
    return cm.MarkNoShow(**(given | changes))  # type: ignore[arg-type]


def undo_outcome(number: int = 1, **changes: object) -> cm.UndoOutcome:
    given = {"provider_id": PROVIDER, "key": f"undo-{number}"}
    given |= {"booking_id": a_booking_id(number)}
    return cm.UndoOutcome(**(given | changes))  # type: ignore[arg-type]


def advance_window() -> cm.AdvanceWindow:
    return cm.AdvanceWindow(provider_id=PROVIDER)


def expire_holds() -> cm.ExpireHolds:
    return cm.ExpireHolds(provider_id=PROVIDER)


def play(
    calendar: Calendar, command: cm.Command, now: Millis = NOW, epoch: int = 1
) -> tuple[Event, ...] | Refusal:
    """Decide and apply, as a shard does; refusals of keyed commands are kept."""
    outcome = calendar.decide(command, now)
    if isinstance(outcome, Refusal):
        return outcome
    for event in outcome:
        apply(calendar.state, event, epoch)
    return outcome


def a_calendar(
    availability: Availability | None = None,
    *,
    policy: Policy | None = None,
    now: Millis = NOW,
) -> Calendar:
    """Registered, open, its window at ``now``: version 3."""
    calendar = Calendar(CalendarState(PROVIDER, policy or Policy()))
    for command in (register(), set_availability(availability), advance_window()):
        outcome = play(calendar, command, now)
        assert not isinstance(outcome, Refusal), outcome
    return calendar


def next_start(calendar: Calendar) -> Minute | None:
    """The soonest free start over all active visit types."""
    return min(views.next_free(calendar.state).values(), default=None)


def restored(calendar: Calendar) -> Calendar:
    """The calendar as it comes out of its snapshot."""
    blob = encode(calendar.state)
    return Calendar(decode(blob, calendar.state.policy))
