"""The base of every record: one metadata, one set of table options."""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from persistence.sql.columns import ON_A_SERVER

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, so that migrations can name them on every database."""


class RecordBase(DeclarativeBase):
    """Base class of the models in ``persistence/<feature>/models.py``.

    Instants are BIGINT milliseconds since the Unix epoch in UTC. Ids and other keys use
    ``persistence.sql.columns.key``, which compares byte by byte on every database.
    A changed model needs a migration; a test compares the two.
    """

    metadata = MetaData(naming_convention=_NAMES)
    __table_args__: Any = ON_A_SERVER
