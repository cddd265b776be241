"""A country after an announcement: visitors that search and look; one in seven books.

Doctolib counted 2.1 million visitors in 15 minutes on 12 July 2021 and 20,000 bookings
a minute, which is one booking per seven visitors. Each Locust user here plays one
visitor after another, so the curve is the number of simultaneous visitors.
"""

from __future__ import annotations

import time

import gevent
from locust import constant, task

from loadtests.swarm.people import Person
from loadtests.swarm.shift import SHIFT

BOOKS = 1 / 7
WATCHES = 1 / 3
"""Share of visitors that stay on a provider's page with a live socket."""


class Visitor(Person):
    """A user that plays one visitor after another."""

    wait_time = constant(0)

    @task
    def visit(self) -> None:
        """Search, read weeks, perhaps watch, perhaps book, and leave."""
        began = time.monotonic()
        self.ask("search", "GET", "/v1/providers?limit=20")
        gevent.sleep(self.dice.uniform(1, 4))
        doctor = self.any_doctor()
        topic = self.dice.choice(self.plan.topics(doctor.provider_id))
        free = self.week(doctor, topic)
        if self.dice.random() < WATCHES:
            live = self.watch([topic])
            gevent.sleep(self.dice.uniform(2, 6))
            free = live.free(topic)
        else:
            gevent.sleep(self.dice.uniform(1, 4))
        if free and self.dice.random() < BOOKS:
            self.book(doctor, topic, self.dice.choice(free))
        if SHIFT.quiet.is_set():
            self.rest_for_ever()
        if self.live is not None:
            self.live.leave()
            self.live = None
        SHIFT.visits.add(1000 * (time.monotonic() - began))


PEOPLE = (Visitor,)
