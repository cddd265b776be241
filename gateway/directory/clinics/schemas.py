"""What clients send and receive about clinics."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from actors.domain.ids import ClinicId
from actors.domain.rules import Clinic
from gateway.wire.bodies import shaped
from gateway.wire.fields import ClinicRef, line

Name = Annotated[str, line(min_length=1, max_length=200)]
Line = Annotated[str, line(max_length=200)]

Country = Annotated[
    str,
    shaped(
        r"^([A-Z]{2})?$(?!\n)",
        "two capital letters of ISO 3166-1, as DE, or empty",
        examples=["DE"],
    ),
]


class ClinicBody(Struct, frozen=True):
    """A clinic."""

    clinic_id: str
    name: str
    time_zone: str
    address: str
    city: str
    postcode: str
    country: str
    latitude: float | None
    longitude: float | None
    phone: str


class ListedClinic(ClinicBody, frozen=True):
    """A clinic in a list; at a ``retired`` one nothing is booked."""

    retired: bool


class ClinicList(Struct, frozen=True):
    """A page of clinics, by name."""

    items: list[ListedClinic]
    next_cursor: str | None


class ClinicDetails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clinic's whole record; fields left out become empty.

    ``clinic_id`` may be included, as in the answer of GET; it must match the path.
    """

    name: Name
    time_zone: Annotated[str, Meta(max_length=64, examples=["Europe/Berlin"])]
    address: Line = ""
    city: Line = ""
    postcode: Line = ""
    country: Country = ""
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    phone: Line = ""
    clinic_id: ClinicRef | None = None


class ClinicRequest(ClinicDetails, frozen=True, kw_only=True):
    """The clinic in a provider's registration."""

    clinic_id: ClinicRef


def clinic_of(clinic_id: str, details: ClinicDetails) -> Clinic:
    """The domain's clinic."""
    given = msgspec.structs.asdict(details) | {
        "clinic_id": ClinicId(clinic_id),
        "name": details.name.strip(),
    }
    return Clinic(**given)


def clinic_tag(clinic: Clinic) -> bytes:
    """The ETag of a clinic's record; it changes with any field."""
    content = msgspec.json.encode(clinic)
    return b'"c%b"' % blake2b(content, digest_size=8).hexdigest().encode()


def clinic_body(clinic: Clinic) -> ClinicBody:
    """The response body for a clinic."""
    return ClinicBody(
        clinic_id=clinic.clinic_id,
        name=clinic.name,
        time_zone=clinic.time_zone,
        address=clinic.address,
        city=clinic.city,
        postcode=clinic.postcode,
        country=clinic.country,
        latitude=clinic.latitude,
        longitude=clinic.longitude,
        phone=clinic.phone,
    )


def listed_clinic(clinic: Clinic, *, retired: bool) -> ListedClinic:
    """The same in a list."""
    fields = msgspec.structs.asdict(clinic_body(clinic))
    return ListedClinic(**fields, retired=retired)
