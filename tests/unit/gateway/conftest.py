"""Fixtures for tests of the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from tests.fakes.api import Api, open_api


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """The default console shows every local of a traceback, which takes seconds."""
    with capture_logs():
        yield


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A gateway with one provider, open 9 to 5 UTC, on a Monday at midnight."""
    async with open_api() as opened:
        await opened.add_provider()
        yield opened
