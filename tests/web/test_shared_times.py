"""Times that several visits share: seats that go live, overbooking, a session's end."""

from __future__ import annotations

from datetime import datetime, timedelta

from playwright.sync_api import Page, expect

from tests.wall_clock import packaged_zone
from tests.web.conftest import Browsing
from tests.web.test_access import faults_of_looks
from tests.web.test_waiting import Doctor

BORN = "1980-02-29"


def _with_a_class(doctor: Doctor) -> tuple[str, str, str]:
    """A class of three, and two visits at a time; its start, local date and Monday."""
    where = f"providers/{doctor.subject}/availability"
    rules = doctor.get(where)
    kind = rules["visit_types"][0]
    group = {"visit_type": "class", "title": "Class", "capacity": 3}
    rules |= {"lanes": 2, "visit_types": [*rules["visit_types"], kind | group]}
    doctor.put(where, rules)
    found = doctor.get(f"providers/{doctor.subject}/slots?visit_type=class")
    free = [one["start"] for one in found["slots"] if one.get("seats_left") == 3]
    start = str(free[-1])
    there = datetime.fromisoformat(start).astimezone(packaged_zone(found["time_zone"]))
    monday = there.date() - timedelta(days=there.weekday())
    return start, there.date().isoformat(), monday.isoformat()


def _patient(doctor: Doctor, clinic: str, family: str) -> str:
    who = {"given_name": "Ana", "family_name": family, "birth_date": BORN}
    return str(doctor.post(f"clinics/{clinic}/patients", who)["patient_id"])


def _overbook(page: Page, start: str) -> None:
    """By the dialog; without a reason it says what is missing."""
    page.get_by_role("button", name="Overbook …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Family name").fill("Third")
    dialog.get_by_label("Born on").fill(BORN)
    dialog.get_by_role("button", name="Find").click()
    dialog.get_by_role("button", name="Third").first.click()
    dialog.locator(f'.slot[data-start="{start}"]').click()
    submit = dialog.locator('button[type="submit"]')
    submit.click()
    expect(dialog.get_by_role("alert")).to_contain_text("cannot wait")
    assert faults_of_looks(page, "latin") == {}
    dialog.get_by_label("Why the visit cannot wait").fill("acute pain")
    submit.click()
    expect(dialog).to_have_count(0)


def test_seats_go_live_and_staff_overbook_and_end_a_session(
    browsing: Browsing,
) -> None:
    """A patient sees the seats go; staff overbook with a reason, and cancel for all."""
    page = browsing.open("/", "doctor", reduced_motion="reduce")
    doctor = Doctor(page, browsing)
    start, date, monday = _with_a_class(doctor)
    clinic = doctor.get(f"providers/{doctor.subject}")["clinic"]["clinic_id"]
    people = [_patient(doctor, clinic, name) for name in ("First", "Second", "Third")]
    there = f"/p/{doctor.subject}?type=class&week={monday}"
    public = browsing.open(there, reduced_motion="reduce")
    left = public.locator(f'section[aria-labelledby="seats"] [data-start="{start}"]')
    expect(left).to_contain_text("3 seats left")
    for patient, words in zip(people, ("2 seats left", "1 seat left"), strict=False):
        seat = {"provider_id": doctor.subject, "visit_type": "class", "start": start}
        doctor.post("bookings", seat | {"patient_id": patient})
        expect(left).to_contain_text(words)
    assert faults_of_looks(public, "latin") == {}
    page.goto(f"{browsing.address}/desk/day/{doctor.subject}?date={date}")
    _overbook(page, start)
    expect(page.locator("li.visit", has_text="Overbooked")).to_contain_text("acute")
    page.get_by_role("button", name="Seat 1").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    assert faults_of_looks(page, "latin") == {}
    dialog.get_by_role("button", name="Cancel for all patients").click()
    expect(dialog).to_have_count(0)
    expect(page.locator("li.visit", has_text="Cancelled just now")).to_have_count(2)
    expect(left).to_have_count(0)
