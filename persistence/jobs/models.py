"""The table of background jobs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from persistence.sql import columns as c
from persistence.sql.base import RecordBase


class JobRecord(RecordBase):
    """A job. ``due_at`` is None once it is done or a dead letter."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("kind", "key"),
        Index(None, "kind", "due_at", "id"),
        Index(None, "done_at"),
        c.ON_A_SERVER,
    )

    id: Mapped[int] = mapped_column(c.serial(), primary_key=True)
    kind: Mapped[str] = mapped_column(c.key(64))
    key: Mapped[str] = mapped_column(c.key(160))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[int | None] = mapped_column(BigInteger)
    """When a worker may take it next; while it is claimed, when the claim ends."""
    claimed_by: Mapped[str | None] = mapped_column(c.key(64))
    attempts: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[int | None] = mapped_column(BigInteger)
    dead_at: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(c.words(500))
