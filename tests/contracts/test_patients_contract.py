"""What a store of patients promises, on every database."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from actors.domain.ids import ClinicId, Millis, PatientId
from care.patients.ports import FoundBy, NewPatient, NumberTaken
from care.patients.profiles import (
    Coverage,
    EmergencyContact,
    Insurance,
    PatientProfile,
    PostalAddress,
    name_and_birth,
)
from persistence.keys.ring import KeyRing
from persistence.patients.store import SqlPatients
from persistence.privacy.store import SqlPrivacy
from persistence.sql.records import Records
from tests import factories as make

NOW = make.NOW
ONE, TWO = ClinicId("cln_1"), ClinicId("cln_2")
MIRA = PatientId("pat_mira")
PROFILE = PatientProfile(
    given_name="Mira",
    family_name="Müller-Lüdenscheidt",
    birth_date="1980-02-29",
    email="Mira@example.org",
    phone="+493012345678",
    language="de",
    address=PostalAddress(city="Berlin", country="DE"),
    insurance=Insurance(Coverage.STATUTORY, "AOK", "A123456789"),
    emergency_contact=EmergencyContact("Jonas", "+493099999999", "brother"),
)
NEW = NewPatient(MIRA, PROFILE, "acc_staff", ONE, "P-17")


@pytest.fixture
def store(records: Records, ring: KeyRing) -> SqlPatients:
    """No patients yet."""
    return SqlPatients(records, ring)


async def test_a_patient_is_kept_as_they_were_added(store: SqlPatients) -> None:
    """All of the profile is read back, and the clinic's number with it."""
    await store.add(NEW, now=NOW)
    found = await store.at_clinic(ONE, MIRA)
    assert found is not None
    assert (found.patient.profile, found.number) == (PROFILE, "P-17")
    assert (found.patient.version, found.patient.created_by) == (1, "acc_staff")
    assert await store.at_clinic(TWO, MIRA) is None
    assert await store.find(PatientId("pat_none")) is None
    assert await store.clinics_of(MIRA) == [ONE]


async def test_only_a_clinics_own_patients_are_found(store: SqlPatients) -> None:
    """By name and birth, address, phone and number, however they are spelt."""
    await store.add(NEW, now=NOW)
    asked = {
        FoundBy.NAME_AND_BIRTH: name_and_birth("muller ludenscheidt", "1980-02-29"),
        FoundBy.EMAIL: "mira@example.org",
        FoundBy.PHONE: "+493012345678",
        FoundBy.NUMBER: "P-17",
    }
    for by, words in asked.items():
        (found,) = await store.search(ONE, by, words, limit=9)
        assert found.patient.patient_id == MIRA
        assert await store.search(TWO, by, words, limit=9) == []
        assert await store.search(ONE, by, words + "x", limit=9) == []


async def test_a_clinics_number_is_one_patients(store: SqlPatients) -> None:
    """A number is given once per clinic; another clinic may give the same."""
    await store.add(NEW, now=NOW)
    other = NewPatient(PatientId("pat_2"), PatientProfile(), "acc_staff", ONE, "P-17")
    with pytest.raises(NumberTaken):
        await store.add(other, now=NOW)
    assert await store.find(other.patient_id) is None
    await store.make_known(TWO, MIRA, number="P-17", now=NOW)
    for number in (3, 4):
        patient_id = PatientId(f"pat_{number}")
        await store.make_known(ONE, patient_id, now=NOW)
        with pytest.raises(NumberTaken):
            await store.make_known(ONE, patient_id, number="P-17", now=NOW)


async def test_of_racing_changes_of_a_profile_one_wins(store: SqlPatients) -> None:
    """Eight changes of one version: one is stored, the others are told."""
    await store.add(NEW, now=NOW)
    changed = [PatientProfile(given_name=f"Mira {n}") for n in range(8)]
    saved = await asyncio.gather(
        *(store.save_profile(MIRA, one, version=1) for one in changed)
    )
    (won,) = [one for one in saved if one is not None]
    found = await store.find(MIRA)
    assert found == won
    assert found is not None
    assert found.version == 2
    assert await store.search(ONE, FoundBy.PHONE, PROFILE.phone, limit=1) == []


async def test_a_salt_is_made_once(store: SqlPatients) -> None:
    """Twelve at once for an id that has no row get one salt, which stays."""
    salts = await asyncio.gather(*(store.salt_of(MIRA, now=NOW) for _ in range(12)))
    (salt,) = set(salts)
    assert salt is not None
    assert len(salt) == 16
    assert await store.salts([MIRA, PatientId("pat_none")]) == {MIRA: salt}


