"""Patients over the records. Implements ``care.patients.ports.Patients``.

One file because all of it seals and opens the same two rows.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast

from msgspec import json
from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import ClinicId, Millis, PatientId
from care.accounts.addresses import compared_address
from care.keys.sealing import SALT_BYTES, Place
from care.patients.ports import FoundBy, NewPatient, NumberTaken
from care.patients.profiles import (
    ClinicPatient,
    Patient,
    PatientProfile,
    name_and_birth,
)
from persistence.accounts.models import PatientRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.patients.models import PatientClinicRecord
from persistence.sql.records import Records

READ_AT_ONCE: Final = 500
"""Patients of one query; a page of a schedule has fewer."""
_INTRODUCE_TRIES: Final = 3
"""Another process may add one of many between our reading and our writing."""


class SqlPatients:
    """The patients of a site."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def find(self, patient_id: PatientId) -> Patient | None:
        """See Patients.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(PatientRecord, patient_id)
        return None if row is None else patient_of(keys, row)

    async def is_restricted(self, patient_id: PatientId) -> bool:
        """See Patients.is_restricted."""
        row = PatientRecord
        query = select(row.restricted_at).where(row.patient_id == patient_id)
        async with self._records.reading() as session:
            return await session.scalar(query) is not None

    async def salts(
        self, patient_ids: Sequence[PatientId]
    ) -> Mapping[PatientId, bytes]:
        """See Patients.salts."""
        row, found = PatientRecord, {}
        async with self._records.reading() as session:
            for part in _parts(patient_ids):
                query = select(row.patient_id, row.key_salt).where(
                    row.patient_id.in_(part), row.key_salt.is_not(None)
                )
                for patient_id, salt in await session.execute(query):
                    found[PatientId(patient_id)] = cast("bytes", salt)
        return found

    async def salt_of(self, patient_id: PatientId, *, now: Millis) -> bytes | None:
        """See Patients.salt_of."""
        async with self._records.reading() as session:
            row = await session.get(PatientRecord, patient_id)
        if row is not None and (row.key_salt is not None or row.erased_at is not None):
            return row.key_salt
        made = secrets.token_bytes(SALT_BYTES)
        if row is None:
            await self._insert_bare(patient_id, made, now)
        return await self._salt_filled(patient_id, made)

    async def destroy_salt(self, patient_id: PatientId, *, now: Millis) -> bool:
        """See Patients.destroy_salt."""
        row = PatientRecord
        async with self._records.writing() as session:
            done = await session.execute(
                update(row)
                .where(row.patient_id == patient_id, row.erased_at.is_(None))
                .values(
                    key_salt=None,
                    profile=None,
                    name_birth_i=None,
                    email_i=None,
                    phone_i=None,
                    erased_at=now,
                )
            )
        return _count(done) == 1

    async def names(self, patient_ids: Sequence[PatientId]) -> Mapping[PatientId, str]:
        """See Patients.names."""
        keys, row, found = await self._ring.of(), PatientRecord, {}
        async with self._records.reading() as session:
            for part in _parts(patient_ids):
                query = select(row).where(row.patient_id.in_(part))
                for one in await session.scalars(query):
                    name = _profile_of(keys, one).name
                    if name:
                        found[PatientId(one.patient_id)] = name
        return found

    async def add(self, new: NewPatient, *, now: Millis) -> Patient:
        """See Patients.add."""
        keys = await self._ring.of()
        row = PatientRecord(
            patient_id=new.patient_id,
            key_salt=secrets.token_bytes(SALT_BYTES),
            created_by=new.created_by,
            created_at=now,
            version=1,
        )
        for name, value in _columns_of(keys, row, new.profile).items():
            setattr(row, name, value)
        try:
            async with self._records.writing() as session:
                session.add(row)
                await session.flush()  # the clinic's row refers to it
                if new.clinic_id:
                    _add_to_clinic(session, keys, new, now)
        except IntegrityError:
            raise NumberTaken from None
        return patient_of(keys, row)

    async def introduce(
        self,
        people: Mapping[PatientId, PatientProfile],
        known: Collection[tuple[ClinicId, PatientId]],
        *,
        now: Millis,
    ) -> None:
        """See Patients.introduce."""
        keys = await self._ring.of()
        for left in reversed(range(_INTRODUCE_TRIES)):
            try:
                async with self._records.writing() as session:
                    await _add_profiles(session, keys, people, now)
                    await session.flush()  # the clinics' rows refer to them
                    await _add_known(session, list(people), known, now)
            except IntegrityError:
                if not left:
                    raise
            else:
                return

    async def save_profile(
        self, patient_id: PatientId, profile: PatientProfile, *, version: int
    ) -> Patient | None:
        """See Patients.save_profile."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            row = await session.get(PatientRecord, patient_id, with_for_update=True)
            if row is None or row.version != version or row.erased_at is not None:
                return None
            row.key_salt = row.key_salt or secrets.token_bytes(SALT_BYTES)
            for name, value in _columns_of(keys, row, profile).items():
                setattr(row, name, value)
            row.version += 1
        return patient_of(keys, row)

    async def search(
        self, clinic_id: ClinicId, by: FoundBy, text: str, *, limit: int
    ) -> Sequence[ClinicPatient]:
        """See Patients.search."""
        keys = await self._ring.of()
        at, row = PatientClinicRecord, PatientRecord
        column = {
            FoundBy.NAME_AND_BIRTH: row.name_birth_i,
            FoundBy.EMAIL: row.email_i,
            FoundBy.PHONE: row.phone_i,
            FoundBy.NUMBER: at.number_i,
        }[by]
        query = (
            select(row, at)
            .join(at, at.patient_id == row.patient_id)
            .where(
                at.clinic_id == clinic_id,
                at.until.is_(None),
                column == _index_of(keys, by, text),
            )
            .order_by(at.since, at.patient_id)
            .limit(limit)
        )
        async with self._records.reading() as session:
            found = (await session.execute(query)).all()
        return [_at_clinic(keys, patient, here) for patient, here in found]

    async def is_known(self, clinic_id: ClinicId, patient_id: PatientId) -> bool:
        """See Patients.is_known."""
        async with self._records.reading() as session:
            row = await session.get(PatientClinicRecord, (patient_id, clinic_id))
        return row is not None and row.until is None

    async def at_clinic(
        self, clinic_id: ClinicId, patient_id: PatientId
    ) -> ClinicPatient | None:
        """See Patients.at_clinic."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            here = await session.get(PatientClinicRecord, (patient_id, clinic_id))
            if here is None or here.until is not None:
                return None
            row = await session.get_one(PatientRecord, patient_id)
        return _at_clinic(keys, row, here)

    async def clinics_of(self, patient_id: PatientId) -> Sequence[ClinicId]:
        """See Patients.clinics_of."""
        at = PatientClinicRecord
        query = (
            select(at.clinic_id)
            .where(at.patient_id == patient_id, at.until.is_(None))
            .order_by(at.since, at.clinic_id)
        )
        async with self._records.reading() as session:
            return [ClinicId(one) for one in await session.scalars(query)]

    async def make_known(
        self,
        clinic_id: ClinicId,
        patient_id: PatientId,
        *,
        number: str | None = None,
        now: Millis,
    ) -> None:
        """See Patients.make_known."""
        keys = await self._ring.of()
        await self.salt_of(patient_id, now=now)  # the row that the clinic's refers to
        try:
            async with self._records.writing() as session:
                patient = await session.get(
                    PatientRecord, patient_id, with_for_update={"read": True}
                )
                if patient is None or patient.erased_at is not None:
                    return  # of an erased person no clinic learns anything more
                place = (patient_id, clinic_id)
                row = await session.get(
                    PatientClinicRecord, place, with_for_update=True
                )
                if row is None:
                    row = PatientClinicRecord(
                        patient_id=patient_id, clinic_id=clinic_id, since=now
                    )
                    session.add(row)
                row.until = None
                if number is not None:
                    _number(keys, row, number)
        except IntegrityError:
            if number or not await self.is_known(clinic_id, patient_id):
                raise NumberTaken from None

    async def _insert_bare(
        self, patient_id: PatientId, salt: bytes, now: Millis
    ) -> None:
        row = PatientRecord(
            patient_id=patient_id, key_salt=salt, created_by="", created_at=now
        )
        try:
            async with self._records.writing() as session:
                session.add(row)
        except IntegrityError:
            pass  # made by another request in between

    async def _salt_filled(self, patient_id: PatientId, made: bytes) -> bytes | None:
        """The salt that is stored, ``made`` unless another was quicker."""
        row = PatientRecord
        async with self._records.writing() as session:
            await session.execute(
                update(row)
                .where(
                    row.patient_id == patient_id,
                    row.key_salt.is_(None),
                    row.erased_at.is_(None),
                )
                .values(key_salt=made)
            )
            query = select(row.key_salt).where(row.patient_id == patient_id)
            return (await session.scalars(query)).one()


def patient_of(keys: TenantKeys, row: PatientRecord) -> Patient:
    """A row as a value, opened with the person's key."""
    return Patient(
        patient_id=PatientId(row.patient_id),
        account_id=row.account_id or "",
        profile=_profile_of(keys, row),
        version=row.version,
        created_by=row.created_by,
        created_at=Millis(row.created_at),
        restricted_at=_instant(row.restricted_at),
        erased_at=_instant(row.erased_at),
    )


