"""Next starts of calendars: as a gateway asks for them, and as shards publish them."""

from __future__ import annotations

from msgspec.structs import replace

from actors.domain.ids import Minute
from actors.domain.messages.answers import NextFreeView, NextStarts, SlotsView
from actors.domain.messages.changes import CalendarChange
from actors.domain.messages.reads import ReadNextFree
from actors.shard.shard import EACH_MAX
from tests.unit.actors import practice as p
from tests.unit.actors.test_shard import Bench

ASKED = ReadNextFree((p.ANA,), 4)


def _said(bench: Bench) -> NextFreeView:
    (view,) = bench.ask(ASKED)
    assert isinstance(view, NextFreeView)
    return view


def _free(bench: Bench) -> list[int]:
    """The free starts, as the page of slots shows them."""
    first, last = Minute(p.NOW // 60_000), Minute(p.NINE + 3 * 1440)
    (view,) = bench.ask(replace(p.slots(), first=first, last=last))
    assert isinstance(view, SlotsView)
    return [
        start
        for start, state in zip(view.starts, view.states, strict=True)
        if state == "f"
    ]


def _news(bench: Bench, since: int) -> list[CalendarChange]:
    return list(bench.shard.feed.since(bench.epoch, since, 1 << 20).changes)


def _starts(bench: Bench, since: int) -> list[NextStarts | None]:
    return [change.starts for change in _news(bench, since)]


def test_the_next_starts_are_the_first_free_slots() -> None:
    """Of each visit type, as many as were asked for, at a position."""
    bench = Bench().practice()
    bench.ask(replace(p.book("a"), start=_free(bench)[1]))
    view = _said(bench)
    assert list(view.next_starts[p.ANA][p.CONSULT]) == _free(bench)[:4]
    assert view.starts[p.ANA] == view.next_starts[p.ANA][p.CONSULT][0]
    version = bench.shard.residents.get(p.ANA)
    assert version is not None
    assert view.positions[p.ANA] == (bench.epoch, version.calendar.state.version)
    (many,) = bench.ask(replace(ASKED, each=1_000))
    assert isinstance(many, NextFreeView)
    assert len(many.next_starts[p.ANA][p.CONSULT]) == EACH_MAX


def test_who_does_not_want_them_is_not_sent_them() -> None:
    """An answer without them, and changes without them, as before."""
    bench = Bench().practice()
    (view,) = bench.ask(ReadNextFree((p.ANA,)))
    assert isinstance(view, NextFreeView)
    assert (view.next_starts, view.positions) == ({}, {})
    before = bench.shard.feed.number
    bench.ask(p.book("a"))
    assert _starts(bench, before) == [None]


def test_every_change_of_them_is_published_and_nothing_else() -> None:
    """A booking and a cancellation of a near slot; not one of a far slot."""
    bench = Bench().practice()
    _said(bench)
    near, begin = _free(bench)[0], bench.shard.feed.number
    bench.ask(replace(p.book("a"), start=near))
    (booked,) = _starts(bench, begin)
    assert booked is not None
    assert list(booked[p.CONSULT]) == _free(bench)[:4]
    far = _free(bench)[-1]
    middle = bench.shard.feed.number
    bench.ask(replace(p.book("b", patient="pat_2"), start=far))
    assert _starts(bench, middle) == [None]
    end = bench.shard.feed.number
    bench.ask(p.cancel("a"))
    (freed,) = _starts(bench, end)
    assert freed is not None
    assert freed[p.CONSULT][0] == near


def test_a_new_owner_publishes_once_it_was_asked() -> None:
    """A gateway that followed the former owner sees a gap and asks again."""
    bench = Bench().practice()
    _said(bench)
    bench.open()
    bench.ask(p.book("a"))
    assert _starts(bench, 0) == [None]
    _said(bench)
    before = bench.shard.feed.number
    bench.ask(p.cancel("a"))
    assert _starts(bench, before)[0] is not None
