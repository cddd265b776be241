"""The checks after a run: each holds for the truth, and fails when it is told a lie."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtests.load.checks import (
    acknowledged_stand,
    audit_is_clean,
    list_is_served,
    no_slot_twice,
    nobody_stumbled,
    views_are_fresh,
    winners_are_slots,
)
from loadtests.load.views import difference, of_bookings, of_slots

NINE, TEN = "2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z"


def a_booking(number: int, start: str = NINE, **fields: str) -> dict[str, Any]:
    end = start.replace(":00:00Z", ":15:00Z")
    return {
        "booking_id": f"bkg_{number}",
        "provider_id": "prv_1",
        "patient_id": f"pat_{number}",
        "start": start,
        "end": end,
        "status": "booked",
        **fields,
    }


def told(booking: dict[str, Any]) -> list[Any]:
    """A booking as the load remembers it."""
    fields = ("booking_id", "provider_id", "patient_id", "start", "status")
    return [*(booking[field] for field in fields), 1, 7]


TRUTH = {"prv_1": [a_booking(1), a_booking(2, TEN)], "prv_2": []}
REMEMBERED = [told(booking) for booking in TRUTH["prv_1"]]


def test_visits_one_after_the_other_are_no_slot_twice() -> None:
    assert no_slot_twice(TRUTH).holds


def test_lie_a_slot_is_given_twice() -> None:
    lie = {"prv_1": [*TRUTH["prv_1"], a_booking(3)]}
    finding = no_slot_twice(lie)
    assert not finding.holds
    assert "prv_1" in finding.sentence


def test_a_cancelled_visit_takes_no_slot() -> None:
    again = {"prv_1": [a_booking(1, status="cancelled"), a_booking(3)]}
    assert no_slot_twice(again).holds


def test_all_that_was_acknowledged_is_there() -> None:
    assert acknowledged_stand(REMEMBERED, TRUTH).holds


def test_lie_an_acknowledged_booking_is_missing() -> None:
    finding = acknowledged_stand([*REMEMBERED, told(a_booking(9))], TRUTH)
    assert not finding.holds
    assert "bkg_9" in finding.sentence


@pytest.mark.parametrize(
    "lie",
    [{"start": TEN}, {"status": "cancelled"}, {"patient_id": "pat_9"}],
)
def test_lie_an_acknowledged_booking_is_another(lie: dict[str, str]) -> None:
    assert not acknowledged_stand([told(a_booking(1, **lie))], TRUTH).holds


def test_a_doubtful_booking_may_have_any_status_but_must_be_there() -> None:
    """Whether a cancellation without an answer happened is unknown."""
    doubtful = told(a_booking(1, status="cancelled"))
    assert acknowledged_stand([doubtful], TRUTH, ["bkg_1"]).holds
    assert not acknowledged_stand([told(a_booking(9))], TRUTH, ["bkg_9"]).holds


def a_comparison(**fields: object) -> dict[str, Any]:
    whole = {"watchers": 5, "views": 10, "differing": 0, "examples": []}
    return {**whole, **fields}


def test_equal_views_in_every_process_hold() -> None:
    assert views_are_fresh([a_comparison(), a_comparison()], 2).holds


def test_lie_a_process_never_compared() -> None:
    """Silence of a process is no proof."""
    finding = views_are_fresh([a_comparison()], 2)
    assert not finding.holds
    assert "1 of 2" in finding.sentence


def test_lie_a_view_is_stale() -> None:
    stale = a_comparison(differing=1, examples=["slots/prv_1: seen as free"])
    finding = views_are_fresh([a_comparison(), stale], 2)
    assert not finding.holds
    assert "slots/prv_1" in finding.sentence


def test_lie_fresh_reads_failed() -> None:
    assert not views_are_fresh([{"error": "no answer"}], 1).holds


def test_a_view_that_missed_a_change_differs() -> None:
    fresh = of_slots({"slots": [{"start": NINE, "state": "booked"}]})
    assert difference({NINE: "booked"}, fresh) == ""
    assert difference({NINE: "free"}, fresh) == f"{NINE} is seen as free but is booked"
    assert difference({}, fresh) == f"{NINE} is seen as absent but is booked"
    assert difference({NINE: "booked", TEN: "free"}, fresh).startswith(TEN)


def test_a_schedule_that_missed_a_status_differs() -> None:
    fresh = of_bookings([a_booking(1, status="arrived")])
    assert difference(of_bookings([a_booking(1)]), fresh)
    assert not difference(of_bookings([a_booking(1, status="arrived")]), fresh)


def test_as_many_winners_as_slots() -> None:
    assert winners_are_slots(TRUTH, 2).holds


@pytest.mark.parametrize(
    "lie",
    [
        {"prv_1": [a_booking(1)]},
        {"prv_1": [a_booking(1), a_booking(2, TEN), a_booking(3)]},
        {"prv_1": [a_booking(1), a_booking(2, TEN, patient_id="pat_1")]},
    ],
    ids=["too few", "too many", "one person twice"],
)
def test_lie_other_winners(lie: dict[str, list[dict[str, Any]]]) -> None:
    assert not winners_are_slots(lie, 2).holds


def test_a_clean_audit_holds_and_another_does_not() -> None:
    clean = json.dumps({"bookings": 2, "events": 5, "problems": []})
    assert audit_is_clean(0, clean).holds
    finding = audit_is_clean(1, json.dumps({"problems": ["SQL lacks bkg_1"]}))
    assert not finding.holds
    assert "SQL lacks bkg_1" in finding.sentence
    assert not audit_is_clean(0, "Traceback").holds


def test_lie_the_scenario_itself_failed() -> None:
    """A scenario whose people all died of a typo has proved nothing."""
    assert nobody_stumbled({}).holds
    assert not nobody_stumbled({"'NoneType' has no attribute": 40}).holds


SERVED = {
    "freed": [["prv_1", NINE], ["prv_1", TEN]],
    "waits": {"pat_1": 1.0, "pat_2": 2.0, "pat_3": 2.0, "pat_4": 3.0},
    "offered": {"pat_1": "hld_1", "pat_2": "hld_2"},
    "again": [],
}


def served(schedules: Any = TRUTH, **told: Any) -> list[bool]:
    return [one.holds for one in list_is_served(schedules, SERVED | told)]


def test_a_list_is_served_in_order() -> None:
    """Of two who wait since the same instant either may be first."""
    assert served() == [True] * 4
    assert served(offered={"pat_1": "", "pat_3": ""}) == [True] * 4
    assert served(freed=[["prv_1", NINE]]) == [True] * 4


def test_lie_a_slot_of_the_list_went_to_another() -> None:
    assert served({"prv_1": [a_booking(9), a_booking(2, TEN)]})[0] is False
    assert served({"prv_1": []})[0] is False


def test_lie_a_patient_of_the_list_got_two() -> None:
    twice = [a_booking(1), a_booking(2, TEN, patient_id="pat_1")]
    assert served({"prv_1": twice}) == [True, False, True, True]


def test_lie_a_patient_who_accepted_was_asked_again() -> None:
    assert served(again=["pat_1"]) == [True, True, False, True]


def test_lie_a_patient_of_the_list_was_passed_over() -> None:
    assert served(offered={"pat_2": ""}) == [True, True, True, False]
    assert served(offered={"pat_1": "", "pat_4": ""}) == [True, True, True, False]
    assert not served(offered={})[3]
