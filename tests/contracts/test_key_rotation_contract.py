"""What a rotation of keys promises, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, insert, select, update

from care.keys.rotation import Rotated, RotationRunning
from care.keys.sealing import (
    REFRESH_MS,
    SPREAD_MS,
    KeyEncryptionKeys,
    KeyEncryptionKeyWrong,
    Place,
    SealBroken,
    number_of,
)
from persistence.accounts.models import AccountRecord, PatientRecord
from persistence.keys.models import DataKeyRecord
from persistence.keys.ring import KeyRing
from persistence.keys.turn import TURN_MS, RotationTurn
from persistence.patients.models import PatientClinicRecord
from persistence.privacy.rotating import KeyRotation, _Column
from persistence.privacy.sealed_columns import NOT_SEALED, SEALED
from persistence.sql.base import RecordBase
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.read_model import empty_records

OLD = KeyEncryptionKeys((("one", b"1" * 32),))
BOTH = KeyEncryptionKeys((("two", b"2" * 32), ("one", b"1" * 32)))
NEW = KeyEncryptionKeys((("two", b"2" * 32),))
PEOPLE = 25


class Broken(Exception):
    """Stands for a kill between two steps."""


class Site:
    """People with sealed columns of every kind."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.clock = SteppedClock(make.NOW)

    def rotation(self, keys: KeyEncryptionKeys = BOTH, **more: Any) -> KeyRotation:
        async def wait(seconds: float) -> None:
            self.clock.step(seconds + 1)

        return KeyRotation(self.records, keys, self.clock, **{"wait": wait, **more})

    async def fill(self) -> None:
        keys = await KeyRing(self.records, OLD, self.clock).of()
        async with self.records.writing() as session:
            for n in range(PEOPLE):
                account, patient = f"acc_{n}", f"pat_{n}"
                salt = bytes([n + 1]) * 16
                row: dict[str, Any] = {
                    "account_id": account,
                    "status": "active",
                    "email": keys.seal(_place("account", "email", account), _email(n)),
                    "email_i": f"i{n}",
                    "language": "en",
                    "created_at": 1,
                }
                await session.execute(insert(AccountRecord).values(**row))
                row = {
                    "patient_id": patient,
                    "key_salt": salt if n else None,
                    "profile": keys.of_person(salt).seal(
                        _place("patient", "profile", patient), f"profile {n}"
                    ),
                    "created_by": "x",
                    "created_at": 1,
                }
                await session.execute(insert(PatientRecord).values(**row))
                there = f"{patient} cln_1"
                row = {
                    "patient_id": patient,
                    "clinic_id": "cln_1",
                    "number": keys.seal(
                        _place("patient_clinic", "number", there), f"no {n}"
                    ),
                    "since": 1,
                }
                await session.execute(insert(PatientClinicRecord).values(**row))

    async def must_be_readable(self, wrapping: KeyEncryptionKeys) -> set[int]:
        """Every row opens for a process that starts now; the keys' numbers in use."""
        keys = await KeyRing(self.records, wrapping, self.clock).of()
        numbers = set()
        async with self.records.reading() as session:
            for one in await session.scalars(select(AccountRecord)):
                place = _place("account", "email", one.account_id)
                assert keys.open(place, one.email) == _email(int(one.account_id[4:]))
                numbers.add(number_of(one.email))
            for row in await session.scalars(select(PatientRecord)):
                if row.key_salt is None:
                    continue
                assert row.profile is not None
                opened = keys.of_person(row.key_salt).open(
                    _place("patient", "profile", row.patient_id), row.profile
                )
                assert opened == f"profile {row.patient_id[4:]}"
                numbers.add(number_of(row.profile))
            for link in await session.scalars(select(PatientClinicRecord)):
                place = _place("patient_clinic", "number", f"{link.patient_id} cln_1")
                assert link.number is not None
                assert keys.open(place, link.number) == f"no {link.patient_id[4:]}"
                numbers.add(number_of(link.number))
        return numbers

    async def must_not_be_swapped(self) -> None:
        """Attack 56: a value in another row, column or table does not open."""
        keys = await KeyRing(self.records, BOTH, self.clock).of()
        async with self.records.reading() as session:
            row = (await session.scalars(select(AccountRecord).limit(1))).one()
        for place in (
            _place("account", "email", "acc_other"),
            _place("account", "phone", row.account_id),
            _place("patient", "email", row.account_id),
        ):
            with pytest.raises(SealBroken):
                keys.open(place, row.email)


def _place(table: str, column: str, row: str) -> Place:
    return Place(table, column, row)


def _email(number: int) -> str:
    return f"person{number}@example.org"


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """Some people."""
    opened = Records(empty_records(request.param, request, tmp_path))
    made = Site(opened)
    await made.fill()
    yield made
    await opened.close()


def _silent(_table: str, _done: int, _total: int) -> None:
    pass


async def test_wrapping_again_needs_the_old_key_no_more(site: Site) -> None:
    """After it the new key alone opens every row, and no value has changed."""
    assert await site.rotation().rewrap() == 2
    assert await site.rotation().rewrap() == 0
    assert await site.must_be_readable(NEW) == {1}
    with pytest.raises(KeyEncryptionKeyWrong):
        await KeyRing(site.records, OLD, site.clock).check()


