"""A site on the shared Redis, its journal, and the server beneath."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from persistence.journal.redis.journal import RedisJournal
from persistence.redis.client import RedisStore
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import with_layout


@pytest.fixture
async def site(redis_server: RedisServer) -> str:
    """A new site that has its layout."""
    return await with_layout(redis_server)


@pytest.fixture
async def journal(redis_server: RedisServer, site: str) -> AsyncIterator[RedisJournal]:
    """The site's journal."""
    made = RedisJournal(redis_server.url, site)
    yield made
    await made.close()


@pytest.fixture
async def raw(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    """The server itself, to look at what is in it and to change that."""
    made = RedisStore(redis_server.url)
    yield made
    await made.close()
