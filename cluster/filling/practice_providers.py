"""Invented providers for imported clinics: the same ones on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from actors.domain.ids import ProviderId
from actors.domain.rules import Availability, Clinic, Location, Profile
from cluster.filling.dice import pick
from cluster.filling.registering import NewProvider
from cluster.filling.rotas import ROTAS, location_of, visit_types

_GIVEN = (
    "Adaeze", "Alasdair", "Beatrix", "Cormac", "Delphine", "Edmund", "Farah", "Gwen",
    "Hamza", "Ingrid", "Jasper", "Keziah", "Lorcan", "Meera", "Niamh", "Oscar",
    "Padma", "Quentin", "Rosalind", "Stefan", "Tilda", "Umar", "Verity", "Zara",
)  # fmt: skip
_FAMILY = (
    "Abernathy", "Bhatt", "Coldwell", "Dunmore", "Eze", "Fairclough", "Ghosh",
    "Hollins", "Iqbal", "Jessop", "Kingsley", "Lomax", "Marwood", "Nuttall", "Okafor",
    "Pemberton", "Quayle", "Redfern", "Siddiqui", "Tattersall", "Underhill", "Varley",
    "Winstanley", "Yardley",
)  # fmt: skip
_SPECIALTIES = (
    "General practice", "General practice", "General practice", "Practice nursing",
    "Paediatrics", "Physiotherapy",
)  # fmt: skip
_ROTAS = tuple(name for name in ROTAS if name not in {"night", "two_places"})


def providers_of(clinics: Iterable[Clinic], per_clinic: int) -> Iterator[NewProvider]:
    """``per_clinic`` providers for each clinic, in order."""
    for clinic in clinics:
        for index in range(1, per_clinic + 1):
            yield _provider(clinic, index)


def _provider(clinic: Clinic, index: int) -> NewProvider:
    provider = ProviderId(f"prv_{clinic.clinic_id[4:]}_{index}")
    specialty = pick(_SPECIALTIES, provider, "specialty")
    given, family = pick(_GIVEN, provider, "given"), pick(_FAMILY, provider, "family")
    title = "" if specialty in {"Practice nursing", "Physiotherapy"} else "Dr "
    place = Location(
        location_of(clinic.clinic_id),
        clinic.time_zone,
        ROTAS[pick(_ROTAS, provider, "rota")],
        name=clinic.name,
    )
    return NewProvider(
        provider,
        Profile(f"{title}{given} {family}", specialty, clinic, ("en",)),
        Availability((place,), visit_types(specialty, provider)),
    )
