"""A waiting list: many wait for visits that are given up, while others click them.

One process of Locust: who waits since when is gathered here for the checks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import gevent
from locust import constant, task

from loadtests.load.plan import Doctor
from loadtests.swarm.people import Person
from loadtests.swarm.shift import SHIFT

if TYPE_CHECKING:
    from locust.env import Environment

    from loadtests.swarm.facts import Facts

GIVERS, RIVALS = 50, 50
"""People who give a visit up, and people who click it; all others wait."""
JOINED_AT, GIVEN_UP_AT, ANSWERED_UNTIL = 0.35, 0.5, 0.85
"""Shares of the run: by then all wait; then visits are given up; and until then offers
are answered, so that at the end each who was asked has seen it."""
LOOK_S = 4.0
"""How often who waits looks for an offer."""
DECLINES = 0.2
MINUTES = 15
OFFER_MS = 30 * 60_000
"""How long an offer lasts: these people have no quiet hours."""
LIST = "LIST"
"""The type of Locust's rows about offers."""


class Story:
    """What happened, for the checks."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.freed: list[list[str]] = []
        self.waits: dict[str, float] = {}
        self.offered: dict[str, str] = {}
        """Patient to the hold that they were offered last."""
        self.again: list[str] = []
        """Patients who were offered another slot after they had accepted one."""
        self.freed_at: dict[tuple[str, str], float] = {}
        """Provider and start to when it was given up."""

    def share(self) -> float:
        """How much of the run is over."""
        return (time.monotonic() - self.began) / SHIFT.plan.seconds


STORY = Story()


def visit_of(number: int) -> tuple[Doctor, str]:
    """The visit that a giver gives up: each another one."""
    plan = SHIFT.plan
    doctor = plan.doctors[number % len(plan.doctors)]
    first = datetime.fromisoformat(f"{plan.first_day}T10:00:00")
    start = first + timedelta(minutes=MINUTES * (number // len(plan.doctors)))
    return doctor, start.strftime("%Y-%m-%dT%H:%M:%SZ")


class ListedPerson(Person):
    """Gives up, waits, or clicks, by their number."""

    wait_time = constant(0)

    @task
    def live_through_it(self) -> None:
        """One of the three parts, then rest."""
        with self.resolved():
            if self.number < GIVERS:
                self.give_up()
            elif self.number < GIVERS + RIVALS:
                self.click()
            else:
                self.wait_for_one()
        self.rest_for_ever()

    def _until(self, share: float) -> None:
        while STORY.share() < share:
            gevent.sleep(0.2)

    def give_up(self) -> None:
        """Book a visit; when all wait, cancel it."""
        doctor, start = visit_of(self.number)
        topic = self.plan.topics(doctor.provider_id)[0]
        booked = self.book(doctor, topic, start)
        if not booked.is_done:
            return
        self._until(GIVEN_UP_AT + self.dice.uniform(0, 0.05))
        if self.cancel(booked.body["booking_id"], topic, start).is_done:
            STORY.freed.append([doctor.provider_id, start])
            STORY.freed_at.setdefault((doctor.provider_id, start), time.monotonic())

    def click(self) -> None:
        """Try to book the visits that are given up, before and after they are."""
        self._until(JOINED_AT)
        while STORY.share() < 1:
            doctor, start = visit_of(self.dice.randrange(GIVERS))
            self.book(doctor, self.plan.topics(doctor.provider_id)[0], start)
            gevent.sleep(self.dice.uniform(0, 1))

    def wait_for_one(self) -> None:
        """Wait for the clinic; take what is offered, or decline it."""
        gevent.sleep(self.dice.uniform(0, 2))
        wish = {"scope": "clinic", "subject": self.plan.doctors[0].clinic_id}
        joined = self._send("wait", "POST", "/v1/waiting", wish)
        if not joined.is_done:
            return
        since = datetime.fromisoformat(joined.body["since"])
        STORY.waits[self.patient] = since.timestamp()
        self._until(GIVEN_UP_AT)
        while STORY.share() < ANSWERED_UNTIL:
            held = self._look()
            if held and self._answer(held):
                self._until(1)
                if self._look():
                    STORY.again.append(self.patient)
                return
            gevent.sleep(self.dice.uniform(0.5, 1.5) * LOOK_S)
        self._until(1)
        self._look()

    def _look(self) -> str:
        """The hold that is offered to this person; empty: none."""
        found = self._send("offers", "GET", "/v1/waiting/offers")
        items = found.body["items"] if found.is_done else []
        if not items:
            return ""
        held = str(items[0]["hold_id"])
        if STORY.offered.get(self.patient) != held:
            self._time(items[0])
        STORY.offered[self.patient] = held
        return held

    @staticmethod
    def _time(offer: dict[str, Any]) -> None:
        """Report the first offer of a slot: when it was made, and when it was seen."""
        place = offer["provider_id"], offer["start"]
        freed = STORY.freed_at.pop(place, None)
        if freed is not None:
            sight_ms = 1000 * (time.monotonic() - freed)
            made_ms = sight_ms - (OFFER_MS - offer["expires_in_ms"])
            SHIFT.report("offer: freed to made", max(0.0, made_ms), kind=LIST)
            SHIFT.report("offer: freed to sight", sight_ms, kind=LIST)

    def _answer(self, hold_id: str) -> bool:
        """Accept or decline; whether it was accepted."""
        how = "decline" if self.dice.random() < DECLINES else "accept"
        path = f"/v1/waiting/offers/{hold_id}/{how}"
        answer = self._send(how, "POST", path)
        if how == "accept" and answer.is_done:
            SHIFT.acknowledge(answer.body)
            SHIFT.tally.took("booked", None, int(time.time()))
            return True
        return False

    def _send(self, name: str, method: str, path: str, body: Any = None) -> Any:
        return self.ask(name, method, path, body, token=self.token)


def conductor(environment: Environment, facts: Facts) -> Callable[[float], bool]:
    """The master's part: the story is kept with the facts."""
    facts.notes["waiting"] = {
        "freed": STORY.freed,
        "waits": STORY.waits,
        "offered": STORY.offered,
        "again": STORY.again,
    }
    return lambda _now: False


PEOPLE = (ListedPerson,)
