"""Types of fields that several schemas share, with their limits and examples."""

from __future__ import annotations

from typing import Annotated, Any, Final
from unicodedata import category

from msgspec import Meta

from actors.domain.ids import PROVIDER_PATTERN
from gateway.wire.bodies import shaped
from gateway.wire.errors import FieldError, InvalidRequest

REASON_CHARACTERS_MAX: Final = 500
OF_ANOTHER: Final = "is with another provider; a visit moves within one calendar"
"""Message for a booking and a hold with different providers."""

# ``$`` alone would let a newline pass at the end, in Python but not in JavaScript.
_LINE_PATTERN: Final = (
    r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$(?!\n)"
)
_LINE_SENTENCE: Final = "one line, without control characters and direction overrides"


def line(**more: Any) -> Meta:
    """Text of one line, such as a name.

    Control characters would break lists, mails and terminals; direction overrides
    would show a name, and what follows it, in another order than it is stored.
    """
    return shaped(_LINE_PATTERN, _LINE_SENTENCE, **more)


ProviderRef = Annotated[
    str,
    shaped(
        PROVIDER_PATTERN + r"(?!\n)",
        "a provider's id: prv_ and 1 to 64 letters, digits, - and _",
        description="A provider's id.",
        examples=["prv_1"],
    ),
]
PatientRef = Annotated[
    str,
    shaped(
        r"^pat_[A-Za-z0-9_.\-]{1,96}$(?!\n)",
        "a patient's id: pat_ and 1 to 96 letters, digits, . - and _",
        description="A patient's id.",
        examples=["pat_1"],
    ),
]
BookedTypeRef = Annotated[
    str,
    shaped(
        r"^[A-Za-z0-9_.\-+]{1,64}$(?!\n)",
        "a visit type's id",
        description="A visit type's id; in the part of a visit that a room or "
        "equipment has, how long it takes it: minutes before, of the visit and after, "
        "with + between.",
        examples=["consult"],
    ),
]
PatientOrNone = Annotated[
    str,
    shaped(
        r"^(pat_[A-Za-z0-9_.\-]{1,96})?$(?!\n)",
        "a patient's id, or empty",
        description="A patient's id; empty in the part of a visit that a room or "
        "equipment has.",
        examples=["pat_1"],
    ),
]
ClinicRef = Annotated[
    str,
    shaped(
        r"^cln_[A-Za-z0-9_.\-]{1,96}$(?!\n)",
        "a clinic's id: cln_ and 1 to 96 letters, digits, . - and _",
        description="A clinic's id.",
        examples=["cln_1"],
    ),
]
HoldRef = Annotated[
    str,
    Meta(max_length=128, description="A hold's id.", examples=["hld_1.Xa8k2LqPz0"]),
]
BookingRef = Annotated[
    str,
    Meta(max_length=128, description="A booking's id.", examples=["bkg_1.Xa8k2LqPz0"]),
]
TimeOffRef = Annotated[
    str,
    Meta(max_length=128, description="A time off's id.", examples=["off_1.Xa8k2LqPz0"]),
]
VisitTypeRef = Annotated[
    str,
    shaped(
        r"^[A-Za-z0-9_.\-]{1,64}$(?!\n)",
        "a visit type's id: 1 to 64 letters, digits, . - and _",
        description="A visit type's id.",
        examples=["consult"],
    ),
]
Epoch = Annotated[int, Meta(ge=0, description="Which ownership of the shard.")]
Version = Annotated[
    int,
    Meta(
        ge=0,
        description="The calendar's version: with the epoch, what it shows.",
    ),
]
Reason = Annotated[
    str,
    Meta(
        max_length=REASON_CHARACTERS_MAX,
        description="Free text for the clinic's staff and the patient.",
    ),
]

Stranded = Annotated[
    str,
    Meta(
        description="Why the visit cannot take place as booked or held, until it is "
        "moved, cancelled or covered again: leave, hours, place or visit_type.",
        examples=["", "leave"],
    ),
]


def checked_text(text: str, field: str) -> str:
    """Free text, trimmed, with line ends normalised to newlines.

    Raises:
        InvalidRequest: it has other control characters, which would break lists, mails
            and terminals.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if any(category(char) == "Cc" and char not in "\n\t" for char in text):
        raise InvalidRequest("", FieldError(field, "must not have control characters"))
    return text.strip()
