"""Whom a freed slot fits, in which order, and what calendars reserve for a list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from actors.domain.ids import (
    ClinicId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)
from actors.domain.rules import Waiting
from care.waiting.entries import DECLINES_MAX, FreedSlot, WaitingEntry, WaitingScope
from care.waiting.ranking import (
    FOREVER,
    RESERVED_MAX,
    choose,
    ranked,
    waited_for,
    why_not,
)

CONSULT, SCAN = VisitTypeId("consult"), VisitTypeId("scan")


def minute_of(text: str) -> Minute:
    return Minute(int(datetime.fromisoformat(text).timestamp()) // 60)


NOW = Millis(minute_of("2026-10-20T08:00Z") * 60_000)


def entry(number: int = 1, **changes: Any) -> WaitingEntry:
    given: dict[str, Any] = {
        "entry_id": f"wte_{number}",
        "patient_id": PatientId(f"pat_{number}"),
        "scope": WaitingScope.PROVIDER,
        "subject": "prv_1",
        "since": Millis(number),
    }
    return WaitingEntry(**(given | changes))


def slot(start: str, zone: str = "Europe/Berlin") -> FreedSlot:
    first = minute_of(start)
    return FreedSlot(
        hold_id=HoldId("hld_1.w1"),
        provider_id=ProviderId("prv_1"),
        clinic_id=ClinicId("cln_1"),
        specialty="general practice",
        visit_type=CONSULT,
        start=first,
        end=Minute(first + 30),
        location_id=LocationId("loc_1"),
        time_zone=zone,
    )


@pytest.mark.parametrize(
    ("wish", "start", "why"),
    [
        ({}, "2026-10-20T09:00Z", ""),
        ({"paused": True}, "2026-10-20T09:00Z", "paused"),
        ({"declines": DECLINES_MAX}, "2026-10-20T09:00Z", "paused"),
        ({"visit_type": SCAN}, "2026-10-20T09:00Z", "visit_type"),
        ({"notice": 60}, "2026-10-20T09:00Z", ""),
        ({"notice": 61}, "2026-10-20T09:00Z", "notice"),
        # The clocks of Berlin go back on Sunday the 25th at three in the morning.
        ({"opens": 540, "closes": 570}, "2026-10-24T07:00Z", ""),
        ({"opens": 540, "closes": 570}, "2026-10-26T08:00Z", ""),
        ({"opens": 540, "closes": 570}, "2026-10-26T07:00Z", "time"),
        ({"opens": 540, "closes": 569}, "2026-10-26T08:00Z", "time"),
        ({"days": (1,)}, "2026-10-25T23:30Z", ""),
        ({"days": (7,)}, "2026-10-25T23:30Z", "day"),
        ({"last_day": "2026-10-25"}, "2026-10-25T22:30Z", ""),
        ({"last_day": "2026-10-25"}, "2026-10-25T23:30Z", "too_late"),
    ],
)
def test_a_slot_fits_by_the_wall_of_its_place(
    wish: dict[str, Any], start: str, why: str
) -> None:
    """Days and times are those that a clock on the wall there shows."""
    assert why_not(entry(**wish), slot(start), NOW) == why


def test_a_visit_past_midnight_ends_on_the_next_day() -> None:
    """It does not fit who waits for times until midnight."""
    late = slot("2026-10-20T23:45Z", "UTC")
    assert why_not(entry(opens=1_200), late, NOW) == "time"


def test_a_visit_past_midnight_fits_who_waits_for_any_time() -> None:
    """A clinic that is open at night has such visits; the whole day is no limit."""
    late = slot("2026-10-20T23:45Z", "UTC")
    assert why_not(entry(), late, NOW) == ""
    assert why_not(entry(days=(3,)), late, NOW) == "day"


def test_the_order_is_priority_then_waiting() -> None:
    """And what a slot does not fit is counted, by why."""
    entries = [entry(3), entry(1, paused=True), entry(2, priority=-1), entry(4)]
    urgent = entry(5, priority=2, days=(1,))
    order = [one.entry_id for one in ranked([*entries, urgent])]
    assert order == ["wte_5", "wte_1", "wte_3", "wte_4", "wte_2"]
    found = choose(
        [*entries, urgent],
        slot("2026-10-20T09:00Z"),
        {PatientId("pat_3"): "was_asked"},
        NOW,
    )
    assert found is not None
    assert (found.entry.entry_id, found.rank) == ("wte_4", 4)
    assert found.ahead == {"day": 1, "paused": 1, "was_asked": 1}
    assert choose(entries[1:2], slot("2026-10-20T09:00Z"), {}, NOW) is None


def test_calendars_reserve_what_any_entry_waits_for() -> None:
    """No more slots than patients; the same entries give the same answer later."""
    two = [entry(1, visit_type=SCAN), entry(2, visit_type=SCAN), entry(2)]
    assert waited_for(two[:2], [CONSULT, SCAN], NOW) == Waiting(
        (SCAN,), Minute(0), FOREVER, 2
    )
    wide = waited_for(two, [CONSULT, SCAN], NOW)
    assert wide == Waiting((CONSULT, SCAN), Minute(0), FOREVER, 2)
    assert waited_for(two, [CONSULT, SCAN], Millis(NOW + 86_400_000)) == wide
    many = [entry(number) for number in range(RESERVED_MAX + 9)]
    most = waited_for(many, [CONSULT], NOW)
    assert most is not None
    assert most.most == RESERVED_MAX


def test_calendars_reserve_nothing_for_none() -> None:
    """Paused, declined too often, past, or for what is not offered."""
    idle = [
        entry(1, paused=True),
        entry(2, declines=DECLINES_MAX),
        entry(3, last_day="2026-10-18"),
        entry(4, visit_type=SCAN),
    ]
    assert waited_for(idle, [CONSULT], NOW) is None
    assert waited_for([], [CONSULT], NOW) is None
    last = waited_for([entry(1, last_day="2026-10-20")], [CONSULT], NOW)
    assert last is not None
    day = datetime(2026, 10, 20, tzinfo=UTC).timestamp() // 60
    # Until that day is over everywhere: twelve hours behind UTC it ends last.
    assert day + 36 * 60 <= last.until <= day + 48 * 60
