"""Patients: they search, watch a provider's weeks, hold, book, and some cancel."""

from __future__ import annotations

import gevent
from locust import between, task

from loadtests.swarm.people import Person

CANCELS = 0.3
"""Share of bookings that are cancelled again, so that slots become free."""


class Patient(Person):
    """A signed-in user with a provider's page open."""

    wait_time = between(1, 3)

    def on_start(self) -> None:
        """Open the page of a random provider."""
        self.doctor = self.any_doctor()
        self.live = self.watch(self.plan.topics(self.doctor.provider_id))

    @task(3)
    def search(self) -> None:
        """Search for providers."""
        self.ask("search", "GET", "/v1/providers?limit=20")

    @task(3)
    def turn_to_another(self) -> None:
        """Watch another provider's weeks instead."""
        assert self.live is not None
        self.live.unsubscribe(self.plan.topics(self.doctor.provider_id))
        self.doctor = self.any_doctor()
        self.live.subscribe(self.plan.topics(self.doctor.provider_id))
        self.live.paint()

    @task(2)
    def read_a_week(self) -> None:
        """Read a week by REST, like a page without a socket."""
        doctor = self.any_doctor()
        self.week(doctor, self.dice.choice(self.plan.topics(doctor.provider_id)))

    @task(4)
    def book_one(self) -> None:
        """Hold a slot seen as free, pause, book it; sometimes cancel."""
        assert self.live is not None
        topic = self.dice.choice(self.plan.topics(self.doctor.provider_id))
        free = self.live.free(topic)
        if not free:
            return
        start = self.dice.choice(free)
        held = self.hold(self.doctor, topic, start)
        if not held.is_done:
            return
        gevent.sleep(self.dice.uniform(0.5, 2))
        booked = self.book(self.doctor, topic, start, held.body["hold_id"])
        if booked.is_done and self.dice.random() < CANCELS:
            gevent.sleep(self.dice.uniform(0.5, 2))
            self.cancel(booked.body["booking_id"], topic, start)


PEOPLE = (Patient,)
