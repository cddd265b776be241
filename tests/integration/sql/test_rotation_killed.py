"""A rotation of keys is killed with SIGKILL, and the next one finishes it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from care.keys.sealing import KeyEncryptionKeys, Place, number_of
from persistence.accounts.models import AccountRecord
from persistence.keys.ring import KeyRing
from persistence.keys.turn import TURN_MS
from persistence.privacy.rotating import KeyRotation
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.read_model import empty_records

KEKS = KeyEncryptionKeys((("one", b"1" * 32),))
PEOPLE = 1_000

CHILD = """
import asyncio, sys
from persistence.privacy.rotating import KeyRotation
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.integration.sql.test_rotation_killed import KEKS, PEOPLE

clock = SteppedClock(make.NOW)

async def wait(seconds):
    clock.step(seconds + 1)

def told(table, done, total):
    if table == "account" and done >= PEOPLE // 2:
        print("half", flush=True)
        sys.stdin.read()  # until it is killed

async def main():
    records = Records(sys.argv[1])
    await KeyRotation(records, KEKS, clock, wait=wait).reseal(told)

asyncio.run(main())
"""


async def _fill(records: Records) -> None:
    keys = await KeyRing(records, KEKS, SteppedClock(make.NOW)).of()
    rows = [
        {
            "account_id": f"acc_{n:04}",
            "status": "active",
            "email": keys.seal(Place("account", "email", f"acc_{n:04}"), f"{n}@x"),
            "email_i": str(n),
            "language": "en",
            "created_at": 1,
        }
        for n in range(PEOPLE)
    ]
    async with records.writing() as session:
        await session.execute(insert(AccountRecord), rows)


async def _numbers(records: Records) -> set[int]:
    """Every row opens; by which keys."""
    clock = SteppedClock(make.NOW)
    keys = await KeyRing(records, KEKS, clock).of()
    async with records.reading() as session:
        rows = (await session.scalars(select(AccountRecord))).all()
    assert len(rows) == PEOPLE
    for row in rows:
        place = Place("account", "email", row.account_id)
        assert keys.open(place, row.email) == f"{int(row.account_id[4:])}@x"
    return {number_of(row.email) for row in rows}


async def test_a_killed_rotation_goes_on_where_it_was(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Attack 58, by kill -9: in the middle every row opens, by one key or the other."""
    url = empty_records("sqlite", request, tmp_path)
    records = Records(url)
    await _fill(records)
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD, url), stdin=pipe, stdout=pipe
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"half\n"
    child.kill()
    assert await child.wait() == -signal.SIGKILL
    assert await _numbers(records) == {1, 2}
    clock = SteppedClock(make.NOW)
    clock.step(2 * TURN_MS / 1000)  # the turn of the killed one is over

    async def wait(seconds: float) -> None:
        clock.step(seconds + 1)

    rotation = KeyRotation(records, KEKS, clock, wait=wait)
    done_again = await rotation.reseal(lambda *_: None)
    assert 0 < done_again.resealed < PEOPLE
    assert await _numbers(records) == {2}
    await records.close()
