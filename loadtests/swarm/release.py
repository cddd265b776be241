"""A release of slots: all patients watch, a doctor opens a day, all try to book."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import gevent
from locust import constant, task

from loadtests.load.practice import opened_starts, rules
from loadtests.swarm.people import Person
from loadtests.swarm.shift import SHIFT

if TYPE_CHECKING:
    from locust.env import Environment

    from loadtests.swarm.facts import Facts

OPENS_AT = 0.55
"""Share of the run after which the day is opened, once all users are connected."""
LATEST_AT = 0.75
"""Share of the run after which it is opened even if some users are missing."""
REACTION_S = 1.0
"""Longest reaction time before a click, in seconds."""
WAITS_S = 3600.0
TRIES = 3
"""Slots that a patient tries before giving up."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Hopeful(Person):
    """A patient that waits for the release."""

    wait_time = constant(0)

    @task
    def wait_for_eight(self) -> None:
        """Watch an empty week; when slots appear, try one after another, then stop."""
        doctor = self.plan.doctors[0]
        topic = self.plan.topics(doctor.provider_id)[0]
        live = self.watch([topic])
        wanted = live.wait(lambda: live.free(topic), WAITS_S)
        with self.resolved():
            for _ in range(TRIES):
                if not wanted:
                    break
                # Chosen when seen: the click comes even if another patient was faster.
                start = self.dice.choice(wanted)
                gevent.sleep(self.dice.uniform(0, REACTION_S))
                done = self.book(doctor, topic, start).is_done
                wanted = [] if done else live.free(topic)
        self.rest_for_ever()


def _machine() -> str:
    """This machine's id; only processes of one machine share a monotonic clock."""
    return BOOT_ID.read_text("utf-8").strip() if BOOT_ID.exists() else ""


def serve(environment: Environment) -> None:
    """Note in each process when the day was opened, to time its watchers."""
    assert environment.runner is not None
    plan = SHIFT.plan
    topic = plan.topics(plan.doctors[0].provider_id)[0]
    first = (topic, opened_starts(plan)[0], "free")

    def opening(**_: object) -> None:
        SHIFT.sights.asked(first)

    def opened(msg: Any, **_: object) -> None:
        if msg.data["machine"] == _machine():
            SHIFT.sights.happened(first, msg.data["asked"])
        else:
            SHIFT.sights.refused(first)

    environment.runner.register_message("opening", opening)
    environment.runner.register_message("opened", opened)


def conductor(environment: Environment, facts: Facts) -> Callable[[float], bool]:
    """The master's part: open the day as the doctor."""
    runner: Any = environment.runner
    plan = SHIFT.plan

    def open_the_day() -> None:
        runner.send_message("opening")
        gevent.sleep(
            0.5
        )  # the message must arrive before the delta, which takes another path
        asked = time.monotonic()
        status = _put_availability()
        facts.notes["opening"] = {
            "status": status,
            "took_ms": round(1000 * (time.monotonic() - asked), 1),
            "at": time.time(),
        }
        runner.send_message("opened", {"asked": asked, "machine": _machine()})

    def conduct(now: float) -> bool:
        if "opened_at_s" in facts.notes:
            return "opening" not in facts.notes
        if now < OPENS_AT * plan.seconds:
            return False
        painted = facts.tally.whole("live: first paint").count
        painted += SHIFT.tally.whole("live: first paint").count
        if painted >= plan.users or now >= LATEST_AT * plan.seconds:
            facts.notes["opened_at_s"] = round(now, 1)
            facts.notes["watching"] = painted
            gevent.spawn(open_the_day)
            return True
        return False

    return conduct


def _put_availability() -> int:
    plan = SHIFT.plan
    doctor, parts = plan.doctors[0], urlsplit(plan.url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=30
    )
    body = json.dumps(rules(plan.visit_type, plan.first_day, plan.slots))
    headers = {
        "Authorization": f"Bearer {doctor.token}",
        "Content-Type": "application/json",
    }
    try:
        path = f"/v1/providers/{doctor.provider_id}/availability"
        connection.request("PUT", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


PEOPLE = (Hopeful,)
