"""The tests of the Redis journal can fail: a removed safeguard is caught."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.errors import SchedulingError
from persistence.journal.redis import records as redis_records
from persistence.journal.redis.journal import RedisJournal
from persistence.redis import functions as redis_functions
from persistence.redis.client import RedisStore
from persistence.redis.functions import SOURCE, library_of
from tests.contracts import test_journal_contract as contract
from tests.crash import test_real_redis as crash
from tests.fixtures.redis_proxy import RedisProxy
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import with_layout
from tests.integration.redis import test_redis_copies as copies
from tests.integration.redis import test_redis_journal as beyond
from tests.integration.redis import test_redis_lost as lost

Breaking = Callable[[pytest.MonkeyPatch], None]
Promise = Callable[[RedisServer, Path], Awaitable[None]]

CAUGHT = (AssertionError, SchedulingError, pytest.fail.Exception)


def _without(line: str, instead: str = "") -> Breaking:
    """The functions without this line of theirs."""

    def breaking(patch: pytest.MonkeyPatch) -> None:
        source = SOURCE.read_text(encoding="utf-8")
        assert source.count(line) == 1
        library = library_of(source.replace(line, instead))
        patch.setattr(redis_functions, "LIBRARY", library)

    return breaking


def _copies_not_counted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RedisStore, "_must_be_copied", lambda *_: None)


def _nobody_is_lost(patch: pytest.MonkeyPatch) -> None:
    async def fenced(*_: Any) -> None:
        return

    patch.setattr(RedisJournal, "_must_not_be_lost", fenced)


def _lost_reply_is_believed(patch: pytest.MonkeyPatch) -> None:
    async def believed(*asked: Any) -> int:
        *_, after, datas, _ = asked
        return int(after + len(datas))

    patch.setattr(RedisJournal, "_settle", believed)


def _damage_not_seen(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(redis_records, "crc32c", lambda *_: 0)


def _on(promise: Callable[[Any], Awaitable[None]]) -> Promise:
    """A promise of a journal, kept by a new one."""

    async def kept(server: RedisServer, _: Path) -> None:
        journal = RedisJournal(server.url, await with_layout(server))
        try:
            await promise(journal)
        finally:
            await journal.close()

    return kept


async def _expected_seq(server: RedisServer, _: Path) -> None:
    journal = RedisJournal(server.url, await with_layout(server))
    try:
        await contract.test_the_expected_seq_must_be_the_end(journal, 1)
    finally:
        await journal.close()


async def _too_few_copies(server: RedisServer, _: Path) -> None:
    async with RedisProxy(server, replicas=2) as proxy:
        journal = RedisJournal(proxy.url, await with_layout(server), replicas=2)
        try:
            await copies.test_too_few_copies_are_never_acknowledged(proxy, journal)
        finally:
            await journal.close()


async def _layout(server: RedisServer, _: Path) -> None:
    await beyond.test_nothing_is_begun_without_the_layout(server)


async def _went_back(_: RedisServer, folder: Path) -> None:
    await beyond.test_a_journal_that_went_back_is_refused(folder)


async def _lost_is_no_owner(server: RedisServer, _: Path) -> None:
    site = await with_layout(server)
    journal, raw = RedisJournal(server.url, site), RedisStore(server.url)
    try:
        await lost.test_who_serves_does_not_take_lost_data_for_a_new_owner(
            journal, raw, site
        )
    finally:
        await journal.close()
        await raw.close()


async def _left_generation(server: RedisServer, _: Path) -> None:
    site = await with_layout(server)
    journal = RedisJournal(server.url, site)
    try:
        await lost.test_a_generation_that_was_left_is_not_opened_again(
            server, journal, site
        )
    finally:
        await journal.close()


async def _full(_: RedisServer, folder: Path) -> None:
    await beyond.test_a_full_redis_lets_snapshots_make_room(folder)


async def _on_its_way(server: RedisServer, _: Path) -> None:
    await crash.test_a_write_on_its_way_is_shut_out_by_the_next_owner(server)


async def _damage(server: RedisServer, _: Path) -> None:
    site = await with_layout(server)
    journal, raw = RedisJournal(server.url, site), RedisStore(server.url)
    try:
        await beyond.test_damage_is_told(journal, raw, site)
    finally:
        await journal.close()
        await raw.close()


CONTROLS: Sequence[tuple[Breaking, Promise]] = (
    (
        _without("if epoch ~= owner then return fenced(epoch, seq) end"),
        _on(contract.test_an_older_epoch_is_fenced),
    ),
    (
        _without(
            "if expected ~= '' and seq ~= expected then return fenced(epoch, seq) end"
        ),
        _expected_seq,
    ),
    (
        _without(
            "if redis.call('EXISTS', keys[4]) == 0 then\n"
            "    return redis.error_reply('LOST layout')\n  end"
        ),
        _layout,
    ),
    (
        _without("or tonumber(seq) < tonumber(args[3])"),
        _went_back,
    ),
    (
        _without(
            "if tonumber(args[4]) < generation_of(redis.call('GET', keys[4])) then\n"
            "    return fenced(epoch, seq)\n  end"
        ),
        _left_generation,
    ),
    (_nobody_is_lost, _lost_is_no_owner),
    (
        _without("callback = store, flags = {'allow-oom'}", instead="callback = store"),
        _full,
    ),
    (_copies_not_counted, _too_few_copies),
    (_lost_reply_is_believed, _on_its_way),
    (_damage_not_seen, _damage),
)
NAMES = (
    *("epoch", "expected", "layout", "end", "generation", "fenced", "room"),
    *("copies", "lost-reply", "damage"),
)


@pytest.mark.parametrize(("breaking", "promise"), CONTROLS, ids=NAMES)
async def test_a_removed_safeguard_is_caught(
    breaking: Breaking,
    promise: Promise,
    redis_server: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whole, the promise is kept; without the safeguard its test fails."""
    await promise(redis_server, tmp_path / "whole")
    breaking(monkeypatch)
    with pytest.raises(CAUGHT):
        await promise(redis_server, tmp_path / "broken")
