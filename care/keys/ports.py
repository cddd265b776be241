"""The port for sealing and opening texts of people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from actors.domain.ids import PatientId
from care.keys.sealing import Place


class PersonKeys(Protocol):
    """The keys of people, cached in memory. Known keys are used without waiting."""

    def learn(self, patient_id: PatientId, salt: bytes) -> None:
        """Take a person's salt from their token."""
        ...

    def forget(self, patient_id: PatientId) -> None:
        """Drop an erased person's key: their texts can no longer be opened."""
        ...

    def knows(self, patient_id: PatientId) -> bool:
        """Whether texts of this person can be sealed and opened without a read."""
        ...

    def salt_of(self, patient_id: PatientId) -> bytes:
        """The salt of a known person; empty for one without."""
        ...

    async def load(self, patient_ids: Collection[PatientId]) -> None:
        """Learn the salts of these people with one read, and the site's keys.

        Raises:
            Unavailable: the records do not answer.
        """
        ...

    def seal(self, patient_id: PatientId, place: Place, text: str) -> str:
        """A text sealed with the person's key, or the site's for one without a row.

        Raises:
            Unavailable: the keys are not known; ``load`` first.
        """
        ...

    def open(self, patient_id: PatientId, place: Place, text: str) -> str:
        """The clear text, or the text shown instead. Never raises."""
        ...

    async def run(self) -> None:
        """Keep the site's keys up to date, until cancelled."""
        ...