async def test_an_erased_person_cannot_be_read_or_found(
    store: SqlPatients, records: Records
) -> None:
    """With the salt go the profile and all that it was found by, for good."""
    await store.add(NEW, now=NOW)
    assert await store.destroy_salt(MIRA, now=Millis(NOW + 1))
    assert not await store.destroy_salt(MIRA, now=Millis(NOW + 2))
    found = await store.find(MIRA)
    assert found is not None
    assert (found.profile, found.erased_at) == (PatientProfile(), NOW + 1)
    assert await store.salt_of(MIRA, now=NOW) is None
    assert await store.names([MIRA]) == {}
    assert await store.search(ONE, FoundBy.PHONE, PROFILE.phone, limit=1) == []
    assert await store.save_profile(MIRA, PROFILE, version=1) is None
    await store.make_known(TWO, MIRA, number="P-99", now=NOW)
    assert not await store.is_known(TWO, MIRA)
    assert await store.at_clinic(TWO, MIRA) is None


async def test_a_restriction_is_asked_of_one_patient(
    store: SqlPatients, records: Records, ring: KeyRing
) -> None:
    """It holds from when it is set until it is lifted, and for no one else."""
    other = PatientId("pat_other")
    await store.add(NEW, now=NOW)
    await store.add(NewPatient(other, PROFILE, "acc_staff", ONE, "P-18"), now=NOW)
    privacy = SqlPrivacy(records, ring)
    for restricted in (True, False):
        assert await privacy.restrict(MIRA, "acc_1", restricted=restricted, now=NOW)
        assert await store.is_restricted(MIRA) == restricted
        for one in (other, PatientId("pat_none")):
            assert not await store.is_restricted(one)


async def test_names_of_a_page_come_in_one_read(store: SqlPatients) -> None:
    """Those who have none are left out."""
    await store.add(NEW, now=NOW)
    await store.make_known(ONE, PatientId("pat_2"), now=NOW)
    asked = [MIRA, PatientId("pat_2"), PatientId("pat_3"), MIRA]
    assert await store.names(asked) == {MIRA: "Mira Müller-Lüdenscheidt"}


async def test_no_profile_is_stored_in_the_clear(
    store: SqlPatients, records: Records
) -> None:
    """No column of a patient's rows holds a name, a number or a date of birth."""
    await store.add(NEW, now=NOW)
    async with records.reading() as session:
        for table in ("patient", "patient_clinic"):
            for row in await session.execute(text(f"SELECT * FROM {table}")):
                seen = " ".join(
                    one.decode("latin-1") if isinstance(one, bytes) else str(one)
                    for one in row
                )
                for word in ("Mira", "ller", "1980", "4930", "example", "P-17"):
                    assert word not in seen, table


async def test_a_clinic_knows_whom_it_was_told_of(store: SqlPatients) -> None:
    """Knowing a patient of another clinic does not follow from knowing their id."""
    await store.add(NEW, now=NOW)
    assert await store.is_known(ONE, MIRA)
    assert not await store.is_known(TWO, MIRA)
    assert not await store.is_known(ONE, PatientId("pat_none"))


async def test_many_are_introduced_and_nothing_that_is_there_changes(
    store: SqlPatients,
) -> None:
    """Profiles for those without one; a second time, and for the erased, nothing."""
    bare, new, erased = (PatientId(f"pat_{one}") for one in ("bare", "new", "erased"))
    other = PatientProfile(given_name="Another", family_name="Name")
    await store.add(NEW, now=NOW)
    salt = await store.salt_of(bare, now=NOW)
    await store.salt_of(erased, now=NOW)
    await store.destroy_salt(erased, now=NOW)
    people = dict.fromkeys((MIRA, bare, new, erased), other)
    known = {(ONE, MIRA), (TWO, MIRA), (ONE, new)}
    for _ in range(2):
        await store.introduce(people, known, now=NOW)
        names = await store.names(list(people))
        assert names == {MIRA: PROFILE.name, bare: other.name, new: other.name}
        assert await store.salt_of(bare, now=NOW) == salt
        assert set(await store.clinics_of(MIRA)) == {ONE, TWO}
        assert await store.clinics_of(new) == [ONE]
        assert await store.clinics_of(bare) == []
    kept = await store.at_clinic(ONE, MIRA)
    assert kept is not None
    assert (kept.number, kept.patient.version) == ("P-17", 1)
