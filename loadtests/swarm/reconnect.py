"""Watchers that lose their connection and resume; once, all at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from locust import constant, task

from loadtests.swarm.bookers import Booker
from loadtests.swarm.people import Person
from loadtests.swarm.shift import SHIFT

if TYPE_CHECKING:
    from locust.env import Environment

    from loadtests.swarm.facts import Facts

PROVIDERS_WATCHED = 3
STORM_AT = 0.6
"""Share of the run after which all connections are lost at once."""


class Watcher(Person):
    """Watches some providers without an account."""

    weight = 19
    wait_time = constant(0)

    def on_start(self) -> None:
        """Watch."""
        doctors = self.dice.sample(
            self.plan.doctors, min(PROVIDERS_WATCHED, len(self.plan.doctors))
        )
        topics = [self.plan.topics(doctor.provider_id)[0] for doctor in doctors]
        self.live = self.watch(topics, signed_in=False)

    @task
    def lose_and_resume(self) -> None:
        """Watch for a while, lose the connection, reconnect and resume."""
        assert self.live is not None
        gevent.sleep(self.dice.uniform(5, 20))
        if SHIFT.quiet.is_set():
            self.rest_for_ever()
        self.live.vanish()
        gevent.sleep(self.dice.uniform(0.2, 2))
        self.live.come_back()


class Changer(Booker):
    """Changes calendars meanwhile."""

    weight = 1


def serve(environment: Environment) -> None:
    """Drop all connections of this process; the client's jitter spreads the return."""
    assert environment.runner is not None

    def storm(**_: object) -> None:
        for live in list(SHIFT.lives):
            live.lose()

    environment.runner.register_message("storm", storm)


def conductor(environment: Environment, facts: Facts) -> Callable[[float], bool]:
    """The master's part: send the signal at the right moment."""
    runner: Any = environment.runner

    def conduct(now: float) -> bool:
        if now >= STORM_AT * SHIFT.plan.seconds and "storm_at_s" not in facts.notes:
            facts.notes["storm_at_s"] = round(now, 1)
            runner.send_message("storm")
        return False

    return conduct


PEOPLE = (Watcher, Changer)
