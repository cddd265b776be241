"""Whose data is restricted (GDPR, article 18), as one gateway asks and remembers it.

Staff do not read, change or book for a patient who restricted the use of their data,
unless they have emergency access to them. Only that a patient is not restricted is
remembered, for a while, so that staff go on booking when the database does not answer.
A restriction is told to all gateways (care/sharing.py), and one that is lifted counts
at once.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from actors.domain.ids import PatientId
from gateway.access.believed import Believed
from gateway.access.tokens import Caller
from gateway.wire.errors import RequestError

PATIENTS_MAX: Final = 50_000
UNRESTRICTED_S: Final = 300.0
"""Seconds for which it is remembered that a patient is not restricted."""


class DataRestricted(RequestError):
    """The patient restricted the use of their data."""

    code = "data_restricted"

    def __init__(self) -> None:
        super().__init__(
            "Nothing was shown or changed: the patient restricted the use of their "
            "data. Ask them to lift that in their account; in an emergency, break the "
            "glass."
        )


class Restrictions(Protocol):
    """Says whether the use of a patient's data is restricted."""

    async def is_restricted(self, patient_id: PatientId) -> bool:
        """Whether it is; not for a patient who is not there. Raises Unavailable."""
        ...


class RestrictedPatients:
    """Asks the records, and remembers who is not restricted."""

    def __init__(
        self,
        source: Restrictions | None,
        monotonic_s: Callable[[], float] = monotonic,
    ) -> None:
        self._source = source
        self._now = monotonic_s
        self._free = Believed[PatientId, bool](
            UNRESTRICTED_S, PATIENTS_MAX, monotonic_s
        )
        self._forgotten = 0

    async def check(self, caller: Caller, patient_id: PatientId) -> None:
        """Let a caller use a patient's data, by what the records say now.

        Raises:
            DataRestricted: it is restricted, and the caller is another.
            Unavailable: the records do not answer.
        """
        if not is_exempt(caller, patient_id) and await self._ask(patient_id):
            raise DataRestricted

    async def check_remembered(self, caller: Caller, patient_id: PatientId) -> None:
        """The same, without a read for a patient who is remembered."""
        if not self._free.get(patient_id):
            await self.check(caller, patient_id)

    def forget(self, patient_id: str) -> None:
        """Ask again about this patient: the restriction has just changed."""
        self._forgotten += 1
        self._free.forget(PatientId(patient_id))

    async def _ask(self, patient_id: PatientId) -> bool:
        if self._source is None:
            return False
        asked, before = self._now(), self._forgotten
        if await self._source.is_restricted(patient_id):
            self._free.forget(patient_id)
            return True
        if self._forgotten == before:  # else the answer may be older than the news
            self._free.put(patient_id, value=True, at=asked)
        return False


def is_exempt(caller: Caller, patient_id: PatientId) -> bool:
    """Whether no restriction holds for a caller: the patient, or an emergency access.

    Guardians act as the patient, as far as their scope goes.
    """
    return patient_id in (caller.patient_id, caller.glass_patient)
