"""What is known of a patient, and what they are found by."""

from __future__ import annotations

import unicodedata
from datetime import date
from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import ClinicId, Millis, PatientId

NAME_CHARACTERS_MAX: Final = 100
NUMBER_CHARACTERS_MAX: Final = 40
"""Of a clinic's number for a patient."""
AGE_OF_MAJORITY: Final = 18
AGE_MAX: Final = 130


class Sex(StrEnum):
    """As insurers record it; not stated by default."""

    NOT_STATED = ""
    FEMALE = "female"
    MALE = "male"
    DIVERSE = "diverse"


class Coverage(StrEnum):
    """Who pays."""

    NOT_STATED = ""
    STATUTORY = "statutory"
    PRIVATE = "private"
    SELF = "self"


class PostalAddress(Struct, frozen=True, omit_defaults=True):
    """Where a person lives; ``country`` is an ISO 3166 code."""

    street: str = ""
    postcode: str = ""
    city: str = ""
    country: str = ""


class Insurance(Struct, frozen=True, omit_defaults=True):
    """A person's health insurance; ``number`` is the member's."""

    coverage: Coverage = Coverage.NOT_STATED
    insurer: str = ""
    number: str = ""


class EmergencyContact(Struct, frozen=True, omit_defaults=True):
    """Whom to call; ``relation`` in the patient's words ("sister")."""

    name: str = ""
    phone: str = ""
    relation: str = ""


class PatientProfile(Struct, frozen=True, omit_defaults=True):
    """A person. Everything may be unknown; ``birth_date`` is ISO 8601.

    Stored sealed as one JSON document: new fields need defaults.
    """

    given_name: str = ""
    family_name: str = ""
    birth_date: str = ""
    sex: Sex = Sex.NOT_STATED
    email: str = ""
    phone: str = ""
    language: str = ""
    address: PostalAddress = PostalAddress()
    insurance: Insurance = Insurance()
    emergency_contact: EmergencyContact = EmergencyContact()

    @property
    def name(self) -> str:
        """As schedules show it; empty if it is unknown."""
        return f"{self.given_name} {self.family_name}".strip()


class Patient(Struct, frozen=True):
    """A patient as they are stored. ``version`` counts the changes of the profile.

    ``account_id`` is empty for those who do not sign in themselves.
    """

    patient_id: PatientId
    account_id: str
    profile: PatientProfile
    version: int
    created_by: str
    created_at: Millis
    restricted_at: Millis | None = None
    erased_at: Millis | None = None


class ClinicPatient(Struct, frozen=True):
    """A patient as one clinic knows them; ``number`` is the clinic's own, or empty."""

    patient: Patient
    clinic_id: ClinicId
    number: str
    since: Millis


def compared_name(name: str) -> str:
    """What a name is found by: neither case nor accents nor hyphens count."""
    # ß and ø have no decomposition; both are typed in two ways.
    spelt = name.casefold().replace("ø", "o").replace("ł", "l").replace("đ", "d")
    return "".join(one for one in unicodedata.normalize("NFKD", spelt) if one.isalnum())


def name_and_birth(family_name: str, birth_date: str) -> str:
    """What a person is found by at a reception; empty without both."""
    if not family_name.strip() or not birth_date:
        return ""
    return f"{compared_name(family_name)}|{birth_date}"


def age_on(birth_date: str, day: date) -> int | None:
    """Completed years; None if the date of birth is unknown."""
    try:
        born = date.fromisoformat(birth_date)
    except ValueError:
        return None
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def majority_day(birth_date: str) -> date | None:
    """The day a person turns 18; None if the date of birth is unknown."""
    try:
        born = date.fromisoformat(birth_date)
    except ValueError:
        return None
    try:
        return born.replace(year=born.year + AGE_OF_MAJORITY)
    except ValueError:  # 29 February
        return date(born.year + AGE_OF_MAJORITY, 3, 1)
