"""Keys of people: what they seal and open, on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from actors.domain.ids import PatientId
from actors.errors import Unavailable
from care.keys.sealing import KeyEncryptionKeys
from care.keys.texts import (
    BY_PERSON,
    BY_SITE,
    ERASED,
    NOT_NOW,
    cancel_reason_place,
    is_sealed,
    reason_place,
)
from persistence.accounts.models import PatientRecord
from persistence.keys.ring import KeyRing
from persistence.privacy.persons import SqlPersonKeys
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.read_model import empty_records

KEKS = KeyEncryptionKeys((("one", b"1" * 32),))
MIRA, NOA, TRIAL = PatientId("pat_1"), PatientId("pat_2"), PatientId("pat_9")
HERE = reason_place("bkg_1.a")
TEXT = "a rash on the left arm"


@pytest.fixture(params=("sqlite", "asyncmy"))
async def records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Records]:
    """Two patients with salts."""
    opened = Records(empty_records(request.param, request, tmp_path))
    async with opened.writing() as session:
        for one, salt in ((MIRA, b"m" * 16), (NOA, b"n" * 16)):
            row = {"patient_id": one, "key_salt": salt, "created_by": "x"}
            await session.execute(insert(PatientRecord).values(**row, created_at=1))
    yield opened
    await opened.close()


def _keys(records: Records) -> SqlPersonKeys:
    return SqlPersonKeys(records, KeyRing(records, KEKS, SteppedClock(make.NOW)))


async def test_what_one_gateway_sealed_another_opens(records: Records) -> None:
    """With one read for all whom it does not know; clear texts stay as they are."""
    writer, reader = _keys(records), _keys(records)
    await writer.load([MIRA, TRIAL])
    mine = writer.seal(MIRA, HERE, TEXT)
    trial = writer.seal(TRIAL, HERE, TEXT)
    assert mine.startswith(BY_PERSON)
    assert trial.startswith(BY_SITE)
    assert TEXT not in mine + trial
    await reader.load([MIRA, NOA, TRIAL])
    await reader.load([MIRA, NOA, TRIAL])
    assert reader.reads == 1
    assert reader.open(MIRA, HERE, mine) == TEXT
    assert reader.open(TRIAL, HERE, trial) == TEXT
    assert reader.open(MIRA, HERE, "an older, clear one") == "an older, clear one"


async def test_a_moved_or_changed_text_is_never_shown_wrong(records: Records) -> None:
    """Attack 56: of another person, visit or field, or with a bit flipped."""
    keys = _keys(records)
    await keys.load([MIRA, NOA])
    mine = keys.seal(MIRA, HERE, TEXT)
    swapped = (
        (NOA, HERE, mine),
        (MIRA, reason_place("bkg_1.b"), mine),
        (MIRA, cancel_reason_place("bkg_1.a"), mine),
        (MIRA, HERE, mine[:-2] + ("AA" if mine[-2:] != "AA" else "BB")),
        (MIRA, HERE, BY_PERSON + "no base64 at all"),
        (MIRA, HERE, BY_SITE + mine.removeprefix(BY_PERSON)),
    )
    for patient, place, text in swapped:
        assert keys.open(patient, place, text) == NOT_NOW, (patient, place)
    assert keys.open(MIRA, HERE, mine) == TEXT  # the control


async def test_who_is_erased_opens_no_more(records: Records) -> None:
    """Neither where it was remembered, once that is told, nor anywhere else."""
    keys, later = _keys(records), _keys(records)
    await keys.load([MIRA])
    mine = keys.seal(MIRA, HERE, TEXT)
    async with records.writing() as session:
        gone = update(PatientRecord).where(PatientRecord.patient_id == MIRA)
        await session.execute(gone.values(key_salt=None))
    keys.forget(MIRA)
    keys.learn(MIRA, b"m" * 16)  # from a token that has not expired
    await later.load([MIRA])
    assert keys.open(MIRA, HERE, mine) == ERASED
    assert later.open(MIRA, HERE, mine) == ERASED


async def test_without_the_records_what_is_known_goes_on(records: Records) -> None:
    """A salt from a token seals and opens; what is not known says so."""
    keys = _keys(records)
    await keys.load([])
    await records.close()
    keys.learn(MIRA, b"m" * 16)
    assert keys.open(MIRA, HERE, keys.seal(MIRA, HERE, TEXT)) == TEXT
    assert keys.reads == 0
    assert not keys.knows(NOA)
    assert keys.open(NOA, HERE, BY_PERSON + "AAAA") == NOT_NOW
    with pytest.raises(Unavailable):
        _keys(records).seal(MIRA, HERE, TEXT)


def test_sealed_texts_are_told_by_their_beginning() -> None:
    """What a person writes is never taken for a sealed text: it is sealed itself."""
    assert is_sealed(BY_PERSON + "x")
    assert not is_sealed("it is sealed1: no")
