"""Documents over the records. Implements ``care.patients.documents.ports``.

A document changes its state by one conditional statement, or under the lock of its
row, so that of two processes one has the effect.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from collections.abc import Collection, Sequence
from typing import Any, Final, cast

from msgspec import Struct, json
from msgspec.structs import replace
from sqlalchemy import ColumnElement, CursorResult, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import BookingId, ClinicId, Millis, PatientId, ProviderId
from actors.ports import Clock
from care.keys.sealing import SALT_BYTES, Place
from care.patients.documents.keeping import document_of
from care.patients.documents.values import (
    JUDGE,
    OF_BOOKING_MAX,
    Document,
    DocumentQuotas,
    DocumentState,
    FileFault,
    FileKind,
    KeptDocument,
    PatientGone,
    QuotaReached,
)
from persistence.accounts.models import PatientRecord
from persistence.jobs.models import JobRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.patients.documents.models import DocumentRecord
from persistence.sql.records import Records
from persistence.sql.statements import portions

_RECEIVING: Final = DocumentState.RECEIVING.value
_QUARANTINED: Final = DocumentState.QUARANTINED.value
_TOKENS: Final = json.Decoder(tuple[str, ...])


class _Content(Struct, frozen=True):
    """What is sealed of a document."""

    name: str
    key: str


_CONTENT: Final = json.Decoder(_Content)


class SqlDocuments:
    """The documents of a site. ``clock`` says when a document last changed."""

    def __init__(self, records: Records, ring: KeyRing, clock: Clock) -> None:
        self._records = records
        self._ring = ring
        self._clock = clock

    async def add(self, document: Document, key: bytes, quotas: DocumentQuotas) -> None:
        """See DocumentRows.add."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            # Over all its documents: too many to be counted under a lock.
            await _check_clinic(session, document, quotas)
        async with self._records.writing() as session:
            patient = await session.get(
                PatientRecord, document.patient_id, with_for_update=True
            )
            if patient is None or patient.erased_at is not None:
                raise PatientGone
            await _check_room(session, document, quotas)
            salt = patient.key_salt or secrets.token_bytes(SALT_BYTES)
            patient.key_salt, person = salt, keys.of_person(salt)
            session.add(_row(person, document, key))

    async def find(self, document_id: str) -> KeptDocument | None:
        """See DocumentRows.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(DocumentRecord, document_id)
            if row is None:
                return None
            patient = await session.get(PatientRecord, row.patient_id)
        if patient is None or patient.key_salt is None:
            return None
        return _kept(keys.of_person(patient.key_salt), row)

    async def of_booking(self, booking_id: BookingId) -> Sequence[Document]:
        """See DocumentRows.of_booking."""
        row, patient = DocumentRecord, PatientRecord
        keys = await self._ring.of()
        query = (
            select(row, patient.key_salt)
            .join(patient, patient.patient_id == row.patient_id)
            .where(row.booking_id == booking_id)
            .order_by(row.made_at, row.document_id)
            .limit(OF_BOOKING_MAX)
        )
        async with self._records.reading() as session:
            found = (await session.execute(query)).all()
        return [
            _kept(keys.of_person(salt), one).document
            for one, salt in found
            if salt is not None
        ]

    async def extend(
        self, kept: KeptDocument, token: str, size: int, *, now: Millis
    ) -> KeptDocument | None:
        """See DocumentRows.extend."""
        row, before = DocumentRecord, kept.document
        received = before.received + size
        is_whole = received >= before.size
        state = _QUARANTINED if is_whole else _RECEIVING
        parts = (*kept.parts, token)
        change = (
            update(row)
            .where(
                row.document_id == before.document_id,
                row.state == _RECEIVING,
                row.received == before.received,
            )
            .values(
                received=received,
                state=state,
                parts=json.encode(parts).decode(),
                changed_at=now,
            )
        )
        async with self._records.writing() as session:
            if not _count(await session.execute(change)):
                return None
            if is_whole:
                session.add(_judging(before.document_id, now))
        after = replace(before, received=received, state=DocumentState(state))
        return replace(kept, document=after, parts=parts)

    async def release(
        self, document_id: str, blob: str, kind: FileKind, size: int, name: str
    ) -> bool:
        """See DocumentRows.release."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            row = await session.get(DocumentRecord, document_id, with_for_update=True)
            if row is None or row.state != _QUARANTINED:
                return False
            patient = await session.get(PatientRecord, row.patient_id)
            if patient is None or patient.key_salt is None:
                return False
            person = keys.of_person(patient.key_salt)
            key = _kept(person, row).key
            row.content = _content(person, document_id, name, key)
            row.state = DocumentState.AVAILABLE.value
            row.blob, row.kind, row.parts = blob, kind.value, "[]"
            row.size = row.received = size
            row.changed_at = self._clock.now()
        return True

    async def refuse(self, document_id: str, fault: FileFault) -> bool:
        """See DocumentRows.refuse."""
        row = DocumentRecord
        change = (
            update(row)
            .where(row.document_id == document_id, row.state == _QUARANTINED)
            .values(
                state=DocumentState.REFUSED.value,
                fault=fault.value,
                parts="[]",
                changed_at=self._clock.now(),
            )
        )
        async with self._records.writing() as session:
            return _count(await session.execute(change)) == 1

    async def remove(self, document_id: str) -> bool:
        """See DocumentRows.remove."""
        row = DocumentRecord
        gone = delete(row).where(row.document_id == document_id)
        async with self._records.writing() as session:
            return _count(await session.execute(gone)) == 1

    async def used(self, names: Collection[str]) -> Collection[str]:
        """See DocumentRows.used."""
        row = DocumentRecord
        of = {name: document_of(name) for name in names}
        known: dict[str, set[str]] = {}
        async with self._records.reading() as session:
            for some in portions(sorted({one for one, _ in of.values()})):
                query = select(row.document_id, row.blob, row.parts).where(
                    row.document_id.in_(some)
                )
                for one, blob, parts in (await session.execute(query)).all():
                    known[one] = {blob, *_TOKENS.decode(parts)}
        return [
            name for name, (one, token) in of.items() if token in known.get(one, ())
        ]

    async def abandon(self, before: Millis) -> int:
        """See DocumentRows.abandon."""
        row = DocumentRecord
        idle = (row.state == _RECEIVING, row.changed_at < before)
        async with self._records.writing() as session:
            return _count(await session.execute(delete(row).where(*idle)))

    async def waiting(self, before: Millis, limit: int) -> Sequence[str]:
        """See DocumentRows.waiting."""
        row = DocumentRecord
        query = (
            select(row.document_id)
            .where(row.state == _QUARANTINED, row.changed_at < before)
            .order_by(row.changed_at)
            .limit(limit)
        )
        async with self._records.reading() as session:
            return (await session.scalars(query)).all()


