"""Controls of sealed data: with its guard removed, each attack succeeds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from sqlalchemy import insert

from actors.domain.ids import PatientId
from care.keys import sealing
from care.keys.sealing import KeyEncryptionKeys, KeyEncryptionKeyWrong
from care.keys.texts import NOT_NOW, reason_place
from persistence.accounts.models import AccountRecord, PatientRecord
from persistence.keys import ring
from persistence.keys.models import DataKeyRecord
from persistence.keys.ring import KeyRing
from persistence.privacy.persons import SqlPersonKeys
from persistence.privacy.rotating import KeyRotation
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.read_model import empty_records

KEKS = KeyEncryptionKeys((("one", b"1" * 32),))
MIRA = PatientId("pat_1")
TEXT = "a rash on the left arm"


@pytest.fixture
async def records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Records]:
    """One patient with a salt."""
    opened = Records(empty_records("sqlite", request, tmp_path))
    async with opened.writing() as session:
        row = {"patient_id": MIRA, "key_salt": b"m" * 16, "created_by": "x"}
        await session.execute(insert(PatientRecord).values(**row, created_at=1))
    yield opened
    await opened.close()


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_seal_that_names_no_place_opens_in_another(
    records: Records, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """The reason of one visit would be shown as that of another."""
    if not guarded:
        monkeypatch.setattr(sealing, "_aad", lambda *_: b"")
    keys = SqlPersonKeys(records, KeyRing(records, KEKS, SteppedClock(make.NOW)))
    await keys.load([MIRA])
    mine = keys.seal(MIRA, reason_place("bkg_1.a"), TEXT)
    shown = keys.open(MIRA, reason_place("bkg_1.b"), mine)
    assert shown == (NOT_NOW if guarded else TEXT)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_wrapping_that_checks_nothing_starts_with_a_wrong_key(
    records: Records, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Then all that is sealed from there on is under keys that are lost."""
    clock = SteppedClock(make.NOW)
    await KeyRing(records, KEKS, clock).of()
    wrong = KeyRing(records, KeyEncryptionKeys((("one", b"3" * 32),)), clock)
    if guarded:
        with pytest.raises(KeyEncryptionKeyWrong):
            await wrong.check()
        return
    monkeypatch.setattr(
        sealing, "aes_key_unwrap", lambda key, secret: aes_key_wrap(key, secret)[:32]
    )
    await wrong.check()
    assert (await wrong.of()).current_number == 1


class _BrokenOff(Exception):
    """Where a rotation is killed."""


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_rotation_that_forgets_the_old_key_first_loses_what_is_left(
    records: Records, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Keys stay until all is sealed again: killed in the middle, all is readable."""
    clock = SteppedClock(make.NOW)
    keys = await KeyRing(records, KEKS, clock).of()
    place = sealing.Place("account", "email", "acc_1")
    async with records.writing() as session:
        session.add(
            AccountRecord(
                account_id="acc_1",
                status="active",
                email=keys.seal(place, "a@example.org"),
                email_i="i",
                language="en",
                created_at=1,
            )
        )

    async def wait(seconds: float) -> None:
        clock.step(seconds + 1)
        if not guarded:
            async with records.writing() as session:
                old = await session.get_one(DataKeyRecord, ("site", "seal", 1))
                await session.delete(old)

    def told(_table: str, _done: int, _total: int) -> None:
        raise _BrokenOff

    rotation = KeyRotation(records, KEKS, clock, wait=wait)
    with pytest.raises((_BrokenOff, sealing.SealBroken)):
        await rotation.reseal(told)
    after = await KeyRing(records, KEKS, clock).of()
    async with records.reading() as session:
        row = await session.get_one(AccountRecord, "acc_1")
    if guarded:
        assert after.open(place, row.email) == "a@example.org"
    else:
        with pytest.raises(sealing.SealBroken):
            after.open(place, row.email)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_store_that_seals_nothing_shows_addresses_on_the_disk(
    records: Records,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """What the search for seeded words would find without the seal."""
    if not guarded:
        monkeypatch.setattr(ring, "seal", lambda _key, _place, text, _n: text.encode())
    keys = await KeyRing(records, KEKS, SteppedClock(make.NOW)).of()
    place = sealing.Place("account", "email", "acc_1")
    async with records.writing() as session:
        session.add(
            AccountRecord(
                account_id="acc_1",
                status="active",
                email=keys.seal(place, "quetzal@example.org"),
                email_i="i",
                language="en",
                created_at=1,
            )
        )
    assert (b"quetzal" in _files(tmp_path)) is not guarded


def _files(folder: Path) -> bytes:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in paths)
