"""A log of changes is followed: each line once, in whatever order it appears."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, create_engine, insert

from persistence.sql import change_log, log_reader
from persistence.sql.change_log import change_columns
from persistence.sql.log_reader import UNSETTLED_S, LogReader

LOG = Table("log", MetaData(), *change_columns())


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        LOG.metadata.create_all(connection)
        yield connection
    engine.dispose()


class Follower:
    """A reader, its clock, and what it told of."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.now = 0.0
        self.reader = LogReader(LOG, lambda: self.now)
        self.reader.begin(connection)
        self.told: list[int] = []

    def add(self, *numbers: int) -> None:
        rows = [{"change_id": n, "kind": "inbox", "subject": f"p{n}"} for n in numbers]
        self.connection.execute(insert(LOG), rows)

    def read(self) -> list[int]:
        lines = self.reader.read(self.connection)
        assert lines is not None
        assert all(line.subject == f"p{line.change_id}" for line in lines)
        self.told += (fresh := [line.change_id for line in lines])
        return fresh


@pytest.mark.parametrize("at_once", [0, 3, 50])
@pytest.mark.parametrize("seed", range(20))
def test_each_line_is_told_of_once(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, seed: int, at_once: int
) -> None:
    """Numbers appear in any order within a minute; some never do."""
    monkeypatch.setattr(log_reader, "GAPS_AT_ONCE", at_once)
    generator = Random(seed)
    follower = Follower(connection)
    numbers = list(range(1, 300))
    # As transactions do it: a number appears up to some dozen numbers late.
    numbers.sort(key=lambda n: n + generator.choice((0, 0, generator.random() * 30)))
    visible = [number for number in numbers if generator.random() < 0.9]
    at = 0
    while at < len(visible):
        part = visible[at : at + generator.randrange(1, 25)]
        at += len(part)
        follower.add(*part)
        if generator.random() < 0.7:
            follower.read()
        follower.now += generator.random() * 2
    follower.read()
    assert sorted(follower.told) == sorted(visible)
    assert follower.read() == []


def test_lines_below_the_end_at_the_beginning_are_told_of_when_they_appear(
    connection: Connection,
) -> None:
    """Their transactions were under way; what was there is not told of."""
    follower = Follower(connection)
    follower.add(3, 7)
    follower.reader.begin(connection)
    follower.add(5)
    assert follower.read() == [5]
    follower.add(1, 6, 9)
    assert sorted(follower.read()) == [1, 6, 9]


def test_what_is_missing_for_a_minute_is_looked_for_no_longer(
    connection: Connection,
) -> None:
    """A transaction that was rolled back leaves its number missing for good."""
    follower = Follower(connection)
    follower.add(1, 4)
    follower.read()
    follower.now = UNSETTLED_S - 1
    follower.add(2)
    assert follower.read() == [2]
    follower.now = UNSETTLED_S
    follower.read()
    follower.add(3)
    assert follower.read() == []


def test_a_reading_costs_what_is_new(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what was told of within the last minute."""
    follower = Follower(connection)
    follower.add(*range(1, 1_000, 3))
    follower.add(*range(2, 1_000, 3))
    follower.add(1_002)
    follower.read()
    seen: list[int] = []
    lines_where = change_log.lines_where

    def counted(*given: Any) -> Any:
        found = lines_where(*given)
        seen.append(len(found))
        return found

    for module in (change_log, log_reader):
        monkeypatch.setattr(module, "lines_where", counted)
    follower.now = UNSETTLED_S
    follower.read()  # the gaps are given up
    seen.clear()
    for number in range(2_000, 2_010):
        follower.add(number)
        assert follower.read() == [number]
    assert sum(seen) == 10


def test_a_log_that_was_cut_or_rebuilt_is_noticed(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the oldest line, far behind the newest, or ahead of it."""
    follower = Follower(connection)
    monkeypatch.setattr(change_log, "KEPT", 5)
    follower.add(1, 9)
    assert follower.reader.read(connection) is None
    follower.reader.begin(connection)
    assert follower.read() == []
    connection.execute(LOG.delete())
    assert follower.reader.read(connection) is None
    follower.reader.begin(connection)
    monkeypatch.setattr(log_reader, "LINES_MAX", 1)
    follower.add(1, 2, 3)
    assert follower.reader.read(connection) is None
