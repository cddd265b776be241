"""A site with one account, without and with a second factor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.accounts import AccountApi, account_api
from tests.fixtures.factors import App, add_app


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """A site whose staff need a second factor."""
    async with account_api(request, tmp_path, staff_needs_factor=True) as opened:
        yield opened


@pytest.fixture
async def mira(site: AccountApi) -> dict[str, Any]:
    """Mira, signed in with her password alone."""
    await site.register()
    return await site.sign_in()


@pytest.fixture
async def app(site: AccountApi, mira: dict[str, Any]) -> App:
    """Her authenticator app."""
    made, _ = await add_app(site, mira)
    return made
