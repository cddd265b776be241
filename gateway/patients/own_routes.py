"""``/v1/me/profile`` and so on: what patients see and change of themselves.

A guardian's token acts for the dependant here, as far as its scope goes.
"""

from __future__ import annotations

from gateway.access.rights import Action, Of
from gateway.http.features import CallerDep, FeatureRouter, PageDep
from gateway.patients.routes import PatientsDep
from gateway.patients.schemas import (
    MyClinicsAnswer,
    NoteAnswer,
    NoteBody,
    NotesAnswer,
    PatientAnswer,
    ProfileChange,
)
from gateway.patients.service import own_patient

router = FeatureRouter(prefix="/v1/me", tags=["patients"], audited=False)


@router.get("/profile", right=Action.READ_PROFILE, refusals=["patient_not_found"])
async def read_own_profile(caller: CallerDep, patients: PatientsDep) -> PatientAnswer:
    """The profile of the patient whom the caller is or acts for."""
    found = await patients.show(caller, own_patient(caller))
    await patients.read(caller, Action.READ_PROFILE, [found.patient_id])
    return PatientAnswer.of(found)


@router.patch(
    "/profile",
    right=Action.WRITE_PROFILE,
    refusals=["patient_not_found", "version_behind"],
)
async def change_own_profile(
    body: ProfileChange, caller: CallerDep, patients: PatientsDep
) -> PatientAnswer:
    """Change one's own profile."""
    changed = await patients.change(caller, own_patient(caller), body)
    fields = sorted(body.model_fields_set)
    await patients.wrote(caller, Action.WRITE_PROFILE, changed.patient_id, fields)
    return PatientAnswer.of(changed)


@router.get("/clinics", right=Action.READ_PROFILE, of=Of.PATIENT)
async def list_own_clinics(caller: CallerDep, patients: PatientsDep) -> MyClinicsAnswer:
    """The clinics that know the patient."""
    return MyClinicsAnswer(items=list(await patients.clinics_of(own_patient(caller))))


@router.get("/notes", right=Action.READ_NOTES)
async def read_own_notes(
    page: PageDep, caller: CallerDep, patients: PatientsDep
) -> NotesAnswer:
    """One's own history, the newest note first."""
    found, following = await patients.notes(
        caller, own_patient(caller), page.cursor, page.limit
    )
    await patients.read(caller, Action.READ_NOTES, [own_patient(caller)])
    return NotesAnswer(
        items=[NoteAnswer.of(one) for one in found], next_cursor=following
    )


@router.post(
    "/notes", right=Action.WRITE_NOTES, status_code=201, refusals=["note_replaced"]
)
async def write_own_note(
    body: NoteBody, caller: CallerDep, patients: PatientsDep
) -> NoteAnswer:
    """Add to one's own history."""
    note = await patients.add_note(caller, own_patient(caller), body)
    await patients.wrote(caller, Action.WRITE_NOTES, note.patient_id)
    return NoteAnswer.of(note)
