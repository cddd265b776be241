"""Users that change calendars while a scenario's own users watch."""

from __future__ import annotations

import gevent
from locust import between, task

from loadtests.swarm.people import Person


class Booker(Person):
    """Books by REST and usually cancels again, so that slots do not run out."""

    abstract = True
    wait_time = between(0.5, 1.5)

    @task
    def book_and_cancel(self) -> None:
        """Read a week, book a free slot, usually cancel it."""
        doctor = self.any_doctor()
        topic = self.dice.choice(self.plan.topics(doctor.provider_id))
        free = self.week(doctor, topic)
        if not free:
            return
        start = self.dice.choice(free)
        booked = self.book(doctor, topic, start)
        if booked.is_done and self.dice.random() < 0.8:
            gevent.sleep(self.dice.uniform(0.2, 1))
            self.cancel(booked.body["booking_id"], topic, start)
