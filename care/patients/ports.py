"""What the service of patients needs from a store. Every method may raise Unavailable.

What belongs to several clinics is one row: a patient is one person on the platform, and
``patient_clinic`` says which clinics know them, and by which number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import ClinicId, Millis, PatientId
from care.patients.profiles import ClinicPatient, Patient, PatientProfile


class NewPatient(Struct, frozen=True):
    """A patient whom staff add for their clinic, or a guardian for a dependant."""

    patient_id: PatientId
    profile: PatientProfile
    created_by: str
    clinic_id: ClinicId = ClinicId("")
    """The clinic that knows them; empty for a dependant whom no clinic knows yet."""
    number: str = ""


class FoundBy(StrEnum):
    """By what staff look for a patient."""

    NAME_AND_BIRTH = "name_birth"
    EMAIL = "email"
    PHONE = "phone"
    NUMBER = "number"


class NumberTaken(Exception):
    """Another patient of the clinic has this number."""


class Patients(Protocol):
    """Patients, their profiles, and which clinics know them."""

    async def find(self, patient_id: PatientId) -> Patient | None:
        """A patient; None if there is none. An erased one has an empty profile."""
        ...

    async def is_restricted(self, patient_id: PatientId) -> bool:
        """Whether the use of a patient's data is restricted; not if there is none."""
        ...

    async def salts(
        self, patient_ids: Sequence[PatientId]
    ) -> Mapping[PatientId, bytes]:
        """The salts of their keys, in one read; those who are erased are left out."""
        ...

    async def salt_of(self, patient_id: PatientId, *, now: Millis) -> bytes | None:
        """The salt of a person's key; a row is made for an id that has none.

        None for a person who was erased.
        """
        ...

    async def destroy_salt(self, patient_id: PatientId, *, now: Millis) -> bool:
        """Make all that was sealed for a person unreadable; False if it is already."""
        ...

    async def names(self, patient_ids: Sequence[PatientId]) -> Mapping[PatientId, str]:
        """How they are called, in one read; those without a name are left out."""
        ...

    async def add(self, new: NewPatient, *, now: Millis) -> Patient:
        """Add a patient. Raises NumberTaken."""
        ...

    async def introduce(
        self,
        people: Mapping[PatientId, PatientProfile],
        known: Collection[tuple[ClinicId, PatientId]],
        *,
        now: Millis,
    ) -> None:
        """Add many at once: profiles for those without one, and whom clinics know.

        A profile that is there stays, as does an erased person's absence. ``known``
        names people of ``people`` only.
        """
        ...

    async def save_profile(
        self, patient_id: PatientId, profile: PatientProfile, *, version: int
    ) -> Patient | None:
        """Replace a profile of this version; None if it is another, or erased."""
        ...

    async def search(
        self, clinic_id: ClinicId, by: FoundBy, text: str, *, limit: int
    ) -> Sequence[ClinicPatient]:
        """Patients of a clinic with exactly this name and birth, address or number.

        ``text``: what ``name_and_birth``, ``compared_address`` or ``written_number``
        make of it, or the clinic's number.
        """
        ...

    async def is_known(self, clinic_id: ClinicId, patient_id: PatientId) -> bool:
        """Whether a clinic knows a patient."""
        ...

    async def at_clinic(
        self, clinic_id: ClinicId, patient_id: PatientId
    ) -> ClinicPatient | None:
        """A patient as a clinic knows them; None if it does not."""
        ...

    async def clinics_of(self, patient_id: PatientId) -> Sequence[ClinicId]:
        """The clinics that know a patient."""
        ...

    async def make_known(
        self,
        clinic_id: ClinicId,
        patient_id: PatientId,
        *,
        number: str | None = None,
        now: Millis,
    ) -> None:
        """A clinic knows this patient from now on, by ``number`` unless it is None.

        An erased person stays unknown.

        Raises:
            NumberTaken: another patient of the clinic has it.
        """
        ...
