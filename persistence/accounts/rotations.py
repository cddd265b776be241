"""Refreshes of sessions that are committed together.

Each is a compare-and-set of its own. Those that arrive while a transaction is being
written wait for the next one, and share its fsync: a token is given out once the
commit that made its generation is on the disk, as if each had been alone. If a row
fails, each is written again in a transaction of its own: the one that is at fault fails
alone. While the database is away all of a transaction hear so at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import Struct
from sqlalchemy import BindParameter, Connection, bindparam, update

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.accounts.ids import SessionId
from persistence.accounts.models import SessionRecord
from persistence.accounts.rows import rows_changed
from persistence.sql.engine import is_contended
from persistence.sql.records import Records

TOGETHER_MAX: Final = 100
"""Rotations of one transaction: other writers wait for about 10 ms."""
WAITING_MAX: Final = 2_000
"""Rotations that wait; the next is refused, and the client asks again."""


class Rotation(Struct, frozen=True):
    """Make the generation after ``generation``, if that is the present one.

    ``is_active``: there was input since the last refresh; the idle time starts again.
    """

    session_id: SessionId
    generation: int
    is_active: bool
    now: Millis


_Waiting = tuple[Rotation, asyncio.Future[bool]]
_CUT_OFF: Final = "the refresh was cut off; its outcome is unknown, ask again"


class Rotations:
    """Rotates the sessions of one process, as many as wait in each transaction."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._waiting: deque[_Waiting] = deque()
        self._batch: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self.transactions = 0
        """Begun so far."""

    async def rotate(self, wanted: Rotation) -> bool:
        """Whether it was made; False if another was quicker, or the session ended.

        Raises:
            Unavailable: the records do not answer, and whether it was made is unknown;
                or too many wait.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise Unavailable("too many sessions are refreshed; try again in a moment")
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write())
            self._writing.add_done_callback(self._ended)
        return await done

    async def _write(self) -> None:
        """Write until none waits."""
        while self._waiting:
            number = min(len(self._waiting), TOGETHER_MAX)
            taken = [self._waiting.popleft() for _ in range(number)]
            # Without requests that were given up.
            self._batch = [one for one in taken if not one[1].done()]
            if self._batch:
                await self._write_together(self._batch)

    def _ended(self, writing: asyncio.Task[None]) -> None:
        """Let none wait for ever if the writing was cut off, even before it began."""
        if not writing.cancelled() and writing.exception() is None:
            return
        for _, done in (*self._batch, *self._waiting):
            if not done.done():
                done.set_exception(Unavailable(_CUT_OFF))
        self._waiting.clear()

    async def _write_together(self, batch: Sequence[_Waiting]) -> None:
        try:
            made = await self._transact([one for one, _ in batch])
        except Exception as error:  # noqa: BLE001 - each of them hears of it
            if len(batch) > 1 and _is_of_a_row(error):
                # To make one twice is harmless: the second is False, as if another
                # request had been quicker, and the session is read again.
                await asyncio.gather(*(self._write_together([one]) for one in batch))
                return
            for _, done in batch:
                if not done.done():
                    done.set_exception(_own(error))
            return
        for (_, done), is_made in zip(batch, made, strict=True):
            if not done.done():  # the request may have been given up
                done.set_result(is_made)

    async def _transact(self, wanted: Sequence[Rotation]) -> list[bool]:
        self.transactions += 1
        return await self._records.transact(partial(_rotate, wanted=wanted))


def _is_of_a_row(error: Exception) -> bool:
    """Whether one row may be at fault, rather than the database away."""
    return not isinstance(error, Unavailable) or is_contended(error)


def _own(error: Exception) -> Exception:
    """An error that one request raises, so that no traceback holds the others'."""
    return Unavailable(*error.args) if isinstance(error, Unavailable) else error


def _rotate(connection: Connection, wanted: Sequence[Rotation]) -> list[bool]:
    made = [False] * len(wanted)
    # In one order: on a server, rows of two processes are locked without a deadlock.
    for number in sorted(range(len(wanted)), key=lambda at: wanted[at].session_id):
        one = wanted[number]
        values = {
            "which": one.session_id,
            "present": one.generation,
            "following": one.generation + 1,
            "at": one.now,
        }
        statement = _ACTIVE if one.is_active else _IDLE
        made[number] = rows_changed(connection.execute(statement, values)) == 1
    return made


_AT: Final[BindParameter[int]] = bindparam("at")
_IDLE: Final = (
    update(SessionRecord.__table__)  # type: ignore[arg-type]
    .where(
        SessionRecord.session_id == bindparam("which"),
        SessionRecord.generation == bindparam("present"),
        SessionRecord.ended_at.is_(None),
    )
    .values(generation=bindparam("following"), rotated_at=_AT)
)
_ACTIVE: Final = _IDLE.values(active_at=_AT)
