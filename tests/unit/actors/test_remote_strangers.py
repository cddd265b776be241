"""With a process per provider, an unregistered provider gets none."""

import pytest

from actors.domain.ids import ShardId
from actors.domain.messages.answers import NextFreeView, PositionsView
from actors.domain.messages.commands import RegisterProvider
from actors.domain.messages.reads import ReadNextFree, ReadPositions
from actors.domain.messages.refusals import NO_PROVIDER
from actors.errors import CalendarRecovering, ShardAsleep, Unavailable
from actors.placement import Placement, placing
from actors.ports import Request
from actors.remote import links as remote
from tests.unit.actors import practice as p

SPEC = remote.ShardSpec("nowhere:nothing", b"")


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> list[ShardId]:
    """The shards for which a process was requested; none is started."""
    wanted: list[ShardId] = []

    def create_actor(shard: ShardId, _spec: remote.ShardSpec) -> None:
        wanted.append(shard)
        raise ValueError

    monkeypatch.setattr(remote, "create_actor", create_actor)
    return wanted


def links(known: set[str]) -> remote.RayLinks:
    async def is_known(shard: ShardId) -> bool:
        return shard in known

    return remote.RayLinks(placing(Placement.PROVIDER, 1), [], SPEC, known=is_known)


async def test_question_about_a_stranger_starts_no_process(
    created: list[ShardId],
) -> None:
    """Invented ids are answered "not found", and cost neither process nor file."""
    asked: list[Request] = [
        p.slots(),
        p.hold("a"),
        ReadNextFree((p.ANA,)),
        ReadPositions((p.ANA,)),
    ]
    replies = await links(set()).execute(ShardId(p.ANA), asked, 1)
    assert replies == [
        NO_PROVIDER,
        NO_PROVIDER,
        NextFreeView({}),
        PositionsView(0, {}),
    ]
    with pytest.raises(Unavailable):
        await links(set()).status(ShardId(p.ANA))
    assert created == []


async def test_registering_starts_one(created: list[ShardId]) -> None:
    """A new provider's shard begins with the command that registers it."""
    (register, hours) = p.opened()
    assert isinstance(register, RegisterProvider)
    with pytest.raises(CalendarRecovering):
        await links(set()).execute(ShardId(p.ANA), [register, hours], 1)
    assert created == [ShardId(p.ANA)]


async def test_known_provider_is_activated_by_a_question(
    created: list[ShardId],
) -> None:
    """A provider with a journal is woken by any request."""
    with pytest.raises(CalendarRecovering):
        await links({p.ANA}).execute(ShardId(p.ANA), [p.slots()], 1)
    assert created == [ShardId(p.ANA)]


async def test_looking_at_a_passive_shard_does_not_wake_it(
    created: list[ShardId],
) -> None:
    """Its feed and its account say that it sleeps, and nothing is kept for it."""
    asleep = links({p.ANA})
    for looking in (
        asleep.poll(ShardId(p.ANA), 1, 1, 10),
        asleep.status(ShardId(p.ANA)),
    ):
        with pytest.raises(ShardAsleep):
            await looking
    assert created == []
    assert not asleep.shards()


async def test_questions_about_strangers_leave_nothing_in_the_links() -> None:
    """However many ids are invented."""
    strange = links(set())
    for number in range(100):
        await strange.execute(ShardId(f"prv_{number}"), [p.slots()], 1)
    kept = (strange._seats, strange._doubted, strange._looked_at, strange._resolving)
    assert not any(kept)
    assert not strange.shards()
