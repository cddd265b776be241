"""Types of fields that several schemas share, with their limits and examples."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from actors.domain.ids import VisitTypeId
from gateway.errors import FieldError, InvalidRequest

REASON_CHARACTERS_MAX: Final = 500

# ``$`` alone would let a newline pass at the end, in Python but not in JavaScript.
LINE_PATTERN: Final = r"^[^\x00-\x1f\x7f]*$(?!\n)"
"""Text of one line: control characters would break lists, mails and terminals."""

ProviderRef = Annotated[
    str,
    Meta(
        pattern=r"^prv_[A-Za-z0-9_\-]{1,64}$(?!\n)",
        description="A provider's id.",
        examples=["prv_1"],
    ),
]
PatientRef = Annotated[
    str,
    Meta(
        pattern=r"^pat_[A-Za-z0-9_.\-]{1,96}$(?!\n)",
        description="A patient's id.",
        examples=["pat_1"],
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
    Meta(
        pattern=r"^[A-Za-z0-9_.\-]{1,64}$(?!\n)",
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


def checked_text(text: str, field: str) -> str:
    """Free text without control characters, trimmed.

    Raises:
        InvalidRequest: it has some; they would break lists, mails and terminals.
    """
    if any((char < " " and char not in "\n\t") or char == "\x7f" for char in text):
        raise InvalidRequest("", FieldError(field, "must not have control characters"))
    return text.strip()


def visit_type_of(text: str) -> VisitTypeId:
    """The same text, as an id."""
    return VisitTypeId(text)
