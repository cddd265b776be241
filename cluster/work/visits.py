"""The site's calendars as a worker asks them: it joins when it first has a question."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from actors.domain.ids import BookingId, HoldId, ProviderId
from actors.domain.messages.answers import BookingView, HoldView, Reply
from actors.domain.messages.reads import ReadBooking, ReadHold
from actors.errors import Unavailable
from actors.ports import Request
from cluster.site.run_file import read_record
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle

if TYPE_CHECKING:
    from actors.ports import Calendars, Request


class SiteVisits:
    """Implements Visits and Calendars over the server or node of this machine.

    Close it.

    Joining its Ray takes a second and some memory, which a site without visits to ask
    for is spared. A server that was started again has another Ray: it is joined again.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._held = AsyncExitStack()
        self._calendars: Calendars | None = None
        self._address = ""
        self._turn = asyncio.Lock()

    async def find(
        self, provider_id: ProviderId, booking_id: BookingId
    ) -> BookingView | None:
        """See Visits.find."""
        reply = await self.ask(ReadBooking(provider_id, booking_id))
        return reply if isinstance(reply, BookingView) else None

    async def offered(
        self, provider_id: ProviderId, hold_id: HoldId
    ) -> HoldView | None:
        """See Visits.offered."""
        reply = await self.ask(ReadHold(provider_id, hold_id))
        return reply if isinstance(reply, HoldView) and reply.patient_id else None

    async def ask(self, request: Request) -> Reply:
        """See Calendars.ask."""
        calendars = await self._joined()
        try:
            return await calendars.ask(request)
        except Unavailable:
            if self._ray_address() != self._address:
                await self.close()
            raise

    async def close(self) -> None:
        """Leave the calendars, if they were joined."""
        async with self._turn:
            self._calendars = None
            await self._held.aclose()

    async def _joined(self) -> Calendars:
        async with self._turn:
            if self._calendars is None:
                # What joins is loaded then: Ray, and the way of batches to shards.
                from cluster.wiring.calendars import server_calendars

                self._address = self._ray_address()
                try:
                    joined = server_calendars(self._site)
                    self._calendars = await self._held.enter_async_context(joined)
                except Obstacle as error:
                    raise Unavailable(str(error)) from error
            return self._calendars

    def _ray_address(self) -> str:
        record = read_record(self._site.folder.run_file)
        return "" if record is None else record.ray_address
