"""Medical notes over the records. Implements ``care.patients.notes.MedicalNotes``."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError

from actors.domain.ids import ClinicId, Millis, PatientId
from care.keys.sealing import SALT_BYTES, Place
from care.patients.notes import MedicalNote, NoteKind, NoteReplaced
from persistence.accounts.models import PatientRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.patients.models import MedicalNoteRecord
from persistence.sql.records import Records


class SqlMedicalNotes:
    """The medical notes of a site."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def of_patient(
        self, patient_id: PatientId, *, after: tuple[int, str], limit: int
    ) -> Sequence[MedicalNote]:
        """See MedicalNotes.of_patient."""
        keys, row, (at, note_id) = await self._ring.of(), MedicalNoteRecord, after
        query = (
            select(row)
            .where(
                row.patient_id == patient_id,
                or_(row.at < at, and_(row.at == at, row.note_id > note_id)),
            )
            .order_by(row.at.desc(), row.note_id)
            .limit(limit)
        )
        async with self._records.reading() as session:
            patient = await session.get(PatientRecord, patient_id)
            found = (await session.scalars(query)).all()
            ids = [one.note_id for one in found]
            later = await session.execute(
                select(row.replaces, row.note_id).where(row.replaces.in_(ids))
            )
            replaced = {row[0]: row[1] for row in later}
        if patient is None or patient.key_salt is None:
            return []
        person = keys.of_person(patient.key_salt)
        return [_note(person, one, replaced.get(one.note_id, "")) for one in found]

    async def add(self, note: MedicalNote) -> None:
        """See MedicalNotes.add."""
        keys = await self._ring.of()
        try:
            async with self._records.writing() as session:
                patient = await session.get(
                    PatientRecord, note.patient_id, with_for_update=True
                )
                if patient is None or patient.erased_at is not None:
                    raise NoteReplaced
                if note.replaces:
                    old = await session.get(MedicalNoteRecord, note.replaces)
                    if old is None or old.patient_id != note.patient_id:
                        raise NoteReplaced
                patient.key_salt = patient.key_salt or secrets.token_bytes(SALT_BYTES)
                person = keys.of_person(patient.key_salt)
                session.add(_row(person, note))
        except IntegrityError:
            raise NoteReplaced from None


def _place(note_id: str) -> Place:
    return Place("medical_note", "body", note_id)


def _row(person: TenantKeys, note: MedicalNote) -> MedicalNoteRecord:
    return MedicalNoteRecord(
        note_id=note.note_id,
        patient_id=note.patient_id,
        clinic_id=note.clinic_id,
        author=note.author,
        kind=note.kind.value,
        body=person.seal(_place(note.note_id), note.text),
        at=note.at,
        replaces=note.replaces or None,
    )


def _note(person: TenantKeys, row: MedicalNoteRecord, replaced_by: str) -> MedicalNote:
    return MedicalNote(
        note_id=row.note_id,
        patient_id=PatientId(row.patient_id),
        clinic_id=ClinicId(row.clinic_id),
        author=row.author,
        kind=NoteKind(row.kind),
        text=person.open(_place(row.note_id), row.body),
        at=Millis(row.at),
        replaces=row.replaces or "",
        replaced_by=replaced_by,
    )