async def test_sealing_again_tells_of_its_progress(site: Site) -> None:
    """Per table, up to all of its rows; afterwards the old data key seals nothing."""
    told: list[tuple[str, int, int]] = []
    done = await site.rotation().reseal(lambda *one: told.append(one))
    assert (done.number, done.resealed) == (2, 3 * PEOPLE - 1)
    assert ("account", PEOPLE, PEOPLE) in told
    assert ("patient_clinic", PEOPLE, PEOPLE) in told
    assert await site.must_be_readable(BOTH) == {2}
    await site.must_not_be_swapped()
    async with site.records.reading() as session:
        rows = await session.scalars(select(DataKeyRecord.retired_at))
        assert sorted(one is None for one in rows) == [False, True, True]
    again = await site.rotation().reseal(_silent)
    assert again.number == 3


async def test_broken_off_anywhere_it_goes_on_and_all_is_readable(site: Site) -> None:
    """Attack 58: after any step every row opens, and the next run finishes the key."""
    broken = 0
    for stop in range(1, 30):
        seen = 0

        def told(_table: str, _done: int, _total: int, stop: int = stop) -> None:
            nonlocal seen
            seen += 1
            if seen >= stop:
                raise Broken

        try:
            done = await site.rotation().reseal(told)
        except Broken:
            broken += 1
            assert await site.must_be_readable(BOTH) <= {1, 2}
        else:
            assert done.number == 2
            break
    assert broken > len(SEALED)
    assert await site.must_be_readable(BOTH) == {2}


async def test_a_new_data_key_seals_only_once_every_process_knows_it(
    site: Site,
) -> None:
    """A process that read the keys a moment ago opens all that others seal."""

    async def no_wait(_seconds: float) -> None:
        raise Broken

    running = KeyRing(site.records, OLD, site.clock)
    await running.of()
    with pytest.raises(Broken):
        await site.rotation(OLD, wait=no_wait).reseal(_silent)
    other = await KeyRing(site.records, OLD, site.clock).of()
    place = _place("account", "email", "acc_x")
    assert number_of(other.seal(place, "a")) == 1
    site.clock.step(REFRESH_MS / 1000)
    keys = await running.of()
    site.clock.step((SPREAD_MS - REFRESH_MS) / 1000)
    sealed = (await KeyRing(site.records, OLD, site.clock).of()).seal(place, "b")
    assert number_of(sealed) == 2
    assert keys.open(place, sealed) == "b"


async def test_a_value_that_changed_meanwhile_stays(site: Site) -> None:
    """The newer value wins: only what was opened is exchanged."""
    keys = await KeyRing(site.records, BOTH, site.clock).of()
    place = _place("account", "email", "acc_3")
    newer = keys.seal(place, "new@example.org")
    account = next(one for one in SEALED if one.table == "account")
    column = _Column(site.records, account, keys, 2)
    (row,) = [one for one in await column._page(None) if one[0] == "acc_3"]
    async with site.records.writing() as session:
        changed = update(AccountRecord).where(AccountRecord.account_id == "acc_3")
        await session.execute(changed.values(email=newer))
    assert await column._exchange(row) == 0
    async with site.records.reading() as session:
        stored = await session.get(AccountRecord, "acc_3")
    assert stored is not None
    assert keys.open(place, stored.email) == "new@example.org"


async def test_of_two_rotations_at_once_the_second_is_refused(site: Site) -> None:
    """Before it makes a key. One that ended, or was killed long ago, blocks none."""
    seen: list[str] = []

    async def meanwhile(seconds: float) -> None:
        for second in (site.rotation().rewrap(), site.rotation().reseal(_silent)):
            with pytest.raises(RotationRunning):
                await second
            seen.append("refused")
        site.clock.step(seconds + 1)

    done = await site.rotation(wait=meanwhile).reseal(_silent)
    assert (seen, done.number) == (["refused"] * 2, 2)
    tries = await asyncio.gather(
        *(site.rotation().reseal(_silent) for _ in range(4)), return_exceptions=True
    )
    assert {type(one) for one in tries} <= {Rotated, RotationRunning}
    numbers = [one.number for one in tries if isinstance(one, Rotated)]
    assert numbers == list(range(3, 3 + len(numbers)))
    turn = RotationTurn(site.records, site.clock)
    await turn.take()
    with pytest.raises(RotationRunning):
        await site.rotation().rewrap()
    site.clock.step(TURN_MS / 1000)
    await site.rotation().rewrap()
    with pytest.raises(RotationRunning):  # it lives, after all: it must stop
        async with RotationTurn(site.records, site.clock).held():
            await turn.renew()


def test_every_column_of_bytes_is_named() -> None:
    """A new sealed column must be listed, or a rotation would leave it behind."""
    listed = {(one.table, one.column) for one in SEALED} | NOT_SEALED
    found = {
        (table.name, column.name)
        for table in RecordBase.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert found == listed
    for one in SEALED:
        keys = RecordBase.metadata.tables[one.table].primary_key
        assert one.rows == tuple(column.name for column in keys)
