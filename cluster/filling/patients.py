"""The demo region's patients: invented names and dates of birth, by their ids."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import date, timedelta

from sqlalchemy.exc import DBAPIError

from actors.domain.ids import ClinicId, PatientId
from actors.errors import Unavailable
from care.patients.demo import DEMO_PROFILES
from care.patients.profiles import PatientProfile
from cluster.clock import SystemClock
from cluster.filling.dice import number, pick
from cluster.site.site import Site
from persistence.keys.ring import KeyRing
from persistence.patients.store import SqlPatients
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate
from persistence.sql.records import Records

log = logging.getLogger(__name__)

_GIVEN = (
    "Aanya", "Abel", "Adunni", "Ailsa", "Akira", "Alba", "Amadou", "Anneke", "Anselm",
    "Astrid", "Ayesha", "Benoît", "Bryony", "Caio", "Catrin", "Dalia", "Dmitri",
    "Eilidh", "Elif", "Emeka", "Esme", "Fatima", "Felix", "Freya", "Giulia", "Hanna",
    "Hugo", "Ines", "Isla", "Jakob", "Joana", "Kaito", "Karim", "Leila", "Lotte",
    "Maeve", "Malik", "Marit", "Mateus", "Mohan", "Nour", "Olga", "Paolo", "Rania",
    "Ravi", "Rhys", "Sanne", "Soraya", "Tarek", "Teresa", "Tomas", "Yara",
)  # fmt: skip
_FAMILY = (
    "Achterberg", "Adeyemi", "Albrecht", "Almeida", "Amsel", "Ashcombe", "Bakshi",
    "Bellweather", "Bianchi", "Brandvold", "Carvalho", "Chaudhry", "Dalgaard",
    "Danjuma", "Dupont", "Ekström", "Farahani", "Fenwick", "Gathoni", "Greenhalgh",
    "Haddad", "Hartwig", "Ikeda", "Jansen", "Kamara", "Karlsen", "Keane", "Kowalski",
    "Laurent", "Llewellyn", "Mandal", "Markou", "Mwangi", "Nakamura", "Novak",
    "Oduya", "Okonkwo", "Pereira", "Petrov", "Quigley", "Rasmussen", "Rossi", "Saleh",
    "Shrestha", "Silva", "Tamang", "Thorsen", "Vermeer", "Wainwright", "Yilmaz",
    "Zamani",
)  # fmt: skip
_OLDEST, _DAYS = date(1938, 1, 1), 31_000
"""Born within 31,000 days from the first: 1938 to 2022."""


def profile_of(patient_id: PatientId) -> PatientProfile:
    """A patient of the demo region, the same one on every machine."""
    known = DEMO_PROFILES.get(patient_id)
    if known is not None:
        return known
    born = _OLDEST + timedelta(days=number(patient_id, "born") % _DAYS)
    return PatientProfile(
        given_name=pick(_GIVEN, patient_id, "given"),
        family_name=pick(_FAMILY, patient_id, "family"),
        birth_date=born.isoformat(),
    )


async def introduce(site: Site, booked: Collection[tuple[ClinicId, PatientId]]) -> None:
    """Give the patients who booked a name, and tell their clinics; on demo sites only.

    Those who have a profile keep it. A site without its records has the bookings all
    the same: repeat the seed for the names.
    """
    if not site.settings.is_demo:
        return
    records, clock = Records(site.records_url), SystemClock()
    try:
        await migrate(site.records_url, RECORDS)
        store = SqlPatients(
            records, KeyRing(records, site.key_encryption_keys(), clock)
        )
        people = {patient: profile_of(patient) for _, patient in booked}
        await store.introduce(people, booked, now=clock.now())
    except (Unavailable, DBAPIError, TimeoutError) as error:
        log.warning("the demo's patients have no names", extra={"reason": str(error)})
    finally:
        await records.close()
