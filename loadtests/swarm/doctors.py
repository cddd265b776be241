"""Doctors who watch their day while patients book it."""

from __future__ import annotations

from locust import between, task

from loadtests.swarm.bookers import Booker
from loadtests.swarm.live import Live
from loadtests.swarm.people import Person
from loadtests.workload.weeks import days_of


class Physician(Person):
    """A signed-in doctor with the schedule open."""

    weight = 3
    wait_time = between(4, 8)

    def on_start(self) -> None:
        """Open the schedule."""
        doctors = self.plan.doctors
        self.doctor = doctors[self.number % len(doctors)]
        topic = f"schedule/{self.doctor.provider_id}"
        self.live = Live(self.number, [topic], self.doctor.token)
        self.live.connect()
        self.live.paint()

    @task
    def read_the_week(self) -> None:
        """Read the week by REST, like a printed page."""
        week = self.plan.topics(self.doctor.provider_id)[0].rsplit("/", 1)[1]
        first, last = days_of(week)
        path = f"/v1/providers/{self.doctor.provider_id}/schedule"
        query = f"?from={first}&to={last}"
        self.ask("schedule", "GET", path + query, token=self.doctor.token)


class Booking(Booker):
    """A patient that books and cancels visits with those doctors."""

    weight = 2


PEOPLE = (Physician, Booking)
