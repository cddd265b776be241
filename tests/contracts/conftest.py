"""Records that are empty, in SQLite and on MariaDB, and the keys that seal them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from persistence.keys.ring import KeyRing
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import KEKS
from tests.fixtures.read_model import empty_records


@pytest.fixture(params=("sqlite", "asyncmy"))
async def records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Records]:
    """Empty records."""
    opened = Records(empty_records(request.param, request, tmp_path))
    yield opened
    await opened.close()


@pytest.fixture
def ring(records: Records) -> KeyRing:
    """Their keys, at a time that stands still."""
    return KeyRing(records, KEKS, SteppedClock(make.NOW))
