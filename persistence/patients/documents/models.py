"""The table of documents."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class DocumentRecord(RecordBase):
    """A document; see ``care.patients.documents.values``.

    ``content``: the file's name and the document's key, sealed with the person's key.
    ``parts``: tokens of the stored parts of an upload, as JSON.
    """

    __tablename__ = "document"
    __table_args__ = (
        Index(None, "booking_id", "made_at"),
        Index(None, "patient_id"),
        Index(None, "clinic_id"),
        Index(None, "state", "changed_at"),
        Index(None, "made_at"),
        c.ON_A_SERVER,
    )

    document_id: Mapped[str] = mapped_column(c.key(), primary_key=True)
    patient_id: Mapped[str] = mapped_column(c.key(), ForeignKey("patient.patient_id"))
    booking_id: Mapped[str] = mapped_column(c.key())
    provider_id: Mapped[str] = mapped_column(c.key())
    clinic_id: Mapped[str] = mapped_column(c.key())
    author: Mapped[str] = mapped_column(c.key())
    by_staff: Mapped[bool] = mapped_column()
    content: Mapped[bytes] = mapped_column(c.blob())
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(c.key(16))
    kind: Mapped[str] = mapped_column(c.key(32))
    fault: Mapped[str] = mapped_column(c.key(16))
    parts: Mapped[str] = mapped_column(c.document())
    blob: Mapped[str] = mapped_column(c.key(32))
    made_at: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[int] = mapped_column(BigInteger)
