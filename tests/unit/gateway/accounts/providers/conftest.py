"""A site whose identity provider can lie in every way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import AccountApi, account_api
from tests.fixtures.fake_issuer import PROFILE, FakeIssuer


@pytest.fixture
def fake() -> FakeIssuer:
    """An issuer that tells the truth so far."""
    return FakeIssuer(SteppedClock(make.NOW))


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path, fake: FakeIssuer
) -> AsyncIterator[AccountApi]:
    """A site that knows this issuer, by the same clock."""
    async with account_api(
        request,
        tmp_path,
        {"provider_transport": fake},
        clock=fake.clock,
        identity_providers=(PROFILE,),
    ) as opened:
        yield opened
