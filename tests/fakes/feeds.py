"""Feeds for calendar programs in memory."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.ids import Millis
from care.feeds.ports import FeedEntry, FeedLimit, NewFeed


class MemoryFeeds:
    """Feeds in memory; ``words`` is what all of them say."""

    def __init__(self) -> None:
        self.made: dict[str, NewFeed] = {}
        self.words = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
        self.is_full = False

    async def add(self, new: NewFeed, *, now: Millis) -> FeedEntry:
        if self.is_full:
            raise FeedLimit
        self.made[new.feed_id] = new
        return FeedEntry(new.feed_id, new.of, new.label, now)

    async def of_account(self, account_id: str) -> Sequence[FeedEntry]:
        mine = [one for one in self.made.values() if one.account_id == account_id]
        return [FeedEntry(one.feed_id, one.of, one.label, Millis(0)) for one in mine]

    async def revoke(self, account_id: str, feed_id: str, *, now: Millis) -> bool:
        found = self.made.get(feed_id)
        if found is None or found.account_id != account_id:
            return False
        del self.made[feed_id]
        return True

    async def text(self, secret_hash: str, *, now: Millis) -> str | None:
        known = {one.secret_hash for one in self.made.values()}
        return self.words if secret_hash in known else None
