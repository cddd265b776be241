"""Keeps a roster current: all rows at the start, then what the logs of changes tell.

A roster is filled in a thread, portion by portion, and shown when it is whole; until
then, and while a new one is made, the former answers. The logs are polled, so that
changes are seen without Redis too; after an edit made here sooner.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Sequence,
)
from contextlib import aclosing
from time import monotonic
from typing import Final

import structlog

from actors.domain.ids import ClinicId, ProviderId
from care.directory.ports import RosterChanges, RosterRow, RosterSource
from gateway.directory.roster.matching import Matcher
from gateway.directory.roster.roster import NO_PHOTOS, Roster
from gateway.directory.roster.services import RosterServices

POLL_S: Final = 0.25
"""Interval of looking for changes."""
READ_AT_ONCE: Final = 200
"""Changed providers read from the stores with one question."""
MANY: Final = 5_000
"""From this number of changes at once on a new roster is made, in a thread."""

LARGE: Final = 2_000
"""From this number of providers on a roster is worth being left out of collections."""

log = structlog.get_logger("slotcast.gateway")


async def _ahead(
    portions: AsyncIterator[Sequence[RosterRow]],
) -> AsyncGenerator[Sequence[RosterRow]]:
    """Portions, each read while the one before is taken in."""
    reading = asyncio.ensure_future(anext(portions, None))
    try:
        while (rows := await reading) is not None:
            reading = asyncio.ensure_future(anext(portions, None))
            yield rows
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class LiveRoster:
    """The newest roster of this gateway; None until the first is whole."""

    def __init__(
        self, source: RosterSource, now: Callable[[], float] = monotonic
    ) -> None:
        self.roster: Roster | None = None
        self.matcher: Matcher | None = None
        self.heard_at = float("-inf")
        """When the stores last said what had changed."""
        self.builds = 0
        self.updates = 0
        self.on_rows: Callable[[Collection[ProviderId]], None] = lambda _ids: None
        """Told of providers that are new or changed."""
        self._source = source
        self._now = now
        self._edited = asyncio.Event()
        self._is_behind = False
        self._heard: set[ProviderId] | None = None
        """Providers whose starts were heard while a new roster is made."""

    def age_s(self) -> float:
        """Seconds since the stores last said what had changed."""
        return self._now() - self.heard_at

    def edited(self) -> None:
        """Something was changed here that a search shows."""
        self._edited.set()

    @property
    def services(self) -> RosterServices:
        """Those of the newest roster."""
        assert self.roster is not None
        return self.roster.services

    def ids(self) -> Sequence[ProviderId]:
        """All providers, as they are now."""
        return [] if self.roster is None else list(self.roster.row_of)

    def photos_of(self, provider_id: ProviderId) -> tuple[str, str]:
        """The ids of a provider's photo and of the clinic's; empty without one."""
        roster = self.roster
        return NO_PHOTOS if roster is None else roster.photos_of(provider_id)

    def heard(self, provider_id: ProviderId) -> None:
        """The newest roster was told of a provider's starts."""
        if self._heard is not None:
            self._heard.add(provider_id)

    async def run(self) -> None:
        """Fill a roster and keep it current, until cancelled; may be run again."""
        while True:
            await self.step()
            try:
                async with asyncio.timeout(POLL_S):
                    await self._edited.wait()
                # The projection follows an edit in a moment.
                await asyncio.sleep(POLL_S / 5)
            except TimeoutError:
                pass
            self._edited.clear()

    async def step(self) -> None:
        """Take over what has changed; make a new roster where that is the better way.

        The logs tell of each change once: after a failure all is read.
        """
        roster, is_behind = self.roster, self._is_behind
        self._is_behind = True
        if roster is None or is_behind or roster.is_worn:
            await self._fill()
        else:
            changes = await self._source.changes()
            is_much = len(changes.provider_ids) > MANY
            if changes.is_lost or changes.specialties or is_much:
                await self._fill()
            else:
                await self._apply(roster, changes)
        self._is_behind = False
        self.heard_at = self._now()

    async def _fill(self) -> None:
        began = self._now()
        await self._source.begin()
        roster = Roster(await self._source.specialties())
        async with aclosing(_ahead(self._source.all())) as portions:
            async for rows in portions:
                await asyncio.to_thread(roster.put_all, rows)
                # Full collections would look at the growing roster again and again, for
                # 50 ms each. Rosters have no cycles: they are freed when replaced. All
                # else that lives now is left out, too: not for the sake of a few rows.
                if len(roster) >= LARGE:
                    gc.freeze()
        await self._keep_starts(roster)
        self.roster, self.matcher = roster, Matcher(roster)
        self.builds += 1
        self.on_rows(roster.ids)
        seconds = round(self._now() - began, 2)
        log.info("all providers were read", providers=len(roster), seconds=seconds)

    async def _keep_starts(self, roster: Roster) -> None:
        """What is known of starts stays known, also what is heard meanwhile."""
        former = self.roster
        if former is None:
            return
        self._heard = heard = set[ProviderId]()
        ids = list(roster.row_of)
        for at in range(0, len(ids), READ_AT_ONCE):
            roster.take_starts(former, ids[at : at + READ_AT_ONCE])
            await asyncio.sleep(0)
        roster.take_starts(former, heard)
        self._heard = None

    async def _apply(self, roster: Roster, changes: RosterChanges) -> None:
        ids = sorted(changes.provider_ids)
        for at in range(0, len(ids), READ_AT_ONCE):
            await self._take(roster, ids[at : at + READ_AT_ONCE], ())
        for clinic in sorted(changes.clinic_ids):
            await self._take(roster, (), (clinic,))

    async def _take(
        self,
        roster: Roster,
        provider_ids: Sequence[ProviderId],
        clinic_ids: Sequence[ClinicId],
    ) -> None:
        rows = await self._source.rows(provider_ids, clinic_ids)
        for number, (provider_id, row) in enumerate(rows.items(), 1):
            if row is None:
                roster.remove(provider_id)
            else:
                roster.put(row)
            if number % READ_AT_ONCE == 0:
                await asyncio.sleep(0)
        self.updates += len(rows)
        self.on_rows(list(rows))
