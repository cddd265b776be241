"""One rotation of keys at a time: a row in the records that its run renews."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from sqlalchemy import CursorResult, insert, or_, update
from sqlalchemy.exc import IntegrityError

from actors.ports import Clock
from care.keys.rotation import RotationRunning
from care.keys.sealing import SPREAD_MS
from persistence.keys.models import KeyRotationRecord
from persistence.keys.ring import SITE
from persistence.sql.records import Records

TURN_MS: Final = 2 * SPREAD_MS
"""A run that was killed blocks the next one so long. More than it ever waits."""


class RotationTurn:
    """The turn of one run."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._holder = secrets.token_hex(12)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Take the turn, and give it back at the end. Raises as ``take``."""
        await self.take()
        try:
            yield
        finally:
            await self._put(0)

    async def take(self) -> None:
        """Take the turn. Raises RotationRunning: another run has it."""
        try:
            async with self._records.writing() as session:
                first = {"tenant": SITE, "holder": "", "until": 0}
                await session.execute(insert(KeyRotationRecord).values(**first))
        except IntegrityError:
            pass  # there since the first rotation
        await self.renew()

    async def renew(self) -> None:
        """Keep the turn for longer. Raises RotationRunning: it was lost."""
        if await self._put(self._clock.now() + TURN_MS) != 1:
            raise RotationRunning

    async def _put(self, until: int) -> int:
        row, now = KeyRotationRecord, self._clock.now()
        async with self._records.writing() as session:
            done = await session.execute(
                update(row)
                .where(
                    row.tenant == SITE,
                    or_(row.holder == self._holder, row.until <= now)
                    if until
                    else row.holder == self._holder,
                )
                .values(holder=self._holder, until=until)
            )
        return cast("CursorResult[Any]", done).rowcount
