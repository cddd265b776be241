"""Phone numbers: which are accepted, and how they are written (E.164)."""

from __future__ import annotations

from typing import Final

import phonenumbers

NUMBER_CHARACTERS_MAX: Final = 40
"""Of what is typed; E.164 has 16."""


class InvalidNumber(Exception):
    """No number in service looks like this; the message is for who typed it."""


def written_number(text: str, region: str = "") -> str:
    """A number as E.164, ``+49301234567``.

    ``region`` is the ISO 3166 code of the country that numbers without ``+`` are of.

    Raises:
        InvalidNumber: it is no phone number.
    """
    try:
        number = phonenumbers.parse(text, region.upper() or None)
    except phonenumbers.NumberParseException:
        raise InvalidNumber(
            "must be a phone number with its country, as +49 30 1234567"
        ) from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidNumber("has too many or too few digits for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
