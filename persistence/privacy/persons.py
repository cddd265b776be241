"""The keys of people, in memory. Implements ``care.keys.ports.PersonKeys``."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection
from time import monotonic
from typing import Final

from msgspec import Struct
from sqlalchemy import select

from actors.domain.ids import PatientId
from actors.errors import Unavailable
from care.keys.sealing import KeyEncryptionKeyWrong, Place, SealBroken
from care.keys.texts import (
    BY_PERSON,
    BY_SITE,
    ERASED,
    NOT_NOW,
    is_sealed,
    read,
    salt_without_row,
    written,
)
from persistence.accounts.models import PatientRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.sql.records import Records
from persistence.sql.statements import portions

log = logging.getLogger(__name__)

PEOPLE_MAX: Final = 100_000
"""People whose salts are remembered: more than the tokens that are."""
NO_ROW_S: Final = 60.0
"""How long it is believed that a person has no row."""
REFRESH_S: Final = 20.0
"""How often the site's keys are read again: below ``sealing.REFRESH_MS``."""
AWAY_S: Final = 2.0


class _Person(Struct):
    """``salt``: None for one without a row, or who was erased."""

    salt: bytes | None
    is_erased: bool = False
    at: float = 0.0
    keys: TenantKeys | None = None
    of: TenantKeys | None = None
    """The site's keys that ``keys`` were derived from."""


class SqlPersonKeys:
    """The keys of the people whom this process meets."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring
        self._site: TenantKeys | None = None
        self._people: OrderedDict[str, _Person] = OrderedDict()
        self.reads = 0
        """Questions to the records so far."""

    def learn(self, patient_id: PatientId, salt: bytes) -> None:
        """See PersonKeys.learn."""
        known = self._people.get(patient_id)
        if known is None or (known.salt != salt and not known.is_erased):
            self._remember(patient_id, _Person(salt))

    def forget(self, patient_id: PatientId) -> None:
        """See PersonKeys.forget."""
        self._remember(patient_id, _Person(None, is_erased=True))

    def knows(self, patient_id: PatientId) -> bool:
        """See PersonKeys.knows."""
        return self._site is not None and self._find(patient_id) is not None

    def salt_of(self, patient_id: PatientId) -> bytes:
        """See PersonKeys.salt_of."""
        person = self._people.get(patient_id)
        return b"" if person is None or person.salt is None else person.salt

    async def load(self, patient_ids: Collection[PatientId]) -> None:
        """See PersonKeys.load."""
        if self._site is None:
            self._site = await self._ring.of()
        unknown = [one for one in patient_ids if self._find(one) is None]
        if not unknown:
            return
        row, now = PatientRecord, monotonic()
        found: dict[str, bytes | None] = {}
        self.reads += 1
        async with self._records.reading() as session:
            for part in portions(unknown):
                query = select(row.patient_id, row.key_salt).where(
                    row.patient_id.in_(part)
                )
                for patient_id, salt in (await session.execute(query)).all():
                    found[patient_id] = salt
        for one in unknown:
            salt = found.get(one)
            is_erased = one in found and salt is None
            self._remember(one, _Person(salt, is_erased=is_erased, at=now))

    def seal(self, patient_id: PatientId, place: Place, text: str) -> str:
        """See PersonKeys.seal."""
        if self._site is None:
            raise Unavailable("the keys of sealed data are not known yet")
        person = self._find(patient_id)
        if person is not None and person.salt is not None:
            return written(BY_PERSON, self._keys(person).seal(place, text))
        keys = self._site.of_person(salt_without_row(patient_id))
        return written(BY_SITE, keys.seal(place, text))

    def open(self, patient_id: PatientId, place: Place, text: str) -> str:
        """See PersonKeys.open."""
        if not is_sealed(text):
            return text
        person = self._find(patient_id)
        if person is not None and person.is_erased:
            return ERASED
        if self._site is None:
            return NOT_NOW
        if text.startswith(BY_SITE):
            keys = self._site.of_person(salt_without_row(patient_id))
        elif person is None or person.salt is None:
            return NOT_NOW
        else:
            keys = self._keys(person)
        try:
            return keys.open(place, read(text))
        except SealBroken as error:
            log.error("ALARM: %s", error)  # noqa: TRY400 - the row, not the code
            return NOT_NOW

    async def run(self) -> None:
        """See PersonKeys.run."""
        while True:
            try:
                self._site = await self._ring.of()
            except (Unavailable, KeyEncryptionKeyWrong) as error:
                log.warning("the keys of sealed data are not read again: %s", error)
                await asyncio.sleep(AWAY_S)
            else:
                await asyncio.sleep(REFRESH_S)

    def _find(self, patient_id: str) -> _Person | None:
        person = self._people.get(patient_id)
        if person is None or person.salt is not None or person.is_erased:
            return person
        return person if monotonic() - person.at < NO_ROW_S else None

    def _keys(self, person: _Person) -> TenantKeys:
        if person.keys is None or person.of is not self._site:
            assert self._site is not None and person.salt is not None  # noqa: PT018
            person.keys, person.of = self._site.of_person(person.salt), self._site
        return person.keys

    def _remember(self, patient_id: str, person: _Person) -> None:
        self._people[patient_id] = person
        self._people.move_to_end(patient_id)
        if len(self._people) > PEOPLE_MAX:
            self._people.popitem(last=False)