def _profile_of(keys: TenantKeys, row: PatientRecord) -> PatientProfile:
    if row.profile is None or row.key_salt is None:
        return PatientProfile()
    person = keys.of_person(row.key_salt)
    text = person.open(_profile_place(row.patient_id), row.profile)
    return json.decode(text, type=PatientProfile)


def _columns_of(
    keys: TenantKeys, row: PatientRecord, profile: PatientProfile
) -> Mapping[str, bytes | str | None]:
    assert row.key_salt is not None, "a profile is sealed with the person's key"
    person = keys.of_person(row.key_salt)
    text = json.encode(profile).decode()
    birth = name_and_birth(profile.family_name, profile.birth_date)
    email = compared_address(profile.email)
    return {
        "profile": person.seal(_profile_place(row.patient_id), text),
        "name_birth_i": _index_of(keys, FoundBy.NAME_AND_BIRTH, birth),
        "email_i": _index_of(keys, FoundBy.EMAIL, email),
        "phone_i": _index_of(keys, FoundBy.PHONE, profile.phone),
    }


def _index_of(keys: TenantKeys, by: FoundBy, text: str) -> str | None:
    return keys.index(f"patient {by}", text) if text else None


def _profile_place(patient_id: str) -> Place:
    return Place("patient", "profile", patient_id)


