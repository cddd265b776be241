"""Reviews over the records. Implements ``care.directory.reviews.ports.Reviews``.

Texts are sealed with the key of the patient who wrote the review, the clinic's answer
too: with the key destroyed none of them opens.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import Select, Table, and_, func, or_, select
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import BookingId, Millis, Minute, PatientId, ProviderId
from care.directory.reviews.ports import After, NoReviewer, ReviewExists
from care.directory.reviews.reviews import Review, ReviewState
from care.keys.sealing import SALT_BYTES, Place
from persistence.accounts.models import PatientRecord
from persistence.directory.entries import note
from persistence.directory.models import ProviderRatingRecord
from persistence.directory.reviews.models import ReviewRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.sql.change_log import ChangeKind
from persistence.sql.records import Records

PUBLISHED: Final = ReviewState.PUBLISHED.value
_NONE: Final = {"total": 0, "count": 0}


class SqlReviews:
    """The reviews of a site."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def add(self, review: Review) -> None:
        """See Reviews.add."""
        keys = await self._ring.of()
        try:
            async with self._records.writing() as session:
                patient = await session.get(
                    PatientRecord, review.patient_id, with_for_update=True
                )
                if patient is None or patient.erased_at is not None:
                    raise NoReviewer
                patient.key_salt = patient.key_salt or secrets.token_bytes(SALT_BYTES)
                person = keys.of_person(patient.key_salt)
                session.add(_row(person, review))
        except IntegrityError:
            raise ReviewExists from None

    async def of_booking(self, booking_id: BookingId) -> Review | None:
        """See Reviews.of_booking."""
        found = await self._read(
            select(ReviewRecord).where(ReviewRecord.booking_id == booking_id)
        )
        return found[0] if found else None

    async def find(self, review_id: str) -> Review | None:
        """See Reviews.find."""
        found = await self._read(
            select(ReviewRecord).where(ReviewRecord.review_id == review_id)
        )
        return found[0] if found else None

    async def withdraw(self, booking_id: BookingId, patient_id: PatientId) -> bool:
        """See Reviews.withdraw."""
        row = ReviewRecord
        mine = (row.booking_id == booking_id, row.patient_id == patient_id)
        async with self._records.writing() as session:
            whose = await session.scalar(select(row.provider_id).where(*mine))
            if whose is None:
                return False
            await lock_ratings(session, [whose])
            query = select(row).where(*mine).with_for_update()
            found = (await session.scalars(query)).one_or_none()
            if found is not None:
                await session.delete(found)
            await rate(session, [whose])
            return found is not None

    async def published(
        self, provider_id: ProviderId, *, after: After | None, limit: int
    ) -> Sequence[Review]:
        """See Reviews.published."""
        row = ReviewRecord
        query = select(ReviewRecord).where(
            row.provider_id == provider_id, row.state == PUBLISHED
        )
        if after is not None:
            at, review_id = after
            query = query.where(
                or_(row.at < at, and_(row.at == at, row.review_id > review_id))
            )
        return await self._read(
            query.order_by(row.at.desc(), row.review_id).limit(limit)
        )

    async def ratings(self, provider_id: ProviderId) -> Mapping[int, int]:
        """See Reviews.ratings."""
        row = ReviewRecord
        query = (
            select(row.rating, func.count())
            .where(row.provider_id == provider_id, row.state == PUBLISHED)
            .group_by(row.rating)
        )
        async with self._records.reading() as session:
            return {int(one): int(n) for one, n in await session.execute(query)}

    async def in_state(
        self, state: ReviewState, *, after: After | None, limit: int
    ) -> Sequence[Review]:
        """See Reviews.in_state."""
        row = ReviewRecord
        query = select(row).where(row.state == state.value)
        if after is not None:
            at, review_id = after
            query = query.where(
                or_(row.at > at, and_(row.at == at, row.review_id > review_id))
            )
        return await self._read(query.order_by(row.at, row.review_id).limit(limit))

    async def decide(
        self, review_id: str, state: ReviewState, *, why: str, now: Millis
    ) -> Review | None:
        """See Reviews.decide."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            named = ReviewRecord.review_id == review_id
            whose = await session.scalar(select(ReviewRecord.provider_id).where(named))
            if whose is None:
                return None
            await lock_ratings(session, [whose])
            found = await _locked(session, review_id)
            if found is None:
                await rate(session, [whose])
                return None
            row, person = found[0], keys.of_person(found[1])
            row.why = person.seal(_place(review_id, "why"), why) if why else None
            if row.state != state.value:
                row.state, row.changed_at = state.value, now
                await session.flush()
            await rate(session, [whose])
            return review_of(person, row)

    async def reply(self, review_id: str, text: str, *, now: Millis) -> Review | None:
        """See Reviews.reply."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            found = await _locked(session, review_id)
            if found is None or found[0].state != PUBLISHED:
                return None
            row, person = found[0], keys.of_person(found[1])
            row.reply = person.seal(_place(review_id, "reply"), text) if text else None
            row.replied_at = now if text else None
            return review_of(person, row)

    async def _read(self, query: Select[Any]) -> list[Review]:
        """Reviews; a salt is gone with all that it sealed."""
        keys, patient = await self._ring.of(), PatientRecord
        salted = query.add_columns(patient.key_salt).join(
            patient, patient.patient_id == ReviewRecord.patient_id
        )
        async with self._records.reading() as session:
            rows = await session.execute(salted.where(patient.key_salt.is_not(None)))
            found = rows.all()
        return [review_of(keys.of_person(salt), row) for row, salt in found]


