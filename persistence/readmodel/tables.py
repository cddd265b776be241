"""The tables of the read model: one definition for SQLite, MySQL 8 and MariaDB.

Rule 1: every key is compared by code point (``utf8mb4_bin`` on MySQL and MariaDB,
        whose default would take ``a`` and ``A`` for the same id).
Rule 2: instants are BIGINT minutes or milliseconds since the Unix epoch in UTC.
Rule 3: the tables have no foreign keys among them: an event that is parked must not
        keep the rest of the model out.
Rule 4: a change here needs a migration (persistence/readmodel/migrations); a test
compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    false,
)

from persistence.sql.change_log import change_columns
from persistence.sql.columns import ON_A_SERVER, document, key, prose, serial, words
from persistence.sql.schema import Schema

EVENT_ID_MAX = 124
"""A shard's id, ``-`` and a seq; perhaps ``.`` and a number."""

metadata = MetaData()


def _table(name: str, *parts: Any, **options: Any) -> Table:
    return Table(name, metadata, *parts, **options, **ON_A_SERVER)


clinic = _table(
    "clinic",
    Column("clinic_id", key(), primary_key=True),
    Column("name", words(300), nullable=False),
    Column("time_zone", words(64), nullable=False),
    Column("address", words(500), nullable=False),
    Column("city", words(200), nullable=False),
    Column("postcode", words(32), nullable=False),
    Column("country", words(8), nullable=False),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("phone", words(64), nullable=False),
    # A record of its own (put or imported): registrations leave it alone.
    Column("imported", Boolean, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("registered_by", key(), nullable=False),
    Index("ix_clinic_place", "latitude", "longitude"),
)

clinic_word = _table(
    "clinic_word",
    Column("word", key(40), primary_key=True),
    Column("clinic_id", key(), primary_key=True),
    Index("ix_clinic_word_clinic", "clinic_id"),
    sqlite_with_rowid=False,
)

provider = _table(
    "provider",
    Column("provider_id", key(), primary_key=True),
    Column("shard", key(), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("name", words(300), nullable=False),
    Column("sort_name", key(120), nullable=False),
    Column("specialty", words(200), nullable=False),
    Column("specialty_key", key(120), nullable=False),
    Column("clinic_id", key(), nullable=False),
    Column("languages", JSON, nullable=False),
    Column("about", prose(), nullable=False),
    Column("retired", Boolean, nullable=False, server_default=false()),
    # Empty for people: what is not, no search finds.
    Column("resource_kind", key(16), nullable=False, server_default=""),
    Column("resource_tags", JSON),
    Index("ix_provider_name", "sort_name", "provider_id"),
    Index("ix_provider_clinic", "clinic_id", "provider_id"),
)

provider_word = _table(
    "provider_word",
    Column("word", key(40), primary_key=True),
    Column("provider_id", key(), primary_key=True),
    Index("ix_provider_word_provider", "provider_id"),
    sqlite_with_rowid=False,
)

visit_type = _table(
    "visit_type",
    Column("provider_id", key(), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("visit_type", key(), nullable=False),
    Column("title", words(300), nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("buffer_before", Integer, nullable=False),
    Column("buffer_after", Integer, nullable=False),
    Column("alignment", Integer, nullable=False),
    Column("notice", BigInteger, nullable=False),
    Column("horizon", BigInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("locations", JSON, nullable=False),
    sqlite_with_rowid=False,
)

appointment = _table(
    "appointment",
    Column("booking_id", key(), primary_key=True),
    Column("shard", key(), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("provider_id", key(), nullable=False),
    Column("patient_id", key(), nullable=False),
    Column("status", key(16), nullable=False),
    Column("visit_type", key(), nullable=False),
    Column("start_minute", BigInteger, nullable=False),
    Column("end_minute", BigInteger, nullable=False),
    Column("busy_start", BigInteger, nullable=False),
    Column("busy_end", BigInteger, nullable=False),
    Column("location_id", key(), nullable=False),
    Column("booked_at", BigInteger, nullable=False),
    Column("reason", prose(), nullable=False),
    Column("cancel_reason", prose(), nullable=False),
    Column("stranded", key(16), nullable=False, server_default=""),
    Column("confidential", Boolean, nullable=False, server_default=false()),
    # As the calendar's: below 0 a seat of a group visit, above it overbooked.
    Column("lane", Integer, nullable=False, server_default="0"),
    Index("ix_appointment_patient", "patient_id", "start_minute", "booking_id"),
    Index("ix_appointment_provider", "provider_id", "start_minute"),
)

appointment_history = _table(
    "appointment_history",
    Column("shard", key(), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("booking_id", key(), nullable=False),
    Column("provider_id", key(), nullable=False),
    Column("kind", key(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("start_minute", BigInteger),
    Column("end_minute", BigInteger),
    Column("by_patient", Boolean),
    Column("reason", prose(), nullable=False),
    Index("ix_history_booking", "booking_id", "seq"),
    sqlite_with_rowid=False,
)

IMPORTED_SHARD = "imported"
"""The shard of visits that were imported: they are in no journal, and a rebuild keeps
them."""

# What reports ask of imported visits beside their rows in the table above.
imported_visit = _table(
    "imported_visit",
    Column("booking_id", key(), primary_key=True),
    Column("clinic_id", key(), nullable=False),
    Column("start_minute", BigInteger, nullable=False),
    Column("provider_name", words(200), nullable=False),
    Column("age", Integer),
    Column("reminded", Boolean),
    Column("day_only", Boolean, nullable=False),
    Column("cancelled_at", BigInteger),
    Column("by_patient", Boolean),
    # The same for a visit whose provider or place was corrected: its id then changes.
    Column("visit_key", key(64), nullable=False, server_default=""),
    Index("ix_imported_visit_clinic", "clinic_id", "start_minute"),
    Index("ix_imported_visit_key", "visit_key"),
)

slot_claim = _table(
    "slot_claim",
    Column("provider_id", key(), primary_key=True),
    Column("cell", BigInteger, primary_key=True, autoincrement=False),
    Column("lane", Integer, primary_key=True, autoincrement=False),
    Column("booking_id", key(), nullable=False),
    Index("ix_claim_booking", "booking_id"),
    sqlite_with_rowid=False,
)

outbox = _table(
    "outbox",
    Column("id", serial(), primary_key=True, autoincrement=True),
    Column("event_id", key(EVENT_ID_MAX), nullable=False),
    Column("kind", key(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # When a sender may take it next; NULL once it is sent or given up.
    Column("due_at", BigInteger),
    Column("claimed_by", key(64)),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", BigInteger),
    Column("dead_at", BigInteger),
    Column("error", words(500)),
    UniqueConstraint("event_id", "kind", name="uq_outbox_event"),
    Index("ix_outbox_due", "due_at", "id"),
)

# Which providers and clinics were written, for searches that keep a copy of them.
directory_change = _table("directory_change", *change_columns())

projection_offset = _table(
    "projection_offset",
    Column("shard", key(), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    # Up to here notices were written; a rebuild keeps it: none is sent twice.
    Column("outbox_seq", BigInteger, nullable=False),
)

projection_conflict = _table(
    "projection_conflict",
    Column("shard", key(), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("provider_id", key(), nullable=False),
    Column("kind", key(16), nullable=False),
    Column("reason", words(500), nullable=False),
    Column("booking_id", key(), nullable=False),
    Column("other_booking_id", key(), nullable=False),
    Column("event", document(), nullable=False),
    Column("at", BigInteger, nullable=False),
)

READ_MODEL = Schema("read model", metadata, Path(__file__).parent / "migrations")
