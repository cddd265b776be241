"""What clinics and providers say of themselves in the directory, besides the calendar.

Name, specialty, languages and the lengths of visits are in the calendar's profile and
rules; address, zone and place in the clinic's record. What is here decides about no
slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import ClinicId, ProviderId, VisitTypeId
from care.directory.words import sort_key

INSURANCES_MAX: Final = 60
INSURANCE_CHARACTERS_MAX: Final = 80
SERVICES_MAX: Final = 60
ACCESS_CHARACTERS_MAX: Final = 2_000
PRICE_MAX: Final = 100_000_000
"""In minor units: a million of most currencies."""


class StepFree(StrEnum):
    """Whether a place can be reached without steps."""

    UNKNOWN = ""
    YES = "yes"
    PARTLY = "partly"
    NO = "no"


class Service(Struct, frozen=True, omit_defaults=True):
    """What a visit type of a provider costs, and whether it takes place remotely.

    ``price`` is in the minor units of ``currency`` (ISO 4217), as cents; None if it
    is not stated. How long it takes, the visit type says.
    """

    visit_type: VisitTypeId
    price: int | None = None
    currency: str = ""
    remote: bool = False


class ProviderEntry(Struct, frozen=True, omit_defaults=True):
    """A provider's entry. Stored as one document: new fields need defaults."""

    accepts_new: bool = True
    insurances: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()

    @property
    def telehealth(self) -> bool:
        """Whether any visit takes place remotely."""
        return any(service.remote for service in self.services)


class ClinicEntry(Struct, frozen=True, omit_defaults=True):
    """A clinic's entry; its insurances hold for all its providers.

    Stored as one document: new fields need defaults. ``retired``: nothing is booked
    there any more, and no list shows it; ``retired_with`` are the providers who were
    retired along, and will be reinstated along.
    """

    step_free: StepFree = StepFree.UNKNOWN
    access_notes: str = ""
    website: str = ""
    insurances: tuple[str, ...] = ()
    retired: bool = False
    retired_with: tuple[ProviderId, ...] = ()


class Rating(Struct, frozen=True):
    """The sum of a provider's ratings, 1 to 5 each, and their number."""

    total: int
    count: int


class KeptProviderEntry(Struct, frozen=True):
    """An entry as it is stored; version 0 is that of a provider without one."""

    provider_id: ProviderId
    entry: ProviderEntry = ProviderEntry()
    version: int = 0
    rating: Rating | None = None
    photo: str = ""
    """The id of the photo; empty if there is none. It is no part of the version."""


class KeptClinicEntry(Struct, frozen=True):
    """An entry as it is stored; version 0 is that of a clinic without one."""

    clinic_id: ClinicId
    entry: ClinicEntry = ClinicEntry()
    version: int = 0
    photo: str = ""


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Names in their order, each once whatever its case and accents; none is empty."""
    found: dict[str, str] = {}
    for name in names:
        key = sort_key(name)
        if key:
            found.setdefault(key, name.strip())
    return tuple(found.values())
