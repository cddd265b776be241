"""Stores that answer late: what the mailbox does with answers that come too late."""

import asyncio
from collections.abc import Mapping, Sequence

from actors.domain.ids import ProviderId, ShardId
from actors.errors import OutcomeUnknown
from actors.ports import StoredCalendar, TroubleCode
from actors.shard.limits import ShardLimits
from tests.unit.actors import practice as p
from tests.unit.actors.stores import FaultySnapshots
from tests.unit.actors.test_mailbox import Desk, codes, desk


async def test_append_that_fails_late_ends_the_process() -> None:
    """A dying disk fails its sync after a long wait; only a new process can go on."""
    async with desk(ShardLimits(retry_ms=1, append_ms=10)) as one:
        lost = asyncio.Event()
        one.mailbox.on_unknown = lost.set
        one.journal.gate.clear()
        one.journal.faults = [OutcomeUnknown()]
        replies = await one.mailbox.execute([p.book("a")])
        assert codes(replies) == [TroubleCode.JOURNAL_DOWN]
        one.journal.down = OSError("poisoned")
        one.journal.gate.set()
        async with asyncio.timeout(60):
            await lost.wait()
        one.journal.down = None


class SlowSnapshots(FaultySnapshots):
    """Loads wait while ``gate`` is clear."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(
        self, shard: ShardId, providers: Sequence[ProviderId]
    ) -> Mapping[ProviderId, StoredCalendar]:
        await self.gate.wait()
        return await super().load(shard, providers)


async def test_request_given_up_while_its_calendar_loads_is_not_called_undone() -> None:
    """It will be decided all the same, so its outcome is unknown until then."""
    one = Desk(ShardLimits(retry_ms=1, answer_ms=20))
    slow = one.snapshots = SlowSnapshots()
    one.mailbox = one.make()
    await one.mailbox.open()
    await one.mailbox.execute(p.opened())
    slow.gate.clear()
    waiting = asyncio.ensure_future(one.mailbox.execute(p.opened(p.BEN)))
    assert codes(await waiting) == [TroubleCode.UNKNOWN] * 2
    slow.gate.set()
    await one.mailbox.execute([p.slots(p.BEN)])
    assert any(r.event.provider_id == p.BEN for r in one.journal.records)
    await one.mailbox.close()


async def test_shard_taken_over_while_its_journal_was_silent_is_left() -> None:
    """Who wakes from a long stop finds a newer owner, and does not take it back."""
    async with desk(ShardLimits(retry_ms=1, append_ms=10)) as one:
        one.journal.gate.clear()
        replies = await one.mailbox.execute([p.book("a")])
        assert codes(replies) == [TroubleCode.JOURNAL_DOWN]
        await one.journal.seal(ShardId("s0000"))  # another owner
        epoch = one.journal.epoch
        left = asyncio.Event()
        one.mailbox.on_fenced = left.set
        one.journal.gate.set()
        async with asyncio.timeout(60):
            await left.wait()
        assert one.mailbox.state == "left"
        assert one.journal.epoch == epoch
