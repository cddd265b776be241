"""What callers do with patients: profiles, notes, a clinic's list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from msgspec.structs import replace

from actors.domain.ids import ClinicId, PatientId
from actors.ports import Clock
from care.accounts.addresses import InvalidAddress, compared_address, written_address
from care.audit.entries import SITE_TENANT
from care.patients.notes import MedicalNote, MedicalNotes, NoteReplaced
from care.patients.phones import InvalidNumber, written_number
from care.patients.ports import FoundBy, NewPatient, NumberTaken, Patients
from care.patients.profiles import (
    AGE_MAX,
    ClinicPatient,
    EmergencyContact,
    Insurance,
    Patient,
    PatientProfile,
    PostalAddress,
    name_and_birth,
)
from gateway.access.known_patients import KnownPatients
from gateway.access.restricted_patients import DataRestricted, is_exempt
from gateway.access.rights import Access, Action
from gateway.access.tokens import Caller
from gateway.access.trail import Act
from gateway.config import GatewayPorts
from gateway.patients.schemas import (
    NewPatientBody,
    NoteBody,
    PatientSearchBody,
    ProfileChange,
)
from gateway.wire.cursors import cursor_after, place_of_cursor
from gateway.wire.errors import (
    FieldError,
    Forbidden,
    InvalidRequest,
    NotFound,
    RequestError,
    VersionBehind,
)

FOUND_MAX: Final = 20
"""Patients of one search; equal names and births are rare."""
_ROUNDS: Final = 4
"""Tries of a change without a version that other changes overtake."""


class PatientKnown(RequestError):
    """The clinic has a patient of this name and birth; look at them first."""

    code = "patient_known"


class PatientNumberTaken(RequestError):
    """Another patient of the clinic has this number."""

    code = "number_taken"


class NoteNotReplaceable(RequestError):
    """The note that this one corrects is not there, or was corrected already."""

    code = "note_replaced"


class PatientService:
    """One per gateway. Every method may raise Unavailable."""

    def __init__(
        self, ports: GatewayPorts, access: Access, known: KnownPatients
    ) -> None:
        assert ports.patients is not None, "made only where there are patients"
        assert ports.notes is not None
        self._patients: Patients = ports.patients
        self._notes: MedicalNotes = ports.notes
        self._clock: Clock = ports.clock
        self._tokens = ports.tokens
        self._access = access
        self._known = known

    async def read(
        self, caller: Caller, action: Action, about: Sequence[PatientId]
    ) -> None:
        """Note in the audit trail that a caller reads about these patients.

        Raises:
            Unavailable: it cannot be noted; do not answer.
        """
        trail = self._access.trail
        if trail is not None and about:
            tenant = await self._access.clinic_of(caller) or SITE_TENANT
            await trail.read(caller, action.value, about, tenant=tenant)

    async def wrote(
        self,
        caller: Caller,
        action: Action,
        patient_id: PatientId,
        fields: Sequence[str] = (),
    ) -> None:
        """Note in the audit trail that a caller changed this about a patient."""
        trail = self._access.trail
        if trail is not None:
            tenant = await self._access.clinic_of(caller) or SITE_TENANT
            act = Act(
                action.value, "done", person=patient_id, tenant=tenant, fields=fields
            )
            await trail.acted(caller, act)

    async def show(self, caller: Caller, patient_id: PatientId) -> Patient:
        """A patient. Raises NotFound, DataRestricted."""
        found = await self._patients.find(patient_id)
        if found is None:
            raise NotFound(code="patient_not_found")
        return _shown(caller, found)

    async def change(
        self, caller: Caller, patient_id: PatientId, change: ProfileChange
    ) -> Patient:
        """Change a profile.

        Raises:
            DataRestricted: the patient restricted the use of their data.
            VersionBehind: it was changed in the meantime.
            InvalidRequest: a field does not hold.
            NotFound: there is no such patient.
        """
        for _ in range(_ROUNDS):
            await self._patients.salt_of(patient_id, now=self._clock.now())
            found = await self.show(caller, patient_id)
            if change.version is not None and change.version != found.version:
                raise VersionBehind
            profile = self._changed(found.profile, change)
            saved = await self._patients.save_profile(
                patient_id, profile, version=found.version
            )
            if saved is not None:
                return saved
            if found.erased_at is not None:
                raise NotFound(code="patient_not_found")
        raise VersionBehind

    async def add(
        self, caller: Caller, clinic_id: ClinicId, body: NewPatientBody
    ) -> ClinicPatient:
        """Add a patient of a clinic.

        Raises:
            PatientKnown: one of this name and birth is there.
            PatientNumberTaken: another patient has this number.
            InvalidRequest: a field does not hold.
        """
        profile = self._changed(PatientProfile(), body)
        if not profile.family_name:
            raise InvalidRequest("", FieldError("family_name", "is needed"))
        same = name_and_birth(profile.family_name, profile.birth_date)
        if same and not body.even_if_known:
            by = FoundBy.NAME_AND_BIRTH
            if await self._patients.search(clinic_id, by, same, limit=1):
                raise PatientKnown
        now = self._clock.now()
        new = NewPatient(
            PatientId("pat_" + self._tokens()),
            profile,
            caller.account,
            clinic_id,
            body.number,
        )
        try:
            patient = await self._patients.add(new, now=now)
        except NumberTaken:
            raise PatientNumberTaken from None
        self._known.note(clinic_id, patient.patient_id)
        return ClinicPatient(patient, clinic_id, body.number, now)

    async def search(
        self, caller: Caller, clinic_id: ClinicId, body: PatientSearchBody
    ) -> Sequence[ClinicPatient]:
        """Patients of a clinic, without those who are restricted.

        Raises:
            InvalidRequest: a field does not hold.
        """
        by, text = _asked(body)
        found = await self._patients.search(clinic_id, by, text, limit=FOUND_MAX)
        return [one for one in found if not _is_restricted(caller, one.patient)]

    async def at_clinic(
        self, caller: Caller, clinic_id: ClinicId, patient_id: PatientId
    ) -> ClinicPatient:
        """A patient as a clinic knows them. Raises NotFound, DataRestricted."""
        found = await self._patients.at_clinic(clinic_id, patient_id)
        if found is None:
            if not await self._known.is_known(clinic_id, patient_id):
                raise NotFound(code="patient_not_found")
            # Known by a booking alone so far.
            now = self._clock.now()
            await self._patients.make_known(clinic_id, patient_id, now=now)
            found = await self._patients.at_clinic(clinic_id, patient_id)
            if found is None:  # erased; the clinic knows the visits alone
                raise NotFound(code="patient_not_found")
        _shown(caller, found.patient)
        return found

    async def number(
        self, caller: Caller, clinic_id: ClinicId, patient_id: PatientId, number: str
    ) -> ClinicPatient:
        """Set a clinic's number for its patient.

        Raises:
            DataRestricted: the patient restricted the use of their data.
            NotFound: the clinic does not know the patient.
            PatientNumberTaken: another patient has the number.
        """
        await self.at_clinic(caller, clinic_id, patient_id)
        try:
            await self._patients.make_known(
                clinic_id, patient_id, number=number, now=self._clock.now()
            )
        except NumberTaken:
            raise PatientNumberTaken from None
        return await self.at_clinic(caller, clinic_id, patient_id)

    async def clinics_of(self, patient_id: PatientId) -> Sequence[ClinicId]:
        """The clinics that know a patient."""
        return await self._patients.clinics_of(patient_id)

    async def notes(
        self, caller: Caller, patient_id: PatientId, cursor: str | None, limit: int
    ) -> tuple[Sequence[MedicalNote], str | None]:
        """A page of a patient's notes, and the cursor of the next.

        Raises:
            DataRestricted: the patient restricted the use of their data.
            InvalidRequest: the cursor is not valid.
        """
        await self._access.restricted.check(caller, patient_id)
        after = (self._clock.now() + 1, "")
        if cursor is not None:
            after = place_of_cursor(cursor)
        found = await self._notes.of_patient(patient_id, after=after, limit=limit + 1)
        if len(found) <= limit:
            return found, None
        last = found[limit - 1]
        return found[:limit], cursor_after(last.at, last.note_id)

    async def add_note(
        self, caller: Caller, patient_id: PatientId, body: NoteBody
    ) -> MedicalNote:
        """Write a note. Raises NoteNotReplaceable, DataRestricted."""
        await self._access.restricted.check(caller, patient_id)
        clinic_id = await self._access.clinic_of(caller)
        now = self._clock.now()
        await self._patients.salt_of(patient_id, now=now)
        note = MedicalNote(
            note_id="note_" + self._tokens(),
            patient_id=patient_id,
            clinic_id=clinic_id or ClinicId(""),
            author=caller.account,
            kind=body.kind,
            text=body.text,
            at=now,
            replaces=body.replaces or "",
        )
        try:
            await self._notes.add(note)
        except NoteReplaced:
            raise NoteNotReplaceable from None
        return note

    def new_profile(self, body: ProfileChange) -> PatientProfile:
        """The profile of a new person. Raises InvalidRequest."""
        return self._changed(PatientProfile(), body)

    def _changed(
        self, profile: PatientProfile, change: ProfileChange
    ) -> PatientProfile:
        sent = change.model_fields_set
        texts = ("given_name", "family_name", "sex", "language")
        given = {name: getattr(change, name) or "" for name in texts if name in sent}
        changed = replace(profile, **given)
        if "address" in sent:
            address = change.address
            made = (
                PostalAddress()
                if address is None
                else PostalAddress(**address.model_dump())
            )
            changed = replace(changed, address=made)
        if "insurance" in sent:
            cover = change.insurance
            changed = replace(
                changed,
                insurance=Insurance()
                if cover is None
                else Insurance(cover.coverage, cover.insurer, cover.number),
            )
        if "birth_date" in sent:
            changed = replace(changed, birth_date=self._birth(change.birth_date))
        country = changed.address.country
        if "email" in sent:
            changed = replace(changed, email=_email(change.email or ""))
        if "phone" in sent:
            phone = _phone(change.phone or "", country, "phone")
            changed = replace(changed, phone=phone)
        if "emergency_contact" in sent:
            it = change.emergency_contact
            contact = EmergencyContact()
            if it is not None:
                phone = _phone(it.phone, country, "emergency_contact.phone")
                contact = EmergencyContact(it.name, phone, it.relation)
            changed = replace(changed, emergency_contact=contact)
        return changed

    def _birth(self, born: date | None) -> str:
        if born is None:
            return ""
        # A day ahead: it may be tomorrow already where the child was born.
        today = datetime.fromtimestamp(self._clock.now() / 1000, UTC).date()
        if not today.year - AGE_MAX <= born.year or (born - today).days > 1:
            message = f"must not be in the future, nor {AGE_MAX} years ago"
            raise InvalidRequest("", FieldError("birth_date", message))
        return born.isoformat()


def own_patient(caller: Caller) -> PatientId:
    """The patient that a caller is, or acts for. Raises Forbidden: neither."""
    if caller.patient_id is None:
        raise Forbidden("Switch to the context of a patient.")
    return caller.patient_id


def _is_restricted(caller: Caller, patient: Patient) -> bool:
    """Whether a caller may not use a patient's data."""
    if patient.restricted_at is None:
        return False
    return not is_exempt(caller, patient.patient_id)


