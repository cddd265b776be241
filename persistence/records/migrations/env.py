"""Alembic's entry for the records; see persistence/sql/alembic_entry.py."""

from __future__ import annotations

from persistence.records.models import RECORDS
from persistence.sql.alembic_entry import run_migrations

run_migrations(RECORDS.metadata, "records")
