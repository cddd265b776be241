"""Entries of providers and clinics, photos, ratings, a site's specialties, the log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class ProviderEntryRecord(RecordBase):
    """A provider's entry in the directory, as one JSON document."""

    __tablename__ = "provider_entry"

    provider_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[str] = mapped_column(c.document())


class ProviderRatingRecord(RecordBase):
    """What a provider's reviews add up to."""

    __tablename__ = "provider_rating"

    provider_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer)


class ClinicEntryRecord(RecordBase):
    """A clinic's entry in the directory, as one JSON document."""

    __tablename__ = "clinic_entry"

    clinic_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[str] = mapped_column(c.document())


class DirectoryPhotoRecord(RecordBase):
    """The photo of a provider or a clinic, whose id is ``subject``."""

    __tablename__ = "directory_photo"

    subject: Mapped[str] = mapped_column(c.key(), primary_key=True)
    photo: Mapped[str] = mapped_column(c.key(64), index=True)


class SpecialtyRecord(RecordBase):
    """A specialty that the site added or changed, as one JSON document."""

    __tablename__ = "specialty"

    specialty_id: Mapped[str] = mapped_column(c.key(64), primary_key=True)
    content: Mapped[str] = mapped_column(c.document())


class DirectoryChangeRecord(RecordBase):
    """The log of changes that searches follow; only the newest are kept.

    ``kind``: provider, clinic or specialty, which ``subject`` names.
    """

    __tablename__ = "directory_change"

    change_id: Mapped[int] = mapped_column(
        c.serial(), primary_key=True, autoincrement=True
    )
    kind: Mapped[str] = mapped_column(c.key(16))
    subject: Mapped[str] = mapped_column(c.key())
