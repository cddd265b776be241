"""The journal's audit names every way in which time could be given twice."""

import msgspec
import pytest

from actors.audit.audit import Audit
from actors.domain.ids import (
    BookingId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)
from actors.domain.messages.answers import BookingStatus
from actors.domain.messages.events import (
    BookingCancelled,
    BookingRescheduled,
    Event,
    HoldExpired,
    HoldOffered,
    HoldPlaced,
    HoldReturned,
    NoShowMarked,
    RefusalRecorded,
    SlotBooked,
    SlotReserved,
)
from actors.ports import Record

PROVIDER = ProviderId("prv_1")
HOUR = 60


def a_hold(number: int, version: int, start: int) -> HoldPlaced:
    return HoldPlaced(
        provider_id=PROVIDER,
        at=Millis(0),
        version=version,
        hold_id=HoldId(f"hld_1.{number}"),
        patient_id=PatientId("pat_1"),
        visit_type=VisitTypeId("consult"),
        start=Minute(start),
        end=Minute(start + 30),
        busy_start=Minute(start),
        busy_end=Minute(start + 40),
        expires=Millis(1),
        location_id=LocationId("loc_1"),
    )


def a_booking(
    number: int, version: int, start: int, hold: int | None = None
) -> SlotBooked:
    return SlotBooked(
        provider_id=PROVIDER,
        at=Millis(0),
        version=version,
        booking_id=BookingId(f"bkg_1.{number}"),
        patient_id=PatientId("pat_1"),
        visit_type=VisitTypeId("consult"),
        start=Minute(start),
        end=Minute(start + 30),
        busy_start=Minute(start),
        busy_end=Minute(start + 40),
        location_id=LocationId("loc_1"),
        hold_id=None if hold is None else HoldId(f"hld_1.{hold}"),
    )


def a_move(number: int, version: int, start: int) -> BookingRescheduled:
    return BookingRescheduled(
        provider_id=PROVIDER,
        at=Millis(0),
        version=version,
        booking_id=BookingId(f"bkg_1.{number}"),
        visit_type=VisitTypeId("consult"),
        start=Minute(start),
        end=Minute(start + 30),
        busy_start=Minute(start),
        busy_end=Minute(start + 40),
        location_id=LocationId("loc_1"),
    )


def about(kind: type, number: int, version: int) -> Event:
    more = {"by_patient": True} if kind is BookingCancelled else {}
    name = "hold_id" if kind is HoldExpired else "booking_id"
    owner = f"hld_1.{number}" if kind is HoldExpired else f"bkg_1.{number}"
    event: Event = kind(
        provider_id=PROVIDER, at=Millis(0), version=version, **{name: owner}, **more
    )
    return event


def audited(*events: Event) -> Audit:
    audit = Audit()
    for seq, event in enumerate(events, 1):
        audit.feed(Record(seq=seq, epoch=1, event=event))
    return audit


def test_a_day_of_holds_moves_and_cancellations_has_no_problem() -> None:
    """Time that was given back may be given again."""
    refused = RefusalRecorded(
        provider_id=PROVIDER, at=Millis(0), version=6, key="k", code="slot_unavailable"
    )
    audit = audited(
        a_hold(1, 1, 0),
        a_booking(1, 2, 0, hold=1),
        a_hold(2, 3, HOUR),
        about(HoldExpired, 2, 4),
        a_move(1, 5, HOUR),
        a_booking(2, 6, 0),
        refused,
        about(BookingCancelled, 1, 7),
        a_booking(3, 8, HOUR),
        about(NoShowMarked, 2, 9),
    )
    assert audit.problems == []
    assert [b.status for b in audit.bookings.values()] == [
        BookingStatus.CANCELLED,
        BookingStatus.NOSHOW,
        BookingStatus.BOOKED,
    ]
    assert audit.versions == {PROVIDER: 9}


@pytest.mark.parametrize("start", [0, 39, -39, 10])
def test_time_given_twice_is_a_problem(start: int) -> None:
    """Busy spans that share a minute are named, buffers included."""
    audit = audited(a_booking(1, 1, 0), a_booking(2, 2, start))
    assert audit.problems == ["prv_1: bkg_1.2 was given time that bkg_1.1 has"]


@pytest.mark.parametrize("start", [40, -40])
def test_neighbours_are_no_problem(start: int) -> None:
    """Spans are half-open: one may begin where another ends."""
    assert audited(a_booking(1, 1, 0), a_booking(2, 2, start)).problems == []


def test_lost_and_doubled_records_are_problems() -> None:
    """A gap in seq, an older epoch and a version out of turn are each named."""
    audit = Audit()
    audit.feed(Record(seq=1, epoch=2, event=a_hold(1, 1, 0)))
    audit.feed(Record(seq=3, epoch=1, event=a_hold(2, 3, HOUR)))
    assert len(audit.problems) == 3


