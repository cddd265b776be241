"""Bodies and answers of patients, and how profiles become them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints

from care.patients.notes import NOTE_CHARACTERS_MAX, MedicalNote, NoteKind
from care.patients.profiles import (
    NAME_CHARACTERS_MAX,
    NUMBER_CHARACTERS_MAX,
    ClinicPatient,
    Coverage,
    Patient,
    PatientProfile,
    Sex,
)
from gateway.http.features import Answer, Body
from gateway.wire.formats import millis_text

_TEXT: Final = r"^[^\x00-\x1f\x7f]*$"
NameField = Annotated[
    str, StringConstraints(max_length=NAME_CHARACTERS_MAX, pattern=_TEXT)
]
LineField = Annotated[str, StringConstraints(max_length=200, pattern=_TEXT)]
PhoneField = Annotated[
    str,
    StringConstraints(max_length=40, pattern=_TEXT),
    Field(description="With its country, as +49 30 1234567; stored as E.164."),
]
EmailField = Annotated[str, StringConstraints(max_length=254, pattern=_TEXT)]
CountryField = Annotated[
    str, StringConstraints(pattern=r"^([A-Z]{2})?$"), Field(description="ISO 3166.")
]
LanguageField = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3})?$", max_length=35
    ),
    Field(description="A language tag of BCP 47."),
]
PatientNumber = Annotated[
    str,
    StringConstraints(max_length=NUMBER_CHARACTERS_MAX, pattern=_TEXT),
    Field(description="The clinic's own number for the patient."),
]


class AddressBody(Body):
    """Where a person lives."""

    street: LineField = ""
    postcode: LineField = ""
    city: LineField = ""
    country: CountryField = ""


class InsuranceBody(Body):
    """A person's health insurance; ``number`` is the member's."""

    coverage: Coverage = Coverage.NOT_STATED
    insurer: LineField = ""
    number: LineField = ""


class EmergencyContactBody(Body):
    """Whom to call; ``relation`` in the patient's words."""

    name: NameField = ""
    phone: PhoneField = ""
    relation: LineField = ""


class ProfileChange(Body):
    """What is to be different; fields that are left out stay, groups are replaced.

    ``version``: of the profile that is changed; without it the newest one.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"given_name": "Mira", "phone": "+49301234567"}}
    )

    given_name: NameField | None = None
    family_name: NameField | None = None
    birth_date: date | None = None
    sex: Sex | None = None
    email: EmailField | None = None
    phone: PhoneField | None = None
    language: LanguageField | None = None
    address: AddressBody | None = None
    insurance: InsuranceBody | None = None
    emergency_contact: EmergencyContactBody | None = None
    version: int | None = Field(None, ge=0)


class NewPatientBody(ProfileChange):
    """A patient whom a clinic adds. A name is needed.

    ``even_if_known``: although a patient of this name and birth is there already.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "given_name": "Mira",
                "family_name": "Berg",
                "birth_date": "1980-02-29",
            }
        }
    )

    number: PatientNumber = ""
    even_if_known: bool = False


class PatientSearchBody(Body):
    """Exactly one of: name and birth, e-mail address, phone, the clinic's number.

    In the body, since addresses of requests end up in logs.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"family_name": "Berg", "birth_date": "1980-02-29"}
        }
    )

    family_name: NameField | None = None
    birth_date: date | None = None
    email: EmailField | None = None
    phone: PhoneField | None = None
    number: PatientNumber | None = None


class ClinicPatientBody(Body):
    """What a clinic notes of a patient."""

    model_config = ConfigDict(json_schema_extra={"example": {"number": "P-17"}})

    number: PatientNumber


class AddressAnswer(Answer):
    """Where a person lives."""

    street: str
    postcode: str
    city: str
    country: str


class InsuranceAnswer(Answer):
    """A person's health insurance."""

    coverage: Coverage
    insurer: str
    number: str


class EmergencyContactAnswer(Answer):
    """Whom to call."""

    name: str
    phone: str
    relation: str


class PatientAnswer(Answer):
    """A patient. What is not known is empty. ``version`` counts changes."""

    patient_id: str
    given_name: str
    family_name: str
    birth_date: str
    sex: Sex
    email: str
    phone: str
    language: str
    address: AddressAnswer
    insurance: InsuranceAnswer
    emergency_contact: EmergencyContactAnswer
    has_account: bool
    created_at: str
    version: int

    @classmethod
    def of(cls, patient: Patient) -> PatientAnswer:
        """The answer of a patient."""
        return cls(**_fields(patient))


class ClinicPatientAnswer(PatientAnswer):
    """A patient as one clinic knows them."""

    number: str
    since: str

    @classmethod
    def at(cls, found: ClinicPatient) -> ClinicPatientAnswer:
        """The answer of a clinic's patient."""
        return cls(
            **_fields(found.patient),
            number=found.number,
            since=millis_text(found.since),
        )


class ClinicPatientsAnswer(Answer):
    """Those of a clinic's patients who match; at most 20."""

    items: list[ClinicPatientAnswer]


class MyClinicsAnswer(Answer):
    """The clinics that know a patient."""

    items: list[str]


class NoteBody(Body):
    """A note of a patient's history. ``replaces`` is a note that it corrects."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"kind": "allergy", "text": "Penicillin: rash, 2019."}
        }
    )

    kind: NoteKind
    text: str = Field(min_length=1, max_length=NOTE_CHARACTERS_MAX)
    replaces: str | None = Field(None, max_length=100)


class NoteAnswer(Answer):
    """A note; one that was corrected names the note that replaced it."""

    note_id: str
    patient_id: str
    clinic_id: str | None
    author: str
    kind: NoteKind
    text: str
    at: str
    replaces: str | None
    replaced_by: str | None

    @classmethod
    def of(cls, note: MedicalNote) -> NoteAnswer:
        """The answer of a note."""
        return cls(
            note_id=note.note_id,
            patient_id=note.patient_id,
            clinic_id=note.clinic_id or None,
            author=note.author,
            kind=note.kind,
            text=note.text,
            at=millis_text(note.at),
            replaces=note.replaces or None,
            replaced_by=note.replaced_by or None,
        )


class NotesAnswer(Answer):
    """A page of notes, the newest first; ``next_cursor`` is null at the end."""

    items: list[NoteAnswer]
    next_cursor: str | None


def _fields(patient: Patient) -> dict[str, Any]:
    it: PatientProfile = patient.profile
    return {
        "patient_id": patient.patient_id,
        "given_name": it.given_name,
        "family_name": it.family_name,
        "birth_date": it.birth_date,
        "sex": it.sex,
        "email": it.email,
        "phone": it.phone,
        "language": it.language,
        "address": AddressAnswer.model_validate(it.address, from_attributes=True),
        "insurance": InsuranceAnswer.model_validate(it.insurance, from_attributes=True),
        "emergency_contact": EmergencyContactAnswer.model_validate(
            it.emergency_contact, from_attributes=True
        ),
        "has_account": bool(patient.account_id),
        "created_at": millis_text(patient.created_at),
        "version": patient.version,
    }
