"""A schema: tables that are migrated, dumped and restored together."""

from __future__ import annotations

import re
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
        # Without Alembic, which is 12 MiB in each process that finds all tables made.
        texts = [
            path.read_text(encoding="utf-8")
            for path in sorted((self.migrations / "versions").glob("*.py"))
        ]
        known = [one[1] for text in texts if (one := _REVISION.search(text))]
        older = {one[1] for text in texts if (one := _DOWN_REVISION.search(text))}
        (newest,) = [one for one in known if one not in older] or [""]
        return newest


_REVISION = re.compile(r'^revision(?:: str)? = "(\w+)"$', re.MULTILINE)
_DOWN_REVISION = re.compile(r'^down_revision(?:: [\w |]+)? = "(\w+)"$', re.MULTILINE)
