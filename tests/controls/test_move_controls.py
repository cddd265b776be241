"""Guards of calendars that move: without each of them a promise is broken."""

from __future__ import annotations

from typing import Any

import pytest

from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection.projector import Projector
from tests.unit.actors import practice as p
from tests.unit.cluster.moving import test_calendar_moves as moves


def _nothing(*_given: object) -> None:
    return None


GUARDS: dict[str, tuple[str, Any, Any, tuple[Any, ...]]] = {
    "the old shard says that the calendar moved": (
        "actors.shard.shard.away",
        _nothing,
        moves.test_the_old_shard_refuses_for_ever,
        (),
    ),
    "a shard of its own begins no calendar": (
        "actors.shard.moving.is_isolated",
        lambda _shard: False,
        moves.test_an_isolated_shard_begins_no_calendar,
        (),
    ),
    "the new epoch is above the old one": (
        "actors.shard.shard.epoch_to_beat",
        lambda _requests: 0,
        moves.test_the_new_epoch_is_above_the_old_one,
        (),
    ),
}


@pytest.mark.parametrize("name", sorted(GUARDS))
async def test_without_the_guard_it_shows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test that proves the promise fails when its guard is taken away."""
    guard, instead, proof, arguments = GUARDS[name]
    await proof(moves.Api(), *arguments)
    monkeypatch.setattr(guard, instead)
    with pytest.raises(AssertionError):
        await proof(moves.Api(), *arguments)


@pytest.mark.parametrize("guarded", [True, False])
async def test_rows_wait_for_where_they_come_from(
    monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """A calendar is taken over when its old shard is projected, and not before."""
    if not guarded:
        monkeypatch.setattr(
            "persistence.readmodel.projection.projector.origins", lambda _records: {}
        )
    api = moves.Api()
    links = await moves.begun(api)
    await api.mover().move(p.ANA, moves.HOME, moves.OWN)
    await moves.told(links, api.clock, p.cancel("one"))
    model = MemoryReadModel()
    projector = Projector(api.journal, model, api.clock, batch_max=1)
    while await projector.step():
        pass
    assert bool(await model.parked()) is not guarded
