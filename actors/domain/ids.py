"""Names of things: opaque strings with a prefix, distinct to the type checker.

A hold's or a booking's id carries its provider, so that any gateway can find the
calendar that decides about it without a look-up:
``hld_<provider id without prv_>.<token>``, and ``bkg_`` likewise. Clients treat ids
as opaque.
"""

from __future__ import annotations

import re
from typing import NewType

ProviderId = NewType("ProviderId", str)
PatientId = NewType("PatientId", str)
ClinicId = NewType("ClinicId", str)
LocationId = NewType("LocationId", str)
VisitTypeId = NewType("VisitTypeId", str)
HoldId = NewType("HoldId", str)
BookingId = NewType("BookingId", str)
TimeOffId = NewType("TimeOffId", str)
ShardId = NewType("ShardId", str)
GroupId = NewType("GroupId", str)

Millis = NewType("Millis", int)
"""An instant in whole milliseconds since 1970-01-01T00:00Z."""

Minute = NewType("Minute", int)
"""An instant in whole minutes since 1970-01-01T00:00Z; visits live on this grid."""

ID_PATTERN = r"^(prv|pat|cln|hld|bkg|off|loc)_[A-Za-z0-9_.\-]{1,96}$"
_ID = re.compile(ID_PATTERN)  # matched whole: `$` alone lets a newline pass
PROVIDER_PATTERN = r"^prv_[A-Za-z0-9_\-]{1,64}$"
"""Narrower than other ids: holds, bookings and leaves carry it, then a dot."""
_PROVIDER = re.compile(PROVIDER_PATTERN)
GROUP_PATTERN = r"^[A-Za-z0-9_\-]{1,32}$"
"""A group's id is the token of its holds' and its members' bookings' ids."""
_GROUP = re.compile(GROUP_PATTERN)
_OWNED = re.compile(r"^(?:hld|bkg|off)_([A-Za-z0-9_\-]{1,64})\.[A-Za-z0-9_\-]{1,32}$")


def is_id(text: str, prefix: str) -> bool:
    """Whether ``text`` is a well-formed id that starts with ``prefix`` and ``_``."""
    return text.startswith(prefix + "_") and _ID.fullmatch(text) is not None


def is_provider_id(text: str) -> bool:
    """Whether ``text`` can name a provider: the one rule for all callers."""
    return _PROVIDER.fullmatch(text) is not None


def is_group_id(text: str) -> bool:
    """Whether ``text`` can name a group."""
    return _GROUP.fullmatch(text) is not None


def hold_id(provider_id: ProviderId, token: str) -> HoldId:
    """The id of a hold on this provider's calendar; ``token`` makes it unique."""
    return HoldId(f"hld_{provider_id[4:]}.{token}")


def booking_id(provider_id: ProviderId, token: str) -> BookingId:
    """The id of a booking on this provider's calendar; ``token`` makes it unique."""
    return BookingId(f"bkg_{provider_id[4:]}.{token}")


def time_off_id(provider_id: ProviderId, token: str) -> TimeOffId:
    """The id of a leave on this provider's calendar; ``token`` makes it unique."""
    return TimeOffId(f"off_{provider_id[4:]}.{token}")


def provider_of(owned_id: str) -> ProviderId | None:
    """Whose calendar a hold, booking or time-off id belongs to; None if malformed."""
    match = _OWNED.fullmatch(owned_id)
    return ProviderId("prv_" + match[1]) if match else None
