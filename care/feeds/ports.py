"""Feeds: calendars that other programs subscribe to by an address that is a secret."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import Millis

FEEDS_MAX: Final = 10
"""Feeds of one account that are in force: one for each device or program."""
EVENTS_MAX: Final = 500
"""Visits of one feed, the soonest of those that lie ahead and the last month's."""
PAST_MINUTES: Final = 31 * 24 * 60
"""How far back a feed goes."""


class FeedOf(StrEnum):
    """Whose visits a feed shows."""

    PATIENT = "patient"
    PROVIDER = "provider"


class NewFeed(Struct, frozen=True):
    """A feed to be made; ``secret_hash`` is what its address is found by."""

    feed_id: str
    account_id: str
    of: FeedOf
    subject: str
    label: str
    secret_hash: str


class FeedEntry(Struct, frozen=True):
    """A feed as its owner sees it; its address is shown once, when it is made."""

    feed_id: str
    of: FeedOf
    label: str
    created_at: Millis
    read_at: Millis | None = None


class FeedLimit(Exception):
    """The account has too many feeds; revoke one."""


class Feeds(Protocol):
    """Feeds of accounts. Every method may raise Unavailable."""

    async def add(self, new: NewFeed, *, now: Millis) -> FeedEntry:
        """Make a feed. Raises FeedLimit."""
        ...

    async def of_account(self, account_id: str) -> Sequence[FeedEntry]:
        """An account's feeds that are in force, the oldest first."""
        ...

    async def revoke(self, account_id: str, feed_id: str, *, now: Millis) -> bool:
        """End a feed at once; False if the account has none of this id."""
        ...

    async def text(self, secret_hash: str, *, now: Millis) -> str | None:
        """The calendar of a feed (RFC 5545); None if it is not in force.

        It ends with its account, a doctor's role or its patient. The same visits give
        the same text.
        """
        ...
