"""What gateway and worker need of the addresses that busy times are read from."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from actors.domain.ids import Millis, Minute, ProviderId
from care.jobs.jobs import NewJob
from care.notices.push import is_public_endpoint

REFRESH: Final = "busy.refresh"
"""The kind of job that reads one calendar; its payload names the provider."""
EVERY_MS: Final = 15 * 60_000
"""How long after a calendar was read it is read again."""
BACK_OFF_MOST_MS: Final = 12 * 3_600_000
"""The longest wait after failures; it doubles with each from ``EVERY_MS`` on."""
ASKED_APART_MS: Final = 60_000
"""How often a person may have a calendar read, at most."""
CLAIM_MS: Final = 60_000
"""How long one worker has a calendar for itself: more than a job may take."""
ADDRESS_CHARACTERS_MAX: Final = 2_000
TAG_CHARACTERS_MAX: Final = 200
"""Longer validators of HTTP are not kept: the calendar is then read whole."""


class BusyFailure(StrEnum):
    """Why the last attempt changed nothing, in the words of the API."""

    UNREACHABLE = "unreachable"
    """The name is not known, or there is no answer in time."""
    PRIVATE = "private_address"
    """It leads to no public address."""
    REFUSED = "refused"
    """The server answered 401, 403, 404 or 410: the address was probably revoked."""
    SERVER = "server_error"
    """Another answer that has no calendar, 429 and 5xx among them."""
    TOO_LARGE = "too_large"
    """The text has too many bytes or events."""
    NOT_A_CALENDAR = "not_a_calendar"
    """The text cannot be read as iCalendar."""
    TOO_COMPLEX = "too_complex"
    """Reading it takes more time or memory than is given."""
    NOT_TAKEN = "not_taken"
    """The provider's calendar refused time off, for instance as there is too much."""


class ReadBefore(Struct, frozen=True):
    """What a server, and this site, said of the text that was read last."""

    etag: str = ""
    modified: str = ""
    digest: str = ""


class BusyTask(Struct, frozen=True):
    """A calendar that this worker may read now.

    ``url`` is None when it is to end: its time is given back. ``account_id``: who gave
    the address.
    """

    provider_id: ProviderId
    calendar_id: str
    account_id: str
    url: str | None
    before: ReadBefore
    failures: int
    claimed_until: Millis


class BusyOutcome(Struct, frozen=True):
    """What became of an attempt. Without ``failure`` the import is as the calendar.

    ``after_ms``: when the server wants to be asked again. ``cut_from``: later busy
    times are left out, since there are too many.
    """

    failure: BusyFailure | None = None
    after_ms: int | None = None
    before: ReadBefore = ReadBefore()
    spans: int = 0
    skipped: int = 0
    cut_from: Minute | None = None
    is_unchanged: bool = False


class BusyCalendar(Struct, frozen=True):
    """An address as its doctor sees it; of the address the server's name alone."""

    provider_id: ProviderId
    host: str
    set_at: Millis
    next_at: Millis
    tried_at: Millis | None
    read_at: Millis | None
    """When the import was last as the calendar."""
    failure: BusyFailure | None
    failures: int
    spans: int
    skipped: int
    """Entries that could not be read, and take no time."""
    cut_from: Minute | None


class BusyCounts(Struct, frozen=True):
    """Numbers for operators; ``oldest_read_at``: of calendars that were ever read."""

    calendars: int
    failing: int
    oldest_read_at: Millis | None = None


class BusyCalendars(Protocol):
    """Addresses of providers' own calendars. All may raise Unavailable."""

    async def find(self, provider_id: ProviderId) -> BusyCalendar | None:
        """What is known of a provider's; None if there is none."""
        ...

    async def put(
        self,
        provider_id: ProviderId,
        calendar_id: str,
        url: str,
        *,
        by: tuple[str, str],
        now: Millis,
    ) -> BusyCalendar:
        """Set or replace the address, and have it read; ``by``: account and grant."""
        ...

    async def refresh(self, provider_id: ProviderId, *, now: Millis) -> None:
        """Have it read soon; no effect if it was asked for a moment ago."""
        ...

    async def remove(self, provider_id: ProviderId, *, now: Millis) -> None:
        """End it: the address is deleted at once, its time off by the worker."""
        ...

    async def counts(self) -> BusyCounts:
        """Numbers for operators."""
        ...


class BusyTasks(Protocol):
    """The same for the worker. All may raise Unavailable."""

    async def due(self, *, now: Millis, limit: int) -> Sequence[NewJob]:
        """The jobs of calendars that are due."""
        ...

    async def claim(self, provider_id: ProviderId, *, now: Millis) -> BusyTask | None:
        """Take a calendar for ``CLAIM_MS``; None if there is none.

        Raises:
            BusyClaimed: another worker has it.
        """
        ...

    async def settle(
        self, task: BusyTask, outcome: BusyOutcome, *, now: Millis
    ) -> None:
        """Record an attempt and end the claim.

        Nothing is recorded if the address was replaced or removed meanwhile.
        """
        ...

    async def forget(self, task: BusyTask) -> None:
        """Delete one whose time was given back."""
        ...

    async def release(self, task: BusyTask) -> None:
        """End the claim of an attempt that could not be made."""
        ...


class BusyUnreadable(Exception):
    """The text cannot be read, or not within its bounds."""

    def __init__(self, failure: BusyFailure) -> None:
        super().__init__(failure.value)
        self.failure = failure


class BusyClaimed(Exception):
    """Another worker reads this calendar."""


class BusyPorts(Struct, frozen=True):
    """What the routes of busy times need."""

    calendars: BusyCalendars
    is_open: bool = False
    """Whether addresses may be of any network, without TLS: for tests."""


def checked_address(text: str, *, is_open: bool) -> str | None:
    """The address to be read; None if it is none that may be.

    ``webcal`` is how programs write https addresses of calendars.
    """
    head, colon, rest = text.strip().partition(":")
    if colon and head.lower() in ("webcal", "webcals"):
        text = f"https:{rest}"
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return None
    address = parts._replace(fragment="").geturl()
    if len(address) > ADDRESS_CHARACTERS_MAX:
        return None
    if is_open:
        return address if parts.scheme in ("http", "https") and parts.netloc else None
    return address if is_public_endpoint(address) else None


def next_attempt(task: BusyTask, outcome: BusyOutcome, now: Millis) -> Millis:
    """When a calendar is read again; spread, so that not all are at one time."""
    wait = EVERY_MS
    if outcome.failure is not None:
        wait = min(EVERY_MS << min(task.failures, 10), BACK_OFF_MOST_MS)
    if outcome.after_ms is not None:
        wait = max(wait, min(outcome.after_ms, BACK_OFF_MOST_MS))
    spread = sum(task.calendar_id.encode()) * 7919 % (wait // 8)
    return Millis(now + wait - spread)
