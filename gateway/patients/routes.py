"""``/v1/patients`` and ``/v1/clinics/…/patients``: for those who treat and receive."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from actors.domain.ids import ClinicId, PatientId
from gateway.access.rights import Action
from gateway.http.features import CallerDep, FeatureRouter, PageDep
from gateway.patients.schemas import (
    ClinicPatientAnswer,
    ClinicPatientBody,
    ClinicPatientsAnswer,
    NewPatientBody,
    NoteAnswer,
    NoteBody,
    NotesAnswer,
    PatientAnswer,
    PatientSearchBody,
    ProfileChange,
)
from gateway.patients.service import PatientService

router = FeatureRouter(prefix="/v1", tags=["patients"], audited=False)

PatientPath = Annotated[str, Path(description="Which patient.", max_length=100)]
ClinicPath = Annotated[str, Path(description="Which clinic.", max_length=100)]


async def patients_of(request: Request) -> PatientService:
    """This gateway's service of patients."""
    found: PatientService = request.app.state.patients
    return found


PatientsDep = Annotated[PatientService, Depends(patients_of)]


@router.get(
    "/patients/{patient_id}",
    right=Action.READ_PROFILE,
    refusals=["data_restricted"],
)
async def read_patient(
    patient_id: PatientPath, caller: CallerDep, patients: PatientsDep
) -> PatientAnswer:
    """A patient whom the caller's clinic knows."""
    found = await patients.show(caller, PatientId(patient_id))
    await patients.read(caller, Action.READ_PROFILE, [found.patient_id])
    return PatientAnswer.of(found)


@router.patch(
    "/patients/{patient_id}",
    right=Action.WRITE_PROFILE,
    refusals=["version_behind", "data_restricted"],
)
async def change_patient(
    patient_id: PatientPath,
    body: ProfileChange,
    caller: CallerDep,
    patients: PatientsDep,
) -> PatientAnswer:
    """Change what is known of a patient."""
    changed = await patients.change(caller, PatientId(patient_id), body)
    fields = sorted(body.model_fields_set)
    await patients.wrote(caller, Action.WRITE_PROFILE, changed.patient_id, fields)
    return PatientAnswer.of(changed)


@router.get(
    "/patients/{patient_id}/notes",
    right=Action.READ_NOTES,
    refusals=["data_restricted"],
)
async def read_notes(
    patient_id: PatientPath, page: PageDep, caller: CallerDep, patients: PatientsDep
) -> NotesAnswer:
    """A patient's history, the newest note first."""
    found, following = await patients.notes(
        caller, PatientId(patient_id), page.cursor, page.limit
    )
    await patients.read(caller, Action.READ_NOTES, [PatientId(patient_id)])
    return NotesAnswer(
        items=[NoteAnswer.of(one) for one in found], next_cursor=following
    )


@router.post(
    "/patients/{patient_id}/notes",
    right=Action.WRITE_NOTES,
    status_code=201,
    refusals=["note_replaced", "data_restricted"],
)
async def write_note(
    patient_id: PatientPath, body: NoteBody, caller: CallerDep, patients: PatientsDep
) -> NoteAnswer:
    """Add to a patient's history. Notes stay: a later one corrects an earlier one."""
    note = await patients.add_note(caller, PatientId(patient_id), body)
    await patients.wrote(caller, Action.WRITE_NOTES, note.patient_id)
    return NoteAnswer.of(note)


@router.post(
    "/clinics/{clinic_id}/patients",
    right=Action.CREATE_PATIENT,
    status_code=201,
    refusals=["patient_known", "number_taken"],
)
async def add_patient(
    clinic_id: ClinicPath,
    body: NewPatientBody,
    caller: CallerDep,
    patients: PatientsDep,
) -> ClinicPatientAnswer:
    """Add a patient of a clinic, who need not have an account."""
    made = await patients.add(caller, ClinicId(clinic_id), body)
    patient_id = made.patient.patient_id
    await patients.wrote(caller, Action.CREATE_PATIENT, patient_id)
    return ClinicPatientAnswer.at(made)


@router.post(
    "/clinics/{clinic_id}/patients/search",
    right=Action.FIND_PATIENT,
    idempotent=False,
)
async def find_patients(
    clinic_id: ClinicPath,
    body: PatientSearchBody,
    caller: CallerDep,
    patients: PatientsDep,
) -> ClinicPatientsAnswer:
    """A clinic's patients of exactly this name and birth, address, phone or number."""
    found = await patients.search(caller, ClinicId(clinic_id), body)
    about = [one.patient.patient_id for one in found]
    await patients.read(caller, Action.FIND_PATIENT, about)
    return ClinicPatientsAnswer(items=[ClinicPatientAnswer.at(one) for one in found])


@router.get(
    "/clinics/{clinic_id}/patients/{patient_id}",
    right=Action.FIND_PATIENT,
    refusals=["patient_not_found", "data_restricted"],
)
async def read_clinic_patient(
    clinic_id: ClinicPath,
    patient_id: PatientPath,
    caller: CallerDep,
    patients: PatientsDep,
) -> ClinicPatientAnswer:
    """A patient as a clinic knows them."""
    found = await patients.at_clinic(caller, ClinicId(clinic_id), PatientId(patient_id))
    await patients.read(caller, Action.READ_PROFILE, [found.patient.patient_id])
    return ClinicPatientAnswer.at(found)


@router.put(
    "/clinics/{clinic_id}/patients/{patient_id}",
    right=Action.CREATE_PATIENT,
    refusals=["patient_not_found", "number_taken", "data_restricted"],
)
async def number_patient(
    clinic_id: ClinicPath,
    patient_id: PatientPath,
    body: ClinicPatientBody,
    caller: CallerDep,
    patients: PatientsDep,
) -> ClinicPatientAnswer:
    """Set the clinic's own number for its patient; empty takes it back."""
    found = await patients.number(
        caller, ClinicId(clinic_id), PatientId(patient_id), body.number
    )
    about = found.patient.patient_id
    await patients.wrote(caller, Action.CREATE_PATIENT, about, ["number"])
    await patients.read(caller, Action.READ_PROFILE, [about])  # the answer shows it
    return ClinicPatientAnswer.at(found)
