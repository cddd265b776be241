"""Phones: connect, watch for seconds, vanish without a close, return."""

from __future__ import annotations

import gevent
from locust import constant, task

from loadtests.swarm.bookers import Booker
from loadtests.swarm.people import Person
from loadtests.swarm.shift import SHIFT

KEEPS_PAGE = 0.5
"""Share of returns to a page that is still open and resumes; others reload."""


class Phone(Person):
    """A phone on a train."""

    weight = 9
    wait_time = constant(0)

    @task
    def look(self) -> None:
        """Watch for a few seconds, then vanish."""
        if SHIFT.quiet.is_set():
            if self.live is not None:
                self.live.come_back()  # an open page must become right again
            self.rest_for_ever()
        if self.live is not None and self.dice.random() < KEEPS_PAGE:
            self.live.come_back()
        else:
            if self.live is not None:
                self.live.leave()
            topics = self.plan.topics(self.any_doctor().provider_id)
            self.watch(topics, signed_in=False)
        gevent.sleep(self.dice.uniform(2, 6))
        if SHIFT.quiet.is_set():
            self.rest_for_ever()
        assert self.live is not None
        self.live.vanish()
        gevent.sleep(self.dice.uniform(0.5, 4))


class Changer(Booker):
    """Changes calendars meanwhile."""

    weight = 1


PEOPLE = (Phone, Changer)
