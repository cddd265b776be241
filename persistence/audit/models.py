"""The tables of the audit trail. Rows of audit_entry are only ever added."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase

ACTION_MAX = 64
"""Characters of an action."""
HASH_MAX = 43
MARKS_TEXT_MAX = 1_000
"""Characters of a source's marks; see ``persistence.audit.marks``."""


class AuditEntryRecord(RecordBase):
    """An entry of a tenant's chain; see ``care.audit.entries``."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index(None, "tenant", "at"),
        Index(None, "person", "at"),
        Index(None, "actor", "at"),
        c.ON_A_SERVER,
    )

    tenant: Mapped[str] = mapped_column(c.key(), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(c.key())
    person: Mapped[str] = mapped_column(c.key())
    action: Mapped[str] = mapped_column(c.key(ACTION_MAX))
    body: Mapped[str] = mapped_column(c.prose())
    hash: Mapped[str] = mapped_column(c.key(HASH_MAX))


class AuditPendingRecord(RecordBase):
    """An entry that is durable and has no place in the chain yet."""

    __tablename__ = "audit_pending"

    id: Mapped[int] = mapped_column(c.serial(), primary_key=True)
    tenant: Mapped[str] = mapped_column(c.key())
    at: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(c.key())
    person: Mapped[str] = mapped_column(c.key())
    action: Mapped[str] = mapped_column(c.key(ACTION_MAX))
    body: Mapped[str] = mapped_column(c.prose())


class AuditHeadRecord(RecordBase):
    """Where a tenant's chain ends."""

    __tablename__ = "audit_head"

    tenant: Mapped[str] = mapped_column(c.key(), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(c.key(HASH_MAX))
    at: Mapped[int] = mapped_column(BigInteger)


class AuditAnchorRecord(RecordBase):
    """The last head of a tenant that was written outside; ``place`` says where."""

    __tablename__ = "audit_anchor"

    tenant: Mapped[str] = mapped_column(c.key(), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(c.key(HASH_MAX))
    at: Mapped[int] = mapped_column(BigInteger)
    place: Mapped[str] = mapped_column(c.words(200))


class AuditSourceRecord(RecordBase):
    """How far a source of entries (a shard's journal, a spool file) has been read."""

    __tablename__ = "audit_source"

    source: Mapped[str] = mapped_column(c.key(), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger, default=0)
    marks: Mapped[str] = mapped_column(
        c.key(MARKS_TEXT_MAX), default="", server_default=""
    )
