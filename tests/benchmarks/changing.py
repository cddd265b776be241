"""Changes at a fixed rate: bookings and cancellations over REST, each with its times.

The rate does not wait for answers (an open model): a change is due when it is due, and
what it waits for a free connection is part of its time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle

from loadtests.wire.http_client import ConnectionLost, HttpClient, Response
from tests.benchmarks.live_site import VISIT, LiveSite

CONNECTIONS = 256
TRIES = 3
_KEYS = count()
"""Every write of this process has an idempotency key of its own."""


@dataclass(slots=True)
class Change:
    """One change that was acknowledged. Times are of the shared monotonic clock."""

    topic: str
    version: int
    due: float
    asked: float
    answered: float


@dataclass(slots=True)
class _Calendar:
    """What may be booked and what may be cancelled at one provider."""

    topic: str
    free: deque[str]
    booked: deque[tuple[str, str, str]] = field(default_factory=deque)
    """Booking id, its patient's token, its start."""
    turns: int = 0


class Changer:
    """Changes calendars of a site; keeps what it changed.

    ``only_books``: no cancellations, every booking takes a slot of its own.
    """

    def __init__(
        self, site: LiveSite, providers: Sequence[str], *, only_books: bool = False
    ) -> None:
        self._site = site
        self._providers = list(providers)
        self._calendars = {
            one: _Calendar(site.topic(one), deque(site.starts())) for one in providers
        }
        self._only_books = only_books
        self._turns = count()
        self._patients = cycle(site.patients)
        self.changes: list[Change] = []
        self.asked_again = 0
        """Writes that were sent again with the same key: their connection was lost."""
        self.statuses: Counter[str] = Counter()
        """Every answer; what is not 200 or 201 was no change."""

    def take(self) -> list[Change]:
        """The changes up to now; from now on there are none."""
        taken, self.changes = self.changes, []
        return taken

    async def run(
        self, rate: float, seconds: float, ends: Callable[[], bool] = lambda: False
    ) -> None:
        """Change so many a second for so long, or until ``ends``; providers in turn."""
        client = HttpClient(self._site.url, CONNECTIONS)
        try:
            await self._spread(client, rate, round(rate * seconds), ends)
        finally:
            await client.close()

    async def _spread(
        self, client: HttpClient, rate: float, total: int, ends: Callable[[], bool]
    ) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(total):
                if ends():
                    return
                due = began + number / rate
                pause = due - time.monotonic()
                if pause > 0:
                    await asyncio.sleep(pause)
                provider = self._providers[next(self._turns) % len(self._providers)]
                tasks.create_task(self._change(client, provider, due))

    async def _change(self, client: HttpClient, provider: str, due: float) -> None:
        calendar = self._calendars[provider]
        calendar.turns += 1
        cancels = not self._only_books and calendar.turns % 2 == 0
        asked = time.monotonic()
        try:
            if cancels and calendar.booked:
                answer = await self._cancel(client, calendar)
            else:
                answer = await self._book(client, calendar, provider)
        except ConnectionLost:
            self.statuses["unanswered"] += 1
            return
        self.statuses[str(answer.status)] += 1
        if answer.status in (200, 201):
            told = answer.json()
            now = time.monotonic()
            self.changes.append(
                Change(calendar.topic, told["version"], due, asked, now)
            )

    async def _book(
        self, client: HttpClient, calendar: _Calendar, provider: str
    ) -> Response:
        start = calendar.free.popleft()
        token = next(self._patients)
        wish: dict[str, object] = {
            "provider_id": provider,
            "visit_type": VISIT,
            "start": start,
        }
        answer = await self._ask(client, "/v1/bookings", wish, token)
        if answer.status == 201:
            calendar.booked.append((answer.json()["booking_id"], token, start))
        return answer

    async def _cancel(self, client: HttpClient, calendar: _Calendar) -> Response:
        booking, token, start = calendar.booked.popleft()
        path = f"/v1/bookings/{booking}/cancel"
        answer = await self._ask(client, path, {}, token)
        if answer.status == 200:
            calendar.free.append(start)
        return answer

    async def _ask(
        self, client: HttpClient, path: str, body: Mapping[str, object], token: str
    ) -> Response:
        """One write; a lost connection (an idle one is closed) is asked on another."""
        key = f"bench-{next(_KEYS)}"
        for attempt in range(TRIES):
            try:
                return await client.ask("POST", path, body, token=token, key=key)
            except ConnectionLost:
                self.asked_again += 1
                if attempt == TRIES - 1:
                    raise
        raise AssertionError("unreachable")
