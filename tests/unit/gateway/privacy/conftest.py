"""The site that tests of privacy share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fixtures.privacy_clinic import Clinic, opened_clinic


@pytest.fixture
async def clinic(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Clinic]:
    """A site with a patient named Mira, who has signed in."""
    async with opened_clinic(request, tmp_path) as opened:
        yield opened