async def _check_room(
    session: AsyncSession, document: Document, quotas: DocumentQuotas
) -> None:
    """Raises QuotaReached: the visit or the patient has no room for it.

    The patient's row is locked, so that two uploads of one person see one another.
    """
    row = DocumentRecord
    of_visit = select(func.count()).where(row.booking_id == document.booking_id)
    if int(await session.scalar(of_visit) or 0) >= OF_BOOKING_MAX:
        raise QuotaReached(of_clinic=False, of_visit=True)
    held = await _held(session, row.patient_id == document.patient_id)
    if held + document.size > quotas.person_bytes:
        raise QuotaReached(of_clinic=False)


async def _check_clinic(
    session: AsyncSession, document: Document, quotas: DocumentQuotas
) -> None:
    """Raises QuotaReached: the clinic has no room; of two both may get the last."""
    held = await _held(session, DocumentRecord.clinic_id == document.clinic_id)
    if held + document.size > quotas.clinic_bytes:
        raise QuotaReached(of_clinic=True)


async def _held(session: AsyncSession, which: ColumnElement[bool]) -> int:
    """The bytes of these documents; those that were refused have none."""
    row = DocumentRecord
    counted = row.state != DocumentState.REFUSED.value
    query = select(func.sum(row.size)).where(which, counted)
    return int(await session.scalar(query) or 0)


def content_place(document_id: str) -> Place:
    """The place of a document's sealed name and key."""
    return Place("document", "content", document_id)


def name_of(person: TenantKeys, row: DocumentRecord) -> str:
    """The name of a document's file."""
    return _opened(person, row).name


def _opened(person: TenantKeys, row: DocumentRecord) -> _Content:
    return _CONTENT.decode(person.open(content_place(row.document_id), row.content))


def _content(person: TenantKeys, document_id: str, name: str, key: bytes) -> bytes:
    content = _Content(name, b64encode(key).decode())
    return person.seal(content_place(document_id), json.encode(content).decode())


def _row(person: TenantKeys, document: Document, key: bytes) -> DocumentRecord:
    return DocumentRecord(
        document_id=document.document_id,
        patient_id=document.patient_id,
        booking_id=document.booking_id,
        provider_id=document.provider_id,
        clinic_id=document.clinic_id,
        author=document.author,
        by_staff=document.by_staff,
        content=_content(person, document.document_id, document.name, key),
        size=document.size,
        received=0,
        state=_RECEIVING,
        kind="",
        fault="",
        parts="[]",
        blob="",
        made_at=document.made_at,
        changed_at=document.made_at,
    )


def _kept(person: TenantKeys, row: DocumentRecord) -> KeptDocument:
    content = _opened(person, row)
    document = Document(
        document_id=row.document_id,
        patient_id=PatientId(row.patient_id),
        booking_id=BookingId(row.booking_id),
        provider_id=ProviderId(row.provider_id),
        clinic_id=ClinicId(row.clinic_id),
        author=row.author,
        by_staff=row.by_staff,
        name=content.name,
        size=row.size,
        made_at=Millis(row.made_at),
        state=DocumentState(row.state),
        received=row.received,
        kind=row.kind,
        fault=row.fault,
    )
    key = b64decode(content.key)
    return KeptDocument(document, key, _TOKENS.decode(row.parts), row.blob)


def _judging(document_id: str, now: Millis) -> JobRecord:
    return JobRecord(
        kind=JUDGE, key=document_id, payload={}, created_at=now, due_at=now
    )


def _count(result: Any) -> int:
    return cast("CursorResult[Any]", result).rowcount
