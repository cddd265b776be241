"""The base of all users: REST requests, watching, and commands by socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from locust import User
from locust.contrib.fasthttp import FastHttpSession
from locust.exception import LocustError

from loadtests.load.plan import Doctor
from loadtests.swarm.live import Answer, Live
from loadtests.swarm.shift import SHIFT, rest
from loadtests.workload.weeks import days_of

REFUSALS = frozenset(
    {
        "slot_unavailable",
        "slot_not_offered",
        "hold_limit",
        "hold_expired",
        "wrong_status",
        "too_early",
        "too_late",
    }
)
"""Statuses of a calendar's refusals, which are answers and not failures."""
REST_TIMEOUT_S = 30.0
TRIES = 3
"""How often an unanswered request is sent, always with the same key."""
ON_SCHEDULES = {"booked": "booked", "free": "cancelled"}
"""Slot state → status of the booking on a doctor's schedule."""


class Unexpected(LocustError):
    """An answer that the scenario does not expect."""


class Person(User):
    """A user with a number, a token and a random generator of their own."""

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.plan = SHIFT.plan
        self.number = SHIFT.next_number()
        self.dice = SHIFT.dice(self.number)
        names = list(self.plan.patients)
        self.patient = names[self.number % len(names)]
        self.token = self.plan.patients[self.patient]
        self.live: Live | None = None
        self._http: FastHttpSession | None = None
        self._keys = 0
        self._is_resolved = False

    def on_stop(self) -> None:
        """Close the socket, like a page that is closed."""
        if self.live is not None:
            self.live.leave()

    def new_key(self) -> str:
        """A new idempotency key for one intended change."""
        self._keys += 1
        return f"{self.plan.seed}-{self.number}-{self._keys}"

    def any_doctor(self) -> Doctor:
        """A random doctor of the practice."""
        return self.dice.choice(self.plan.doctors)

    def rest_for_ever(self) -> None:
        """Stay connected and idle until the run ends."""
        rest()

    @contextmanager
    def resolved(self) -> Iterator[None]:
        """Finish what happens inside, even if the run goes quiet meanwhile."""
        SHIFT.busy += 1
        self._is_resolved = True
        try:
            yield
        finally:
            self._is_resolved = False
            SHIFT.busy -= 1

    # --- REST --------------------------------------------------------------------

    def ask(
        self,
        name: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str = "",
        key: str = "",
    ) -> Answer:
        """One request, counted in Locust's tables under ``name``."""
        headers = {"Accept-Encoding": "identity"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        with SHIFT.in_flight(anyway=self._is_resolved):
            response = self._request(name, method, path, body, headers)
            tries = TRIES if key or method == "GET" else 1
            while not response.status_code and tries > 1:
                # For example an idle connection that the server had closed: repeating
                # with the same key is safe, and clients should.
                SHIFT.tally.ended(name, "asked again")
                tries -= 1
                response = self._request(name, method, path, body, headers)
            with response:
                status = int(response.status_code or 0)
                content = _json(response)
                code = _code(status, content)
                SHIFT.tally.ended(name, code)
                if 0 < status < 400 or code in REFUSALS:
                    response.success()
                else:
                    response.failure(Unexpected(code))
        return Answer(status, content, code)

    def _request(
        self, name: str, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> Any:
        return self._session().request(
            method, path, name=name, json=body, headers=headers, catch_response=True
        )

    def _session(self) -> FastHttpSession:
        if self._http is None:
            self._http = FastHttpSession(
                self.plan.url,
                request_event=self.environment.events.request,
                user=self,
                network_timeout=REST_TIMEOUT_S,
                connection_timeout=REST_TIMEOUT_S,
            )
        return self._http

    def week(self, doctor: Doctor, topic: str) -> list[str]:
        """The free starts of a provider's week, by REST."""
        first, last = days_of(topic.rsplit("/", 1)[1])
        answer = self.ask(
            "week",
            "GET",
            f"/v1/providers/{doctor.provider_id}/slots"
            f"?visit_type={self.plan.visit_type}&from={first}&to={last}",
        )
        slots = answer.body["slots"] if answer.is_done else []
        return [slot["start"] for slot in slots if slot["state"] == "free"]

    # --- the live socket ---------------------------------------------------------

    def watch(self, topics: list[str], *, signed_in: bool = True) -> Live:
        """Open a live socket on these topics, and wait for their first content."""
        if self.live is not None:
            self.live.leave()
        self.live = Live(self.number, topics, self.token if signed_in else "")
        self.live.connect()
        self.live.paint()
        return self.live

    def tell(self, name: str, op: str, **fields: Any) -> Answer:
        """A command on the socket, timed until its answer."""
        assert self.live is not None
        with SHIFT.in_flight(anyway=self._is_resolved):
            began = time.monotonic()
            answer = self.live.command(op, self.new_key(), **fields)
        took = 1000 * (answer.at - began)
        SHIFT.tally.ended(name, answer.code)
        expected = answer.is_done or answer.code in REFUSALS
        error = None if expected else Unexpected(answer.code)
        SHIFT.report(name, took, kind="WS", error=error)
        return answer

    # --- changes: by socket where there is one, else by REST ---------------------

    def hold(self, doctor: Doctor, topic: str, start: str) -> Answer:
        """Hold a slot."""
        slot = self._slot(doctor, start)
        if self.live is not None:
            ask = partial(self.tell, "hold", "hold", **slot)
        else:
            ask = partial(self._post, "hold", "/v1/holds", slot)
        return self._wish("held", topic, start, ask)

    def book(self, doctor: Doctor, topic: str, start: str, hold_id: str = "") -> Answer:
        """Book a slot, or confirm a hold."""
        what = {"hold_id": hold_id} if hold_id else self._slot(doctor, start)
        if self.live is not None:
            ask = partial(self.tell, "booking", "book", **what)
        else:
            ask = partial(self._post, "booking", "/v1/bookings", what)
        answer = self._wish("booked", topic, start, ask)
        if answer.is_done:
            SHIFT.acknowledge(answer.body)
            SHIFT.tally.took("booked", None, int(time.time()))
        return answer

    def cancel(self, booking_id: str, topic: str, start: str) -> Answer:
        """Cancel a visit."""
        path = f"/v1/bookings/{booking_id}/cancel"
        if self.live is not None:
            ask = partial(self.tell, "cancellation", "cancel", booking_id=booking_id)
        else:
            ask = partial(self._post, "cancellation", path, {})
        answer = self._wish("free", topic, start, ask)
        if answer.is_done:
            SHIFT.acknowledge(answer.body)
        elif not answer.status:
            SHIFT.doubt(booking_id)
        return answer

    def _slot(self, doctor: Doctor, start: str) -> dict[str, Any]:
        return {
            "provider_id": doctor.provider_id,
            "visit_type": self.plan.visit_type,
            "start": start,
        }

    def _post(self, name: str, path: str, body: dict[str, Any]) -> Answer:
        return self.ask(name, "POST", path, body, token=self.token, key=self.new_key())

    def _wish(
        self, state: str, topic: str, start: str, ask: Callable[[], Answer]
    ) -> Answer:
        """Request a change to a slot; this process's watchers are timed from here."""
        sights = [(topic, start, state)]
        if state in ON_SCHEDULES:
            schedule = f"schedule/{topic.split('/')[1]}"
            sights.append((schedule, start, ON_SCHEDULES[state]))
        asked = time.monotonic()
        for sight in sights:
            SHIFT.sights.asked(sight)
        answer = None
        try:
            answer = ask()
        finally:
            for sight in sights:
                if answer is not None and answer.is_done:
                    SHIFT.sights.happened(sight, asked)
                else:
                    SHIFT.sights.refused(sight)
        return answer


def _json(response: Any) -> Any:
    try:
        return response.json() if response.content else None
    except ValueError:
        return None


def _code(status: int, content: Any) -> str:
    if status >= 400 and isinstance(content, dict):
        return str(content.get("code", status))
    return str(status) if status else "connection_lost"
