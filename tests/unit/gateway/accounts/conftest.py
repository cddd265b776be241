"""A demo site, and a person who is signed in on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.accounts import (
    AccountApi,
    account_api,
)


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """A demo site without accounts."""
    async with account_api(request, tmp_path) as opened:
        yield opened


@pytest.fixture
async def mira(site: AccountApi) -> dict[str, Any]:
    """Mira is registered, confirmed and signed in as a program."""
    await site.register()
    return await site.sign_in()
