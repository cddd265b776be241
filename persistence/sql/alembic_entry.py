"""What the ``env.py`` of both Alembic trees does; Alembic imports it there.

A connection may be given by ``persistence.sql.migrating``; developers who make a
revision name a URL instead: ``alembic -c FOLDER/alembic.ini -x url=sqlite:///x.db …``.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, MetaData

from persistence.sql.engine import Role, open_engine


def run_migrations(metadata: MetaData, role: Role) -> None:
    """Migrate on the given connection, or on the URL with an engine of this role."""

    def run(connection: Connection) -> None:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            # SQLite cannot alter most things in place.
            render_as_batch=connection.dialect.name == "sqlite",
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()

    async def run_on_url(url: str) -> None:
        engine = open_engine(url, role)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(run)
        finally:
            await engine.dispose()

    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
    else:
        asyncio.run(run_on_url(context.get_x_argument(as_dictionary=True)["url"]))
