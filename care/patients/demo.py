"""Invented people of the demo region whom its one-click log-ins act as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.domain.ids import PatientId
from care.patients.profiles import PatientProfile

DEMO_PATIENT: Final = PatientId("pat_1")
DEMO_GUARDIAN: Final = PatientId("pat_2")
"""Another one, who has a child."""
DEMO_PROFILES: Final[Mapping[PatientId, PatientProfile]] = {
    DEMO_PATIENT: PatientProfile(
        given_name="Mira", family_name="Berg", birth_date="1987-03-14"
    ),
    DEMO_GUARDIAN: PatientProfile(
        given_name="Jonas", family_name="Holm", birth_date="1983-11-02"
    ),
}
DEMO_CHILD: Final = PatientProfile(
    given_name="Lea", family_name="Holm", birth_date="2019-05-04"
)
