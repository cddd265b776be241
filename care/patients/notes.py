"""A patient's history: notes that doctors and the patient write, and never change."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import ClinicId, Millis, PatientId

NOTE_CHARACTERS_MAX: Final = 8_000


class NoteKind(StrEnum):
    """What a note is about."""

    CONDITION = "condition"
    ALLERGY = "allergy"
    MEDICATION = "medication"
    PROCEDURE = "procedure"
    VISIT = "visit"
    OTHER = "other"


class MedicalNote(Struct, frozen=True):
    """A note. ``author`` is an account; ``clinic_id`` is empty for a patient's own.

    ``replaces`` is the note that this one corrects, which stays readable.
    ``replaced_by`` is the one that corrects this.
    """

    note_id: str
    patient_id: PatientId
    clinic_id: ClinicId
    author: str
    kind: NoteKind
    text: str
    at: Millis
    replaces: str = ""
    replaced_by: str = ""


class NoteReplaced(Exception):
    """The note is not there, or another note replaces it already."""


class MedicalNotes(Protocol):
    """Notes of patients. Every method may raise Unavailable."""

    async def of_patient(
        self, patient_id: PatientId, *, after: tuple[int, str], limit: int
    ) -> Sequence[MedicalNote]:
        """Notes, the newest first, that follow ``after``: an instant and an id."""
        ...

    async def add(self, note: MedicalNote) -> None:
        """Store a note. Raises NoteReplaced: the one that it replaces cannot be."""
        ...
