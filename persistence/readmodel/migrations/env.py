"""Alembic's entry for the read model; see persistence/sql/alembic_entry.py."""

from __future__ import annotations

from persistence.readmodel.tables import metadata
from persistence.sql.alembic_entry import run_migrations

run_migrations(metadata, "writer")
