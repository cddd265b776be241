"""What the gateway needs to seal and open texts of people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from actors.domain.ids import PatientId
from care.keys.sealing import Place


class PersonKeys(Protocol):
    """The keys of people, kept in memory. What is known is used without waiting."""

    def learn(self, patient_id: PatientId, salt: bytes) -> None:
        """A person's salt, as their token says it."""
        ...

    def forget(self, patient_id: PatientId) -> None:
        """The person was erased: their texts open no more."""
        ...

    def knows(self, patient_id: PatientId) -> bool:
        """Whether texts of this person can be sealed and opened without a read."""
        ...

    def salt_of(self, patient_id: PatientId) -> bytes:
        """The salt of a person whom it knows; empty for one without."""
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
        """The clear text, or what is shown in its place. Never raises."""
        ...

    async def run(self) -> None:
        """Keep the site's keys up to date, until cancelled."""
        ...
