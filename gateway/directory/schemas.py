"""Bodies and answers of the directory's entries and specialties."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Final, Self

from msgspec import json
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from actors.domain.ids import VisitTypeId
from care.directory.entries import (
    ACCESS_CHARACTERS_MAX,
    INSURANCE_CHARACTERS_MAX,
    INSURANCES_MAX,
    PRICE_MAX,
    SERVICES_MAX,
    ClinicEntry,
    KeptClinicEntry,
    KeptProviderEntry,
    ProviderEntry,
    Service,
    StepFree,
    distinct,
)
from care.directory.photos import PhotoSize
from care.directory.specialties import Specialty, SpecialtyNames
from gateway.directory.photo_addresses import photo_of_clinic, photo_of_provider
from gateway.http.features import Answer, Body

TEXT: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
"""Without control characters and direction overrides, as names are."""
LINES: Final = (
    r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
)
"""The same, with newlines."""

InsuranceName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=INSURANCE_CHARACTERS_MAX, pattern=TEXT),
]
Insurances = Annotated[
    list[InsuranceName],
    Field(max_length=INSURANCES_MAX, description="Insurances that are accepted."),
]
VisitTypeName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$"),
    Field(examples=["consult"]),
]
Price = Annotated[
    int,
    Field(ge=0, le=PRICE_MAX, description="In minor units of the currency, as cents."),
]
Currency = Annotated[
    str, StringConstraints(pattern=r"^([A-Z]{3})?$"), Field(description="ISO 4217.")
]
_NOT_IN_LINKS: Final = r"\s<>\"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
Website = Annotated[
    str,
    StringConstraints(
        max_length=300,
        pattern=rf"^(https?://[^/?#@{_NOT_IN_LINKS}]+([/?#][^{_NOT_IN_LINKS}]*)?)?$",
    ),
]
"""Without a name before the host, by which a link seems to lead elsewhere."""
SpecialtyTitle = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=TEXT)
]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


class ServiceBody(Body):
    """What a visit type costs, and whether it takes place remotely."""

    visit_type: VisitTypeName
    price: Price | None = None
    currency: Currency = ""
    remote: bool = False

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if (self.price is None) == bool(self.currency):
            raise ValueError("a price needs a currency, and a currency a price")
        return self


class ProviderEntryBody(Body):
    """A provider's whole entry; fields left out have their defaults."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "accepts_new": True,
                "insurances": ["AOK"],
                "services": [
                    {"visit_type": "consult", "price": 6500, "currency": "EUR"}
                ],
            }
        }
    )

    accepts_new: Annotated[
        bool, Field(description="Whether new patients are accepted.")
    ] = True
    insurances: Insurances = Field(default_factory=list)
    services: list[ServiceBody] = Field(default_factory=list, max_length=SERVICES_MAX)

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        kinds = [service.visit_type for service in self.services]
        if len(set(kinds)) < len(kinds):
            raise ValueError("each visit type may have one service")
        return self

    def entry(self) -> ProviderEntry:
        """The value that is stored."""
        services = (
            Service(VisitTypeId(one.visit_type), one.price, one.currency, one.remote)
            for one in self.services
        )
        return ProviderEntry(
            self.accepts_new, distinct(self.insurances), tuple(services)
        )