async def _locked(
    session: AsyncSession, review_id: str
) -> tuple[ReviewRecord, bytes] | None:
    row = await session.get(ReviewRecord, review_id, with_for_update=True)
    if row is None:
        return None
    # Not locked: erasing locks the person first, and the reviews after that.
    patient = await session.get(PatientRecord, row.patient_id)
    if patient is None or patient.key_salt is None:
        return None
    return row, patient.key_salt


async def reviewed_by(session: AsyncSession, patient_id: str) -> Sequence[str]:
    """The providers of whom a patient's reviews are, whatever their state.

    One that waits may be published before it is deleted.
    """
    row = ReviewRecord
    query = select(row.provider_id).where(row.patient_id == patient_id)
    return (await session.scalars(query.distinct())).all()


async def lock_ratings(session: AsyncSession, provider_ids: Iterable[str]) -> None:
    """Lock the sums of these providers, before any of their reviews.

    Of two changes the second waits here, and counts both; in another order each could
    wait for a row that the other has.
    """
    connection = await session.connection()
    table = cast(Table, ProviderRatingRecord.__table__)
    for provider_id in sorted(set(provider_ids)):
        row = {"provider_id": provider_id, **_NONE}
        # INSERT IGNORE would share the lock of a row that is there, and two that share
        # it could not go on.
        lock: Any = (
            sqlite_insert(table).values(row).on_conflict_do_nothing()
            if connection.dialect.name == "sqlite"
            else mysql_insert(table)
            .values(row)
            .on_duplicate_key_update(total=table.c.total)
        )
        await connection.execute(lock)


async def rate(session: AsyncSession, provider_ids: Iterable[str]) -> None:
    """Count the published reviews of these providers again; ``lock_ratings`` first."""
    row, rating = ReviewRecord, ProviderRatingRecord
    for provider_id in sorted(set(provider_ids)):
        kept = await session.get(rating, provider_id, with_for_update=True)
        assert kept is not None, "its row is locked"
        # A locking read: it sees what others have committed since this began.
        given = await session.scalars(
            select(row.rating)
            .where(row.provider_id == provider_id, row.state == PUBLISHED)
            .with_for_update()
        )
        ratings = given.all()
        if ratings:
            kept.total, kept.count = sum(ratings), len(ratings)
        else:
            await session.delete(kept)
        await note(session, ChangeKind.PROVIDER, provider_id)


def _place(review_id: str, column: str = "body") -> Place:
    return Place("review", column, review_id)


def _row(person: TenantKeys, review: Review) -> ReviewRecord:
    return ReviewRecord(
        review_id=review.review_id,
        booking_id=review.booking_id,
        provider_id=review.provider_id,
        patient_id=review.patient_id,
        start_minute=review.start,
        rating=review.rating,
        body=person.seal(_place(review.review_id), review.text),
        at=review.at,
        state=review.state.value,
        changed_at=review.at,
    )


def review_of(person: TenantKeys, row: ReviewRecord) -> Review:
    """A stored review, opened with its author's keys."""

    def opened(column: str, sealed: bytes | None) -> str:
        if sealed is None:
            return ""
        return person.open(_place(row.review_id, column), sealed)

    return Review(
        review_id=row.review_id,
        booking_id=BookingId(row.booking_id),
        provider_id=ProviderId(row.provider_id),
        patient_id=PatientId(row.patient_id),
        start=Minute(row.start_minute),
        rating=row.rating,
        text=opened("body", row.body),
        at=Millis(row.at),
        state=ReviewState(row.state),
        changed_at=Millis(row.changed_at),
        why=opened("why", row.why),
        reply=opened("reply", row.reply),
        replied_at=None if row.replied_at is None else Millis(row.replied_at),
    )
