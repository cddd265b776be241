"""Names of patients on pages of bookings: one read per page, or none at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from actors.domain.ids import PatientId
from actors.errors import Unavailable
from care.patients.ports import Patients
from gateway.access.tokens import Caller

log = structlog.get_logger("slotcast.gateway")


class PatientNames:
    """Looks names up; without a store, or while it is away, there are none."""

    def __init__(self, patients: Patients | None) -> None:
        self._patients = patients

    async def of(
        self, caller: Caller | None, patient_ids: Iterable[PatientId]
    ) -> Mapping[PatientId, str]:
        """Names of those who have one, for callers with an account."""
        wanted = list(dict.fromkeys(patient_ids))
        is_known = caller is not None and caller.identity is not None
        if self._patients is None or not is_known or not wanted:
            return {}
        try:
            return await self._patients.names(wanted)
        except Unavailable as error:
            log.warning("a page is shown without names", reason=str(error))
            return {}