def _shown(caller: Caller, patient: Patient) -> Patient:
    """A patient whom a caller may see. Raises DataRestricted."""
    if _is_restricted(caller, patient):
        raise DataRestricted
    return patient


def _asked(body: PatientSearchBody) -> tuple[FoundBy, str]:
    has_name = body.family_name is not None or body.birth_date is not None
    given = [has_name, body.email is not None, body.phone is not None]
    if sum((*given, body.number is not None)) != 1:
        raise InvalidRequest(
            "Send one of: family_name with birth_date, email, phone, number."
        )
    if body.email is not None:
        return FoundBy.EMAIL, compared_address(_email(body.email))
    if body.phone is not None:
        return FoundBy.PHONE, _phone(body.phone, "", "phone")
    if body.number is not None:
        return FoundBy.NUMBER, body.number
    if not body.family_name or body.birth_date is None:
        missing = "birth_date" if body.family_name else "family_name"
        raise InvalidRequest("", FieldError(missing, "is needed beside the other"))
    birth = body.birth_date.isoformat()
    return FoundBy.NAME_AND_BIRTH, name_and_birth(body.family_name, birth)


def _email(text: str) -> str:
    if not text:
        return ""
    try:
        return written_address(text)
    except InvalidAddress as error:
        message = f"is no e-mail address: {error}"
        raise InvalidRequest("", FieldError("email", message)) from None


def _phone(text: str, country: str, field: str) -> str:
    if not text:
        return ""
    try:
        return written_number(text, country)
    except InvalidNumber as error:
        raise InvalidRequest("", FieldError(field, str(error))) from None
