"""The key ring: one set of keys per tenant, whichever process made it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from care.keys.sealing import (
    KeyEncryptionKeys,
    KeyEncryptionKeyWrong,
    Place,
    SealBroken,
)
from persistence.keys.models import DataKeyRecord
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import KEKS

PLACE = Place("account", "email", "acc_1")


async def test_processes_agree_on_a_tenants_keys(records: Records) -> None:
    """Eight rings that begin at once have the same keys, stored wrapped."""
    clock = SteppedClock(make.NOW)
    rings = [KeyRing(records, KEKS, clock) for _ in range(8)]
    keys = await asyncio.gather(*(ring.of() for ring in rings))
    sealed = keys[0].seal(PLACE, "mira@example.org")
    assert {one.open(PLACE, sealed) for one in keys} == {"mira@example.org"}
    assert len({one.index("email", "mira") for one in keys}) == 1
    async with records.reading() as session:
        rows = (await session.scalars(select(DataKeyRecord))).all()
    assert len(rows) == 2


async def test_tenants_and_people_have_keys_of_their_own(records: Records) -> None:
    """What one sealed does not open with the keys of another."""
    ring = KeyRing(records, KEKS, SteppedClock(make.NOW))
    mine, theirs = await ring.of("cln_1"), await ring.of("cln_2")
    person = mine.of_person(b"s" * 16)
    sealed = person.seal(PLACE, "mira")
    assert person.open(PLACE, sealed) == "mira"
    for wrong in (mine, theirs, mine.of_person(b"t" * 16)):
        with pytest.raises(SealBroken):
            wrong.open(PLACE, sealed)
    assert mine.index("email", "a") != theirs.index("email", "a")


async def test_a_wrong_key_encryption_key_is_an_error(records: Records) -> None:
    """It is said; no second set of keys is made beside the first."""
    clock = SteppedClock(make.NOW)
    await KeyRing(records, KEKS, clock).of()
    other = KeyEncryptionKeys((("two", b"2" * 32),))
    with pytest.raises(KeyEncryptionKeyWrong):
        await KeyRing(records, other, clock).of()
