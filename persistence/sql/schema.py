"""A schema: tables that are migrated, dumped and restored together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import MetaData


@dataclass(frozen=True, slots=True)
class Schema:
    """One set of tables and the Alembic tree that makes them.

    ``name`` is for log lines and errors ("read model", "records").
    """

    name: str
    metadata: MetaData
    migrations: Path

    def table_names(self) -> list[str]:
        """All tables, in the order in which they can be filled."""
        return [str(table.name) for table in self.metadata.sorted_tables]

    def column_names(self, table: str) -> list[str]:
        """A table's columns, in the order of a dumped row."""
        return [str(column.name) for column in self.metadata.tables[table].columns]

    def newest_revision(self) -> str:
        """The revision that this version of Slotcast works with; "" if none."""
        # Imported here: readers and the projector need none of Alembic.
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(self.migrations))
        return ScriptDirectory.from_config(config).get_current_head() or ""
