"""Answers by idempotency key: the memory twin and SQL keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from actors.domain.ids import Millis
from care.idempotency.answers import (
    CLAIM_MS,
    KEEP_MS,
    Claim,
    InProgress,
    OtherRequest,
    Stored,
    StoredAnswer,
)
from care.idempotency.ports import AnswerStore
from persistence.idempotency.models import IdempotencyRecord
from persistence.idempotency.store import SqlAnswerStore
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records
from tests.fakes.answers import MemoryAnswers
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import KEKS
from tests.fixtures.read_model import empty_records

NOW = Millis(1_700_000_000_000)
ANSWER = StoredAnswer(
    201, (("location", "/v1/x/1"), ("etag", '"1"')), b'{"a":"\xc3\xa9\0"}'
)


@pytest.fixture(params=["memory", "sqlite", "asyncmy"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AnswerStore]:
    """An empty store."""
    if request.param == "memory":
        yield MemoryAnswers()
        return
    async with records_of(request, tmp_path) as records:
        yield SqlAnswerStore(records.engine, ring_of(records))


@asynccontextmanager
async def records_of(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Records]:
    """Empty records of the kind that the test's parameter names."""
    records = Records(empty_records(request.param, request, tmp_path))
    yield records
    await records.close()


def ring_of(records: Records) -> KeyRing:
    return KeyRing(records, KEKS, SteppedClock(NOW))


async def claimed(store: AnswerStore, key: str = "k", now: Millis = NOW) -> Claim:
    """The claim of a key that must be free."""
    found = await store.claim(key, "f", now=now)
    assert isinstance(found, Claim)
    return found


async def test_an_answer_is_found_byte_for_byte(store: AnswerStore) -> None:
    """Status, headers in order, and the body, for a day."""
    await store.keep(await claimed(store), ANSWER, now=NOW)
    last = Millis(NOW + KEEP_MS - 1)
    assert await store.claim("k", "f", now=last) == Stored(ANSWER)
    assert isinstance(await store.claim("k", "f", now=Millis(last + 1)), Claim)


async def test_an_empty_body_is_an_answer(store: AnswerStore) -> None:
    """204 is stored like any other."""
    await store.keep(await claimed(store), StoredAnswer(204, (), b""), now=NOW)
    assert await store.claim("k", "f", now=NOW) == Stored(StoredAnswer(204, (), b""))


async def test_another_request_is_told_apart(store: AnswerStore) -> None:
    """With and without an answer; keys are compared byte by byte."""
    claim = await claimed(store)
    assert await store.claim("k", "g", now=NOW) == OtherRequest()
    await store.keep(claim, ANSWER, now=NOW)
    assert await store.claim("k", "g", now=NOW) == OtherRequest()
    assert isinstance(await store.claim("K", "f", now=NOW), Claim)


async def test_of_many_at_once_one_gets_the_claim(store: AnswerStore) -> None:
    """All others are asked to wait."""
    found = await asyncio.gather(*(store.claim("k", "f", now=NOW) for _ in range(8)))
    assert sum(isinstance(one, Claim) for one in found) == 1
    assert sum(one == InProgress() for one in found) == 7


async def test_a_claim_expires(store: AnswerStore) -> None:
    """Then another request holds the key, and the first can no longer answer."""
    first = await claimed(store)
    until = Millis(NOW + CLAIM_MS)
    assert await store.claim("k", "f", now=Millis(until - 1)) == InProgress()
    second = await claimed(store, now=until)
    await store.keep(first, ANSWER, now=until)
    await store.release(first)
    assert await store.claim("k", "f", now=until) == InProgress()
    await store.keep(second, ANSWER, now=until)
    assert await store.claim("k", "f", now=until) == Stored(ANSWER)


async def test_a_released_key_is_free(store: AnswerStore) -> None:
    """For any request; an answer, however, is not released."""
    await store.release(await claimed(store))
    again = await store.claim("k", "g", now=NOW)
    assert isinstance(again, Claim)
    await store.keep(again, ANSWER, now=NOW)
    await store.release(again)
    assert await store.claim("k", "g", now=NOW) == Stored(ANSWER)


async def test_expired_keys_are_forgotten(store: AnswerStore) -> None:
    """At most so many at a time; none that still holds."""
    for key in ("a", "b", "c"):
        await store.keep(await claimed(store, key), ANSWER, now=NOW)
    later = Millis(NOW + KEEP_MS)
    await store.keep(await claimed(store, "d", later), ANSWER, now=later)
    assert [await store.forget(now=later, limit=2) for _ in range(3)] == [2, 1, 0]
    assert await store.claim("d", "f", now=later) == Stored(ANSWER)


@pytest.fixture(params=["sqlite", "asyncmy"])
async def records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Records]:
    """Empty records of a database."""
    async with records_of(request, tmp_path) as opened:
        yield opened


async def test_a_stored_answer_and_its_request_are_not_readable(
    records: Records,
) -> None:
    """A profile or a note is sealed in its row; it is not in clear beside it."""
    store = SqlAnswerStore(records.engine, ring_of(records))
    claim = await claimed(store)
    note = b'{"text":"Penicillin: rash, 2019."}'
    await store.keep(claim, StoredAnswer(201, (), note), now=NOW)
    async with records.reading() as session:
        row = (await session.scalars(select(IdempotencyRecord))).one()
    assert row.body is not None
    assert b"Penicillin" not in row.body
    assert row.fingerprint != "f"
    assert await store.claim("k", "f", now=NOW) == Stored(StoredAnswer(201, (), note))


async def test_answers_of_an_older_version_are_found(records: Records) -> None:
    """Rows with a plain fingerprint hold a plain body; they count until they expire."""
    async with records.writing() as session:
        old = {"fingerprint": "f", "expires_at": NOW + KEEP_MS, "headers": []}
        session.add(IdempotencyRecord(key="k", status=201, body=b"{}", **old))
        session.add(IdempotencyRecord(key="running", **(old | {"headers": None})))
    store = SqlAnswerStore(records.engine, ring_of(records))
    assert await store.claim("k", "f", now=NOW) == Stored(StoredAnswer(201, (), b"{}"))
    assert await store.claim("k", "g", now=NOW) == OtherRequest()
    assert await store.claim("running", "f", now=NOW) == InProgress()