def _number_place(row: PatientClinicRecord) -> Place:
    return Place("patient_clinic", "number", f"{row.patient_id} {row.clinic_id}")


def _number(keys: TenantKeys, row: PatientClinicRecord, number: str) -> None:
    row.number = keys.seal(_number_place(row), number) if number else None
    row.number_i = _index_of(keys, FoundBy.NUMBER, number)


async def _add_profiles(
    session: AsyncSession,
    keys: TenantKeys,
    people: Mapping[PatientId, PatientProfile],
    now: Millis,
) -> None:
    rows: dict[str, PatientRecord] = {}
    for part in _parts(list(people)):
        query = select(PatientRecord).where(PatientRecord.patient_id.in_(part))
        rows |= {one.patient_id: one for one in await session.scalars(query)}
    for patient_id, profile in people.items():
        row = rows.get(patient_id)
        if row is None:
            row = PatientRecord(
                patient_id=patient_id, created_by="", created_at=now, version=0
            )
            session.add(row)
        elif row.profile is not None or row.erased_at is not None:
            continue
        row.key_salt = row.key_salt or secrets.token_bytes(SALT_BYTES)
        for name, value in _columns_of(keys, row, profile).items():
            setattr(row, name, value)
        row.version += 1


async def _add_known(
    session: AsyncSession,
    patient_ids: Sequence[PatientId],
    known: Collection[tuple[ClinicId, PatientId]],
    now: Millis,
) -> None:
    at, there = PatientClinicRecord, set()
    for part in _parts(patient_ids):
        query = select(at.clinic_id, at.patient_id).where(at.patient_id.in_(part))
        there |= {(one, other) for one, other in await session.execute(query)}
    session.add_all(
        at(patient_id=patient_id, clinic_id=clinic_id, since=now)
        for clinic_id, patient_id in sorted(set(known) - there)
    )


def _add_to_clinic(
    session: AsyncSession, keys: TenantKeys, new: NewPatient, now: Millis
) -> None:
    row = PatientClinicRecord(
        patient_id=new.patient_id, clinic_id=new.clinic_id, since=now
    )
    _number(keys, row, new.number)
    session.add(row)


def _at_clinic(
    keys: TenantKeys, row: PatientRecord, here: PatientClinicRecord
) -> ClinicPatient:
    number = b"" if here.number is None else here.number
    return ClinicPatient(
        patient=patient_of(keys, row),
        clinic_id=ClinicId(here.clinic_id),
        number=keys.open(_number_place(here), number) if number else "",
        since=Millis(here.since),
    )


def _instant(value: int | None) -> Millis | None:
    return None if value is None else Millis(value)


def _parts(patient_ids: Sequence[PatientId]) -> list[list[PatientId]]:
    unique = list(dict.fromkeys(patient_ids))
    return [
        unique[at : at + READ_AT_ONCE] for at in range(0, len(unique), READ_AT_ONCE)
    ]


def _count(result: Any) -> int:
    return cast("CursorResult[Any]", result).rowcount
