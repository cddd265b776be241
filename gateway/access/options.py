"""What clinics may switch: rights that the table denies, and a clinic can grant.

Read when the table has said no, remembered for a short while; while the records are
away every option has its default, which is off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from time import monotonic
from typing import Final

from actors.domain.ids import ClinicId
from actors.errors import Unavailable
from care.grants.ports import ClinicOptions
from gateway.access.believed import Believed

BELIEVED_S: Final = 5.0
_CLINICS_MAX: Final = 10_000


class ClinicOption(StrEnum):
    """A named option; off unless a clinic turns it on."""

    STAFF_MAY_SET_HOURS = "staff_may_set_hours"
    """Staff replace the opening rules of the clinic's providers."""
    DOCTORS_SEE_COLLEAGUES = "doctors_see_colleagues"
    """Doctors read the schedules of the clinic's other doctors."""


class OptionsOfClinics:
    """One per gateway; ``store`` None: all are off."""

    def __init__(
        self,
        store: ClinicOptions | None,
        monotonic_s: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._known = Believed[ClinicId, Mapping[str, bool]](
            BELIEVED_S, _CLINICS_MAX, monotonic_s
        )

    async def is_on(self, clinic_id: ClinicId, option: ClinicOption) -> bool:
        """Whether a clinic has turned an option on."""
        known = self._known.get(clinic_id)
        if known is not None:
            return known.get(option, False)
        if self._store is None:
            return False
        try:
            found = await self._store.of(clinic_id)
        except Unavailable:
            return False
        self._known.put(clinic_id, found)
        return found.get(option, False)

    def forget(self, clinic_id: ClinicId) -> None:
        """Its options have just changed."""
        self._known.forget(clinic_id)
