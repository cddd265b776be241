"""Which patients a clinic knows, as one gateway remembers it.

Staff may act on patients whom their clinic knows: it added them, or they booked there.
Only what is true is remembered, and for a while; a patient whom a clinic gets to know
is known at once.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from actors.domain.ids import ClinicId, PatientId
from gateway.access.believed import Believed

PAIRS_MAX: Final = 50_000
BELIEVED_S: Final = 300.0


class PatientsOfClinics(Protocol):
    """Says whether a clinic knows a patient."""

    async def is_known(self, clinic_id: ClinicId, patient_id: PatientId) -> bool:
        """Whether it does. Raises Unavailable."""
        ...


class KnownPatients:
    """Asks the sources in turn, and remembers who is known."""

    def __init__(
        self,
        *sources: PatientsOfClinics,
        monotonic_s: Callable[[], float] = monotonic,
    ) -> None:
        self._sources = sources
        self._known = Believed[tuple[ClinicId, PatientId], bool](
            BELIEVED_S, PAIRS_MAX, monotonic_s
        )

    async def is_known(self, clinic_id: ClinicId, patient_id: PatientId) -> bool:
        """Whether a clinic knows a patient.

        Raises:
            Unavailable: it is not remembered, and the database does not answer.
        """
        if self._known.get((clinic_id, patient_id)):
            return True
        for source in self._sources:
            if await source.is_known(clinic_id, patient_id):
                self.note(clinic_id, patient_id)
                return True
        return False

    def note(self, clinic_id: ClinicId, patient_id: PatientId) -> None:
        """The clinic knows this patient from now on."""
        self._known.put((clinic_id, patient_id), value=True)
