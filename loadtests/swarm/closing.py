"""The end of a run: all users stop, then every view is compared with a fresh read.

The master sends ``quiet`` to all processes; each answers ``quieted`` when nothing is in
flight. Then it sends ``compare``, and each answers ``compared`` with its result and its
unreported counts. A process that does not answer in time is missing from the facts, and
the checks report that. With a single process the messages go to itself.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import gevent

from loadtests.load.views import Rows, difference, of_bookings, of_slots
from loadtests.swarm.shift import SHIFT
from loadtests.workload.weeks import days_of

if TYPE_CHECKING:
    from locust.env import Environment

    from slotcast.client.view import TopicView

QUIET_WITHIN_S = 20.0
SETTLE_S = 20.0
EACH_WITHIN_S = QUIET_WITHIN_S + 2 * SETTLE_S
EXAMPLES_MAX = 5


def fresh(topic: str) -> Rows:
    """The topic's view as REST returns it now."""
    parts = topic.split("/")
    if parts[0] == "slots":
        _, provider, visit_type, week = parts
        first, last = days_of(week)
        query = f"visit_type={visit_type}&from={first}&to={last}"
        return of_slots(_get(f"/v1/providers/{provider}/slots?{query}", ""))
    token = next(d.token for d in SHIFT.plan.doctors if d.provider_id == parts[1])
    path = "/v1/providers/{}/schedule?from={}&to={}".format(parts[1], *_weeks())
    return of_bookings(_get(path, token)["bookings"])


def _weeks() -> tuple[str, str]:
    first = SHIFT.plan.first_day
    last = type(first).fromordinal(first.toordinal() + 7 * SHIFT.plan.weeks - 1)
    return str(first), str(last)


def seen(view: TopicView) -> Rows:
    """The topic's view as a watcher has it."""
    if view.topic.startswith("slots/"):
        return view.slots
    first, last = _weeks()
    return of_bookings(
        b for b in view.bookings.values() if first <= b["start"][:10] <= last
    )


def _get(path: str, token: str) -> Any:
    parts = urlsplit(SHIFT.plan.url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=30
    )
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise OSError(f"{path} answered {answer.status}")
        return json.loads(body)
    finally:
        connection.close()


def compare() -> dict[str, Any]:
    """Compare all views of this process with fresh reads; retries while they settle."""
    give_up = time.monotonic() + SETTLE_S
    views = [(live, v) for live in SHIFT.lives for v in live.session.views.values()]
    left = {(id(live), view.topic): (live, view) for live, view in views}
    found: dict[tuple[int, str], str] = {}
    while True:
        truths: dict[str, Rows] = {}
        for key, (_, view) in list(left.items()):
            if view.topic not in truths:
                truths[view.topic] = fresh(view.topic)
            found[key] = difference(seen(view), truths[view.topic])
            if not found[key]:
                del left[key], found[key]
        if not left or time.monotonic() > give_up:
            break
        gevent.sleep(0.5)
    examples = [f"{topic}: {text}" for (_, topic), text in found.items()]
    return {
        "watchers": len(SHIFT.lives),
        "views": len(views),
        "topics": len({view.topic for _, view in views}),
        "differing": len(examples),
        "examples": examples[:EXAMPLES_MAX],
    }


def serve(environment: Environment) -> None:
    """Answer the master's messages in this process."""
    runner = environment.runner
    assert runner is not None

    def quiet(**_: object) -> None:
        SHIFT.quiet.set()
        gevent.spawn(quieted)

    def quieted() -> None:
        give_up = time.monotonic() + QUIET_WITHIN_S
        while SHIFT.busy and time.monotonic() < give_up:
            gevent.sleep(0.05)
        runner.send_message("quieted", {"busy": SHIFT.busy})

    def begin(**_: object) -> None:
        gevent.spawn(compared)

    def compared() -> None:
        try:
            told = compare()
        except (OSError, ValueError, LookupError) as error:
            told = {"error": f"views could not be compared: {error!r}"}
        runner.send_message("compared", {**told, **SHIFT.drain()})

    runner.register_message("quiet", quiet)
    runner.register_message("compare", begin)


class Closing:
    """The master's side of the closing, polled once a second."""

    def __init__(self, environment: Environment, keep: Callable[[Any], None]) -> None:
        runner = environment.runner
        assert runner is not None
        self._runner: Any = runner
        self._keep = keep
        self._said: list[str] = []
        self._quieted = self._compared = 0
        self._give_up = 0.0
        runner.register_message("quieted", self._on_quieted)
        runner.register_message("compared", self._on_compared)

    def is_over(self) -> bool:
        """One poll; whether the closing is complete or has timed out."""
        processes = max(1, self._runner.worker_count)
        if not self._said:
            self._say("quiet")
        elif self._said == ["quiet"] and (
            self._quieted >= processes or self._is_late()
        ):
            self._say("compare")
        return self._compared >= processes or (
            self._said[-1] == "compare" and self._is_late()
        )

    def _say(self, word: str) -> None:
        self._said.append(word)
        self._give_up = time.monotonic() + EACH_WITHIN_S
        self._runner.send_message(word)

    def _is_late(self) -> bool:
        return time.monotonic() > self._give_up

    def _on_quieted(self, **_: object) -> None:
        self._quieted += 1

    def _on_compared(self, msg: Any, **_: object) -> None:
        self._compared += 1
        self._keep(msg.data)
