"""State that all users of a process share during a run: plan, counts, quiet.

Requests are reported to Locust one by one. Sights are too many for that (five thousand
users see a hundred changes), so they are counted here and added to Locust's tables
twice a second; its page and files show them like any other row.
"""

from __future__ import annotations

import os
import random
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from locust.stats import StatsEntry, bucket_response_time

from loadtests.histogram import ms_of, timing_of_many
from loadtests.load.checks import ACKNOWLEDGED
from loadtests.load.plan import PLAN_VARIABLE, Plan, read_plan
from loadtests.load.tally import Tally
from loadtests.swarm.sights import Sights

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.stats import RequestStats

    from loadtests.swarm.live import Live

SIGHT = "live: change to sight"
CONFLATED = "live: conflated"
EVENT = "live"
"""The request type of live events in Locust's tables."""
FLUSHED_EVERY_S = 0.5
ACKNOWLEDGED_MAX = 500_000
"""Most bookings that a process keeps between two reports."""


class Shift:
    """One run in one process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.sighted = Batch(SIGHT, self.tally)
        self.conflated = Batch(CONFLATED, self.tally)
        self.visits = Batch("visit", self.tally)
        self.sights = Sights(self.sighted.add)
        self.lives: set[Live] = set()
        self.quiet = Event()
        """Set when no new request may start: the run is over and is being checked."""
        self.busy = 0
        """Requests in flight."""
        self.bookings: list[list[Any]] = []
        """The fields ``ACKNOWLEDGED`` of each booking, as acknowledged."""
        self.doubts: list[str] = []
        """Bookings with a request that was never answered."""
        self.environment: Environment | None = None
        self.index = 0
        self._people = 0

    def begin(self, environment: Environment) -> None:
        """Take Locust's environment and the plan."""
        self.environment = environment
        environment.events.request.add_listener(self._requested)
        gevent.spawn(self._keep)

    def next_number(self) -> int:
        """A number for a new user, unique across all processes."""
        if self.environment is not None and self.environment.runner is not None:
            self.index = max(0, getattr(self.environment.runner, "worker_index", 0))
        number = self._people * self.plan.processes + self.index
        self._people += 1
        return number

    def dice(self, number: int) -> random.Random:
        """A user's random generator, the same in every run with the same seed."""
        return random.Random(self.plan.seed * 1_000_003 + number)

    @contextmanager
    def in_flight(self, *, anyway: bool) -> Iterator[None]:
        """Counts a request in flight. Blocks for ever once the run has gone quiet."""
        if self.quiet.is_set() and not anyway:
            rest()
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    # --- counting ----------------------------------------------------------------

    def report(
        self,
        name: str,
        ms: float | None,
        *,
        kind: str = EVENT,
        error: Exception | None = None,
        length: int = 0,
    ) -> None:
        """Report an event that Locust does not see by itself."""
        assert self.environment is not None
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=ms,
            response_length=length,
            exception=error,
            context={},
        )

    def acknowledge(self, booking: dict[str, Any]) -> None:
        """Record a booking as the server acknowledged it."""
        if len(self.bookings) < ACKNOWLEDGED_MAX:
            self.bookings.append([booking[field] for field in ACKNOWLEDGED])

    def doubt(self, booking_id: str) -> None:
        """Record that the last request about this booking was never answered."""
        self.doubts.append(booking_id)

    def drain(self) -> dict[str, Any]:
        """The counts since the last report."""
        self.flush()
        bookings, self.bookings = self.bookings, []
        doubts, self.doubts = self.doubts, []
        tally = self.tally.drain()
        return {"tally": tally, "bookings": bookings, "doubts": doubts}

    def _requested(
        self,
        name: str,
        response_time: float | None,
        exception: Exception | None,
        **_: object,
    ) -> None:
        second = int(time.time())
        self.tally.took(name, response_time, second, failed=exception is not None)

    def _keep(self) -> None:
        while True:
            gevent.sleep(FLUSHED_EVERY_S)
            self.flush()
            now = time.monotonic()
            for live in list(self.lives):
                live.check_hearing(now)

    def flush(self) -> None:
        """Add the counts that are kept in batches to Locust's tables."""
        if self.environment is not None:
            for batch in (self.sighted, self.conflated, self.visits):
                batch.flush(self.environment.stats)


class Batch:
    """Events of one name that are too frequent to report to Locust one by one.

    Adding one is an append; the next flush counts all of them together.
    """

    def __init__(self, name: str, tally: Tally) -> None:
        self._name = name
        self._tally = tally
        self._ms = array("d")
        self._untimed = 0

    def add(self, ms: float | None) -> None:
        """Count one event."""
        if ms is None:
            self._untimed += 1
        else:
            self._ms.append(ms)

    def flush(self, stats: RequestStats) -> None:
        """Add the new events to the tally and to Locust's row."""
        values, untimed = self._ms, self._untimed
        if not values and not untimed:
            return
        self._ms, self._untimed = array("d"), 0
        timing, now = timing_of_many(values, untimed), time.time()
        self._tally.add_timing(self._name, int(now), timing)
        more = StatsEntry(stats, self._name, EVENT)
        more.num_requests, more.num_none_requests = timing.count, untimed
        if values:
            more.total_response_time = round(sum(values))
            more.min_response_time = round(min(values))
            more.max_response_time = round(timing.max_ms)
            for bucket, count in timing.buckets.items():
                more.response_times[bucket_response_time(ms_of(bucket))] += count
        more.num_reqs_per_sec[int(now)] = timing.count
        more.last_request_timestamp = now
        stats.entries[self._name, EVENT].extend(more)


def rest() -> None:
    """Block until Locust ends this user."""
    while True:
        gevent.sleep(3600)


SHIFT = Shift(read_plan(Path(os.environ[PLAN_VARIABLE])))
"""The state of this process."""