def test_an_unknown_booking_cannot_end() -> None:
    """Cancelling or moving what was never booked is named."""
    audit = audited(about(BookingCancelled, 1, 1), about(HoldExpired, 9, 2))
    assert len(audit.problems) == 3


def a_reserve(number: int, version: int, start: int) -> SlotReserved:
    return SlotReserved(
        provider_id=PROVIDER,
        at=Millis(0),
        version=version,
        hold_id=HoldId(f"hld_1.{version}"),
        visit_type=VisitTypeId("consult"),
        start=Minute(start),
        end=Minute(start + 30),
        busy_start=Minute(start),
        busy_end=Minute(start + 40),
        expires=Millis(1),
        location_id=LocationId("loc_1"),
        booking_id=BookingId(f"bkg_1.{number}"),
    )


def test_a_reserve_has_the_time_of_the_visit_that_gives_it_up() -> None:
    """It comes first, and has the time from the cancellation on: no time twice."""
    given = a_booking(1, 1, 0), a_reserve(1, 2, 0), about(BookingCancelled, 1, 3)
    assert audited(*given).problems == []
    assert audited(*given, about(HoldExpired, 2, 4), a_booking(2, 5, 0)).problems == []
    assert audited(*given, a_booking(2, 4, 0)).problems


def test_a_reserve_of_another_visits_time_is_a_problem() -> None:
    """Only what the next event frees can be reserved before it."""
    both = a_booking(1, 1, 0), a_booking(2, 2, HOUR), a_reserve(1, 3, HOUR)
    assert audited(*both, about(BookingCancelled, 1, 4)).problems


def an_offer(version: int, patient: str = "pat_1") -> HoldOffered:
    """Of the reserve that ``freed`` makes."""
    return HoldOffered(
        provider_id=PROVIDER,
        at=Millis(0),
        version=version,
        hold_id=HoldId("hld_1.2"),
        patient_id=PatientId(patient),
        offered=Millis(1),
        expires=Millis(1),
    )


def a_return(version: int, patient: str = "pat_1") -> HoldReturned:
    return HoldReturned(
        provider_id=PROVIDER,
        at=Millis(0),
        version=version,
        hold_id=HoldId("hld_1.2"),
        patient_id=PatientId(patient),
    )


def freed() -> tuple[Event, ...]:
    """A visit that gives its time to the waiting list."""
    return a_booking(1, 1, 0), a_reserve(1, 2, 0), about(BookingCancelled, 1, 3)


def test_a_reserve_is_taken_by_the_patient_who_was_offered_it() -> None:
    """Offered, declined, offered to the next, and booked by them alone."""
    taken = a_booking(2, 7, 0, hold=2)
    offers = an_offer(4, "pat_2"), a_return(5, "pat_2"), an_offer(6)
    assert audited(*freed(), *offers, taken).problems == []
    for wrong in (
        (*freed(), a_booking(2, 4, 0, hold=2)),
        (*freed(), an_offer(4, "pat_2"), a_booking(2, 5, 0, hold=2)),
        (*freed(), an_offer(4), an_offer(5, "pat_2")),
        (*freed(), an_offer(4), a_return(5, "pat_2")),
        (a_hold(2, 1, 0), an_offer(2)),
    ):
        assert len(audited(*wrong).problems) == 1, wrong


def in_lane(event: Event, lane: int) -> Event:
    return msgspec.structs.replace(event, lane=lane)


def test_seats_of_a_session_share_its_time() -> None:
    """Equal spans and different seats are one session; its time is given back last."""
    session = [in_lane(a_booking(n, n, 0), -n) for n in (1, 2, 3)]
    left = [about(BookingCancelled, n, n + 3) for n in (1, 2, 3)]
    assert audited(*session, *left, a_booking(9, 7, 0)).problems == []
    assert audited(*session, *left[:2], a_booking(9, 6, 0)).problems


@pytest.mark.parametrize(("start", "lane"), [(0, -1), (10, -2), (0, 0)])
def test_a_seat_given_twice_is_a_problem(start: int, lane: int) -> None:
    """The same seat, a seat of another span, and a visit of its own are named."""
    first = in_lane(a_booking(1, 1, 0), -1)
    assert audited(first, in_lane(a_booking(2, 2, start), lane)).problems
    other = in_lane(a_booking(2, 1, start), lane)
    assert audited(other, in_lane(a_booking(1, 2, 0), -1)).problems


def test_a_lane_of_overbooked_visits_is_given_once() -> None:
    """Beside the public's time, and each lane once."""
    both = a_booking(1, 1, 0), in_lane(a_booking(2, 2, 10), 1)
    assert audited(*both, in_lane(a_booking(3, 3, 10), 2)).problems == []
    again = in_lane(a_booking(3, 3, 20), 1)
    assert audited(*both, again).problems == [
        "prv_1: bkg_1.3 was given time that bkg_1.2 has"
    ]
    freed = about(BookingCancelled, 2, 3)
    assert audited(*both, freed, in_lane(a_booking(4, 4, 20), 1)).problems == []
