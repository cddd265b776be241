"""Alembic's entry: on the connection it is given, or on the URL of the environment.

``persistence.sql.migrating.migrate`` gives the connection. Developers who make a
revision run ``alembic -c persistence/records/migrations/alembic.ini -x
url=sqlite:///x.db …``.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

from persistence.records.models import RECORDS
from persistence.sql.engine import open_engine


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=RECORDS.metadata,
        # SQLite cannot alter most things in place.
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_on_url(url: str) -> None:
    engine = open_engine(url, "records")
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
