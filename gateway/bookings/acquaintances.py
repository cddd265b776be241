"""Clinics get to know the patients who book there by themselves, in the background.

A booking does not wait for it. What is lost here, because this process ends, is made up
when staff look the patient up: the read model has the booking too.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

import structlog

from actors.domain.ids import ClinicId, PatientId, ProviderId
from actors.errors import Unavailable
from actors.ports import Clock
from care.patients.ports import Patients
from gateway.access.known_patients import PAIRS_MAX, KnownPatients
from gateway.access.rights import Access

WAITING_MAX: Final = 10_000
"""Bookings whose clinics are still to be told; beyond, they are found by look-up."""
_AWAY_S: Final = 2.0

log = structlog.get_logger("slotcast.gateway")


class Acquaintances:
    """One per gateway; ``patients`` None: no clinic is told."""

    def __init__(
        self,
        patients: Patients | None,
        known: KnownPatients,
        access: Access,
        clock: Clock,
    ) -> None:
        self._patients = patients
        self._known = known
        self._access = access
        self._clock = clock
        self._told_of: OrderedDict[tuple[ClinicId, PatientId], None] = OrderedDict()
        self._waiting: dict[tuple[ProviderId, PatientId], None] = {}
        self._news = asyncio.Event()

    def booked(self, provider_id: ProviderId, patient_id: PatientId) -> None:
        """A patient booked for themself at this provider's clinic."""
        if self._patients is not None and len(self._waiting) < WAITING_MAX:
            self._waiting[provider_id, patient_id] = None
            self._news.set()

    async def run(self) -> None:
        """Tell clinics until cancelled."""
        while True:
            await self._news.wait()
            if not await self.tell():
                await asyncio.sleep(_AWAY_S)

    async def tell(self) -> bool:
        """Tell the clinics of all that wait; False if the records do not answer."""
        self._news.clear()
        while self._waiting:
            pair = next(iter(self._waiting))
            try:
                await self._told(*pair)
            except Unavailable as error:
                log.warning("a clinic was not told of a patient", reason=str(error))
                self._news.set()
                return False
            self._waiting.pop(pair, None)
        return True

    async def _told(self, provider_id: ProviderId, patient_id: PatientId) -> None:
        assert self._patients is not None
        facts = await self._access.facts(provider_id)
        if facts is None or (facts.clinic_id, patient_id) in self._told_of:
            return
        now = self._clock.now()
        await self._patients.make_known(facts.clinic_id, patient_id, now=now)
        self._known.note(facts.clinic_id, patient_id)
        self._told_of[facts.clinic_id, patient_id] = None
        if len(self._told_of) > PAIRS_MAX:
            self._told_of.popitem(last=False)