class ClinicEntryBody(Body):
    """A clinic's whole entry; fields left out have their defaults."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "step_free": "partly",
                "access_notes": "Ring at the side door; the lift is behind it.",
                "website": "https://praxis.example",
            }
        }
    )

    step_free: StepFree = StepFree.UNKNOWN
    access_notes: Annotated[
        str, StringConstraints(max_length=ACCESS_CHARACTERS_MAX, pattern=LINES)
    ] = ""
    website: Website = ""
    insurances: Insurances = Field(default_factory=list)

    def entry(self) -> ClinicEntry:
        """The value that is stored."""
        return ClinicEntry(
            self.step_free,
            self.access_notes,
            self.website,
            distinct(self.insurances),
        )


class ServiceAnswer(Answer):
    """A service; ``price`` in minor units of ``currency``, null if not stated."""

    visit_type: str
    price: int | None
    currency: str
    remote: bool


class RatingAnswer(Answer):
    """The average of the ratings, 1 to 5, and their number."""

    average: float
    count: int


class ProviderEntryAnswer(Answer):
    """A provider's entry in the directory; ``version`` counts its changes.

    The photos' addresses are on this server; they are no part of the version.
    """

    provider_id: str
    accepts_new: bool
    telehealth: bool
    insurances: list[str]
    services: list[ServiceAnswer]
    rating: RatingAnswer | None
    version: int
    photo: str | None = None
    photo_large: str | None = None

    @classmethod
    def of(cls, kept: KeptProviderEntry) -> Self:
        """The answer for an entry."""
        entry, rated = kept.entry, kept.rating
        rating = None
        if rated is not None and rated.count:
            average = round(rated.total / rated.count, 2)
            rating = RatingAnswer(average=average, count=rated.count)
        return cls(
            provider_id=kept.provider_id,
            accepts_new=entry.accepts_new,
            telehealth=entry.telehealth,
            insurances=list(entry.insurances),
            services=[
                ServiceAnswer(
                    visit_type=one.visit_type,
                    price=one.price,
                    currency=one.currency,
                    remote=one.remote,
                )
                for one in entry.services
            ],
            rating=rating,
            version=kept.version,
            photo=photo_of_provider(kept.provider_id, kept.photo),
            photo_large=photo_of_provider(
                kept.provider_id, kept.photo, PhotoSize.LARGE
            ),
        )


class ClinicEntryAnswer(Answer):
    """A clinic's entry in the directory; ``version`` counts its changes."""

    clinic_id: str
    step_free: StepFree
    access_notes: str
    website: str
    insurances: list[str]
    retired: bool
    version: int
    photo: str | None = None
    photo_large: str | None = None

    @classmethod
    def of(cls, kept: KeptClinicEntry) -> Self:
        """The answer for an entry."""
        entry = kept.entry
        return cls(
            clinic_id=kept.clinic_id,
            step_free=entry.step_free,
            access_notes=entry.access_notes,
            website=entry.website,
            insurances=list(entry.insurances),
            retired=entry.retired,
            version=kept.version,
            photo=photo_of_clinic(kept.clinic_id, kept.photo),
            photo_large=photo_of_clinic(kept.clinic_id, kept.photo, PhotoSize.LARGE),
        )


class SpecialtyNamesBody(Body):
    """What a specialty is called in one language."""

    title: SpecialtyTitle
    synonyms: list[SpecialtyTitle] = Field(default_factory=list, max_length=60)


class SpecialtyBody(Body):
    """A specialty in every language that it has names in."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "names": {"en": {"title": "Homeopathy", "synonyms": ["homeopath"]}}
            }
        }
    )

    names: Annotated[
        dict[LanguageTag, SpecialtyNamesBody], Field(min_length=1, max_length=20)
    ]

    def specialty(self, specialty_id: str) -> Specialty:
        """The value that is stored."""
        names = {
            language: SpecialtyNames(one.title, distinct(one.synonyms))
            for language, one in sorted(self.names.items())
        }
        return Specialty(specialty_id, names)


class SpecialtyNamesAnswer(Answer):
    """What a specialty is called in one language."""

    title: str
    synonyms: list[str]


class SpecialtyAnswer(Answer):
    """A specialty. ``title`` is in the language that was asked for, if it is known.

    ``built_in``: it is as every site knows it. ``tag`` changes with its names:
    ``If-Match`` of a change takes it.
    """

    specialty: str
    title: str
    names: dict[str, SpecialtyNamesAnswer]
    built_in: bool
    tag: str

    @classmethod
    def of(cls, found: Specialty, language: str, *, built_in: bool) -> Self:
        """The answer for a specialty."""
        return cls(
            specialty=found.specialty_id,
            title=found.title(language),
            names={
                tag: SpecialtyNamesAnswer(
                    title=names.title, synonyms=list(names.synonyms)
                )
                for tag, names in found.names.items()
            },
            built_in=built_in,
            tag=specialty_tag(found),
        )


def specialty_tag(found: Specialty) -> str:
    """The ETag of a specialty's names."""
    digest = blake2b(json.encode(found, order="sorted"), digest_size=8).hexdigest()
    return f'"s{digest}"'


class SpecialtiesAnswer(Answer):
    """All specialties, by title."""

    items: list[SpecialtyAnswer]
