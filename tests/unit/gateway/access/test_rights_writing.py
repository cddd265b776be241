"""Every cell of the table of authorization that allows a write, asked over HTTP.

A file of its own: files are dealt to processes, and most cells of the table are here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.access.rights import PERMISSIONS, Action, Relation
from gateway.access.tokens import Role
from tests.fakes.api import Api
from tests.fixtures.rights_region import (
    ASKS,
    CELLS,
    READS,
    Things,
    bearer_of,
    caller_of,
    rights_region,
    with_another_administrator,
    with_its_role,
)


@pytest.fixture
async def region(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Api, Things]]:
    """One for each cell: a write is not asked for twice."""
    async with rights_region(request, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("action", "cell"),
    [
        (action, cell)
        for action in ASKS
        for cell in CELLS
        if action not in READS and PERMISSIONS[action, *cell].allows
    ],
    ids=str,
)
async def test_every_cell_that_allows_writing_is_what_http_answers(
    region: tuple[Api, Things], action: Action, cell: tuple[Role, Relation]
) -> None:
    """Everything but n and h is 2xx."""
    api, things = region
    caller = caller_of(api, action, cell)
    if action is Action.BREAK_GLASS:
        caller = await with_its_role(api, caller)
    if action is Action.REQUEST_ACCOUNT_ERASURE:
        await with_another_administrator(api)
    response = await ASKS[action](api, bearer_of(api, caller), things)
    assert response.status_code < 300, response.text


async def test_no_cell_begins_with_what_another_wrote(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Records, calendars and sessions of a region are its own: both are emptied."""
    ended = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with rights_region(request, folder) as (api, things):
            cell = (Role.PATIENT, Relation.OWN)
            for action in (
                Action.CANCEL_BOOKING,
                Action.RELEASE_HOLD,
                Action.END_GUARDIANSHIP,
                Action.REMOVE_FACTOR,
                Action.END_SESSION,
            ):
                auth = bearer_of(api, caller_of(api, action, cell))
                response = await ASKS[action](api, auth, things)
                ended.append((number, action, response.status_code))
    first, second = ended[: len(ended) // 2], ended[len(ended) // 2 :]
    assert [one[1:] for one in first] == [one[1:] for one in second]
    assert all(status < 300 for _, _, status in ended), ended
