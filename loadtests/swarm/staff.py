"""Clinic staff: check-ins, completions, no-shows, and leave."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from locust import between, task

from loadtests.load.plan import Doctor
from loadtests.swarm.bookers import Booker
from loadtests.swarm.people import Person
from loadtests.swarm.shift import SHIFT

MARKS = {"check-in": "booked", "complete": "arrived", "no-show": "booked"}
"""Actions on a visit, and the status that each requires."""


class Receptionist(Person):
    """A receptionist of a clinic."""

    weight = 2
    wait_time = between(0.5, 2)

    @task(4)
    def read_the_schedule(self) -> None:
        """Read a doctor's week."""
        self._schedule(self.any_doctor())

    @task(4)
    def check_in(self) -> None:
        """Check a patient in."""
        self._mark("check-in")

    @task(3)
    def complete(self) -> None:
        """Complete a visit."""
        self._mark("complete")

    @task(1)
    def no_show(self) -> None:
        """Mark a visit as no-show."""
        self._mark("no-show")

    @task(1)
    def take_time_off(self) -> None:
        """Add a quarter of an hour of leave for a doctor, then remove it."""
        doctor = self.any_doctor()
        days = timedelta(days=self.dice.randrange(5), hours=self.dice.randrange(9, 16))
        first = SHIFT.plan.first_day
        start = f"{first + timedelta(days=days.days)}T{days.seconds // 3600:02d}:00:00Z"
        end = start.replace(":00:00Z", ":15:00Z")
        path = f"/v1/providers/{doctor.provider_id}/time-off"
        body = {"start": start, "end": end, "reason": "elsewhere"}
        leave = self.ask(
            "leave", "POST", path, body, token=doctor.staff_token, key=self.new_key()
        )
        if leave.is_done:
            gone = f"{path}/{leave.body['time_off_id']}"
            self.ask("end of leave", "DELETE", gone, token=doctor.staff_token)

    def _schedule(self, doctor: Doctor) -> list[dict[str, Any]]:
        first = SHIFT.plan.first_day
        path = f"/v1/providers/{doctor.provider_id}/schedule"
        query = f"?from={first}&to={first + timedelta(days=6)}"
        answer = self.ask("schedule", "GET", path + query, token=doctor.staff_token)
        return list(answer.body["bookings"]) if answer.is_done else []

    def _mark(self, mark: str) -> None:
        doctor = self.any_doctor()
        fitting = [b for b in self._schedule(doctor) if b["status"] == MARKS[mark]]
        if not fitting:
            return
        booking = self.dice.choice(fitting)["booking_id"]
        marked = self.ask(
            mark,
            "POST",
            f"/v1/bookings/{booking}/{mark}",
            {},
            token=doctor.staff_token,
            key=self.new_key(),
        )
        if marked.is_done:
            SHIFT.acknowledge(marked.body)
        elif not marked.status:
            SHIFT.doubt(booking)


class Patient(Booker):
    """A patient that books, so that there are visits to check in."""

    weight = 1


PEOPLE = (Receptionist, Patient)
