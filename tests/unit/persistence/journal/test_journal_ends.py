"""Many shards on a journal over a network: their ends are asked for together."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.ids import ShardId
from actors.errors import JournalCorrupt
from persistence.journal.scan import TellsEnds, ends_of
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection.lags import lag
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.store import Offset
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal

SHARDS = tuple(ShardId(f"s{number:04}") for number in range(64))


class Remote(StoryJournal):
    """Counts round trips; ``shown`` is what it says of a shard's end, while it lags."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.shown: dict[ShardId, int] = {}
        self.is_broken = False

    async def last_seqs(self, shards: Sequence[ShardId]) -> dict[ShardId, int]:
        self.asked.append(len(shards))
        if self.is_broken:
            raise JournalCorrupt("a key is no stream")
        ends = {shard: len(self.records.get(shard, ())) for shard in shards}
        return {**ends, **self.shown}

    async def last_seq(self, shard: ShardId) -> int:
        self.asked.append(1)
        return await super().last_seq(shard)


async def test_a_round_over_many_shards_is_one_question() -> None:
    """A projector with nothing to do asks a journal over a network once a round."""
    journal, twin = Remote(), MemoryReadModel()
    assert isinstance(journal, TellsEnds)
    assert not isinstance(StoryJournal(), TellsEnds)
    for number, shard in enumerate(SHARDS):
        journal.tell(shard, Story(number).booked(number))
    projector = Projector(journal, twin, FixedClock())
    assert await projector.step() == 64
    assert await projector.step() == 0
    assert journal.asked == [64, 64]
    assert len(await lag(journal, twin)) == 64
    assert journal.asked == [64, 64, 64]
    assert await ends_of(journal, ()) == {}


async def test_an_end_that_was_seen_before_is_no_lost_tail() -> None:
    """Another projector was quicker than the round: the journal is not called short."""
    story, journal, twin = Story(), Remote(), MemoryReadModel()
    journal.tell(SHARD, story.booked(1))
    slow = Projector(journal, twin, FixedClock())
    assert await slow.step() == 1
    journal.tell(SHARD, story.booked(2, NINE + 60))
    assert await Projector(journal, twin, FixedClock()).step() == 1
    slow._offsets.clear()
    journal.shown = {SHARD: 1}
    assert await slow.step() == 0
    assert not slow.refused
    assert await twin.offset(SHARD) == Offset(2, 1)


async def test_one_broken_journal_is_not_the_others() -> None:
    """Where one cannot be asked with the rest, each is asked by itself."""
    journal, twin = Remote(), MemoryReadModel()
    journal.is_broken = True
    journal.tell(SHARD, Story().booked(1))
    assert await Projector(journal, twin, FixedClock()).step() == 1
