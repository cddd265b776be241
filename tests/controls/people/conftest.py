"""A demo site on which Mira has an account, and is signed in."""

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
    """Mira is registered."""
    async with account_api(request, tmp_path) as opened:
        await opened.register()
        yield opened


@pytest.fixture
async def mira(site: AccountApi) -> dict[str, Any]:
    """Mira is signed in as a program."""
    return await site.sign_in()


@pytest.fixture
async def app(site: AccountApi, mira: dict[str, Any]) -> App:
    """Mira's authenticator app, which the fixture adds."""
    added, _ = await add_app(site, mira)
    return added
