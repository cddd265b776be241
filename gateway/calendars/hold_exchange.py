"""Exchanges placed holds with the other gateways.

It runs in the background: placing a hold never waits for it. After a patient's first
hold here this gateway knows all of that patient's holds, so each further gateway allows
at most one too many (docs/calendar.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

from actors.domain.ids import HoldId, PatientId
from actors.domain.messages.answers import HoldView
from actors.errors import Unavailable
from care.sharing import HoldNote, SharedHolds

AT_ONCE_MAX: Final = 256
"""Maximum number of holds in one exchange."""
DUE_MAX: Final = 10_000
"""Holds that may wait for an exchange; further ones are not shared."""
GATHER_S: Final = 0.01
PAUSE_AWAY_S: Final = 0.25

Learned = Callable[[PatientId, Sequence[HoldNote]], None]


class HoldExchange:
    """One per gateway process that shares its holds with others."""

    def __init__(self, store: SharedHolds, secret: bytes) -> None:
        self.store = store
        self.untold = 0
        """Holds that were not shared."""
        self.learned: Learned = lambda _patient_id, _notes: None
        self._secret = blake2b(secret).digest()[:32]
        self._due: dict[HoldId, HoldView] = {}
        self._news = asyncio.Event()

    def tell(self, view: HoldView) -> None:
        """Queue a hold placed or extended here for the other gateways."""
        if len(self._due) >= DUE_MAX:
            self.untold += 1
            return
        self._due[view.hold_id] = view
        self._news.set()

    async def look(self, patient_id: PatientId) -> None:
        """Fetch a patient's holds now; none while the store is unavailable."""
        try:
            notes = await self.store.find(self._key(patient_id))
        except Unavailable:
            return
        self.learned(patient_id, notes)

    async def run(self) -> None:
        """Exchange until cancelled."""
        while True:
            await self._news.wait()
            if not await self.exchange():
                await asyncio.sleep(PAUSE_AWAY_S)
            elif len(self._due) < AT_ONCE_MAX:
                await asyncio.sleep(GATHER_S)

    async def exchange(self) -> bool:
        """Send queued holds and fetch requested ones.

        False if the store is unavailable.
        """
        batch = list(self._due.values())[:AT_ONCE_MAX]
        for view in batch:
            del self._due[view.hold_id]
        if not self._due:
            self._news.clear()
        if not batch:
            return True
        patients = {self._key(view.patient_id): view.patient_id for view in batch}
        notes = [
            HoldNote(self._key(view.patient_id), view.hold_id, view.expires)
            for view in batch
        ]
        try:
            found = await self.store.exchange(notes)
        except Unavailable:
            self.untold += len(batch)
            return False
        for key, others in found.items():
            self.learned(patients[key], others)
        return True

    def _key(self, patient_id: PatientId) -> str:
        # A plain hash of a patient's id could be reversed by trying ids.
        text = patient_id.encode()
        return blake2b(text, digest_size=16, key=self._secret).hexdigest()
