"""Rotation: data keys are wrapped again, and all values sealed again with new ones.

Each step leaves every value readable: a new data key seals only once every process
has read it, a value is exchanged only if it is still the one that was opened, and older
keys stay, since the journal holds what they sealed. Interrupted, it continues where it
was: which key a value is sealed with stands in the value.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Row,
    Table,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)

from actors.domain.ids import Millis
from actors.ports import Clock
from care.keys.rotation import Rotated, Told
from care.keys.sealing import (
    KEY_BYTES,
    SPREAD_MS,
    KeyEncryptionKeys,
    Place,
    Purpose,
    number_of,
)
from persistence.accounts.models import PatientRecord
from persistence.keys.models import DataKeyRecord
from persistence.keys.ring import SITE, KeyRing, TenantKeys
from persistence.keys.turn import RotationTurn
from persistence.privacy.sealed_columns import SEALED, SealedColumn
from persistence.sql.base import RecordBase
from persistence.sql.records import Records

ROWS: Final = 200
"""Rows in one transaction."""

Wait = Callable[[float], Awaitable[None]]
Renew = Callable[[], Awaitable[None]]


class KeyRotation:
    """Rotates the keys of one site; one run at a time, beside everything."""

    def __init__(
        self,
        records: Records,
        wrapping: KeyEncryptionKeys,
        clock: Clock,
        *,
        columns: Sequence[SealedColumn] = SEALED,
        wait: Wait = asyncio.sleep,
    ) -> None:
        self._records = records
        self._wrapping = wrapping
        self._clock = clock
        self._columns = columns
        self._wait = wait
        self._turn = RotationTurn(records, clock)

    async def rewrap(self) -> int:
        """Wrap all data keys with the first key encryption key; how many were not.

        Raises:
            KeyEncryptionKeyWrong: one cannot be unwrapped; those before it are done.
            RotationRunning: another rotation is under way; nothing was done.
        """
        async with self._turn.held():
            return await self._rewrap()

    async def _rewrap(self) -> int:
        row, current, done = DataKeyRecord, self._wrapping.current_id, 0
        async with self._records.reading() as session:
            query = select(row).where(row.kek_id != current)
            rows = (await session.scalars(query)).all()
        for one in rows:
            secret = self._wrapping.unwrap(one.wrapped, one.kek_id)
            async with self._records.writing() as session:
                await session.execute(
                    update(row)
                    .where(
                        row.tenant == one.tenant,
                        row.purpose == one.purpose,
                        row.number == one.number,
                        row.kek_id == one.kek_id,
                    )
                    .values(wrapped=self._wrapping.wrap(secret), kek_id=current)
                )
            done += 1
        return done

    async def reseal(self, told: Told) -> Rotated:
        """Seal every value again with a new data key; may be interrupted.

        Raises:
            RotationRunning: another rotation is under way; nothing was done.
        """
        async with self._turn.held():
            return await self._reseal(told)

    async def _reseal(self, told: Told) -> Rotated:
        number, made_at = await self._new_key()
        left_ms = made_at + SPREAD_MS - self._clock.now()
        if left_ms > 0:
            await self._wait(left_ms / 1000)
        keys = await KeyRing(self._records, self._wrapping, self._clock).of(SITE)
        assert keys.current_number == number, "the clock went back"
        done = 0
        for column in self._columns:
            one = _Column(self._records, column, keys, number)
            done += await one.reseal(told, self._turn.renew)
        await self._retire(number)
        return Rotated(0, done, number)

    async def _new_key(self) -> tuple[int, Millis]:
        """The data key to seal with: one whose rotation is not finished, or a new one.

        Its number and when it was made.
        """
        row = DataKeyRecord
        mine = (row.tenant == SITE, row.purpose == Purpose.SEAL.value)
        now = self._clock.now()
        async with self._records.writing() as session:
            rows = (
                await session.scalars(select(row).where(*mine).order_by(row.number))
            ).all()
            in_force = [one for one in rows if one.retired_at is None]
            if len(in_force) > 1:
                return in_force[-1].number, Millis(in_force[-1].created_at)
            number = 1 + max((one.number for one in rows), default=0)
            made = self._wrapping.wrap(secrets.token_bytes(KEY_BYTES))
            await session.execute(
                insert(row).values(
                    tenant=SITE,
                    purpose=Purpose.SEAL.value,
                    number=number,
                    wrapped=made,
                    kek_id=self._wrapping.current_id,
                    # The first of a site is needed at once, and nothing reads it yet.
                    created_at=now if rows else now - SPREAD_MS,
                )
            )
        return number, Millis(now if rows else now - SPREAD_MS)

    async def _retire(self, number: int) -> None:
        row = DataKeyRecord
        async with self._records.writing() as session:
            await session.execute(
                update(row)
                .where(
                    row.tenant == SITE,
                    row.purpose == Purpose.SEAL.value,
                    row.number < number,
                    row.retired_at.is_(None),
                )
                .values(retired_at=self._clock.now())
            )


class _Column:
    """The values of one column, in the order of their rows' keys."""

    def __init__(
        self, records: Records, column: SealedColumn, keys: TenantKeys, number: int
    ) -> None:
        self._records = records
        self._column = column
        self._keys = keys
        self._number = number
        self._table: Table = RecordBase.metadata.tables[column.table]
        self._value = self._table.c[column.column]
        self._rows = [self._table.c[name] for name in column.rows]

    async def reseal(self, told: Told, renew: Renew) -> int:
        count = select(func.count()).where(self._value.is_not(None))
        async with self._records.reading() as session:
            total = int(await session.scalar(count.select_from(self._table)) or 0)
        after: tuple[Any, ...] | None = None
        seen = done = 0
        told(self._column.table, 0, total)
        while rows := await self._page(after):
            await renew()
            for row in rows:
                done += await self._exchange(row)
            seen += len(rows)
            after = tuple(rows[-1][: len(self._rows)])
            told(self._column.table, seen, max(seen, total))
        return done

    async def _page(self, after: tuple[Any, ...] | None) -> Sequence[Row[Any]]:
        salt = PatientRecord.key_salt
        wanted = [*self._rows, self._value]
        query = select(*wanted).where(self._value.is_not(None))
        if self._column.by_person:
            query = select(*wanted, salt).where(self._value.is_not(None))
            if self._column.table != PatientRecord.__tablename__:
                person = self._table.c["patient_id"] == PatientRecord.patient_id
                query = query.join_from(self._table, PatientRecord, person)
        if after is not None:
            query = query.where(_beyond(self._rows, after))
        query = query.order_by(*self._rows).limit(ROWS)
        async with self._records.reading() as session:
            return (await session.execute(query)).all()

    async def _exchange(self, row: Row[Any]) -> int:
        """Seal one value again, unless it is or was meanwhile; how many were."""
        names, old = row[: len(self._rows)], row[len(self._rows)]
        if number_of(old) == self._number:
            return 0
        keys = self._keys
        if self._column.by_person:
            salt = row[-1]
            if salt is None:  # erased: nothing opens it
                return 0
            keys = keys.of_person(salt)
        place = Place(self._column.table, self._column.column, " ".join(names))
        new = keys.seal(place, keys.open(place, old))
        same = [one == name for one, name in zip(self._rows, names, strict=True)]
        async with self._records.writing() as session:
            changed = await session.execute(
                update(self._table)
                .where(*same, self._value == old)
                .values({self._column.column: new})
            )
        return cast("CursorResult[Any]", changed).rowcount


def _beyond(
    columns: Sequence[ColumnElement[Any]], after: tuple[Any, ...]
) -> ColumnElement[bool]:
    """Rows after this one, in the order of these columns."""
    choices = []
    for place, column in enumerate(columns):
        same = [columns[n] == after[n] for n in range(place)]
        choices.append(and_(*same, column > after[place]))
    return or_(*choices)
